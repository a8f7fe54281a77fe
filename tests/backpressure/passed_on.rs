//! A permit that comes back is offered to the next waiting sender when the first cannot use it, so that nobody waits
//! for room that is there.

use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use zctor::{ActorEngine, ActorThread, CallError, Context, Restart, actor};
use zctor_tests::{Gate, LIMIT, bounded, receive};

#[actor(ctx)]
enum WorkMessage {
    Hold(Gate),
    Note(u32),
    #[reply(())]
    Break,
    /// Has its neighbour wait at the first gate next, waits at the second itself, and ends.
    End(SideClient, Gate, Gate),
}

struct Work;

impl WorkHandler for Work {
    fn hold(&mut self, _: &mut Context<WorkMessage>, gate: Gate) {
        gate.pass();
    }
    fn note(&mut self, _: &mut Context<WorkMessage>, _number: u32) {}
    fn r#break(&mut self, _: &mut Context<WorkMessage>) {
        panic!("the work breaks");
    }
    fn end(&mut self, ctx: &mut Context<WorkMessage>, side: SideClient, next: Gate, own: Gate) {
        side.hold(next).expect("inside there is always room");
        own.pass();
        ctx.stop();
    }
}

#[actor]
enum SideMessage {
    Hold(Gate),
    Note(u32),
    #[reply(u32)]
    Ask(u32),
}

struct Side;

impl SideHandler for Side {
    fn hold(&mut self, gate: Gate) {
        gate.pass();
    }
    fn note(&mut self, _number: u32) {}
    fn ask(&mut self, number: u32) -> u32 {
        number
    }
}

/// What keeps the first instance of the pool from taking the room on its thread.
#[derive(Clone, Copy, PartialEq)]
enum Hindrance {
    BacksOff,
    HasEnded,
}

/// Lets a while pass, in which a sender comes to wait for room. Nothing tells of that.
fn let_it_wait() {
    let (_never, nothing) = mpsc::channel::<()>();
    let _ = nothing.recv_timeout(Duration::from_millis(50));
}

/// The pool `Work` has an instance on each of two threads with room for one message; `Side` lives on the first thread.
/// Both are full. One sender waits for room of the pool, and is the first in line; one waits for `Side`. Then the first
/// thread has room, which the instance of the pool there cannot take.
fn room_comes_back(hindrance: Hindrance) {
    let engine = ActorEngine::new();
    let hour = Duration::from_secs(3_600);
    let work = WorkMessage::actor(|| Work).restart(Restart::always().backoff(hour, hour));
    let bounded_thread = || ActorThread::new().mailbox_bound(1);
    let first = engine
        .spawn(bounded_thread().register(work.clone()).register(SideMessage::actor(|| Side)))
        .expect("the first starts");
    engine.spawn(bounded_thread().register(work)).expect("the second starts");
    let pool = engine.client::<WorkMessage>().expect("it lives");
    let side = engine.client::<SideMessage>().expect("it lives");
    let ids = pool.instances();
    let (here, there) = (pool.pin(ids[0]), pool.pin(ids[1]));
    assert_eq!((ids[0].thread(), side.instances()[0].thread()), (first, first));

    let (side_gate, end_gate, there_gate) = (Gate::new(), Gate::new(), Gate::new());
    match hindrance {
        Hindrance::BacksOff => {
            for _ in 0..3 {
                assert!(matches!(here.r#break(), Err(CallError::Panicked { .. })));
            }
            side.hold(side_gate.clone()).expect("there is room");
            side_gate.await_arrivals(1);
        }
        Hindrance::HasEnded => {
            here.end(side.clone(), side_gate.clone(), end_gate.clone()).expect("there is room");
            end_gate.await_arrivals(1);
        }
    }
    there.hold(there_gate.clone()).expect("there is room");
    there_gate.await_arrivals(1);
    side.non_blocking().note(1).expect("there is room for one");
    there.non_blocking().note(1).expect("there is room for one");

    thread::scope(|scope| {
        let (tell, told) = mpsc::channel();
        let in_turn = pool.clone();
        let waits = scope.spawn(move || in_turn.note(2));
        let_it_wait();
        let asks = side.clone();
        scope.spawn(move || tell.send(asks.ask(7)).expect("the test waits"));
        let_it_wait();
        end_gate.open();
        side_gate.await_arrivals(1);
        let_it_wait();
        assert!(told.try_recv().is_err(), "there is no room yet");

        side_gate.open();
        assert_eq!(receive(&told), Ok(7));
        assert!(!waits.is_finished(), "the pool has no room that could be used");
        there_gate.open();
        waits.join().expect("it sends").expect("there is room");
    });
    drop(engine.shutdown_timeout(LIMIT));
}

#[test]
fn a_sender_waits_no_longer_when_the_first_in_line_is_for_an_instance_that_backs_off() {
    bounded(|| room_comes_back(Hindrance::BacksOff));
}

#[test]
fn a_sender_waits_no_longer_when_the_first_in_line_is_for_an_instance_that_has_ended() {
    bounded(|| room_comes_back(Hindrance::HasEnded));
}
