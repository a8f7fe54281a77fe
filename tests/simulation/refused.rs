//! A thread, a wait or a runtime that a simulation cannot control is refused, with the reason.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use zctor::simulation::{Failure, Simulation, simulate};
use zctor::{ActorEngine, Context, actor};

use crate::Outcome;
use crate::order::{Sink, SinkClient, SinkMessage};

fn refused(body: impl Fn(&Simulation) -> Outcome + Send + Sync + 'static) -> Box<Failure> {
    let search = simulate(body).patience(Duration::from_millis(500)).slowest(Duration::ZERO);
    search.seeds(0..1_000).outcome().expect_err("it is refused")
}

#[test]
fn a_thread_that_is_no_part_of_the_simulation_is_refused() {
    let failure = refused(|_| {
        let engine = ActorEngine::new();
        let sink: SinkClient = engine.pool(1, SinkMessage::actor(Sink::default))?;
        let sent = std::thread::Builder::new().name("stranger".into()).spawn(move || sink.note(0, 0).is_ok())?.join();
        assert!(sent.is_err(), "it was let in");
        engine.shutdown()?;
        Ok(())
    });
    assert!(failure.text().contains("`stranger`"), "{failure}");
    assert!(failure.text().contains("Simulation::spawn"), "{failure}");
}

#[test]
fn a_real_engine_is_refused_inside() {
    let engine = ActorEngine::new();
    let sink: SinkClient = engine.pool(1, SinkMessage::actor(Sink::default)).expect("it starts");
    let failure = refused(move |_| Ok(sink.note(0, 0)?));
    assert!(failure.text().contains("uses a real engine"), "{failure}");
    assert_eq!(engine.shutdown().expect("it stops").handled(), 0);
}

#[test]
fn the_engine_of_the_process_is_refused() {
    let failure = refused(|_| {
        ActorEngine::global();
        Ok(())
    });
    assert!(failure.text().contains("`ActorEngine::global()` is not for simulations"), "{failure}");
}

#[actor]
enum StoreMessage {
    #[reply(u32)]
    Load,
}

struct Store;

impl StoreHandler for Store {
    fn load(&mut self) -> u32 {
        1
    }
}

#[actor(calls(StoreMessage))]
enum UserMessage {
    Work,
}

struct User(Arc<Mutex<u32>>);

impl UserHandler for User {
    fn work(&mut self, ctx: &mut Context<UserMessage>) {
        let mut sum = self.0.lock().expect("nothing panics under it");
        // The fault: the lock is held across a call.
        *sum += ctx.call(StoreMessage::load()).expect("it answers");
    }
}

#[test]
fn a_lock_that_is_held_across_a_call_is_told_by_the_watchdog() {
    let failure = refused(|_| {
        let sum = Arc::new(Mutex::new(0));
        let engine = ActorEngine::new();
        let _store: StoreClient = engine.pool(1, StoreMessage::actor(|| Store))?;
        let users: UserClient = engine.pool(2, UserMessage::actor(move || User(Arc::clone(&sum))))?;
        users.work()?;
        users.work()?;
        engine.settle();
        engine.shutdown()?;
        Ok(())
    });
    assert!(failure.text().contains("has taken no step for"), "{failure}");
    assert!(failure.text().contains("begins UserMessage::Work"), "{failure}");
    assert!(failure.text().contains("Hold no lock across a send or a call"), "{failure}");
    if cfg!(target_os = "linux") {
        assert!(failure.text().contains("It sleeps"), "{failure}");
    }
}

#[actor]
enum LoopMessage {
    Turn,
}

struct Loop(Arc<AtomicBool>);

impl LoopHandler for Loop {
    fn turn(&mut self) {
        while !self.0.load(Ordering::Relaxed) {
            std::hint::spin_loop();
        }
    }
}

#[test]
fn a_handler_that_does_not_end_is_told_by_the_watchdog() {
    let ends = Arc::new(AtomicBool::new(false));
    let failure = {
        let ends = Arc::clone(&ends);
        refused(move |_| {
            let ends = Arc::clone(&ends);
            let engine = ActorEngine::new();
            let endless: LoopClient = engine.pool(1, LoopMessage::actor(move || Loop(Arc::clone(&ends))))?;
            endless.turn()?;
            engine.shutdown()?;
            Ok(())
        })
    };
    ends.store(true, Ordering::Relaxed);
    assert!(failure.text().contains("begins LoopMessage::Turn"), "{failure}");
    if cfg!(target_os = "linux") {
        assert!(failure.text().contains("its code does not end"), "{failure}");
    }
}

#[test]
fn an_invariant_that_sends_is_refused() {
    let failure = refused(|simulation| {
        let engine = ActorEngine::new();
        let sink: SinkClient = engine.pool(1, SinkMessage::actor(Sink::default))?;
        {
            let sink = sink.clone();
            simulation.invariant("it sends", move || sink.note(9, 9).is_ok());
        }
        sink.note(0, 0)?;
        engine.shutdown()?;
        Ok(())
    });
    assert!(failure.text().contains("the invariant `it sends` panics"), "{failure}");
    assert!(failure.text().contains("it may only look"), "{failure}");
}
