//! A shutdown with a deadline ends in time: it seals the inside, leaves a thread that does not return, and answers
//! whoever waits.

use std::sync::mpsc::{self, Sender};
use std::thread;
use std::time::Duration;

use zctor::{ActorEngine, ActorThread, CallError, Context, Restart, actor};
use zctor_tests::{Counter, DropGuard, Gate, IN_TIME, bounded, receive, receive_many};

use crate::work::{Seen, WorkClient, WorkMessage, is_stopped};

const CHORES: usize = 20_000;

#[test]
fn a_deadline_names_the_thread_whose_handler_does_not_return_and_answers_who_waits_for_it() {
    bounded(|| {
        let (engine, seen) = (ActorEngine::new(), Seen::default());
        engine.spawn(ActorThread::named("healthy").register(seen.actor())).unwrap();
        engine.spawn(ActorThread::named("stubborn").register(seen.actor())).unwrap();
        let work = engine.client::<WorkMessage>().unwrap();
        let stubborn = work.pin(work.instances()[1]);
        let gate = Gate::new();
        thread::scope(|scope| {
            let (held, client) = (gate.clone(), stubborn.clone());
            let waiting = scope.spawn(move || client.hold(held));
            gate.await_arrivals(1);
            let queued = stubborn.non_blocking().call();
            stubborn.grow(0).unwrap();
            let limit = Duration::from_millis(100);
            let error = engine.shutdown_timeout(limit).expect_err("a handler does not return");
            assert!(error.to_string().contains("stubborn"), "{error}");
            // Nobody waits for it any more.
            assert!(is_stopped(&waiting.join().unwrap()));
            assert!(is_stopped(&queued.wait()));
            assert!(is_stopped(&stubborn.call()));
            assert!(is_stopped(&work.call()));
            gate.open();
        });
        assert_eq!(seen.handled.get(), 0);
    });
}

#[test]
fn an_abandoned_thread_ends_once_its_handler_returns() {
    bounded(|| {
        let engine = ActorEngine::new();
        let (ends, told) = mpsc::channel();
        let seen = Seen { ends: Some(ends), ..Seen::default() };
        engine.spawn(ActorThread::named("stubborn").register(seen.actor()).register(seen.actor())).unwrap();
        let gate = Gate::new();
        let held = engine.client::<WorkMessage>().unwrap().non_blocking().hold(gate.clone());
        gate.await_arrivals(1);
        engine.shutdown_timeout(Duration::from_millis(20)).expect_err("a handler does not return");
        assert!(is_stopped(&held.wait()));
        assert!(told.try_recv().is_err());
        gate.open();
        // Its states are dropped where they lived.
        let dropped = receive_many(&told, 4).into_iter().filter(|(_, what)| *what == "drop").count();
        assert_eq!((dropped, seen.dropped.get()), (2, 2));
    });
}

#[actor(calls(WorkMessage))]
enum WaiterMessage {
    Wait(WorkClient, Gate, Sender<Result<(), CallError>>),
    /// Waits on another thread, as a part of the handler.
    WaitElsewhere(WorkClient, Gate, Sender<Result<(), CallError>>),
}

struct Waiter;

impl WaiterHandler for Waiter {
    fn wait(
        &mut self,
        _: &mut Context<WaiterMessage>,
        work: WorkClient,
        gate: Gate,
        seen: Sender<Result<(), CallError>>,
    ) {
        seen.send(work.hold(gate)).expect("the test listens");
    }

    fn wait_elsewhere(
        &mut self,
        ctx: &mut Context<WaiterMessage>,
        work: WorkClient,
        gate: Gate,
        seen: Sender<Result<(), CallError>>,
    ) {
        let carried = ctx.carry();
        let outcome = thread::scope(|scope| scope.spawn(|| carried.run(|| work.hold(gate))).join());
        seen.send(outcome.expect("the call gives an error")).expect("the test listens");
    }
}

/// Has a waiter of one engine, or of another, wait for a stubborn thread, which is abandoned.
fn wait_for_a_stubborn_thread(
    is_elsewhere: bool,
    wait: fn(WorkClient, Gate, Sender<Result<(), CallError>>) -> WaiterMessage,
) {
    bounded(move || {
        let (engine, other, seen) = (ActorEngine::new(), ActorEngine::new(), Seen::default());
        engine.spawn(ActorThread::named("stubborn").register(seen.actor())).expect("the engine is open");
        let work = engine.client::<WorkMessage>().expect("the engine is open");
        let waiters = if is_elsewhere { &other } else { &engine };
        waiters
            .spawn(ActorThread::named("waiter").register(WaiterMessage::actor(|| Waiter)))
            .expect("the engine is open");
        let gate = Gate::new();
        let (outcome, ended) = mpsc::channel();
        waiters.send(wait(work, gate.clone(), outcome)).expect("the engine is open");
        gate.await_arrivals(1);
        let error = engine.shutdown_timeout(Duration::from_millis(100)).expect_err("a handler does not return");
        assert!(error.to_string().contains("stubborn"), "{error}");
        assert!(is_stopped(&receive(&ended)));
        gate.open();
    });
}

#[test]
fn a_handler_that_waits_for_a_stubborn_thread_is_answered_too() {
    wait_for_a_stubborn_thread(false, WaiterMessage::Wait);
}

#[test]
fn a_handler_of_another_engine_that_waits_for_a_stubborn_thread_is_answered_too() {
    wait_for_a_stubborn_thread(true, WaiterMessage::Wait);
}

