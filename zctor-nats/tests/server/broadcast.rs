//! A broadcast that is waited for says who has it: of several processes, of one that is slow, of none. What becomes of one
//! that is killed is in `processes.rs`.

use std::thread;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use zctor::remote::Reached;
use zctor::{ActorEngine, ActorThread, CallError, Overflow, actor};
use zctor_nats::{Bridge, BridgeError, Operation};
use zctor_tests::{Counter, Gate, LIMIT, bounded};

use crate::nats::Server;
use crate::proxy::Proxy;

const POOL: usize = 2;

#[actor(remote)]
#[derive(Serialize, Deserialize)]
enum CacheMessage {
    Clear,
    Hold,
    Fill(Vec<u8>),
}
struct Cache {
    cleared: Counter,
    gate: Gate,
}
impl CacheHandler for Cache {
    fn clear(&mut self) {
        self.cleared.increment();
    }
    fn hold(&mut self) {
        self.gate.pass();
    }
    fn fill(&mut self, _value: Vec<u8>) {}
}

struct Process {
    engine: ActorEngine,
    bridge: Bridge,
    cleared: Counter,
    gate: Gate,
}

fn process(bridge: Bridge) -> Process {
    process_with(bridge, 64)
}

/// A process whose mailboxes have room for so many messages.
fn process_with(bridge: Bridge, bound: usize) -> Process {
    let (engine, cleared, gate) = (ActorEngine::new(), Counter::new(), Gate::new());
    engine.on_dead_letter(|_| {});
    let (counted, inside) = (cleared.clone(), gate.clone());
    let state = CacheMessage::actor(move || Cache { cleared: counted.clone(), gate: inside.clone() });
    let thread = |_| ActorThread::new().mailbox_bound(bound).overflow(Overflow::Refuse);
    engine.pool_on(POOL, thread, state).expect("a pool");
    bridge.serve::<CacheMessage>(&engine).expect("it has the pool");
    Process { engine, bridge, cleared, gate }
}

fn counts(reached: &Reached) -> (usize, usize, usize) {
    (reached.processes, reached.instances, reached.refused.len())
}

#[test]
fn a_broadcast_counts_the_processes_and_instances_that_have_it() {
    bounded(|| {
        const ROUNDS: u64 = 20;
        let (server, mut there) = (Server::start(), Vec::<Process>::new());
        let calls = server.bridge();
        for number in 0..=3 {
            // At once, since nobody can answer; or when as many have answered.
            let wait = 100 * LIMIT;
            for _ in 0..ROUNDS {
                let reached = calls.broadcast_expecting(CacheMessage::Clear, number.max(1), wait).expect("it is sent");
                assert_eq!(counts(&reached), (number, number * POOL, 0));
            }
            there.push(process(server.bridge()));
        }
        for (number, process) in there.iter().enumerate() {
            process.engine.settle();
            let (rounds, instances) = (ROUNDS * (3 - number as u64), POOL as u64);
            assert_eq!(process.cleared.get(), rounds * instances, "each instance has each broadcast once");
            assert_eq!(process.bridge.books().taken, rounds, "a broadcast is one message");
        }
        assert_eq!(calls.books().accepted, 0, "no link has taken it");
    });
}

#[test]
fn a_process_that_answers_late_is_not_counted_and_has_the_message() {
    bounded(|| {
        let server = Server::start();
        let proxy = Proxy::to(server.port());
        let slow = server.builder().server(proxy.url()).connect().expect("it is there");
        let (there, calls) = ([process(server.bridge()), process(server.bridge()), process(slow)], server.bridge());
        proxy.stall(true);
        let two = calls.broadcast_expecting(CacheMessage::Clear, 2, LIMIT).expect("it is sent");
        assert_eq!(counts(&two), (2, 2 * POOL, 0));
        let (wait, begun) = (Duration::from_millis(300), zctor::now());
        let late = calls.broadcast(CacheMessage::Clear, wait).expect("it is sent");
        assert!(zctor::now() - begun >= wait, "it waits for the third");
        assert!(late.answers() <= 2, "{late}");
        proxy.stall(false);
        // An answer to an earlier broadcast is in no later count.
        let all = calls.broadcast_expecting(CacheMessage::Clear, 3, LIMIT).expect("it is sent");
        assert_eq!(counts(&all), (3, 3 * POOL, 0));
        there.iter().for_each(|process| process.engine.settle());
        assert!(there.iter().all(|process| process.cleared.get() == 3 * POOL as u64), "all have each once");
    });
}

