//! Hedged calls and quorums give what came first, and give up what they need no longer.

use std::time::Duration;

use zctor::{ActorEngine, CallError, actor};
use zctor_kit::hedge::hedge;
use zctor_kit::quorum::quorum;
use zctor_tests::{Counter, Gate, LIMIT, bounded, expect_panics};

#[actor]
enum ReplicaMessage {
    #[reply(u64)]
    Read(Gate, u64),
    #[reply(u64)]
    Break,
    #[reply(u64)]
    Handled,
}

#[derive(Default)]
struct Replica(u64);

impl ReplicaHandler for Replica {
    fn read(&mut self, gate: Gate, value: u64) -> u64 {
        self.0 += 1;
        gate.pass();
        value
    }
    fn r#break(&mut self) -> u64 {
        panic!("the replica breaks");
    }
    fn handled(&mut self) -> u64 {
        self.0
    }
}

fn replicas(engine: &ActorEngine, count: usize) -> Vec<ReplicaClient> {
    (0..count).map(|_| engine.start(ReplicaMessage::actor(Replica::default)).expect("no factory fails")).collect()
}

fn open() -> Gate {
    let gate = Gate::new();
    gate.open();
    gate
}

#[test]
fn a_hedge_asks_the_next_when_the_first_is_slow_and_not_before() {
    bounded(|| {
        let engine = ActorEngine::new();
        let replicas = replicas(&engine, 3);
        let (closed, asked) = (Gate::new(), Counter::new());
        let calls = |gates: [Gate; 3]| {
            let (asked, closed) = (asked.clone(), closed.clone());
            replicas.iter().zip(gates).enumerate().map(move |(index, (replica, gate))| {
                let (replica, asked, closed) = (replica.non_blocking(), asked.clone(), closed.clone());
                move || {
                    // A call that nobody has begun is skipped when the hedge gives it up; the first is to be counted.
                    if index > 0 {
                        closed.await_arrivals(1);
                    }
                    asked.increment();
                    replica.read(gate, index as u64)
                }
            })
        };
        assert_eq!(hedge(LIMIT, calls([open(), open(), open()])), Ok(0));
        assert_eq!(asked.get(), 1);
        let reply = hedge(Duration::from_millis(5), calls([closed.clone(), open(), open()]));
        // On a busy machine the second may be slow too, and the third is asked.
        assert!(matches!((&reply, asked.get()), (Ok(1), 3 | 4) | (Ok(2), 4)), "{reply:?}, {}", asked.get());
        closed.open();
        assert_eq!(replicas[0].handled(), Ok(2));
    });
}

#[test]
fn a_hedge_asks_the_next_at_once_when_a_call_has_failed_and_ends_with_the_last_failure() {
    expect_panics("the replica breaks");
    bounded(|| {
        let engine = ActorEngine::new();
        let replicas = replicas(&engine, 2);
        let [first, second] = [0, 1].map(|index| replicas[index].non_blocking());
        let broken = || first.r#break();
        let works = || second.read(open(), 7);
        let calls: [&dyn Fn() -> zctor::Pending<u64>; 2] = [&broken, &works];
        assert_eq!(hedge(LIMIT, calls), Ok(7));
        let calls: [&dyn Fn() -> zctor::Pending<u64>; 2] = [&broken, &broken];
        assert!(matches!(hedge(LIMIT, calls), Err(CallError::Panicked { .. })));
        let none: [fn() -> zctor::Pending<u64>; 0] = [];
        assert!(matches!(hedge(LIMIT, none), Err(CallError::NoReply { .. })));
    });
}

#[test]
fn a_quorum_needs_no_reply_of_the_slow_and_skips_what_was_not_begun() {
    bounded(|| {
        let engine = ActorEngine::new();
        let replicas = replicas(&engine, 3);
        let closed = Gate::new();
        let busy = replicas[0].non_blocking().read(closed.clone(), 9);
        closed.await_arrivals(1);
        let asked = replicas.iter().map(|replica| replica.non_blocking().read(open(), 5));
        assert_eq!(quorum(2, asked), Ok(vec![5, 5]));
        closed.open();
        assert_eq!(busy.wait(), Ok(9));
        assert_eq!(replicas[0].handled(), Ok(1), "its call was given up before it began");
        assert_eq!(engine.shutdown().unwrap().skipped, 1);
    });
}

#[test]
fn a_quorum_that_cannot_be_reached_ends_at_once() {
    expect_panics("the replica breaks");
    bounded(|| {
        let engine = ActorEngine::new();
        let replicas = replicas(&engine, 3);
        let closed = Gate::new();
        let slow = replicas[0].non_blocking().read(closed.clone(), 1);
        let broken = [1, 2].map(|index| replicas[index].non_blocking().r#break());
        let error = quorum(2, [slow].into_iter().chain(broken)).unwrap_err();
        assert_eq!((error.needed, error.came), (2, 0));
        assert!(matches!(error.last, Some(CallError::Panicked { .. })));
        closed.open();
        let error = quorum::<u64>(2, []).unwrap_err();
        assert_eq!((error.needed, error.came, error.last), (2, 0, None));
        assert_eq!(quorum::<u64>(0, []), Ok(vec![]));
    });
}
