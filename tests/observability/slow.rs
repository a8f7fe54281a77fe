//! A handler that runs for longer than its limit is told, once, and no other is.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{self, Receiver, TryRecvError};
use std::thread;
use std::time::Duration;

use zctor::{ActorEngine, ActorThread, Context, Slow, SpawnError, actor, now};
use zctor_tests::{Gate, bounded, expect_panics, receive};

use crate::work::{Boss, BossMessage, Job, JobClient, JobMessage, look_until};

const LIMIT: Duration = Duration::from_millis(50);

/// A limit that nothing in these tests reaches.
const NEVER: Duration = Duration::from_secs(3600);

/// An engine that tells of slow handlers.
fn watched(limit: Duration) -> (ActorEngine, Receiver<Slow>) {
    let engine = ActorEngine::new();
    let (tell, told) = mpsc::channel();
    engine.on_slow(limit, move |slow| tell.send(slow.clone()).expect("the test listens")).expect("it is watched");
    (engine, told)
}

/// The engine's watcher has looked so many times more: it looks four times in a limit.
fn let_it_look(looks: u32) {
    let until = now() + LIMIT / 4 * looks;
    while now() < until {
        thread::park_timeout(LIMIT / 8);
    }
}

#[test]
fn a_handler_beyond_the_limit_is_told_once_and_again_at_ten_times() {
    bounded(|| {
        let (engine, told) = watched(LIMIT);
        engine.spawn(ActorThread::named("job").register(JobMessage::actor(Job::default))).expect("it starts");
        let gate = Gate::new();
        engine.send(JobMessage::Hold(gate.clone())).expect("it lives");
        engine.send(JobMessage::Run).expect("it lives");
        let slow = receive(&told);
        assert_eq!((slow.message, slow.variant, &*slow.thread_name), ("JobMessage", Some("Hold"), "job"));
        assert!(slow.lasted >= LIMIT && slow.limit == LIMIT, "{slow}");
        assert_eq!((slow.instance, slow.queued), (engine.instances()[0].id, 1));
        // The second time is at ten times the limit, and nothing comes in between.
        let again = receive(&told);
        assert!(again.lasted >= 10 * LIMIT, "{again}");
        assert_eq!((again.instance, again.variant), (slow.instance, slow.variant));
        gate.open();
        engine.settle();
        // Another handling is told by itself, and begins at nothing.
        let (gate, begun) = (Gate::new(), now());
        engine.send(JobMessage::Hold(gate.clone())).expect("it lives");
        let next = receive(&told);
        assert!(next.lasted >= LIMIT && next.lasted <= now() - begun, "{next}");
        gate.open();
        engine.shutdown().expect("it ends");
        assert_eq!(told.try_recv().map(|slow| slow.to_string()), Err(TryRecvError::Disconnected));
    });
}

#[test]
fn ten_thousand_short_handlers_are_not_slow() {
    bounded(|| {
        // As long as the others, since machines stall; and each handler is far shorter than the time for all.
        let (engine, told) = watched(Duration::from_secs(5));
        let jobs = engine.pool(1, JobMessage::actor(Job::default)).expect("it starts");
        let until = now() + Duration::from_millis(500);
        let mut sent = 0;
        while sent < 10_000 || now() < until {
            for _ in 0..100 {
                jobs.run().expect("it lives");
            }
            sent += 100;
            engine.settle();
        }
        assert!(engine.slow(Duration::from_secs(5)).is_empty());
        drop(engine);
        assert_eq!(told.try_recv().map(|slow| slow.to_string()), Err(TryRecvError::Disconnected));
    });
}

#[test]
fn of_handlers_that_wait_the_one_that_runs_is_told() {
    bounded(|| {
        let (engine, told) = watched(LIMIT);
        let job = engine.pool(1, JobMessage::actor(Job::default)).expect("it starts");
        let boss = engine.start(BossMessage::actor(Boss::default)).expect("it starts");
        let gate = Gate::new();
        boss.delegate(gate.clone()).expect("it lives");
        let slow = receive(&told);
        assert_eq!((slow.message, slow.variant), ("JobMessage", Some("Ask")));
        assert_eq!(slow.instance, job.instances()[0]);
        let seen = look_until(|| engine.slow(LIMIT), |slow| !slow.is_empty());
        assert_eq!(seen.iter().map(|slow| slow.instance).collect::<Vec<_>>(), [slow.instance]);
        let_it_look(8);
        gate.open();
        engine.settle();
        drop(engine);
        // The boss waited as long, and went on for a moment.
        let others: Vec<_> = told.iter().filter(|other| other.instance != slow.instance).collect();
        assert!(others.is_empty(), "{others:?}");
    });
}