#[test]
fn a_process_that_has_no_room_or_another_version_is_told() {
    mod other {
        use super::*;

        #[actor(remote = "CacheMessage")]
        #[derive(Serialize, Deserialize)]
        pub(super) enum OldMessage {
            Empty,
        }
        pub(super) struct Old;
        impl OldHandler for Old {
            fn empty(&mut self) {}
        }
    }
    bounded(|| {
        let (server, old) = (Server::start(), ActorEngine::new());
        let (full, open, calls) = (process_with(server.bridge(), 1), process(server.bridge()), server.bridge());
        let serves = server.bridge();
        old.pool(1, other::OldMessage::actor(|| other::Old)).expect("a pool");
        serves.serve::<other::OldMessage>(&old).expect("it has the pool");
        open.gate.open();
        for _ in 0..2 {
            // The first is handled, and the second is in the mailbox.
            calls.broadcast_expecting(CacheMessage::Hold, 3, LIMIT).expect("it is sent");
            full.gate.await_arrivals(POOL);
        }
        let reached = calls.broadcast_expecting(CacheMessage::Clear, 3, LIMIT).expect("it is sent");
        assert_eq!(counts(&reached), (1, POOL, 2));
        assert!(reached.refused.contains(&CallError::Full { message: "CacheMessage" }), "{reached:?}");
        let unfit = |error: &&CallError| matches!(error, CallError::Unfit { text, .. } if text.contains("`Clear`"));
        assert_eq!(reached.refused.iter().filter(unfit).count(), 1, "{reached:?}");
        full.gate.open();
    });
}

/// Issue #17: what was not waited for was sent, or not sent, and nobody was told which.
#[test]
fn what_is_broadcast_without_an_error_was_sent() {
    bounded(|| {
        const ROUNDS: u64 = 50;
        let server = Server::start();
        let (there, calls) = (process(server.bridge()), server.bridge());
        let mut sent = 0;
        for _ in 0..ROUNDS {
            calls.broadcast_expecting(CacheMessage::Clear, 0, LIMIT).expect("it is sent");
            // There may be no time for it.
            sent += 1 + u64::from(calls.broadcast(CacheMessage::Clear, Duration::ZERO).is_ok());
            // There is room for the next ones.
            calls.broadcast_expecting(CacheMessage::Clear, 1, LIMIT).expect("it is sent");
            sent += 1;
        }
        there.engine.settle();
        assert!(there.cleared.get() >= sent * POOL as u64, "{} copies of {sent} messages", there.cleared.get());
    });
}

#[test]
fn what_cannot_be_broadcast_is_an_error() {
    bounded(|| {
        let mut server = Server::configured(
            "max_payload: 65536, authorization { users = [ { user: a, password: a }, { user: mute, password: d, \
             permissions { publish: [\"_INBOX.>\"] } } ] }",
        );
        let of = |who| server.builder().user(who, if who == "a" { "a" } else { "d" }).connect().expect("it is let in");
        let (there, calls, mute) = (process(of("a")), of("a"), of("mute"));
        match calls.broadcast(CacheMessage::Fill(vec![0; 65_536]), LIMIT) {
            Err(error @ BridgeError::Unfit { .. }) => {
                assert!(error.to_string().contains("the NATS server takes 65280"), "{error}")
            }
            other => panic!("{other:?}"),
        }
        // At once, both when the server says it and while that counts.
        for _ in 0..2 {
            match mute.broadcast(CacheMessage::Clear, 100 * LIMIT) {
                Err(BridgeError::Permission { operation: Operation::Publish, subject }) => {
                    assert_eq!(subject, "zctor.3.test.CacheMessage.b");
                }
                other => panic!("{other:?}"),
            }
        }
        // The connection breaks while somebody has not answered.
        let broken = thread::scope(|scope| {
            let waits = scope.spawn(|| calls.broadcast_expecting(CacheMessage::Clear, 2, 100 * LIMIT));
            while there.cleared.get() < POOL as u64 {
                thread::yield_now();
            }
            server.kill();
            waits.join().expect("it ends")
        });
        assert!(matches!(broken, Err(BridgeError::Disconnected)), "{broken:?}");
        // After its patience.
        let gone = calls.broadcast(CacheMessage::Clear, 100 * LIMIT);
        assert!(matches!(gone, Err(BridgeError::Disconnected)), "{gone:?}");
        // Its wait is shorter than the patience.
        let server = Server::start();
        let calls = server.builder().patience(Duration::from_secs(5)).connect().expect("it is there");
        drop(server);
        while calls.broadcast(CacheMessage::Clear, Duration::from_millis(50)).is_ok() {}
    });
}
