//! Calls between two engines end, as calls within one do: the call depth is checked where the callee is.

use std::thread;

use serde::{Deserialize, Serialize};
use zctor::remote::Loopback;
use zctor::{ActorEngine, ActorThread, CallError, Context, ReplyTo, actor};
use zctor_tests::{Gate, LIMIT, bounded};

#[actor(remote)]
#[derive(Serialize, Deserialize)]
enum LeafMessage {
    #[reply(u64)]
    Get(u64),
}
#[actor(remote, calls(LeafMessage))]
#[derive(Serialize, Deserialize)]
enum LowMessage {
    #[reply(Result<u64, String>)]
    Get(u64),
    Note,
}
#[actor(remote, calls(LowMessage))]
#[derive(Serialize, Deserialize)]
enum HighMessage {
    #[reply(Result<u64, String>)]
    Get(u64),
}
#[actor(calls(HighMessage))]
enum TopMessage {
    #[reply(Result<u64, String>)]
    Get(u64),
    Note,
}

struct Leaf;
impl LeafHandler for Leaf {
    fn get(&mut self, value: u64) -> u64 {
        value + 1
    }
}
struct Low;
impl LowHandler for Low {
    fn get(&mut self, ctx: &mut Context<LowMessage>, value: u64) -> Result<u64, String> {
        ctx.call(LeafMessage::get(value + 10)).map_err(|error| error.to_string())
    }
    fn note(&mut self, _: &mut Context<LowMessage>) {}
}
struct High;
impl HighHandler for High {
    fn get(&mut self, ctx: &mut Context<HighMessage>, value: u64) -> Result<u64, String> {
        ctx.call(LowMessage::get(value + 100)).unwrap_or_else(|error| Err(error.to_string()))
    }
}
struct Top(Gate);
impl TopHandler for Top {
    fn get(&mut self, ctx: &mut Context<TopMessage>, value: u64) -> Result<u64, String> {
        self.0.pass();
        ctx.call(HighMessage::get(value + 1_000)).unwrap_or_else(|error| Err(error.to_string()))
    }
    fn note(&mut self, _: &mut Context<TopMessage>) {}
}

struct World {
    one: ActorEngine,
    other: ActorEngine,
    ends: (Loopback, Loopback),
    low: LowClient,
    gate: Gate,
}

/// `Top` and `Low` on one thread, `High` and `Leaf` on one of another engine, each with room for one message from
/// outside. So each call crosses over, and comes back to a thread whose handler waits.
fn world() -> World {
    let (one, other, ends) = (ActorEngine::new(), ActorEngine::new(), Loopback::pair());
    let gate = Gate::new();
    let inside = gate.clone();
    let thread = || ActorThread::new().mailbox_bound(1);
    let top = TopMessage::actor(move || Top(inside.clone()));
    one.spawn(thread().register(top).register(LowMessage::actor(|| Low))).expect("a thread");
    other
        .spawn(thread().register(HighMessage::actor(|| High)).register(LeafMessage::actor(|| Leaf)))
        .expect("a thread");
    ends.0.serve::<LowMessage>(&one).expect("it has the pool");
    ends.1.serve::<HighMessage>(&other).expect("it has the pool");
    ends.1.serve::<LeafMessage>(&other).expect("it has the pool");
    ends.0.attach::<HighMessage>(&one).expect("a link");
    ends.0.attach::<LeafMessage>(&one).expect("a link");
    let low = ends.1.attach::<LowMessage>(&other).expect("a link");
    World { one, other, ends, low, gate }
}

#[test]
fn a_chain_of_calls_comes_back_to_a_full_mailbox_whose_handler_waits() {
    bounded(|| {
        let at = world();
        let top = at.one.client::<TopMessage>().expect("there is one");
        let got = top.non_blocking().get(0);
        at.gate.await_arrivals(1);
        top.note().expect("there is room for one");
        assert!(top.non_blocking().note().expect_err("and for no other").is_full());
        for _ in 0..3 {
            at.low.note().expect("it is under way");
        }
        at.other.settle();
        assert_eq!(at.ends.1.books().unsettled(), 3, "they wait for that room");
        at.gate.open();
        assert_eq!(got.wait(), Ok(Ok(1_111)));
        assert_eq!(at.ends.1.flush(LIMIT).acked, 3);
    });
}

#[test]
fn chains_of_calls_from_many_threads_all_end() {
    bounded(|| {
        const SENDERS: u64 = 6;
        const EACH: u64 = 150;
        let at = world();
        at.gate.open();
        let top = at.one.client::<TopMessage>().expect("there is one");
        thread::scope(|scope| {
            for sender in 0..SENDERS {
                let top = top.clone();
                scope.spawn(move || {
                    for number in 0..EACH {
                        let value = sender * 10_000 + number;
                        top.note().expect("it waits for room");
                        assert_eq!(top.within(LIMIT).get(value), Ok(Ok(value + 1_111)));
                    }
                });
            }
        });
    });
}

/// The enum as the calling side knows it.
mod old {
    use super::*;

