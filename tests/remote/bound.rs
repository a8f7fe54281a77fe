//! Clients that are bound to a key: which instance on the other side their messages reach.

use std::borrow::Borrow;
use std::collections::HashMap;
use std::sync::mpsc;

use serde::ser::Error;
use serde::{Deserialize, Serialize, Serializer};
use zctor::remote::Loopback;
use zctor::{ActorEngine, CallError, Undelivered, actor};
use zctor_tests::{Counter, bounded, receive};

const POOL: usize = 5;
const KEYS: u64 = 40;

#[actor(remote)]
#[derive(Serialize, Deserialize)]
enum AccountMessage {
    #[reply(usize)]
    Deposit {
        #[key]
        owner: String,
    },
    #[reply(usize)]
    Audit,
    Note(u64),
}
#[derive(Clone)]
struct Account {
    instance: usize,
    tell: mpsc::Sender<(usize, u64)>,
}
impl AccountHandler for Account {
    fn deposit(&mut self, _owner: String) -> usize {
        self.instance
    }
    fn audit(&mut self) -> usize {
        self.instance
    }
    fn note(&mut self, number: u64) {
        self.tell.send((self.instance, number)).unwrap_or_default();
    }
}

fn accounts() -> (ActorEngine, mpsc::Receiver<(usize, u64)>) {
    let (engine, next, (tell, told)) = (ActorEngine::new(), Counter::new(), mpsc::channel());
    let state = move || Account { instance: next.increment() as usize, tell: tell.clone() };
    engine.pool(POOL, AccountMessage::actor(state)).expect("a pool");
    (engine, told)
}

/// Which instance each key reaches by the field of a message.
fn owners(account: &AccountClient) -> HashMap<String, usize> {
    let owner = |key: u64| (key.to_string(), account.deposit(key.to_string()).expect("it is served"));
    let owners: HashMap<_, _> = (0..KEYS).map(owner).collect();
    assert!(owners.values().any(|owner| *owner != owners["0"]), "keys of several instances: {owners:?}");
    owners
}

#[test]
fn each_way_to_send_goes_to_the_instance_that_has_the_key() {
    bounded(|| {
        let ((serves, calls), (there, told), here) = (Loopback::pair(), accounts(), ActorEngine::new());
        serves.serve::<AccountMessage>(&there).expect("it has the pool");
        let account = calls.attach::<AccountMessage>(&here).expect("a link");
        let local = there.client::<AccountMessage>().expect("its pool");
        for (key, owner) in owners(&account) {
            let bound = account.keyed(key.as_str());
            assert_eq!(local.keyed(&*key).audit(), Ok(owner), "as in its own engine");
            assert_eq!(bound.audit(), Ok(owner), "a call without a key");
            assert_eq!(bound.deposit("0".to_owned()), Ok(owner), "the client beats the field");
            assert_eq!(bound.request(AccountMessage::audit()).wait(), Ok(owner), "a request");
            bound.note(1).expect("a send");
            bound.send_all((2..10).map(AccountMessage::Note)).expect("a batch");
            let notes: Vec<_> = (1..10).map(|_| receive(&told)).collect();
            assert!(notes.into_iter().eq((1..10).map(|number| (owner, number))), "in their order");
        }
        here.settle();
        assert!(calls.flush(zctor_tests::LIMIT).is_balanced());
    });
}

#[test]
fn a_bound_client_goes_where_the_partition_of_its_key_is_served() {
    bounded(|| {
        let ((serves, calls), (there, told), here) = (Loopback::pair(), accounts(), ActorEngine::new());
        serves.serve_partitions::<AccountMessage>(&there, 0..16, 16).expect("it has the pool");
        let account = calls.attach_partitions::<AccountMessage>(&here, 16).expect("a link");
        for (key, owner) in owners(&account) {
            let bound = account.keyed(&key);
            assert_eq!(bound.audit(), Ok(owner));
            bound.note(7).expect("a send");
            assert_eq!(receive(&told), (owner, 7));
        }

        serves.leave(zctor_tests::LIMIT);
        serves.serve_partitions::<AccountMessage>(&there, 0..8, 16).expect("it has left");
        let served = |key: &u64| account.deposit(key.to_string()).is_ok();
        let missing = (0..KEYS).find(|key| !served(key)).expect("half are not served").to_string();
        let nobody = Err(CallError::NotRegistered { message: "AccountMessage" });
        assert_eq!(account.keyed(&missing).audit(), nobody);
        let present = (0..KEYS).find(served).expect("half are served").to_string();
        assert!(account.keyed(&present).audit().is_ok());

        let whole = ActorEngine::new();
        let account = calls.attach::<AccountMessage>(&whole).expect("a link that knows of no partitions");
        match account.keyed(&present).audit() {
            Err(CallError::Unfit { text, .. }) => assert!(text.contains("`attach_partitions` and 16"), "{text}"),
            other => panic!("{other:?}"),
        }
    });
}

/// A key that is written in another way than what it borrows as.
#[derive(Hash, Serialize, Deserialize)]
#[serde(from = "String")]
struct Upper(String);
impl From<String> for Upper {
    fn from(text: String) -> Self {
        Self(text.to_uppercase())
    }
}
impl Borrow<str> for Upper {
    fn borrow(&self) -> &str {
        &self.0
    }
}

