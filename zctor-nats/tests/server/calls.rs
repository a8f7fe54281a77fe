//! Calls, sends, deferred replies, panics and broadcasts go there and back.

use std::collections::BTreeSet;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use zctor::{ActorEngine, ActorThread, CallError, Context, Overflow, ReplyTo, actor};
use zctor_nats::Bridge;
use zctor_tests::{Gate, LIMIT, bounded, expect_panics, receive, receive_many};

use crate::nats::Server;

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Overdrawn {
    by: u64,
}

#[actor(remote)]
#[derive(Clone, Serialize, Deserialize)]
enum AccountMessage {
    #[reply(Result<u64, Overdrawn>)]
    Withdraw {
        #[key]
        account: u64,
        amount: u64,
    },
    #[reply(String, deferred)]
    Later(#[msg(into)] String),
    #[reply(())]
    Break(String),
    #[reply(Vec<u8>)]
    Large(usize),
    #[reply(usize)]
    Length(String),
    Note(u64),
    #[reply(())]
    TakeNote(u64),
    #[reply(())]
    Hold,
}

struct Account {
    which: u64,
    notes: mpsc::Sender<(u64, u64)>,
    gate: Gate,
}
impl AccountHandler for Account {
    fn withdraw(&mut self, _account: u64, amount: u64) -> Result<u64, Overdrawn> {
        100_u64.checked_sub(amount).ok_or(Overdrawn { by: amount.saturating_sub(100) })
    }
    fn later(&mut self, value: String, reply: ReplyTo<String>) {
        thread::Builder::new().spawn(move || reply.send(value + "!")).expect("a thread");
    }
    fn r#break(&mut self, value: String) {
        panic!("broken: {value}");
    }
    fn large(&mut self, value: usize) -> Vec<u8> {
        vec![7; value]
    }
    fn length(&mut self, value: String) -> usize {
        value.len()
    }
    fn note(&mut self, value: u64) {
        self.notes.send((self.which, value)).unwrap_or_default();
    }
    fn take_note(&mut self, value: u64) {
        self.note(value);
    }
    fn hold(&mut self) {
        self.gate.pass();
    }
}

/// A process that serves: an engine with a pool of `n`, and its bridge.
struct Serving {
    engine: ActorEngine,
    bridge: Bridge,
    gate: Gate,
}

fn serving(server: &Server, which: u64, n: usize, notes: &mpsc::Sender<(u64, u64)>) -> Serving {
    let (engine, bridge, gate) = (ActorEngine::new(), server.bridge(), Gate::new());
    let (notes, inside) = (notes.clone(), gate.clone());
    let state = move || Account { which, notes: notes.clone(), gate: inside.clone() };
    engine.pool(n, AccountMessage::actor(state)).expect("a pool");
    bridge.serve::<AccountMessage>(&engine).expect("it has the pool");
    Serving { engine, bridge, gate }
}

#[test]
fn calls_sends_deferred_replies_and_panics_go_there_and_back() {
    bounded(|| {
        let server = Server::start();
        let (tell, notes) = mpsc::channel();
        let there = serving(&server, 0, 2, &tell);
        there.engine.on_panic(|_| {});
        let (here, bridge) = (ActorEngine::new(), server.bridge());
        let account = bridge.attach::<AccountMessage>(&here).expect("a link");
        assert_eq!(account.withdraw(7, 30), Ok(Ok(70)));
        assert_eq!(account.withdraw(7, 130), Ok(Err(Overdrawn { by: 30 })));
        assert_eq!(account.later("soon").as_deref(), Ok("soon!"));
        assert_eq!(account.non_blocking().withdraw(1, 1).wait(), Ok(Ok(99)));
        let broken = account.r#break("once".to_owned());
        assert_eq!(broken, Err(CallError::Panicked { message: "AccountMessage", text: "broken: once".into() }));
        account.note(5).expect("it is sent");
        assert_eq!(receive(&notes), (0, 5));
        here.settle();
        let books = bridge.close(LIMIT);
        assert!(books.is_balanced(), "{books}");
        assert_eq!((books.accepted, books.acked, books.called), (1, 1, 5));
        assert_eq!(there.bridge.books().taken, 6);
    });
}

