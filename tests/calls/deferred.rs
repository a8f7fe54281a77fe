//! A handler may answer later, from anywhere, and its caller is told if no answer can come any more.

use std::sync::mpsc::{self, Sender};
use std::time::Duration;

use zctor::{ActorEngine, ActorThread, CallError, Context, ReplyTo, actor};
use zctor_tests::{bounded, receive};

#[actor]
enum DeskMessage {
    #[reply(u32, deferred)]
    Ask(u32),
    #[reply(u32, deferred)]
    Fail,
    /// Answers all that wait, with `factor` times what they asked.
    Answer(u32),
    Forget,
    /// Gives the waiting replies to another thread.
    Move(Sender<Vec<(u32, ReplyTo<u32>)>>),
    /// Gives them to another actor.
    Forward(DeskClient),
    Take(u32, ReplyTo<u32>),
    #[reply(bool)]
    AllGivenUp,
}

#[derive(Default)]
struct Desk {
    waiting: Vec<(u32, ReplyTo<u32>)>,
}

impl DeskHandler for Desk {
    fn ask(&mut self, value: u32, reply: ReplyTo<u32>) {
        self.waiting.push((value, reply));
    }
    fn fail(&mut self, _reply: ReplyTo<u32>) {
        panic!("no desk today");
    }
    fn answer(&mut self, factor: u32) {
        for (asked, reply) in self.waiting.drain(..) {
            reply.send(asked * factor);
        }
    }
    fn forget(&mut self) {
        self.waiting.clear();
    }
    fn r#move(&mut self, to: Sender<Vec<(u32, ReplyTo<u32>)>>) {
        to.send(std::mem::take(&mut self.waiting)).expect("the test listens");
    }
    fn forward(&mut self, other: DeskClient) {
        for (asked, reply) in self.waiting.drain(..) {
            other.take(asked, reply).expect("the other desk is there");
        }
    }
    fn take(&mut self, asked: u32, reply: ReplyTo<u32>) {
        self.waiting.push((asked, reply));
    }
    fn all_given_up(&mut self) -> bool {
        self.waiting.iter().all(|(_, reply)| reply.is_given_up())
    }
}

fn desk(engine: &ActorEngine) -> DeskClient {
    engine.start(DeskMessage::actor(Desk::default)).expect("its factory cannot fail")
}

#[test]
fn a_reply_kept_in_the_state_reaches_its_caller_when_it_is_sent() {
    bounded(|| {
        let engine = ActorEngine::new();
        let desk = desk(&engine);
        let asked: Vec<_> = (1..=3).map(|value| desk.non_blocking().ask(value)).collect();
        engine.settle();
        assert!(asked.iter().all(|reply| reply.try_take().is_none()));
        desk.answer(10).unwrap();
        let replies: Vec<u32> = asked.iter().map(|reply| reply.wait().unwrap()).collect();
        assert_eq!(replies, [10, 20, 30]);
    });
}

#[test]
fn an_outside_caller_waits_for_a_deferred_reply_as_for_any_other() {
    bounded(|| {
        let engine = ActorEngine::new();
        let desk = desk(&engine);
        let caller = std::thread::scope(|scope| {
            let caller = scope.spawn(|| desk.ask(4));
            // Answered until the call has come: `ask` may be queued behind the first of these.
            while !caller.is_finished() {
                desk.answer(2).unwrap();
                engine.settle();
            }
            caller.join().unwrap()
        });
        assert_eq!(caller, Ok(8));
    });
}

#[test]
fn a_reply_can_be_sent_from_another_thread() {
    bounded(|| {
        let engine = ActorEngine::new();
        let desk = desk(&engine);
        let asked = desk.non_blocking().ask(5);
        let (sender, receiver) = mpsc::channel();
        desk.r#move(sender).unwrap();
        let mut waiting = receive(&receiver);
        let (value, reply) = waiting.pop().unwrap();
        std::thread::scope(|scope| scope.spawn(move || reply.send(value + 1)).join().unwrap());
        assert_eq!(asked.wait(), Ok(6));
    });
}

#[test]
fn a_reply_can_be_forwarded_to_another_actor() {
    bounded(|| {
        let engine = ActorEngine::new();
        let (first, second) = (desk(&engine), desk(&engine));
        let asked = first.non_blocking().ask(7);
        first.forward(second.clone()).unwrap();
        engine.settle();
        assert!(asked.try_take().is_none());
        second.answer(3).unwrap();
        assert_eq!(asked.wait(), Ok(21));
    });
}

