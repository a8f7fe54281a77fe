//! Keys by stated partitions: which end, and there which instance, a key reaches.

use std::collections::HashMap;
use std::sync::mpsc;

use serde::{Deserialize, Serialize};
use zctor::remote::{Loopback, ServeError};
use zctor::{ActorEngine, CallError, DeadLetter, Undelivered, actor};
use zctor_tests::{Counter, bounded, receive};

const KEYS: u64 = 200;
const POOL: usize = 3;

#[actor(remote)]
#[derive(Serialize, Deserialize)]
enum AccountMessage {
    /// Gives the instance, and the total of the key.
    #[reply((u64, u64))]
    Deposit {
        #[key]
        account: u64,
        amount: u64,
    },
    Note {
        #[key]
        account: u64,
    },
    #[reply(u64)]
    Instance,
    #[msg(internal)]
    Audit {
        #[key]
        account: u64,
    },
}
struct Account {
    instance: u64,
    totals: HashMap<u64, u64>,
    tell: mpsc::Sender<(u64, u64)>,
}
impl AccountHandler for Account {
    fn deposit(&mut self, account: u64, amount: u64) -> (u64, u64) {
        let total = self.totals.entry(account).or_default();
        *total += amount;
        (self.instance, *total)
    }
    fn note(&mut self, account: u64) {
        self.tell.send((self.instance, account)).unwrap_or_default();
    }
    fn instance(&mut self) -> u64 {
        self.instance
    }
    fn audit(&mut self, _account: u64) {}
}

fn pool() -> (ActorEngine, mpsc::Receiver<(u64, u64)>) {
    let (engine, next, (tell, told)) = (ActorEngine::new(), Counter::new(), mpsc::channel());
    let state = move || Account { instance: next.increment(), totals: HashMap::new(), tell: tell.clone() };
    engine.pool(POOL, AccountMessage::actor(state)).expect("a pool");
    (engine, told)
}

const NOBODY: CallError = CallError::NotRegistered { message: "AccountMessage" };

#[test]
fn a_key_reaches_the_same_instance_where_its_partition_is_served() {
    bounded(|| {
        let ((serves, calls), (there, told), here) = (Loopback::pair(), pool(), ActorEngine::new());
        serves.serve_partitions::<AccountMessage>(&there, 0..16, 16).expect("it has the pool");
        let account = calls.attach_partitions::<AccountMessage>(&here, 16).expect("a link");
        let mut owners = HashMap::new();
        for round in 1..=2 {
            for key in 0..KEYS {
                let (instance, total) = account.deposit(key, 1).expect("its partition is served");
                assert_eq!((total, *owners.entry(key).or_insert(instance)), (round, instance), "of key {key}");
                account.note(key).expect("it is sent");
                assert_eq!(receive(&told), (instance, key), "a send goes where a call goes");
            }
        }
        let turn: Vec<_> = (0..POOL).map(|_| account.instance().expect("it has no key")).collect();
        let mut each = turn.clone();
        each.sort_unstable();
        each.dedup();
        assert_eq!(each.len(), POOL, "in turn: {turn:?}");
    });
}

#[test]
fn a_partition_that_nobody_serves_and_a_link_without_partitions_are_told() {
    bounded(|| {
        let ((serves, calls), (there, _told)) = (Loopback::pair(), pool());
        serves.serve_partitions::<AccountMessage>(&there, 0..8, 16).expect("it has the pool");
        let here = ActorEngine::new();
        let (say, letters) = mpsc::channel();
        here.on_dead_letter(move |letter: &DeadLetter| say.send(letter.clone()).unwrap_or_default());
        let account = calls.attach_partitions::<AccountMessage>(&here, 16).expect("a link");
        let served = (0..KEYS).filter(|key| account.deposit(*key, 1).is_ok()).count() as u64;
        assert!((1..KEYS).contains(&served), "some are served, some not: {served}");
        let missing = (0..KEYS).find(|key| account.deposit(*key, 1) == Err(NOBODY)).expect("one that is not");
        account.note(missing).expect("the link takes it");
        let letter = receive(&letters);
        assert_eq!((letter.variant, letter.why), ("Note", Undelivered::Unreachable));

        let whole = ActorEngine::new();
        let account = calls.attach::<AccountMessage>(&whole).expect("a link");
        match account.deposit(1, 1) {
            Err(CallError::Unfit { text, .. }) => assert!(text.contains("`attach_partitions` and 16"), "{text}"),
            other => panic!("{other:?}"),
        }
        assert!(account.instance().is_ok(), "what has no key goes in turn");

        let others = ActorEngine::new();
        let account = calls.attach_partitions::<AccountMessage>(&others, 8).expect("a link");
        assert_eq!(account.deposit(1, 1), Err(NOBODY), "of other partitions none is served");
    });
}

#[test]
fn partitions_are_stated_once_and_anew_after_leaving() {
    bounded(|| {
        let ((serves, calls), (there, _told), here) = (Loopback::pair(), pool(), ActorEngine::new());
        for wrong in [0..0, 3..9] {
            let none = serves.serve_partitions::<AccountMessage>(&there, wrong, 8).expect_err("there are none");
            assert!(matches!(none, ServeError::NoPartition { of: 8, .. }), "{none:?}");
        }
        serves.serve_partitions::<AccountMessage>(&there, 0..4, 8).expect("it has the pool");
        serves.serve_partitions::<AccountMessage>(&there, 0..4, 8).expect("they are the same");
        let more = serves.serve_partitions::<AccountMessage>(&there, 0..8, 8).expect_err("others are stated");
        assert!(matches!(more, ServeError::PartitionsStated { .. }), "{more:?}");
        let whole = serves.serve::<AccountMessage>(&there).expect_err("partitions are stated");
        assert!(matches!(whole, ServeError::PartitionsStated { .. }), "{whole:?}");
        let account = calls.attach_partitions::<AccountMessage>(&here, 8).expect("a link");
        let missing = (0..KEYS).find(|key| account.deposit(*key, 1) == Err(NOBODY)).expect("half are not served");
        serves.leave(zctor_tests::LIMIT);
        serves.serve_partitions::<AccountMessage>(&there, 0..8, 8).expect("it has left");
        assert!(account.deposit(missing, 1).is_ok());
    });
}