    #[actor(remote = "store")]
    #[derive(Serialize, Deserialize)]
    pub(super) enum StoreMessage {
        #[reply(u64)]
        Load,
        #[reply(u64)]
        Prompt,
        #[reply(u64, deferred)]
        Late,
    }

    #[actor(calls(StoreMessage))]
    pub(super) enum WebMessage {
        #[reply(Result<u64, CallError>)]
        Load,
        #[reply(Result<u64, CallError>)]
        Prompt,
        #[reply(u64, deferred)]
        Late,
    }
}

/// The enum as the serving side knows it: one call deeper in one version, and with a reply that may come later.
mod new {
    use super::*;

    #[actor]
    pub(super) enum DiskMessage {
        Read,
    }

    #[actor(remote = "store", calls(DiskMessage))]
    #[derive(Serialize, Deserialize)]
    pub(super) enum StoreMessage {
        #[reply(u64)]
        Load,
    }

    pub(super) mod deferred {
        use super::*;

        #[actor(remote = "store")]
        #[derive(Serialize, Deserialize)]
        pub(in super::super) enum StoreMessage {
            #[reply(u64)]
            Load,
            #[reply(u64, deferred)]
            Prompt,
            #[reply(u64, deferred)]
            Late,
        }
    }
}

struct Deeper;
impl new::StoreHandler for Deeper {
    fn load(&mut self, _: &mut Context<new::StoreMessage>) -> u64 {
        unreachable!("no call may get here")
    }
}

struct Later;
impl new::deferred::StoreHandler for Later {
    fn load(&mut self) -> u64 {
        1
    }
    fn prompt(&mut self, reply: ReplyTo<u64>) {
        reply.send(2);
    }
    fn late(&mut self, reply: ReplyTo<u64>) {
        reply.send(3);
    }
}

struct Web;
impl old::WebHandler for Web {
    fn load(&mut self, ctx: &mut Context<old::WebMessage>) -> Result<u64, CallError> {
        ctx.call(old::StoreMessage::load())
    }
    fn prompt(&mut self, ctx: &mut Context<old::WebMessage>) -> Result<u64, CallError> {
        ctx.call(old::StoreMessage::prompt())
    }
    fn late(&mut self, ctx: &mut Context<old::WebMessage>, reply: ReplyTo<u64>) {
        // It may not be waited for in a handler, here as little as in one engine.
        let late = ctx.engine().client::<old::StoreMessage>().expect("a link").non_blocking().late();
        assert!(matches!(late.wait(), Err(CallError::Undeclared { .. })));
        let wait = move || reply.send(late.wait().expect("it comes"));
        thread::Builder::new().spawn(wait).expect("a thread");
    }
}

fn undeclared<T: std::fmt::Debug>(outcome: Result<T, CallError>) {
    match outcome {
        Err(CallError::Undeclared { message, .. }) => assert_eq!(message, "StoreMessage"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_callee_that_is_deeper_there_is_refused_and_never_runs() {
    bounded(|| {
        let (ends, there, here) = (Loopback::pair(), ActorEngine::new(), ActorEngine::new());
        there.pool(1, new::StoreMessage::actor(|| Deeper)).expect("a pool");
        ends.0.serve::<new::StoreMessage>(&there).expect("it has the pool");
        let store = ends.1.attach::<old::StoreMessage>(&here).expect("a link");
        let web = here.pool(1, old::WebMessage::actor(|| Web)).expect("a pool");
        undeclared(web.load().expect("it replies"));
        // A handler may wait for what was called outside, so that is refused too.
        undeclared(store.load());
        there.settle();
        assert_eq!((there.stats().handled(), ends.0.books().taken), (0, 0));
    });
}

#[test]
fn a_callee_that_is_less_deep_there_is_called() {
    bounded(|| {
        let (ends, there, here) = (Loopback::pair(), ActorEngine::new(), ActorEngine::new());
        there.pool(1, new::deferred::StoreMessage::actor(|| Later)).expect("a pool");
        ends.0.serve::<new::deferred::StoreMessage>(&there).expect("it has the pool");
        let store = ends.1.attach::<new::StoreMessage>(&here).expect("a link");
        assert_eq!(store.load(), Ok(1));
    });
}

#[test]
fn a_reply_that_may_come_later_is_not_one_to_wait_for_in_a_handler() {
    bounded(|| {
        let (ends, there, here) = (Loopback::pair(), ActorEngine::new(), ActorEngine::new());
        there.pool(1, new::deferred::StoreMessage::actor(|| Later)).expect("a pool");
        ends.0.serve::<new::deferred::StoreMessage>(&there).expect("it has the pool");
        let store = ends.1.attach::<old::StoreMessage>(&here).expect("a link");
        let web = here.pool(1, old::WebMessage::actor(|| Web)).expect("a pool");
        assert_eq!(web.load(), Ok(Ok(1)));
        undeclared(web.prompt().expect("it replies"));
        assert_eq!(web.late(), Ok(3));
        assert_eq!(store.late(), Ok(3));
    });
}