#[test]
fn sends_of_one_sender_keep_their_order() {
    bounded(|| {
        const MANY: u64 = 3_000;
        let server = Server::start();
        let (tell, notes) = mpsc::channel();
        let _there = serving(&server, 0, 1, &tell);
        let (here, bridge) = (ActorEngine::new(), server.bridge());
        let account = bridge.attach::<AccountMessage>(&here).expect("a link");
        for number in 0..MANY {
            account.note(number).expect("it is sent");
        }
        assert!(receive_many(&notes, MANY as usize).into_iter().map(|(_, number)| number).eq(0..MANY));
        here.settle();
        assert_eq!(bridge.flush(LIMIT).acked, MANY);
    });
}

#[test]
fn several_processes_share_a_pool_and_each_message_goes_to_one_of_them() {
    bounded(|| {
        const MANY: u64 = 600;
        let server = Server::start();
        let (tell, notes) = mpsc::channel();
        let there: Vec<_> = (0..3).map(|which| serving(&server, which, 1, &tell)).collect();
        let (here, bridge) = (ActorEngine::new(), server.bridge());
        let account = bridge.attach::<AccountMessage>(&here).expect("a link");
        for number in 0..MANY {
            account.note(number).expect("it is sent");
        }
        let came = receive_many(&notes, MANY as usize);
        assert_eq!(came.iter().map(|(which, _)| which).collect::<BTreeSet<_>>().len(), 3, "the server chooses each");
        assert_eq!(came.iter().map(|(_, number)| *number).collect::<BTreeSet<_>>(), (0..MANY).collect());
        here.settle();
        assert_eq!(bridge.flush(LIMIT).acked, MANY);
        assert_eq!(there.iter().map(|there| there.bridge.books().taken).sum::<u64>(), MANY);
        assert!(notes.try_recv().is_err(), "none came twice");
    });
}

#[test]
fn a_broadcast_reaches_every_instance_of_every_process() {
    bounded(|| {
        let server = Server::start();
        let (tell, notes) = mpsc::channel();
        let _there: Vec<_> = (0..2).map(|which| serving(&server, which, 3, &tell)).collect();
        let (here, bridge) = (ActorEngine::new(), server.bridge());
        let account = bridge.attach::<AccountMessage>(&here).expect("a link");
        account.broadcast(AccountMessage::Note(1)).expect("it is sent");
        let mut came: Vec<_> = receive_many(&notes, 6).into_iter().map(|(which, _)| which).collect();
        came.sort_unstable();
        assert_eq!(came, [0, 0, 0, 1, 1, 1]);
        here.settle();
        assert_eq!(bridge.flush(LIMIT).acked, 1);
    });
}

#[test]
fn a_full_pool_there_holds_its_senders_back_and_no_message_counts_as_lost_meanwhile() {
    bounded(|| {
        let server = Server::start();
        let (tell, notes) = mpsc::channel();
        let (engine, gate) = (ActorEngine::new(), Gate::new());
        let inside = gate.clone();
        let state = move || Account { which: 0, notes: tell.clone(), gate: inside.clone() };
        let thread = ActorThread::new().mailbox_bound(2);
        engine.spawn(thread.register(AccountMessage::actor(state))).expect("a pool");
        // So short that a message waits for room over there for several such times.
        let wait = Duration::from_millis(300);
        let serves = server.builder().ack_wait(wait).connect().expect("the server is there");
        serves.serve::<AccountMessage>(&engine).expect("it has the pool");
        let (here, bridge) =
            (ActorEngine::new(), server.builder().ack_wait(wait).connect().expect("the server is there"));
        let account = bridge.attach_bounded::<AccountMessage>(&here, 4, Overflow::Refuse).expect("a link");
        let held = account.non_blocking().hold();
        gate.await_arrivals(1);
        let mut sent = 0;
        while sent < 2 + 4 {
            // Refused while those before are still on their way.
            sent += u64::from(account.note(sent).is_ok());
        }
        assert!(account.note(77).expect_err("there is no room").is_full());
        zctor::sleep(4 * wait);
        let books = bridge.books();
        assert_eq!((books.acked, books.unsettled(), books.lost), (2, 4, 0), "{books}");
        gate.open();
        assert_eq!(held.wait(), Ok(()));
        assert!(receive_many(&notes, 6).into_iter().map(|(_, number)| number).eq(0..6));
        let books = bridge.flush(LIMIT);
        assert_eq!((books.accepted, books.acked), (6, 6));
    });
}

