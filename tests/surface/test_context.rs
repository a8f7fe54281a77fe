//! A context for tests records what a handler sends and pipes, without an actor thread.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use zctor::testing::{Mock, Port, Probe, context};
use zctor::{ActorEngine, ActorThread, CallError, Context, Overflow, PipeHandle, actor};
use zctor_tests::{LIMIT, bounded, receive};

#[actor]
#[derive(Clone, Debug, PartialEq)]
enum StoreMessage {
    #[reply(Option<u64>)]
    Price(String),
    Forget,
}

#[actor]
#[derive(Clone, Debug, PartialEq)]
enum LogMessage {
    Line(String),
}

#[actor(calls(StoreMessage))]
#[derive(Debug, PartialEq)]
enum ShopMessage {
    #[reply(Result<u64, CallError>)]
    Ask(String),
    Look(Vec<String>),
    Seen(Vec<Result<Option<u64>, CallError>>),
    Open,
    Close,
    Tick,
    /// To itself, by a client.
    Again,
    #[reply(())]
    Start(Option<u64>),
}

/// Not `Send`, as a state may be.
#[derive(Default)]
struct Shop {
    seen: Rc<Cell<u64>>,
    pipe: Option<PipeHandle>,
}

impl ShopHandler for Shop {
    fn ask(&mut self, ctx: &mut Context<ShopMessage>, item: String) -> Result<u64, CallError> {
        Ok(ctx.call(StoreMessage::price(item))?.unwrap_or(0))
    }
    fn look(&mut self, ctx: &mut Context<ShopMessage>, items: Vec<String>) {
        ctx.send(LogMessage::Line(format!("{} items", items.len()))).expect("it is recorded");
        assert_eq!(ctx.broadcast(StoreMessage::Forget).ok(), Some(1));
        for item in items {
            let seen = Rc::clone(&self.seen);
            self.pipe = Some(ctx.pipe(StoreMessage::price(item), move |price| {
                seen.set(seen.get() + 1); // its closure runs on the test's thread
                ShopMessage::Seen(vec![price])
            }));
        }
    }
    fn seen(&mut self, _: &mut Context<ShopMessage>, _: Vec<Result<Option<u64>, CallError>>) {}
    fn open(&mut self, ctx: &mut Context<ShopMessage>) {
        ctx.send_every(Duration::from_secs(3_600), || ShopMessage::Tick);
        ctx.send_after(Duration::from_secs(7_200), ShopMessage::Close);
        ctx.me().again().expect("it lives");
    }
    fn close(&mut self, ctx: &mut Context<ShopMessage>) {
        if let Some(pipe) = self.pipe.take() {
            pipe.cancel();
        }
        ctx.stop();
    }
    fn tick(&mut self, _: &mut Context<ShopMessage>) {}
    fn again(&mut self, _: &mut Context<ShopMessage>) {}
    fn start(&mut self, ctx: &mut Context<ShopMessage>, _: Option<u64>) {
        let log = ctx.start::<LogMessage>(|| Own).expect("its factory does not fail");
        log.line("to one that was started".to_owned()).expect("it lives");
    }
}

struct Own;

impl LogHandler for Own {
    fn line(&mut self, _: String) {}
}

#[test]
fn what_a_handler_sends_and_pipes_is_recorded_in_order() {
    bounded(|| {
        let (mut ctx, mut shop) = (context::<ShopMessage>(), Shop::default());
        shop.look(&mut ctx, vec!["tea".to_owned(), "milk".to_owned()]);
        assert_eq!(ctx.sent::<LogMessage>(), [LogMessage::Line("2 items".to_owned())]);
        assert_eq!(ctx.sent::<StoreMessage>(), [StoreMessage::Forget]);
        assert_eq!(ctx.to_itself(), []);

        let tea = ctx.expect_request(StoreMessage::price("tea".to_owned()));
        let [milk] = <[_; 1]>::try_from(ctx.requested::<StoreMessage>()).expect("one is left");
        assert_eq!(milk.answer(Port::<StoreMessage>::Price, Some(2)), StoreMessage::Price("milk".to_owned()));
        assert_eq!(ctx.to_itself(), [ShopMessage::Seen(vec![Ok(Some(2))])]);
        drop(tea);
        let unanswered = Err(CallError::NoReply { message: "StoreMessage" });
        assert_eq!(ctx.to_itself(), [ShopMessage::Seen(vec![unanswered])]);
        assert_eq!(shop.seen.get(), 2);
    });
}

#[test]
fn a_request_can_be_answered_on_another_thread_and_a_cancelled_pipe_is_given_up() {
    bounded(|| {
        let (mut ctx, mut shop) = (context::<ShopMessage>(), Shop::default());
        shop.look(&mut ctx, vec!["tea".to_owned()]);
        let reply = ctx.expect_request(StoreMessage::price("tea".to_owned()));
        thread::scope(|scope| drop(scope.spawn(move || reply.send(Some(3)))));
        assert_eq!(ctx.to_itself(), [ShopMessage::Seen(vec![Ok(Some(3))])]);

        shop.look(&mut ctx, vec!["milk".to_owned()]);
        let reply = ctx.expect_request(StoreMessage::price("milk".to_owned()));
        shop.close(&mut ctx);
        assert!(reply.is_given_up() && ctx.stop_requested());
        reply.send(Some(1));
        assert_eq!(ctx.to_itself(), []);
    });
}

