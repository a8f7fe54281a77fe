//! A pipe can be cancelled: no message of it arrives, and what it awaited is given up.

use std::sync::mpsc::{self, Sender};

use zctor::{ActorEngine, CallError, Context, PipeHandle, actor};
use zctor_tests::{Counter, DropGuard, Gate, bounded, receive};

use crate::door::{Door, DoorClient, DoorMessage};

#[actor(ctx)]
enum GuestMessage {
    /// Pipes a knock, whose closure holds the guard.
    #[reply(())]
    Knock(DropGuard),
    #[reply(bool)]
    Cancel,
    #[reply(bool)]
    IsUnderWay,
    /// Pipes what is there already, and cancels it before it arrives.
    #[reply((bool, bool))]
    KnockInVain,
    #[msg(internal)]
    Heard(Result<u64, CallError>),
}

struct Guest {
    pipe: Option<PipeHandle>,
    heard: Sender<Result<u64, CallError>>,
}

impl GuestHandler for Guest {
    fn knock(&mut self, ctx: &mut Context<GuestMessage>, guard: DropGuard) {
        let pipe = ctx.pipe(DoorMessage::knock(), move |outcome| {
            let _guard = &guard;
            GuestMessage::Heard(outcome)
        });
        self.pipe = Some(pipe);
    }
    fn cancel(&mut self, _: &mut Context<GuestMessage>) -> bool {
        self.pipe.as_ref().is_some_and(PipeHandle::cancel)
    }
    fn is_under_way(&mut self, _: &mut Context<GuestMessage>) -> bool {
        self.pipe.as_ref().is_some_and(PipeHandle::is_under_way)
    }
    fn knock_in_vain(&mut self, ctx: &mut Context<GuestMessage>) -> (bool, bool) {
        let nobody: Vec<zctor::Pending<u64>> = Vec::new();
        let pipe = ctx.pipe(nobody, |_| GuestMessage::Heard(Ok(0)));
        (pipe.cancel(), pipe.cancel())
    }
    fn heard(&mut self, _: &mut Context<GuestMessage>, outcome: Result<u64, CallError>) {
        self.heard.send(outcome).expect("the test listens");
    }
}

fn guest() -> (ActorEngine, DoorClient, GuestClient, mpsc::Receiver<Result<u64, CallError>>) {
    let engine = ActorEngine::new();
    let door = engine.pool(1, DoorMessage::actor(Door::default)).expect("the factory does not fail");
    let (heard, hears) = mpsc::channel();
    let guest = GuestMessage::actor(move || Guest { pipe: None, heard: heard.clone() });
    let guest = engine.pool(1, guest).expect("the factory does not fail");
    (engine, door, guest, hears)
}

fn held(door: &DoorClient) -> Gate {
    let gate = Gate::new();
    door.non_blocking().hold(gate.clone()).detach();
    gate.await_arrivals(1);
    gate
}

#[test]
fn a_cancelled_pipe_sends_nothing_and_gives_its_request_up() {
    bounded(|| {
        let (engine, door, guest, hears) = guest();
        let gate = held(&door);
        let dropped = Counter::new();
        guest.knock(dropped.guard()).unwrap();
        assert_eq!(guest.is_under_way(), Ok(true));
        assert_eq!(guest.cancel(), Ok(true));
        assert_eq!(dropped.get(), 1, "its closure is dropped");
        assert_eq!((guest.is_under_way(), guest.cancel()), (Ok(false), Ok(false)));
        gate.open();
        engine.settle();
        assert_eq!(door.knocks(), Ok(0), "it had not begun, so it never will");
        assert_eq!(engine.stats().skipped, 1);
        assert!(hears.try_recv().is_err());
    });
}

#[test]
fn a_pipe_whose_outcome_has_come_can_still_be_cancelled_before_its_message() {
    bounded(|| {
        let (engine, _door, guest, hears) = guest();
        assert_eq!(guest.knock_in_vain(), Ok((true, false)));
        engine.settle();
        assert!(hears.try_recv().is_err());
    });
}

#[test]
fn a_pipe_that_has_ended_is_not_cancelled() {
    bounded(|| {
        let (engine, _door, guest, hears) = guest();
        let dropped = Counter::new();
        guest.knock(dropped.guard()).unwrap();
        assert_eq!(receive(&hears), Ok(1));
        engine.settle();
        assert_eq!((guest.is_under_way(), guest.cancel()), (Ok(false), Ok(false)));
        assert_eq!(dropped.get(), 1);
    });
}

#[test]
fn dropping_the_handle_leaves_the_pipe() {
    #[actor(ctx)]
    enum LoneMessage {
        Knock,
        #[msg(internal)]
        Heard(Result<u64, CallError>),
    }
    struct Lone(Sender<Result<u64, CallError>>);
    impl LoneHandler for Lone {
        fn knock(&mut self, ctx: &mut Context<LoneMessage>) {
            drop(ctx.pipe(DoorMessage::knock(), LoneMessage::Heard));
        }
        fn heard(&mut self, _: &mut Context<LoneMessage>, outcome: Result<u64, CallError>) {
            self.0.send(outcome).expect("the test listens");
        }
    }
    bounded(|| {
        let (engine, _door, _guest, _) = guest();
        let (heard, hears) = mpsc::channel();
        engine.start(LoneMessage::actor_once(|| Lone(heard))).unwrap().knock().unwrap();
        assert_eq!(receive(&hears), Ok(1));
    });
}