#[test]
fn a_reply_or_a_message_that_is_too_large_is_refused_with_its_size() {
    bounded(|| {
        let server = Server::start();
        let (tell, _notes) = mpsc::channel();
        let _there = serving(&server, 0, 1, &tell);
        let (here, bridge) = (ActorEngine::new(), server.bridge());
        let account = bridge.attach::<AccountMessage>(&here).expect("a link");
        assert_eq!(account.large(100_000).map(|reply| reply.len()), Ok(100_000));
        match account.large(2_000_000) {
            Err(CallError::Unfit { text, .. }) => assert!(text.starts_with("its reply: it has "), "{text}"),
            other => panic!("{:?}", other.map(|reply| reply.len())),
        }
        match account.r#break("x".repeat(2_000_000)) {
            Err(CallError::Unfit { text, .. }) => assert!(text.starts_with("it has 2000"), "{text}"),
            other => panic!("{other:?}"),
        }
        assert_eq!(account.withdraw(1, 1), Ok(Ok(99)), "and the bridge goes on");
    });
}

#[test]
fn a_message_and_a_reply_are_as_large_as_the_server_takes_and_no_larger() {
    bounded(|| {
        let server = Server::start();
        let (tell, _notes) = mpsc::channel();
        let _there = serving(&server, 0, 1, &tell);
        let (here, bridge) = (ActorEngine::new(), server.bridge());
        let account = bridge.attach::<AccountMessage>(&here).expect("a link");
        /// The bytes that the text of an error names, and those that the server takes.
        fn named(text: &str) -> (usize, usize) {
            let mut numbers = text.split(' ').filter_map(|word| word.parse().ok());
            (numbers.next().expect("its bytes"), numbers.next().expect("those that the server takes"))
        }
        let refused = |outcome: Result<usize, CallError>| match outcome {
            Err(CallError::Unfit { text, .. }) => named(&text),
            other => panic!("{other:?}"),
        };
        // What stands around the text or the bytes is as long for all that are as long as these.
        let length = |text: usize| account.length("x".repeat(text));
        let large = |bytes: usize| account.large(bytes).map(|reply| reply.len());
        let (bytes, most) = refused(length(2_000_000));
        let largest = most - (bytes - 2_000_000);
        assert_eq!((length(largest - 1), length(largest)), (Ok(largest - 1), Ok(largest)));
        assert_eq!(refused(length(largest + 1)), (most + 1, most));
        let (bytes, most) = refused(large(2_000_000));
        let largest = most - (bytes - 2_000_000);
        for bytes in [largest - 1, largest] {
            assert_eq!(large(bytes), Ok(bytes));
        }
        assert_eq!(refused(large(largest + 1)), (most + 1, most));
    });
}

#[actor(remote, calls(AccountMessage))]
#[derive(Serialize, Deserialize)]
enum TellerMessage {
    #[reply(Result<u64, CallError2>)]
    Pay(u64),
}
/// An error of a call as text, which travels.
type CallError2 = String;
struct Teller;
impl TellerHandler for Teller {
    fn pay(&mut self, ctx: &mut Context<TellerMessage>, value: u64) -> Result<u64, String> {
        let left = ctx.call(AccountMessage::withdraw(1, value)).map_err(|error| error.to_string())?;
        left.map_err(|overdrawn| format!("{overdrawn:?}"))
    }
}