#[test]
fn timers_fire_without_a_wait_and_messages_to_itself_come_back() {
    bounded(|| {
        let (mut ctx, mut shop) = (context::<ShopMessage>(), Shop::default());
        shop.open(&mut ctx);
        assert_eq!(ctx.to_itself(), [ShopMessage::Again], "no timer is due");
        assert_eq!(ctx.fire_timers(), [ShopMessage::Tick, ShopMessage::Close]);
        assert_eq!(ctx.fire_timers(), [ShopMessage::Tick]);
    });
}

#[test]
fn a_call_is_answered_by_a_mock_in_the_contexts_engine() {
    bounded(|| {
        let (mut ctx, mut shop) = (context::<ShopMessage>(), Shop::default());
        let nobody = CallError::NotRegistered { message: "StoreMessage" };
        assert_eq!(shop.ask(&mut ctx, "tea".to_owned()), Err(nobody));
        let store = Mock::<StoreMessage>::new().script(Port::<StoreMessage>::Price, [Some(7)]);
        ctx.engine().pool(1, store.actor()).unwrap();
        assert_eq!(shop.ask(&mut ctx, "tea".to_owned()), Ok(7));
        ctx.send(StoreMessage::Forget).unwrap();
        assert_eq!(ctx.sent::<StoreMessage>(), [], "it went to the mock");
        assert!(ctx.within(LIMIT, |ctx| ctx.time_left().is_some()));
    });
}

#[test]
fn the_waits_of_a_handler_under_a_deadline_are_checked_as_on_an_actor_thread() {
    bounded(|| {
        let (mut ctx, mut shop) = (context::<ShopMessage>(), Shop::default());
        let store = Mock::<StoreMessage>::new().script(Port::<StoreMessage>::Price, [Some(7)]);
        ctx.engine().pool(1, store.actor()).unwrap();
        assert_eq!(ctx.within(LIMIT, |ctx| shop.ask(ctx, "tea".to_owned())), Ok(7));
        let own = ctx.within(LIMIT, |ctx| ctx.me().request(ShopMessage::start(None)).wait());
        assert!(matches!(own, Err(CallError::Undeclared { message: "ShopMessage", .. })), "{own:?}");
    });
}

#[test]
fn contexts_of_several_actors_live_side_by_side() {
    bounded(|| {
        let (mut one, mut other) = (context::<ShopMessage>(), context::<ShopMessage>());
        Shop::default().look(&mut one, vec![]);
        assert_eq!((one.sent::<LogMessage>().len(), other.sent::<LogMessage>().len()), (1, 0));
        drop(one);
        Shop::default().start(&mut other, None);
        assert_eq!(other.to_itself(), []);
        // It holds no place of an actor thread: an engine can have this thread meanwhile.
        let engine = ActorEngine::new();
        let here = engine.here().unwrap();
        Shop::default().look(&mut other, vec![]);
        assert_eq!(other.sent::<LogMessage>().len(), 1);
        drop(other);
        drop(here);
    });
}

#[test]
fn a_held_probe_lets_a_bounded_mailbox_fill() {
    bounded(|| {
        let (engine, probe) = (ActorEngine::new(), Probe::<LogMessage>::new());
        let thread = ActorThread::new().mailbox_bound(3).overflow(Overflow::Wait);
        engine.spawn(thread.register(probe.actor())).unwrap();
        let log = engine.client::<LogMessage>().unwrap().non_blocking();
        let (held, twice) = (probe.hold(), probe.hold());
        log.line("held".to_owned()).unwrap();
        assert_eq!(probe.expect(LIMIT).into_message(), LogMessage::Line("held".to_owned()));
        for line in 0..3 {
            log.line(line.to_string()).unwrap();
        }
        assert!(log.line("one too many".to_owned()).is_err_and(|error| error.is_full()));
        drop(held);
        assert!(log.line("still".to_owned()).is_err_and(|error| error.is_full()));
        let (sent, was_sent) = mpsc::channel();
        let waiting = engine.client::<LogMessage>().unwrap();
        thread::scope(|scope| {
            scope.spawn(move || sent.send(waiting.line("waits for room".to_owned()).is_ok()));
            drop(twice);
            assert!(receive(&was_sent));
        });
        let lines: Vec<_> = (0..4).map(|_| probe.expect(LIMIT).into_message()).collect();
        assert_eq!(lines[3], LogMessage::Line("waits for room".to_owned()));
        let held = probe.hold();
        log.line("at the end".to_owned()).unwrap();
        probe.expect(LIMIT);
        drop(probe); // lets its thread go, held or not
        engine.shutdown().unwrap();
        drop(held);
    });
}