#[test]
fn an_actor_that_is_slow_by_right_is_told_at_its_own_limit() {
    bounded(|| {
        let (engine, told) = watched(LIMIT);
        let patient = engine.start(JobMessage::actor(Job::default).slow(NEVER)).expect("it starts");
        let once = engine.start(JobMessage::actor_once(Job::default).slow(NEVER)).expect("it starts");
        let other = engine.start(JobMessage::actor(Job::default)).expect("it starts");
        let gate = Gate::new();
        let hold = |job: &JobClient| job.hold(gate.clone()).expect("it lives");
        [&patient, &once].into_iter().for_each(hold);
        gate.await_arrivals(2);
        let_it_look(8);
        hold(&other);
        let slow = receive(&told);
        assert_eq!(Some(slow.instance), other.instance_id(), "of three that run, the one without a limit of its own");
        let seen = look_until(|| engine.slow(LIMIT), |slow| !slow.is_empty());
        assert_eq!(seen.len(), 1);
        // Two looks apart by more than the limit find all three, if the engine's limit is asked for.
        gate.open();
        drop(engine);
        assert!(told.iter().all(|slow| Some(slow.instance) == other.instance_id()));
    });
}

#[test]
fn a_limit_of_an_actor_that_is_shorter_than_the_engines_is_kept_too() {
    bounded(|| {
        let (engine, told) = watched(NEVER);
        let other = engine.start(JobMessage::actor(Job::default)).expect("it starts");
        let gate = Gate::new();
        other.hold(gate.clone()).expect("it lives");
        gate.await_arrivals(1);
        let_it_look(4);
        // The watcher is between two looks, and knows of no limit but the engine's.
        let hasty = engine.start(JobMessage::actor(Job::default).slow(LIMIT)).expect("it starts");
        hasty.hold(gate.clone()).expect("it lives");
        let slow = receive(&told);
        assert_eq!((Some(slow.instance), slow.limit), (hasty.instance_id(), LIMIT));
        gate.open();
        drop(engine);
        assert_eq!(told.try_recv().map(|slow| slow.to_string()), Err(TryRecvError::Disconnected));
    });
}

#[test]
fn slow_by_itself_finds_what_runs_from_the_first_look_on() {
    bounded(|| {
        let engine = ActorEngine::new();
        assert!(engine.slow(Duration::ZERO).is_empty());
        let job: JobClient = engine.start(JobMessage::actor(Job::default)).expect("it starts");
        engine.settle();
        let gate = Gate::new();
        job.hold(gate.clone()).expect("it lives");
        gate.await_arrivals(1);
        let slow = look_until(|| engine.handle().slow(LIMIT), |slow| !slow.is_empty());
        assert_eq!((slow[0].variant, slow[0].limit), (Some("Hold"), LIMIT));
        assert!(engine.slow(NEVER).is_empty());
        gate.open();
        engine.settle();
        assert!(engine.slow(Duration::ZERO).is_empty());
    });
}

#[actor(calls(JobMessage))]
enum ComputeMessage {
    /// Passes the first gate, then has a job pass the second, on the same thread.
    Compute(Gate, Gate),
}

struct Compute;

impl ComputeHandler for Compute {
    fn compute(&mut self, ctx: &mut Context<ComputeMessage>, own: Gate, job: Gate) {
        own.pass();
        ctx.call(JobMessage::ask(job)).expect("the job answers");
    }
}

/// What runs, when its code is this: for how long it has.
fn running(engine: &ActorEngine, message: &str) -> Option<Duration> {
    let runs = engine.stats().threads[0].runs.filter(|runs| runs.message == message)?;
    Some(runs.lasted)
}

