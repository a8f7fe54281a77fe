//! Keys by stated partitions: a key always reaches the same instance of the same process.

use std::collections::{HashMap, HashSet};
use std::sync::mpsc;

use serde::{Deserialize, Serialize};
use zctor::remote::ServeError;
use zctor::{ActorEngine, CallError, DeadLetter, Undelivered, actor};
use zctor_nats::{Bridge, BridgeError};
use zctor_tests::{LIMIT, bounded, receive, receive_many};

use crate::nats::Server;

const KEYS: u64 = 200;

#[actor(remote)]
#[derive(Clone, Serialize, Deserialize)]
enum AccountMessage {
    /// Gives the process, its instance, and the total of the key.
    #[reply((u64, u64, u64))]
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
    Process,
    News,
}
struct Account {
    process: u64,
    instance: u64,
    totals: HashMap<u64, u64>,
    tell: mpsc::Sender<(u64, u64)>,
}
impl AccountHandler for Account {
    fn deposit(&mut self, account: u64, amount: u64) -> (u64, u64, u64) {
        let total = self.totals.entry(account).or_default();
        *total += amount;
        (self.process, self.instance, *total)
    }
    fn note(&mut self, account: u64) {
        self.tell.send((self.process, account)).unwrap_or_default();
    }
    fn process(&mut self) -> u64 {
        self.process
    }
    fn news(&mut self) {
        self.tell.send((self.process, self.instance)).unwrap_or_default();
    }
}

/// A process that has a pool of three, and its bridge.
fn process(server: &Server, process: u64, tell: &mpsc::Sender<(u64, u64)>) -> (ActorEngine, Bridge) {
    let (engine, tell) = (ActorEngine::new(), tell.clone());
    let next = zctor_tests::Counter::new();
    let state = move || Account { process, instance: next.increment(), totals: HashMap::new(), tell: tell.clone() };
    engine.pool(3, AccountMessage::actor(state)).expect("a pool");
    (engine, server.bridge())
}

#[test]
fn a_key_reaches_the_same_instance_of_the_same_process_and_broadcasts_reach_all() {
    bounded(|| {
        let (server, (tell, told)) = (Server::start(), mpsc::channel());
        let there: Vec<_> = (0..2).map(|number| process(&server, number, &tell)).collect();
        for ((engine, bridge), numbers) in there.iter().zip([0..8, 8..16]) {
            bridge.serve_partitions::<AccountMessage>(engine, numbers, 16).expect("it has the pool");
        }
        let mut owners = HashMap::new();
        // Two callers, who agree.
        for round in 1..=2 {
            let (here, calls) = (ActorEngine::new(), server.patient_bridge());
            let account = calls.attach_partitions::<AccountMessage>(&here, 16).expect("a link");
            for key in 0..KEYS {
                let (process, instance, total) = account.deposit(key, 1).expect("its partition is served");
                assert_eq!(total, round, "the state of key {key} is in one place");
                let owner = *owners.entry(key).or_insert((process, instance));
                assert_eq!(owner, (process, instance), "of key {key}");
                account.note(key).expect("it is sent");
            }
            for (process, key) in receive_many(&told, KEYS as usize) {
                assert_eq!(owners[&key].0, process, "a send goes where a call goes");
            }
            account.broadcast(AccountMessage::News).expect("it is sent");
            let mut came = receive_many(&told, 6);
            came.sort_unstable();
            assert_eq!(came.iter().map(|(process, _)| *process).collect::<Vec<_>>(), [0, 0, 0, 1, 1, 1]);
            here.settle();
            let books = calls.flush(LIMIT);
            assert_eq!((books.accepted, books.acked), (KEYS + 1, KEYS + 1), "{books}");
            assert!(account.process().is_ok(), "what has no key goes in turn");
        }
        assert!((0..2).all(|process| owners.values().any(|owner| owner.0 == process)), "both have some");
    });
}