#[test]
fn a_dropped_reply_ends_its_call_with_no_reply() {
    bounded(|| {
        let engine = ActorEngine::new();
        let desk = desk(&engine);
        let asked = desk.non_blocking().ask(1);
        desk.forget().unwrap();
        assert_eq!(asked.wait(), Err(CallError::NoReply { message: "DeskMessage" }));
    });
}

#[test]
fn a_panic_that_drops_the_reply_gives_its_caller_the_text() {
    bounded(|| {
        let engine = ActorEngine::new();
        let desk = desk(&engine);
        let text = "no desk today".into();
        assert_eq!(desk.fail(), Err(CallError::Panicked { message: "DeskMessage", text }));
    });
}

#[test]
fn the_replies_that_a_state_holds_end_with_it() {
    bounded(|| {
        let engine = ActorEngine::new();
        let desk = desk(&engine);
        let asked = desk.non_blocking().ask(1);
        desk.stop().unwrap();
        assert_eq!(asked.wait(), Err(CallError::NoReply { message: "DeskMessage" }));
    });
}

#[test]
fn a_handler_sees_that_nobody_waits_any_more() {
    bounded(|| {
        let engine = ActorEngine::new();
        let desk = desk(&engine);
        let asked = desk.non_blocking().ask(1);
        engine.settle();
        assert_eq!(desk.all_given_up(), Ok(false));
        drop(asked);
        assert_eq!(desk.all_given_up(), Ok(true));
    });
}

#[test]
fn a_deferred_message_that_is_sent_has_a_reply_to_nobody() {
    bounded(|| {
        let engine = ActorEngine::new();
        let desk = desk(&engine);
        desk.send(DeskMessage::Ask(1)).unwrap();
        assert_eq!(desk.all_given_up(), Ok(true));
        desk.answer(1).unwrap();
        engine.settle();
        assert_eq!(engine.stats().handled(), 3);
    });
}

#[test]
fn a_deadline_ends_the_wait_for_a_reply_that_does_not_come() {
    bounded(|| {
        let engine = ActorEngine::new();
        let desk = desk(&engine);
        let timeout = desk.within(Duration::from_millis(20)).ask(1);
        // On a slow machine the time may be up before it has begun.
        assert!(matches!(timeout, Err(CallError::Timeout { message: "DeskMessage", .. })), "{timeout:?}");
    });
}

#[actor(calls(DeskMessage))]
enum VisitorMessage {
    /// Waits by a captured client: refused.
    #[reply(Result<u32, CallError>)]
    Wait,
    /// Pipes it: free.
    Pipe(Sender<Result<u32, CallError>>),
    Seen(Result<u32, CallError>, Sender<Result<u32, CallError>>),
}

struct Visitor(DeskClient);

impl VisitorHandler for Visitor {
    fn wait(&mut self, _ctx: &mut Context<VisitorMessage>) -> Result<u32, CallError> {
        self.0.ask(1)
    }
    fn pipe(&mut self, ctx: &mut Context<VisitorMessage>, to: Sender<Result<u32, CallError>>) {
        ctx.pipe(self.0.request(DeskMessage::ask(9)), move |seen| VisitorMessage::Seen(seen, to));
    }
    fn seen(
        &mut self,
        _ctx: &mut Context<VisitorMessage>,
        seen: Result<u32, CallError>,
        to: Sender<Result<u32, CallError>>,
    ) {
        to.send(seen).expect("the test listens");
    }
}

#[test]
fn a_handler_may_pipe_a_deferred_request_but_not_wait_for_it() {
    bounded(|| {
        let engine = ActorEngine::new();
        engine.spawn(ActorThread::new().register(DeskMessage::actor(Desk::default))).unwrap();
        let desk = engine.client::<DeskMessage>().unwrap();
        let captured = desk.clone();
        let visitor =
            engine.start(VisitorMessage::actor(move || Visitor(captured.clone()))).expect("its factory cannot fail");
        assert_eq!(
            visitor.wait().unwrap(),
            Err(CallError::Undeclared { message: "DeskMessage", caller: Some("VisitorMessage") })
        );
        let (sender, receiver) = mpsc::channel();
        visitor.pipe(sender).unwrap();
        engine.settle();
        desk.answer(2).unwrap();
        assert_eq!(receive(&receiver), Ok(18));
    });
}
