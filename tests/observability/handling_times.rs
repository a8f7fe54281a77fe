//! While somebody observes, each handler is counted once and measured; while nobody does, none is.

use std::array::from_fn;
use std::collections::BTreeMap;
use std::sync::mpsc::{self, TryRecvError};
use std::thread;
use std::time::Duration;

use zctor::{ActorEngine, ActorThread, CallError, Context, HandlingTimes, Observer, actor};
use zctor_tests::{Gate, bounded, expect_panics, receive};

const WHILE: Duration = Duration::from_millis(20);

#[actor(ctx)]
enum JobMessage {
    Run,
    #[reply(u32)]
    Ask(u32),
    #[reply(())]
    Hold(Gate),
    Wait(Gate),
    Break,
    Stop,
    /// Sets a timer, and pipes a call to another job.
    Remind(JobClient),
    Reminded,
}

struct Job;

impl JobHandler for Job {
    fn run(&mut self, _: &mut Context<JobMessage>) {}
    fn ask(&mut self, _: &mut Context<JobMessage>, number: u32) -> u32 {
        number
    }
    fn hold(&mut self, _: &mut Context<JobMessage>, gate: Gate) {
        gate.pass();
    }
    fn wait(&mut self, _: &mut Context<JobMessage>, gate: Gate) {
        gate.pass();
    }
    fn r#break(&mut self, _: &mut Context<JobMessage>) {
        panic!("the job breaks");
    }
    fn stop(&mut self, ctx: &mut Context<JobMessage>) {
        ctx.stop();
    }
    fn remind(&mut self, ctx: &mut Context<JobMessage>, other: JobClient) {
        ctx.send_after(Duration::ZERO, JobMessage::Reminded);
        ctx.pipe(other.non_blocking().ask(1), |_| JobMessage::Reminded);
    }
    fn reminded(&mut self, _: &mut Context<JobMessage>) {}
}

#[actor(calls(JobMessage))]
enum BossMessage {
    #[reply(u32)]
    Delegate(JobClient, u32),
    #[reply(())]
    Hold(JobClient, Gate),
    /// Calls when there is no time for it.
    #[reply(())]
    Hurry(JobClient),
}

struct Boss;

impl BossHandler for Boss {
    fn delegate(&mut self, _: &mut Context<BossMessage>, job: JobClient, calls: u32) -> u32 {
        (0..calls).map(|_| job.ask(1).expect("it answers")).sum()
    }
    fn hold(&mut self, _: &mut Context<BossMessage>, job: JobClient, gate: Gate) {
        job.hold(gate).expect("it answers");
    }
    fn hurry(&mut self, _: &mut Context<BossMessage>, job: JobClient) {
        let timeout = job.within(Duration::ZERO).ask(1);
        assert!(matches!(timeout, Err(CallError::Timeout { begun: false, .. })), "{timeout:?}");
    }
}

fn counts(observer: &Observer) -> BTreeMap<(&'static str, &'static str), u64> {
    observer.handling_times().into_iter().map(|times| ((times.message, times.variant), times.count)).collect()
}