/// Bound by partitions to one of two processes, or in the one that serves the whole pool to one of its instances.
#[test]
fn a_client_that_is_bound_to_a_key_reaches_the_instance_that_has_it() {
    bounded(|| {
        for whole in [false, true] {
            let (server, (tell, told)) = (Server::start(), mpsc::channel());
            let there: Vec<_> = (0..if whole { 1 } else { 2 }).map(|number| process(&server, number, &tell)).collect();
            for ((engine, bridge), numbers) in there.iter().zip([0..8, 8..16]) {
                match whole {
                    true => bridge.serve::<AccountMessage>(engine).expect("it has the pool"),
                    false => bridge.serve_partitions::<AccountMessage>(engine, numbers, 16).expect("it has the pool"),
                }
            }
            let (here, calls) = (ActorEngine::new(), server.patient_bridge());
            let account = match whole {
                true => calls.attach::<AccountMessage>(&here).expect("a link"),
                false => calls.attach_partitions::<AccountMessage>(&here, 16).expect("a link"),
            };
            for key in 0..KEYS {
                let bound = account.keyed(&key);
                let (process, instance, _) = account.deposit(key, 1).expect("it is served");
                assert_eq!(bound.process(), Ok(process), "a call without a key, bound to {key}");
                let other = bound.deposit(key + 1, 1).expect("it is served");
                assert_eq!((other.0, other.1), (process, instance), "the client beats the field");
                bound.news().expect("a send without a key");
                assert_eq!(receive(&told), (process, instance), "bound to {key}");
            }
            // Faster than the bridge can pass them on, so that others between them go out together.
            let first = account.deposit(0, 1).map(|(process, instance, _)| (process, instance)).expect("it is served");
            let bound = account.keyed(&0_u64);
            for _ in 0..1_000 {
                account.news().expect("a send");
                bound.news().expect("a send");
            }
            let came = receive_many(&told, 2_000).into_iter().filter(|place| *place == first).count();
            // And a share of those in turn.
            assert!(came >= 1_000, "{came} came to {first:?}");
            here.settle();
            assert!(calls.flush(LIMIT).is_balanced());
        }
    });
}

#[actor(remote)]
#[derive(Serialize, Deserialize)]
enum OwnerMessage {
    #[reply(usize)]
    Open {
        #[key]
        owner: String,
    },
    #[reply(usize)]
    Audit,
}
#[derive(Clone)]
struct Owner(usize);
impl OwnerHandler for Owner {
    fn open(&mut self, _owner: String) -> usize {
        self.0
    }
    fn audit(&mut self) -> usize {
        self.0
    }
}

/// A `&str` for a `String`: its bytes are those of the key, and its partition and its instance too.
#[test]
fn a_client_that_is_bound_to_a_borrowed_form_of_the_key_reaches_the_instance_that_has_it() {
    bounded(|| {
        let (server, next) = (Server::start(), zctor_tests::Counter::new());
        let there: Vec<_> = [0..8, 8..16]
            .map(|numbers| {
                let (engine, next, bridge) = (ActorEngine::new(), next.clone(), server.bridge());
                engine.pool(3, OwnerMessage::actor(move || Owner(next.increment() as usize))).expect("a pool");
                bridge.serve_partitions::<OwnerMessage>(&engine, numbers, 16).expect("it has the pool");
                (engine, bridge)
            })
            .into();
        let (here, calls) = (ActorEngine::new(), server.patient_bridge());
        let account = calls.attach_partitions::<OwnerMessage>(&here, 16).expect("a link");
        let mut reached = HashSet::new();
        for key in 0..KEYS {
            let owner = format!("owner {key}");
            let has_it = account.open(owner.clone()).expect("its partition is served");
            assert_eq!(account.keyed(owner.as_str()).audit(), Ok(has_it), "bound to {owner}");
            reached.insert(has_it);
        }
        assert_eq!(reached.len(), 6, "all instances of both");
        drop(there);
    });
}