#[test]
fn a_call_on_the_spot_has_not_run_for_the_time_of_its_caller() {
    bounded(|| {
        let engine = ActorEngine::new();
        let both =
            ActorThread::new().register(JobMessage::actor(Job::default)).register(ComputeMessage::actor(|| Compute));
        engine.spawn(both).expect("it starts");
        engine.settle();
        let (own, job) = (Gate::new(), Gate::new());
        engine.send(ComputeMessage::Compute(own.clone(), job.clone())).expect("it lives");
        let computed =
            look_until(|| running(&engine, "ComputeMessage"), |lasted| lasted.is_some_and(|lasted| lasted > LIMIT));
        assert!(computed.is_some());
        let begun = now();
        own.open();
        job.await_arrivals(1);
        let lasted = running(&engine, "JobMessage").expect("it holds the job");
        assert!(lasted <= now() - begun, "{lasted:?}");
        job.open();
        engine.shutdown().expect("it ends");
    });
}

#[test]
fn a_handler_has_not_run_for_the_time_of_the_factory_before_it() {
    expect_panics("the job breaks");
    bounded(|| {
        let engine = ActorEngine::new();
        let (factory, held) = (Gate::new(), Gate::new());
        let (builds, gate) = (AtomicU32::new(0), factory.clone());
        let build = move || {
            // The third panic has it built again by a timer: the thread wakes up for that.
            if builds.fetch_add(1, Ordering::Relaxed) == 3 {
                gate.pass();
            }
            Job
        };
        let job: JobClient = engine.start(JobMessage::actor(build)).expect("it starts");
        engine.settle();
        (0..3).for_each(|_| job.r#break().expect("it lives"));
        factory.await_arrivals(1);
        let_it_look(8);
        job.hold(held.clone()).expect("it lives");
        let begun = now();
        factory.open();
        held.await_arrivals(1);
        let lasted = running(&engine, "JobMessage").expect("it is held");
        assert!(lasted <= now() - begun, "{lasted:?}");
        held.open();
        engine.shutdown().expect("it ends");
    });
}

#[test]
fn a_later_hook_replaces_the_one_before_and_a_stopped_engine_takes_none() {
    bounded(|| {
        let (engine, first) = watched(NEVER);
        let (tell, told) = mpsc::channel();
        engine.on_slow(LIMIT, move |slow| tell.send(slow.instance).expect("the test listens")).expect("it is watched");
        assert_eq!(first.try_recv().map(drop), Err(TryRecvError::Disconnected), "the hook before is let go");
        let job: JobClient = engine.start(JobMessage::actor(Job::default)).expect("it starts");
        let gate = Gate::new();
        job.hold(gate.clone()).expect("it lives");
        assert_eq!(Some(receive(&told)), job.instance_id());
        gate.open();
        engine.shutdown().expect("it ends");
        assert!(matches!(engine.on_slow(LIMIT, |_| ()), Err(SpawnError::Stopped)));
    });
}

#[test]
fn a_later_hook_is_told_of_what_the_one_before_was_told_of() {
    bounded(|| {
        let (engine, first) = watched(LIMIT);
        let job: JobClient = engine.start(JobMessage::actor(Job::default)).expect("it starts");
        let gate = Gate::new();
        job.hold(gate.clone()).expect("it lives");
        let before = [receive(&first), receive(&first)].map(|slow| (slow.instance, slow.variant));
        let (tell, told) = mpsc::channel();
        let hook = move |slow: &Slow| tell.send(slow.clone()).expect("the test listens");
        engine.on_slow(LIMIT, hook).expect("it is watched");
        // The next time of the hook before would be at a hundred limits: another handler is told long before.
        let other: JobClient = engine.start(JobMessage::actor(Job::default)).expect("it starts");
        other.hold(gate.clone()).expect("it lives");
        let after = receive(&told);
        assert_eq!(before, [(after.instance, after.variant); 2]);
        assert_eq!(Some(receive(&told).instance), other.instance_id());
        gate.open();
        engine.shutdown().expect("it ends");
    });
}

#[test]
fn a_hook_may_panic_stop_the_engine_and_hold_its_own_client() {
    expect_panics("the hook breaks");
    bounded(|| {
        let engine = ActorEngine::new();
        let job: JobClient = engine.start(JobMessage::actor(Job::default)).expect("it starts");
        let (gate, held, handle) = (Gate::new(), job.clone(), engine.handle());
        let door = gate.clone();
        let hook = move |slow: &Slow| {
            held.run().expect("it lives");
            handle.stop();
            door.open();
            assert!(slow.lasted < LIMIT, "the hook breaks");
        };
        engine.on_slow(LIMIT, hook).expect("it is watched");
        job.hold(gate.clone()).expect("it lives");
        engine.wait();
        let report = engine.shutdown().expect("it has ended");
        assert_eq!(report.handled(), 2);
    });
}