#[test]
fn a_handler_of_one_process_calls_a_pool_of_another() {
    bounded(|| {
        let server = Server::start();
        let (tell, _notes) = mpsc::channel();
        let _accounts = serving(&server, 0, 1, &tell);
        let (tellers, bridge) = (ActorEngine::new(), server.bridge());
        bridge.attach::<AccountMessage>(&tellers).expect("a link");
        tellers.pool(1, TellerMessage::actor(|| Teller)).expect("a pool");
        bridge.serve::<TellerMessage>(&tellers).expect("it has the pool");
        let (here, own) = (ActorEngine::new(), server.bridge());
        let teller = own.attach::<TellerMessage>(&here).expect("a link");
        for value in 0..50 {
            assert_eq!(teller.pay(value), Ok(Ok(100 - value)));
        }
    });
}

#[test]
fn a_call_ends_at_its_deadline_though_its_handler_does_not() {
    bounded(|| {
        let server = Server::start();
        let (tell, _notes) = mpsc::channel();
        let there = serving(&server, 0, 1, &tell);
        let (here, bridge) =
            (ActorEngine::new(), server.builder().deadline(Duration::from_millis(300)).connect().expect("it is there"));
        let account = bridge.attach::<AccountMessage>(&here).expect("a link");
        let held = account.hold();
        assert!(matches!(held, Err(CallError::Timeout { .. })), "the bridge's own: {held:?}");
        let late = account.within(Duration::from_millis(50)).withdraw(1, 1);
        assert!(matches!(late, Err(CallError::Timeout { .. })), "{late:?}");
        there.gate.open();
        assert_eq!(account.within(LIMIT).withdraw(1, 1), Ok(Ok(99)));
    });
}

/// The process that has it gives it up a tenth of its time earlier, so that it can say so in time.
#[test]
fn a_call_whose_time_is_up_before_its_handler_begins_never_runs() {
    bounded(|| {
        let server = Server::start();
        let (tell, notes) = mpsc::channel();
        let there = serving(&server, 0, 1, &tell);
        let (here, bridge) = (ActorEngine::new(), server.patient_bridge());
        let account = bridge.attach::<AccountMessage>(&here).expect("a link");
        let held = account.within(LIMIT).non_blocking().hold();
        there.gate.await_arrivals(1);
        // On a busy machine the word may come too late: then it may have begun, as far as anybody knows here.
        let mut time = Duration::from_millis(500);
        let mut given_up = 0;
        loop {
            let late = account.within(time).take_note(1);
            let Err(CallError::Timeout { begun, .. }) = late else { panic!("{late:?}") };
            given_up += 1;
            if !begun {
                break;
            }
            time *= 2;
        }
        there.gate.open();
        assert_eq!(held.wait(), Ok(()));
        assert_eq!(account.within(LIMIT).take_note(2), Ok(()));
        assert_eq!(receive(&notes), (0, 2), "none of the {given_up} before has run");
    });
}

/// Its drop panics where it is made, after it was written as bytes.
#[derive(Debug, Serialize, Deserialize)]
struct Brittle {
    #[serde(skip)]
    breaks: bool,
}
impl Drop for Brittle {
    fn drop(&mut self) {
        assert!(!self.breaks, "it breaks");
    }
}

#[actor(remote)]
#[derive(Serialize, Deserialize)]
enum BrittleMessage {
    #[reply(Brittle)]
    Make,
}
struct Maker;
impl BrittleHandler for Maker {
    fn make(&mut self) -> Brittle {
        Brittle { breaks: true }
    }
}

/// Issue #17: such a call ended at its deadline.
#[test]
fn a_call_whose_reply_panics_in_its_drop_ends_at_once() {
    bounded(|| {
        expect_panics("it breaks");
        let (server, there, here) = (Server::start(), ActorEngine::new(), ActorEngine::new());
        let (serves, calls) = (server.patient_bridge(), server.patient_bridge());
        there.pool(1, BrittleMessage::actor(|| Maker)).expect("a pool");
        serves.serve::<BrittleMessage>(&there).expect("it has the pool");
        let maker = calls.attach::<BrittleMessage>(&here).expect("a link");
        let made = maker.within(LIMIT / 6).make();
        assert!(matches!(made, Err(CallError::NoReply { .. })), "{made:?}");
    });
}