#[test]
fn a_partition_that_nobody_serves_and_a_link_that_knows_of_no_partitions_are_told() {
    bounded(|| {
        let (server, (tell, _told)) = (Server::start(), mpsc::channel());
        let (engine, serves) = process(&server, 0, &tell);
        serves.serve_partitions::<AccountMessage>(&engine, 0..8, 16).expect("it has the pool");
        let (here, calls) = (ActorEngine::new(), server.patient_bridge());
        let (say, letters) = mpsc::channel();
        here.on_dead_letter(move |letter: &DeadLetter| say.send(letter.clone()).unwrap_or_default());
        let account = calls.attach_partitions::<AccountMessage>(&here, 16).expect("a link");
        let nobody = Err(CallError::NotRegistered { message: "AccountMessage" });
        let missing = (0..KEYS).find(|key| account.deposit(*key, 1) == nobody).expect("half of them are not served");
        account.note(missing).expect("the link takes it");
        assert_eq!(receive(&letters).why, Undelivered::Unreachable);
        let whole = ActorEngine::new();
        let account = calls.attach::<AccountMessage>(&whole).expect("a link");
        match account.deposit(1, 1) {
            Err(CallError::Unfit { text, .. }) => assert!(text.contains("attach_partitions"), "{text}"),
            other => panic!("{other:?}"),
        }
        assert_eq!(account.process(), Ok(0));
        match account.keyed(&1_u64).process() {
            Err(CallError::Unfit { text, .. }) => assert!(text.contains("attach_partitions"), "{text}"),
            other => panic!("{other:?}"),
        }
        // Others count other partitions, so none of theirs is served.
        let other = ActorEngine::new();
        let account = calls.attach_partitions::<AccountMessage>(&other, 32).expect("a link");
        assert_eq!(account.deposit(1, 1), nobody);
    });
}

#[test]
fn a_partition_moves_when_its_process_has_left_and_not_before() {
    bounded(|| {
        let (server, (tell, _told)) = (Server::start(), mpsc::channel());
        let (first, second) = (process(&server, 0, &tell), process(&server, 1, &tell));
        first.1.serve_partitions::<AccountMessage>(&first.0, 0..4, 8).expect("it has the pool");
        first.1.serve_partitions::<AccountMessage>(&first.0, 0..4, 8).expect("it states them again");
        let taken = second.1.serve_partitions::<AccountMessage>(&second.0, 3..8, 8);
        assert!(matches!(taken, Err(BridgeError::PartitionTaken { partition: 3, .. })), "{taken:?}");
        second.1.serve_partitions::<AccountMessage>(&second.0, 4..8, 8).expect("they are free");
        let (here, calls) = (ActorEngine::new(), server.patient_bridge());
        let account = calls.attach_partitions::<AccountMessage>(&here, 8).expect("a link");
        let owner = |key| account.deposit(key, 1).map(|(process, _, _)| process);
        let moves = (0..KEYS).find(|key| owner(*key) == Ok(0)).expect("it has some");
        let more = second.1.serve_partitions::<AccountMessage>(&second.0, 0..8, 8);
        match more {
            // It asks for those of the first; the statement would be another in any case.
            Err(BridgeError::Serve { source: ServeError::PartitionsStated { .. } }) => {}
            other => panic!("{other:?}"),
        }
        assert!(first.1.leave(LIMIT).is_drained());
        assert_eq!(owner(moves), Err(CallError::NotRegistered { message: "AccountMessage" }), "nobody has it yet");
        assert!(second.1.leave(LIMIT).is_drained());
        second.1.serve_partitions::<AccountMessage>(&second.0, 0..8, 8).expect("all are free");
        assert_eq!(owner(moves), Ok(1));
        for wrong in [0..0, 3..9] {
            let none = first.1.serve_partitions::<AccountMessage>(&first.0, wrong, 8);
            assert!(matches!(none, Err(BridgeError::Serve { source: ServeError::NoPartition { .. } })), "{none:?}");
        }
    });
}
