//! A message that cannot arrive is an error at its sender: nobody is there, or another version, or a deeper callee.

use std::sync::{Arc, Mutex, mpsc};
use std::thread;

use serde::{Deserialize, Serialize};
use zctor::{ActorEngine, ActorThread, CallError, Context, DeadLetter, Overflow, ReplyTo, Undelivered, actor};
use zctor_nats::{Bridge, BridgeError};
use zctor_tests::{Gate, LIMIT, bounded, receive};

use crate::nats::Server;

mod old {
    use super::*;

    #[actor(remote = "store")]
    #[derive(Serialize, Deserialize)]
    pub(super) enum StoreMessage {
        #[reply(u64)]
        Load,
        #[reply(u64)]
        Gone,
        Note(u64),
        Lost,
    }
}

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
        Note(u64),
    }
}

struct Store(mpsc::Sender<u64>);
impl new::StoreHandler for Store {
    fn load(&mut self, _: &mut Context<new::StoreMessage>) -> u64 {
        unreachable!("no call may get here")
    }
    fn note(&mut self, _: &mut Context<new::StoreMessage>, value: u64) {
        self.0.send(value).unwrap_or_default();
    }
}

#[test]
fn nobody_there_is_told_at_once() {
    bounded(|| {
        let (server, here) = (Server::start(), ActorEngine::new());
        let bridge = server.bridge();
        let (tell, letters) = mpsc::channel();
        here.on_dead_letter(move |letter: &DeadLetter| tell.send(letter.clone()).unwrap_or_default());
        let store = bridge.attach::<old::StoreMessage>(&here).expect("a link");
        assert_eq!(store.load(), Err(CallError::NotRegistered { message: "StoreMessage" }));
        store.note(1).expect("the link takes it");
        let letter = receive(&letters);
        assert_eq!((letter.variant, letter.why), ("Note", Undelivered::Unreachable));
        let books = bridge.flush(LIMIT);
        assert_eq!((books.accepted, books.unreachable), (1, 1));
    });
}

#[test]
fn what_another_version_does_not_understand_is_refused_and_the_rest_goes_on() {
    bounded(|| {
        let (server, there, here) = (Server::start(), ActorEngine::new(), ActorEngine::new());
        let (serves, calls) = (server.bridge(), server.bridge());
        let (tell, notes) = mpsc::channel();
        there.pool(1, new::StoreMessage::actor(move || Store(tell.clone()))).expect("a pool");
        serves.serve::<new::StoreMessage>(&there).expect("it has the pool");
        here.on_dead_letter(|_| {});
        let store = calls.attach::<old::StoreMessage>(&here).expect("a link");
        match store.gone() {
            Err(CallError::Unfit { text, .. }) => assert!(text.contains("unknown variant `Gone`"), "{text}"),
            other => panic!("{other:?}"),
        }
        match store.load() {
            Err(CallError::Undeclared { message, .. }) => assert_eq!(message, "StoreMessage", "it is deeper there"),
            other => panic!("{other:?}"),
        }
        store.lost().expect("the link takes it");
        store.note(3).expect("it is sent");
        assert_eq!(receive(&notes), 3);
        here.settle();
        let books = calls.flush(LIMIT);
        assert_eq!((books.accepted, books.acked, books.unfit), (2, 1, 1));
    });
}

#[actor(remote)]
#[derive(Serialize, Deserialize)]
enum DoorMessage {
    #[reply(u64, deferred)]
    Pass,
    #[reply(())]
    Hold,
    Knock,
    #[msg(internal)]
    Tick(Local),
}
/// No trait of serde's.
struct Local;
struct Door(Gate);
impl DoorHandler for Door {
    fn pass(&mut self, reply: ReplyTo<u64>) {
        drop(reply);
    }
    fn hold(&mut self) {
        self.0.pass();
    }
    fn knock(&mut self) {}
    fn tick(&mut self, _value: Local) {
        unreachable!("it never travels");
    }
}