#[test]
fn carried_code_that_waits_for_a_stubborn_thread_is_answered_too() {
    wait_for_a_stubborn_thread(false, WaiterMessage::WaitElsewhere);
}

#[test]
fn a_deadline_ends_an_inside_that_is_never_quiet() {
    #[actor(ctx)]
    enum RestlessMessage {
        Again(Sender<()>),
    }
    struct Restless(DropGuard);
    impl RestlessHandler for Restless {
        fn again(&mut self, ctx: &mut Context<RestlessMessage>, refused: Sender<()>) {
            let _dropped_with_the_state = &self.0;
            if ctx.send(RestlessMessage::Again(refused.clone())).is_err() {
                // A test that has seen enough may be gone.
                let _ = refused.send(());
            }
        }
    }
    bounded(|| {
        let engine = ActorEngine::new();
        let dropped = Counter::new();
        let counter = dropped.clone();
        let restless = engine.pool(2, RestlessMessage::actor(move || Restless(counter.guard()))).unwrap();
        let (refused, _told) = mpsc::channel();
        restless.again(refused).unwrap();
        // Every handler returns, so every thread is joined, though the inside would go on for ever.
        let report = engine.shutdown_timeout(IN_TIME).unwrap();
        assert!(report.handled() > 0);
        assert_eq!(dropped.get(), 2);
    });
}

#[test]
fn a_call_that_was_passed_on_ends_when_its_new_thread_is_abandoned() {
    bounded(|| {
        let (engine, seen) = (ActorEngine::new(), Seen::default());
        let work = engine.pool(2, seen.actor()).unwrap();
        let (leaving, stubborn) = (Gate::new(), Gate::new());
        let held = leaving.clone();
        work.pin(work.instances()[0])
            .later(Box::new(move |ctx| {
                held.pass();
                ctx.stop();
            }))
            .unwrap();
        leaving.await_arrivals(1);
        // The turn is at the one that leaves, so its sibling gets the call from it.
        let call = work.non_blocking().hold(stubborn.clone());
        assert_eq!(engine.stats().threads[0].queued, 2, "the call is behind the one at the gate");
        thread::scope(|scope| {
            let waiting = scope.spawn(move || call.wait());
            leaving.open();
            stubborn.await_arrivals(1);
            engine.shutdown_timeout(Duration::from_millis(100)).expect_err("a handler does not return");
            assert!(is_stopped(&waiting.join().unwrap()));
        });
        stubborn.open();
    });
}

#[test]
fn a_deadline_ends_a_thread_between_two_messages_of_a_batch() {
    #[actor]
    enum ChoreMessage {
        Work,
    }
    struct Chore;
    impl ChoreHandler for Chore {
        fn work(&mut self) {
            // Takes a moment, so that the batch takes far longer than the shutdown has.
            let (_never, nothing) = mpsc::channel::<()>();
            let _ = nothing.recv_timeout(Duration::from_millis(1));
        }
    }
    bounded(|| {
        let engine = ActorEngine::new();
        let chore = engine.pool(1, ChoreMessage::actor(|| Chore)).unwrap();
        assert_eq!(chore.send_all((0..CHORES).map(|_| ChoreMessage::Work)).unwrap(), CHORES);
        // Every handler returns, so nothing is abandoned, however long the batch is.
        let report = engine.shutdown_timeout(IN_TIME).unwrap();
        let chores = u64::try_from(CHORES).unwrap();
        assert!(report.dead_letters > 0);
        assert_eq!((report.handled() + report.dead_letters, report.left), (chores, 0));
    });
}

#[test]
fn a_deadline_answers_a_handler_that_waits_for_a_resting_neighbour() {
    #[actor]
    enum TiredMessage {
        Break,
        #[reply(u8)]
        Call,
    }
    struct Tired;
    impl TiredHandler for Tired {
        fn r#break(&mut self) {
            panic!("it breaks");
        }
        fn call(&mut self) -> u8 {
            1
        }
    }
    #[actor(calls(TiredMessage))]
    enum PatientMessage {
        #[reply(Result<u8, CallError>)]
        Ask(Gate),
    }
    struct Patient;
    impl PatientHandler for Patient {
        fn ask(&mut self, ctx: &mut Context<PatientMessage>, gate: Gate) -> Result<u8, CallError> {
            gate.pass();
            ctx.call(TiredMessage::call())
        }
    }
    bounded(|| {
        let engine = ActorEngine::new();
        let long = Duration::from_secs(3600);
        let tired = TiredMessage::actor(|| Tired).restart(Restart::always().backoff(long, long));
        let patient = PatientMessage::actor(|| Patient);
        engine.spawn(ActorThread::named("shared").register(patient).register(tired)).unwrap();
        for _ in 0..3 {
            engine.send(TiredMessage::Break).unwrap();
        }
        engine.settle();
        let gate = Gate::new();
        let ask = engine.client::<PatientMessage>().unwrap().non_blocking().ask(gate.clone());
        gate.await_arrivals(1);
        gate.open();
        // The thread ends in time, so it is not abandoned: what was held for the neighbour is given up.
        let report = engine.shutdown_timeout(IN_TIME).unwrap();
        assert_eq!(ask.wait(), Ok(Err(CallError::Stopped { message: "TiredMessage" })));
        assert_eq!((report.handled(), report.panicked(), report.left), (1, 3, 0));
    });
}
