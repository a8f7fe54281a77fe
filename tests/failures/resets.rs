//! A reset from outside, the news of restarts, and the end of an engine with an actor that it cannot do without.

use std::sync::mpsc::{self, Receiver, Sender};
use std::time::Duration;

use zctor::{ActorEngine, ActorThread, End, Ended, Inner, Restart, Restarted, StopError, actor};
use zctor_tests::{Counter, Gate, bounded, receive, receive_many};

#[actor]
#[derive(Clone)]
enum StepMessage {
    #[reply(())]
    Hold(Gate),
    Note,
    Break,
    #[reply(u64)]
    Count,
}

struct Step {
    build: u64,
    count: u64,
    /// The number of the build, and how many messages it had noted at its end.
    stopped: Sender<(u64, u64)>,
}

impl StepHandler for Step {
    fn hold(&mut self, gate: Gate) {
        gate.pass();
    }
    fn note(&mut self) {
        self.count += 1;
    }
    fn r#break(&mut self) {
        panic!("it breaks");
    }
    fn count(&mut self) -> u64 {
        self.count
    }
    fn on_stop(&mut self, _: &mut zctor::Context<StepMessage>) {
        self.stopped.send((self.build, self.count)).unwrap_or_default();
    }
}

fn step(restart: Restart) -> (zctor::Actor<StepMessage, Step>, Receiver<(u64, u64)>) {
    let (stopped, stops) = mpsc::channel();
    let builds = Counter::new();
    let actor = StepMessage::actor(move || Step { build: builds.increment(), count: 0, stopped: stopped.clone() });
    (actor.restart(restart), stops)
}

fn restarts(engine: &ActorEngine) -> Receiver<Restarted> {
    let (tell, told) = mpsc::channel();
    engine.on_restart(move |restarted: &Restarted| tell.send(restarted.clone()).unwrap_or_default());
    told
}

#[test]
fn a_reset_keeps_its_place_among_the_messages_and_runs_on_stop() {
    bounded(|| {
        for inner in [false, true] {
            let engine = ActorEngine::new();
            let (actor, stops) = step(Restart::always());
            let thread = ActorThread::new();
            let thread = if inner { thread.inner_bound(100, Inner::Refuse) } else { thread };
            engine.spawn(thread.register(actor)).unwrap();
            let steps: StepClient = engine.client::<StepMessage>().unwrap();
            assert_eq!(steps.reset(), Err(StopError::Unbound { message: "StepMessage" }));
            let step = steps.pin(steps.instances()[0]);
            let gate = Gate::new();
            let held = step.non_blocking().hold(gate.clone());
            gate.await_arrivals(1);
            (0..3).for_each(|_| step.note().unwrap());
            step.reset().unwrap();
            (0..2).for_each(|_| step.note().unwrap());
            step.reset().unwrap();
            step.note().unwrap();
            gate.open();
            held.wait().unwrap();
            assert_eq!(step.count(), Ok(1));
            assert_eq!(receive_many(&stops, 2), [(0, 3), (1, 2)]);
            let report = engine.shutdown().unwrap();
            assert_eq!((report.handled(), report.dead_letters), (8, 0));
            assert_eq!(receive(&stops), (2, 1));
            assert_eq!(step.reset(), Err(StopError::Stopped { message: "StepMessage" }));
        }
    });
}

#[test]
fn a_reset_ends_what_is_built_once() {
    bounded(|| {
        let engine = ActorEngine::new();
        let (stopped, stops) = mpsc::channel();
        let step = engine.start(StepMessage::actor_once(move || Step { build: 0, count: 0, stopped })).unwrap();
        step.note().unwrap();
        step.reset().unwrap();
        engine.settle();
        assert_eq!(stops.try_iter().collect::<Vec<_>>(), [(0, 1)]);
        assert_eq!(step.reset(), Err(StopError::Stopped { message: "StepMessage" }));
    });
}

#[test]
fn a_reset_of_one_that_backs_off_comes_behind_the_mail_that_is_held_for_it() {
    bounded(|| {
        let engine = ActorEngine::new();
        // The third panic within ten seconds is followed by a backoff.
        let backoff = Duration::from_millis(300);
        let (actor, stops) = step(Restart::always().backoff(backoff, backoff));
        let step = engine.start(actor).unwrap();
        let gate = Gate::new();
        let held = step.non_blocking().hold(gate.clone());
        gate.await_arrivals(1);
        (0..3).for_each(|_| step.r#break().unwrap());
        step.note().unwrap();
        step.reset().unwrap();
        (0..2).for_each(|_| step.note().unwrap());
        gate.open();
        held.wait().unwrap();
        assert_eq!(step.count(), Ok(2));
        assert_eq!(receive(&stops), (3, 1));
    });
}

#[test]
fn each_restart_is_told_once_when_the_state_is_built_again() {
    bounded(|| {
        let engine = ActorEngine::new();
        let told = restarts(&engine);
        let backoff = Duration::from_millis(1);
        let (actor, _stops) = step(Restart::always().backoff(backoff, backoff));
        let step = engine.start(actor).unwrap();
        for _ in 0..5 {
            step.r#break().unwrap();
        }
        assert_eq!(step.count(), Ok(0)); // it backs off no longer
        for _ in 0..5 {
            step.reset().unwrap();
        }
        assert_eq!(step.count(), Ok(0));
        for restarted in receive_many(&told, 10) {
            assert_eq!((Some(restarted.instance), restarted.message), (step.instance_id(), "StepMessage"));
        }
        step.stop().unwrap();
        engine.shutdown().unwrap();
        assert!(told.try_recv().is_err(), "neither the first build nor the end is a restart");
    });
}

#[test]
fn an_engine_stops_with_an_actor_that_ends_by_a_panic_if_that_says_so() {
    bounded(|| {
        for limit in [0, 2] {
            let engine = ActorEngine::new();
            let (tell, ends) = mpsc::channel();
            engine.on_end(move |ended: &Ended| tell.send(ended.why.clone()).unwrap_or_default());
            let restart = Restart::at_most(limit, Duration::from_secs(3600)).backoff(Duration::ZERO, Duration::ZERO);
            let (other, _others) = step(restart);
            let other = engine.start(other).unwrap();
            let (stopped, _stops) = step(restart.or_stop_engine());
            let stopped = engine.start(stopped).unwrap();
            let (vital, _stops) = step(restart.or_stop_engine());
            let vital = engine.start(vital).unwrap();
            // An orderly end stops nothing, and neither does one of an actor that does not say so.
            stopped.stop().unwrap();
            assert_eq!(receive(&ends), End::Stopped);
            (0..=limit).for_each(|_| other.r#break().unwrap());
            assert_eq!(receive(&ends), End::Panicked("it breaks".into()));
            (0..limit).for_each(|_| vital.r#break().unwrap());
            assert_eq!(vital.count(), Ok(0));
            vital.r#break().unwrap();
            engine.wait();
            assert_eq!(receive(&ends), End::Panicked("it breaks".into()));
            assert_eq!(engine.shutdown().unwrap().panicked(), 2 * (u64::from(limit) + 1));
        }
    });
}