#[test]
fn a_dropped_reply_a_full_mailbox_there_and_an_internal_variant_are_told() {
    bounded(|| {
        let (server, there, here, gate) = (Server::start(), ActorEngine::new(), ActorEngine::new(), Gate::new());
        let (serves, calls) = (server.bridge(), server.bridge());
        let inside = gate.clone();
        let thread = ActorThread::new().mailbox_bound(1).overflow(Overflow::Refuse);
        there.spawn(thread.register(DoorMessage::actor(move || Door(inside.clone())))).expect("a pool");
        serves.serve::<DoorMessage>(&there).expect("it has the pool");
        let (tell, letters) = mpsc::channel();
        here.on_dead_letter(move |letter: &DeadLetter| tell.send(letter.clone()).unwrap_or_default());
        let door = calls.attach::<DoorMessage>(&here).expect("a link");
        assert_eq!(door.pass(), Err(CallError::NoReply { message: "DoorMessage" }));
        let held = door.non_blocking().hold();
        gate.await_arrivals(1);
        door.knock().expect("there is room for one");
        here.settle();
        assert_eq!(calls.flush(LIMIT).acked, 1);
        assert_eq!(door.pass(), Err(CallError::Full { message: "DoorMessage" }));
        door.knock().expect("the link takes it");
        let letter = receive(&letters);
        assert_eq!((letter.variant, letter.why), ("Knock", Undelivered::Full));
        door.tick(Local).expect("the link takes it");
        let letter = receive(&letters);
        assert_eq!((letter.variant, letter.why), ("Tick", Undelivered::Unfit));
        gate.open();
        assert_eq!(held.wait(), Ok(()));
        let books = calls.flush(LIMIT);
        assert_eq!((books.accepted, books.acked, books.full, books.unfit), (3, 1, 1, 1));
    });
}

#[test]
fn a_stopped_engine_there_is_told() {
    bounded(|| {
        let (server, there, here) = (Server::start(), ActorEngine::new(), ActorEngine::new());
        let (serves, calls) = (server.bridge(), server.bridge());
        there.pool(1, new::StoreMessage::actor(|| Store(mpsc::channel().0))).expect("a pool");
        serves.serve::<new::StoreMessage>(&there).expect("it has the pool");
        let store = calls.attach::<new::StoreMessage>(&here).expect("a link");
        there.shutdown().expect("nothing is in its way");
        assert_eq!(store.load(), Err(CallError::Stopped { message: "StoreMessage" }));
        let (tell, letters) = mpsc::channel();
        here.on_dead_letter(move |letter: &DeadLetter| tell.send(letter.clone()).unwrap_or_default());
        store.note(1).expect("the link takes it");
        let letter = receive(&letters);
        assert_eq!((letter.variant, letter.why), ("Note", Undelivered::Unreachable));
    });
}

/// Issue #17.
#[test]
fn a_bridge_may_be_dropped_on_its_own_thread() {
    bounded(|| {
        let (server, here) = (Server::start(), ActorEngine::new());
        let place = Arc::new(Mutex::new(None));
        let (tell, told) = mpsc::channel();
        let own = Arc::clone(&place);
        here.on_dead_letter(move |_| {
            let bridge: Option<Bridge> = own.lock().expect("nobody panics with it").take();
            drop(bridge);
            tell.send(thread::current().name().map(str::to_owned)).unwrap_or_default();
        });
        let bridge = server.bridge();
        let store = bridge.attach::<old::StoreMessage>(&here).expect("a link");
        *place.lock().expect("nobody panics with it") = Some(bridge);
        store.note(1).expect("the link takes it");
        assert_eq!(receive(&told).as_deref(), Some("zctor-nats"), "it is told that nobody serves the pool");
        assert_eq!(store.load(), Err(CallError::NotRegistered { message: "StoreMessage" }));
    });
}

#[test]
fn a_server_that_is_not_there_and_a_name_that_does_not_fit_are_told() {
    bounded(|| {
        let nowhere = Bridge::builder("test").server("nats://127.0.0.1:1").connect();
        match nowhere {
            Err(error @ BridgeError::Connect { .. }) => {
                assert!(error.to_string().starts_with("no connection to the NATS server at nats://127.0.0.1:1: "));
            }
            other => panic!("{other:?}"),
        }
        let unfit = Bridge::builder("a b").connect();
        assert!(matches!(unfit, Err(BridgeError::Name { .. })), "{unfit:?}");
        let (server, engine) = (Server::start(), ActorEngine::new());
        let nothing = server.bridge().serve::<old::StoreMessage>(&engine);
        assert!(matches!(nothing, Err(BridgeError::Serve { .. })), "{nothing:?}");
    });
}