#[actor(remote)]
#[derive(Serialize, Deserialize)]
enum ShoutMessage {
    #[reply(())]
    Shout {
        #[key]
        word: Upper,
    },
}
struct Shout;
impl ShoutHandler for Shout {
    fn shout(&mut self, _word: Upper) {}
}

#[test]
fn a_client_that_is_bound_to_another_form_of_the_key_is_told_so() {
    bounded(|| {
        let ((serves, calls), there, here) = (Loopback::pair(), ActorEngine::new(), ActorEngine::new());
        there.pool(POOL, ShoutMessage::actor(|| Shout)).expect("a pool");
        serves.serve_partitions::<ShoutMessage>(&there, 0..64, 64).expect("it has the pool");
        let shout = calls.attach_partitions::<ShoutMessage>(&here, 64).expect("a link");
        let word = || Upper::from("ada".to_owned());
        assert_eq!(shout.keyed(&word()).shout(word()), Ok(()));
        match shout.keyed("ada").shout(word()) {
            Err(CallError::Unfit { text, .. }) => assert!(text.contains("bind it to the key itself"), "{text}"),
            other => panic!("{other:?}"),
        }
    });
}

#[test]
fn a_pool_that_is_served_on_keeps_the_key() {
    bounded(|| {
        let ((serves, relays), (there, told)) = (Loopback::pair(), accounts());
        serves.serve::<AccountMessage>(&there).expect("it has the pool");
        let between = ActorEngine::new();
        let near = relays.attach::<AccountMessage>(&between).expect("a link");
        let ((relay, calls), here) = (Loopback::pair(), ActorEngine::new());
        relay.serve::<AccountMessage>(&between).expect("it has the link");
        let account = calls.attach::<AccountMessage>(&here).expect("a link to a link");
        for (key, owner) in owners(&near) {
            assert_eq!(account.keyed(&key).audit(), Ok(owner));
            account.keyed(&key).note(3).expect("a send");
            assert_eq!(receive(&told), (owner, 3));
        }
    });
}

#[actor(remote)]
#[derive(Serialize, Deserialize)]
enum PlainMessage {
    #[reply(u64)]
    Instance,
}
struct Plain(u64);
impl PlainHandler for Plain {
    fn instance(&mut self) -> u64 {
        self.0
    }
}

#[test]
fn an_enum_without_keys_is_bound_alike_on_both_sides() {
    bounded(|| {
        let ((serves, calls), there, here) = (Loopback::pair(), ActorEngine::new(), ActorEngine::new());
        let next = Counter::new();
        let local = there.pool(POOL, PlainMessage::actor(move || Plain(next.increment()))).expect("a pool");
        serves.serve::<PlainMessage>(&there).expect("it has the pool");
        let plain = calls.attach::<PlainMessage>(&here).expect("a link");
        let at = |client: &PlainClient, key: u64| client.keyed(&key).instance().expect("it is served");
        let owners: Vec<u64> = (0..KEYS).map(|key| at(&plain, key)).collect();
        assert!(owners.iter().any(|owner| *owner != owners[0]), "{owners:?}");
        assert!(
            (0..KEYS).all(|key| owners[key as usize] == at(&local, key) && owners[key as usize] == at(&plain, key))
        );
    });
}

/// It cannot be written.
#[derive(Hash)]
struct Unwritable;
impl Serialize for Unwritable {
    fn serialize<S: Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
        Err(S::Error::custom("a key that cannot be written"))
    }
}

/// Its keys never leave their process.
#[actor(remote)]
#[derive(Serialize, Deserialize)]
enum InnerMessage {
    #[reply(())]
    Run,
    Go,
    #[msg(internal)]
    Tick {
        #[key]
        at: std::time::Instant,
    },
}
struct Inner;
impl InnerHandler for Inner {
    fn run(&mut self) {}
    fn go(&mut self) {}
    fn tick(&mut self, _at: std::time::Instant) {}
}

#[test]
fn a_key_that_cannot_travel_is_told() {
    bounded(|| {
        let ((serves, calls), there, here) = (Loopback::pair(), ActorEngine::new(), ActorEngine::new());
        let plain = there.pool(POOL, PlainMessage::actor(|| Plain(0))).expect("a pool");
        let inner = there.pool(POOL, InnerMessage::actor(|| Inner)).expect("a pool");
        assert_eq!(plain.keyed(&Unwritable).instance(), Ok(0), "in its own engine it need not");
        assert_eq!(inner.keyed(&zctor::now()).run(), Ok(()), "as this one");
        serves.serve::<PlainMessage>(&there).expect("it has the pool");
        serves.serve::<InnerMessage>(&there).expect("it has the pool");
        let plain = calls.attach::<PlainMessage>(&here).expect("a link");
        match plain.keyed(&Unwritable).instance() {
            Err(CallError::Unfit { text, .. }) => assert!(text.ends_with("a key that cannot be written"), "{text}"),
            other => panic!("{other:?}"),
        }
        let (say, letters) = mpsc::channel();
        here.on_dead_letter(move |letter| say.send(letter.why).unwrap_or_default());
        let inner = calls.attach::<InnerMessage>(&here).expect("a link").keyed(&zctor::now());
        match inner.run() {
            Err(CallError::Unfit { text, .. }) => assert!(text.contains("stay in their process"), "{text}"),
            other => panic!("{other:?}"),
        }
        inner.go().expect("the link takes it");
        assert_eq!(receive(&letters), Undelivered::Unfit);
    });
}