fn counted<const N: usize>(variants: [(&'static str, u64); N]) -> BTreeMap<(&'static str, &'static str), u64> {
    variants.into_iter().map(|(variant, count)| (("JobMessage", variant), count)).collect()
}

fn of(observer: &Observer, variant: &str) -> HandlingTimes {
    let all = observer.handling_times();
    all.into_iter().find(|times| times.variant == variant).unwrap_or_else(|| panic!("no `{variant}` was measured"))
}

fn job() -> (ActorEngine, JobClient) {
    let engine = ActorEngine::new();
    let job = engine.pool(1, JobMessage::actor(|| Job)).expect("it starts");
    (engine, job)
}

/// Holds the job, sends `messages` to it, which become a batch, and lets it go on.
fn send_as_a_batch(job: &JobClient, messages: impl IntoIterator<Item = JobMessage>) {
    let gate = Gate::new();
    job.wait(gate.clone()).expect("it lives");
    gate.await_arrivals(1);
    messages.into_iter().for_each(|message| job.send(message).expect("it lives"));
    gate.open();
}

#[test]
fn each_handler_is_counted_once_whichever_way_its_message_came() {
    bounded(|| {
        let engine = ActorEngine::new();
        let thread = ActorThread::new().register(JobMessage::actor(|| Job)).register(BossMessage::actor(|| Boss));
        engine.spawn(thread).expect("it starts");
        let boss = engine.client::<BossMessage>().expect("it is there");
        let near = engine.client::<JobMessage>().expect("it is there");
        let far: JobClient = engine.start(JobMessage::actor(|| Job)).expect("it starts");
        let observer = engine.observe();
        send_as_a_batch(&near, from_fn::<_, 100, _>(|_| JobMessage::Run));
        near.send_all(from_fn::<_, 100, _>(|_| JobMessage::Run)).expect("it lives");
        assert_eq!(boss.delegate(near.clone(), 10), Ok(10), "on the spot");
        assert_eq!(boss.delegate(far.clone(), 10), Ok(10), "on another thread");
        assert_eq!(far.ask(1), Ok(1));
        far.remind(near).expect("it lives");
        engine.settle();
        let mut all = counted([("Run", 200), ("Ask", 22), ("Wait", 1), ("Remind", 1), ("Reminded", 2)]);
        all.insert(("BossMessage", "Delegate"), 2);
        assert_eq!(counts(&observer), all);
        let handled: u64 = engine.stats().types.iter().map(|row| row.handled).sum();
        assert_eq!(observer.handling_times().iter().map(|times| times.count).sum::<u64>(), handled);
    });
}

#[test]
fn what_is_handled_while_nobody_observes_is_not_counted() {
    bounded(|| {
        let (engine, job) = job();
        job.run().expect("it lives");
        engine.settle();
        let observer = engine.observe();
        assert_eq!(counts(&observer), counted([]));
        job.run().expect("it lives");
        engine.settle();
        assert_eq!(counts(&observer), counted([("Run", 1)]));
        drop(observer);
        job.run().expect("it lives");
        engine.settle();
        let observer = engine.observe();
        job.run().expect("it lives");
        engine.settle();
        assert_eq!(counts(&observer), counted([("Run", 1)]));
    });
}

#[test]
fn two_observers_count_from_their_own_beginnings_and_one_may_go() {
    bounded(|| {
        let (engine, job) = job();
        let run = |times| {
            (0..times).for_each(|_| job.run().expect("it lives"));
            engine.settle();
        };
        let first = engine.observe();
        run(2);
        let second = engine.handle().observe();
        run(3);
        assert_eq!((counts(&first), counts(&second)), (counted([("Run", 5)]), counted([("Run", 3)])));
        drop(first);
        run(4);
        assert_eq!(counts(&second), counted([("Run", 7)]));
    });
}

#[test]
fn a_panic_counts_and_what_lies_behind_it_too() {
    bounded(|| {
        expect_panics("the job breaks");
        let (engine, job) = job();
        engine.on_panic(|_| {});
        let observer = engine.observe();
        send_as_a_batch(&job, [JobMessage::Run, JobMessage::Break, JobMessage::Run]);
        engine.settle();
        assert_eq!(counts(&observer), counted([("Wait", 1), ("Run", 2), ("Break", 1)]));
    });
}

#[test]
fn a_message_that_is_not_handled_is_not_counted() {
    bounded(|| {
        let (engine, job) = job();
        engine.on_dead_letter(|_| {});
        let observer = engine.observe();
        let gate = Gate::new();
        job.wait(gate.clone()).expect("it lives");
        gate.await_arrivals(1);
        let timeout = job.within(Duration::ZERO).ask(1);
        assert!(matches!(timeout, Err(CallError::Timeout { begun: false, .. })), "{timeout:?}");
        drop(job.non_blocking().ask(1)); // given up behind its push: its thread finds out
        gate.open();
        engine.settle();
        job.run().expect("it lives");
        send_as_a_batch(&job, [JobMessage::Run, JobMessage::Stop, JobMessage::Run]);
        engine.settle();
        assert_eq!(counts(&observer), counted([("Wait", 2), ("Run", 2), ("Stop", 1)]));
    });
}

#[test]
fn a_call_on_the_spot_that_comes_too_late_is_not_counted() {
    bounded(|| {
        let engine = ActorEngine::new();
        engine.on_dead_letter(|_| {});
        let thread = ActorThread::new().register(JobMessage::actor(|| Job)).register(BossMessage::actor(|| Boss));
        engine.spawn(thread).expect("it starts");
        let boss = engine.client::<BossMessage>().expect("it is there");
        let observer = engine.observe();
        boss.hurry(engine.client::<JobMessage>().expect("it is there")).expect("it answers");
        assert_eq!(boss.delegate(engine.client::<JobMessage>().expect("it is there"), 2), Ok(2));
        engine.settle();
        let mut all = counted([("Ask", 2)]);
        all.extend([(("BossMessage", "Hurry"), 1), (("BossMessage", "Delegate"), 1)]);
        let mut seen = counts(&observer);
        seen.retain(|_, count| *count > 0);
        assert_eq!(seen, all);
    });
}

#[test]
fn a_handler_that_began_before_the_observers_or_ends_after_them_is_not_measured() {
    bounded(|| {
        let (engine, job) = job();
        let (first, last) = (Gate::new(), Gate::new());
        send_as_a_batch(&job, [JobMessage::Wait(first.clone()), JobMessage::Run, JobMessage::Wait(last.clone())]);
        job.run().expect("it lives");
        first.await_arrivals(1);
        let observer = engine.observe();
        first.open();
        last.await_arrivals(1);
        assert_eq!(counts(&observer), counted([("Run", 1)]));
        drop(observer);
        let observer = engine.observe();
        last.open();
        engine.settle();
        assert_eq!(counts(&observer), counted([("Run", 1)]));
    });
}

#[test]
fn a_time_is_from_the_beginning_of_a_handler_to_its_end_with_its_waits() {
    bounded(|| {
        let engine = ActorEngine::new();
        let thread = ActorThread::new().register(JobMessage::actor(|| Job)).register(BossMessage::actor(|| Boss));
        engine.spawn(thread).expect("it starts");
        let far: JobClient = engine.start(JobMessage::actor(|| Job)).expect("it starts");
        let (boss, near) = (engine.client::<BossMessage>().expect("it is there"), engine.client::<JobMessage>());
        let observer = engine.observe();
        let gate = Gate::new();
        let held = boss.non_blocking().hold(far, gate.clone());
        gate.await_arrivals(1);
        // Served by the thread of the boss, which waits.
        assert_eq!(near.expect("it is there").ask(2), Ok(2));
        let began = engine.stats().threads[0].age;
        while engine.stats().threads[0].age < began + WHILE {
            thread::yield_now();
        }
        gate.open();
        assert_eq!(held.wait(), Ok(()));
        engine.settle();
        let [boss, far] = ["BossMessage", "JobMessage"].map(|message| {
            let all = observer.handling_times();
            all.into_iter().find(|times| times.message == message && times.variant == "Hold").expect("it is measured")
        });
        assert!(far.sum >= WHILE && boss.sum >= far.sum, "{boss:?} {far:?}");
        for times in [boss, far] {
            assert_eq!((times.count, times.buckets.iter().sum::<u64>(), times.mean()), (1, 1, times.sum));
            assert!(times.quantile(1.0) >= WHILE, "{times:?}");
        }
        assert_eq!(of(&observer, "Ask").count, 1);
    });
}

#[test]
fn counts_are_exact_while_observers_come_and_go_and_threads_send() {
    const MESSAGES: u64 = 200_000;
    bounded(|| {
        let engine = ActorEngine::new();
        let jobs: JobClient = engine.pool(2, JobMessage::actor(|| Job)).expect("they start");
        let observer = engine.observe();
        let (handle, (done, is_done)) = (engine.handle(), mpsc::channel::<()>());
        thread::scope(|scope| {
            let done = done; // gone with a failure, which ends the watcher
            let watcher = scope.spawn(move || {
                let mut looks = 0_u64;
                loop {
                    let (one, another) = (handle.observe(), handle.observe());
                    assert!(another.handling_times().iter().all(|times| times.count <= 2 * MESSAGES));
                    drop(one);
                    looks += 1;
                    if is_done.try_recv() != Err(TryRecvError::Empty) {
                        return looks;
                    }
                }
            });
            let send = || (0..MESSAGES).for_each(|_| jobs.run().expect("they live"));
            let senders = [(); 2].map(|()| scope.spawn(send));
            senders.into_iter().for_each(|sender| sender.join().expect("it sends"));
            engine.settle();
            assert_eq!(counts(&observer), counted([("Run", 2 * MESSAGES)]));
            done.send(()).expect("the watcher lives");
            assert!(watcher.join().expect("it looks") > 0);
        });
    });
}

#[test]
fn an_observer_outlives_its_engine_and_keeps_nothing_alive() {
    bounded(|| {
        let (engine, job) = job();
        let (handle, observer) = (engine.handle(), engine.observe());
        let (ended, is_ended) = mpsc::channel();
        engine.on_end(move |end| ended.send(end.message).expect("the test listens"));
        job.run().expect("it lives");
        engine.shutdown().expect("it stops");
        assert_eq!(receive(&is_ended), "JobMessage");
        assert_eq!(counts(&observer), counted([("Run", 1)]));
        assert_eq!(counts(&handle.observe()), counted([]));
    });
}
