//! A pending reply can be waited for, looked at, awaited, left alone or given up.

use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use zctor::{ActorEngine, ActorThread, CallError, Pending, ReplyTo, actor};
use zctor_tests::{Counter, Gate, LIMIT, bounded};

use crate::door::{Door, DoorClient, DoorMessage};

const SHORT: Duration = Duration::from_millis(20);

/// The least executor: it parks its thread until the waker unparks it.
struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

#[expect(clippy::disallowed_methods, reason = "the wait is bounded")]
fn block_on<F: Future>(future: F) -> F::Output {
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut context = Context::from_waker(&waker);
    let mut future = pin!(future);
    let deadline = Instant::now() + LIMIT;
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
            return output;
        }
        thread::park_timeout(LIMIT);
        assert!(Instant::now() < deadline, "nobody woke the executor");
    }
}

fn engine() -> (ActorEngine, DoorClient) {
    let engine = ActorEngine::new();
    let door = engine.pool(1, DoorMessage::actor(Door::default)).expect("the factory does not fail");
    (engine, door)
}

/// Holds the door's thread until the gate is opened.
fn busy(door: &DoorClient) -> (Gate, Pending<()>) {
    let gate = Gate::new();
    let held = door.non_blocking().hold(gate.clone());
    gate.await_arrivals(1);
    (gate, held)
}

#[test]
fn the_request_goes_out_when_it_is_made() {
    bounded(|| {
        let (engine, door) = engine();
        let pending = door.non_blocking().knock();
        engine.settle();
        assert_eq!(door.knocks(), Ok(1));
        assert_eq!(pending.wait(), Ok(1));
        assert_eq!(door.request(DoorMessage::knock()).wait(), Ok(2));
    });
}

#[test]
fn wait_timeout_gives_none_while_there_is_no_reply() {
    bounded(|| {
        let (_engine, door) = engine();
        let (gate, held) = busy(&door);
        let pending = door.non_blocking().knock();
        assert_eq!(pending.wait_timeout(SHORT), None);
        assert_eq!(pending.wait_timeout(Duration::ZERO), None);
        gate.open();
        assert_eq!(pending.wait_timeout(LIMIT), Some(Ok(1)));
        assert_eq!(held.wait(), Ok(()));
        // Its time was up before and still it was not given up.
        assert_eq!(door.knocks(), Ok(1));
    });
}

#[test]
fn try_take_never_waits() {
    bounded(|| {
        let (engine, door) = engine();
        let (gate, held) = busy(&door);
        let pending = door.non_blocking().knock();
        assert_eq!(pending.try_take(), None);
        gate.open();
        held.wait().unwrap();
        engine.settle();
        assert_eq!(pending.try_take(), Some(Ok(1)));
    });
}

#[test]
fn a_reply_is_taken_once() {
    bounded(|| {
        let (engine, door) = engine();
        let none = CallError::NoReply { message: "DoorMessage" };
        let pending = door.non_blocking().knock();
        assert_eq!(pending.wait(), Ok(1));
        assert_eq!(pending.wait(), Err(none.clone()));
        assert_eq!(pending.wait(), Err(none.clone()));
        assert_eq!(pending.wait_timeout(SHORT), Some(Err(none.clone())));
        assert_eq!(pending.try_take(), Some(Err(none.clone())));
        let pending = door.non_blocking().knock();
        engine.settle();
        assert_eq!(pending.try_take(), Some(Ok(2)));
        assert_eq!(pending.wait(), Err(none.clone()));
        let mut pending = door.non_blocking().knock();
        assert_eq!(block_on(&mut pending), Ok(3));
        assert_eq!(block_on(&mut pending), Err(none));
    });
}

#[test]
fn a_detached_request_runs_unwatched() {
    bounded(|| {
        let (engine, door) = engine();
        let (gate, held) = busy(&door);
        door.non_blocking().knock().detach();
        gate.open();
        held.wait().unwrap();
        engine.settle();
        assert_eq!(door.knocks(), Ok(1));
        assert_eq!(engine.stats().skipped, 0);
    });
}

#[test]
fn a_dropped_request_that_has_not_begun_is_skipped_and_counted() {
    bounded(|| {
        let (engine, door) = engine();
        let (gate, held) = busy(&door);
        drop(door.non_blocking().knock());
        let kept = door.non_blocking().knock();
        drop(door.non_blocking().knock());
        gate.open();
        held.wait().unwrap();
        assert_eq!(kept.wait(), Ok(1));
        engine.settle();
        assert_eq!(door.knocks(), Ok(1));
        assert_eq!(engine.stats().skipped, 2);
    });
}

#[test]
fn a_dropped_request_that_has_begun_runs_to_its_end() {
    bounded(|| {
        let (engine, door) = engine();
        let (gate, held) = busy(&door);
        drop(held);
        gate.open();
        assert_eq!(door.knock(), Ok(1));
        engine.settle();
        assert_eq!(engine.stats().skipped, 0);
    });
}

#[test]
fn a_pending_is_a_future() {
    bounded(|| {
        let (_engine, door) = engine();
        assert_eq!(block_on(door.non_blocking().knock()), Ok(1));
        let (gate, held) = busy(&door);
        let opened = gate.clone();
        thread::scope(|scope| {
            scope.spawn(move || opened.open());
            assert_eq!(block_on(held), Ok(()));
        });
        let replies = block_on(async {
            let (first, second) = (door.non_blocking().knock(), door.non_blocking().knock());
            (first.await, second.await, door.within(LIMIT).non_blocking().knock().await)
        });
        assert_eq!(replies, (Ok(2), Ok(3), Ok(4)));
    });
}

#[test]
fn a_pending_can_be_awaited_on_another_thread() {
    bounded(|| {
        let (_engine, door) = engine();
        let (gate, held) = busy(&door);
        let pending = door.non_blocking().knock();
        thread::scope(|scope| {
            let awaited = scope.spawn(move || block_on(pending));
            let waited = scope.spawn(move || held.wait());
            gate.open();
            assert_eq!(awaited.join().unwrap(), Ok(1));
            assert_eq!(waited.join().unwrap(), Ok(()));
        });
    });
}

#[test]
fn the_last_waker_is_the_one_that_is_woken() {
    struct Count(Counter);
    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.increment();
        }
    }
    bounded(|| {
        let (_engine, door) = engine();
        let (gate, held) = busy(&door);
        let mut pending = door.non_blocking().knock();
        let early = Counter::new();
        let waker = Waker::from(Arc::new(Count(early.clone())));
        assert_eq!(Pin::new(&mut pending).poll(&mut Context::from_waker(&waker)), Poll::Pending);
        gate.open();
        held.wait().unwrap();
        // Polled by another task, it wakes that one.
        assert_eq!(block_on(pending), Ok(1));
        assert!(early.get() <= 1);
    });
}

#[test]
fn a_waker_that_panics_takes_no_thread_down() {
    struct Bad;
    impl Wake for Bad {
        fn wake(self: Arc<Self>) {
            panic!("the waker panics");
        }
    }
    bounded(|| {
        let (engine, door) = engine();
        let (gate, held) = busy(&door);
        let mut pending = door.non_blocking().knock();
        let waker = Waker::from(Arc::new(Bad));
        assert_eq!(Pin::new(&mut pending).poll(&mut Context::from_waker(&waker)), Poll::Pending);
        gate.open();
        held.wait().unwrap();
        assert_eq!(door.knock(), Ok(2));
        assert_eq!(pending.wait(), Ok(1));
        let report = engine.shutdown().unwrap();
        assert_eq!(report.left, 0);
    });
}

#[test]
fn every_way_to_take_a_reply_tells_why_none_can_come() {
    bounded(|| {
        let (engine, door) = engine();
        let Err(CallError::Panicked { text, message: "DoorMessage", .. }) = door.non_blocking().r#break().wait() else {
            panic!("the handler panics");
        };
        assert_eq!(&*text, "the door breaks");
        assert!(matches!(block_on(door.non_blocking().r#break()), Err(CallError::Panicked { .. })));
        engine.shutdown().unwrap();
        let stopped = CallError::Stopped { message: "DoorMessage" };
        assert_eq!(door.non_blocking().knock().wait(), Err(stopped.clone()));
        assert_eq!(door.non_blocking().knock().try_take(), Some(Err(stopped.clone())));
        assert_eq!(door.non_blocking().knock().wait_timeout(LIMIT), Some(Err(stopped.clone())));
        assert_eq!(block_on(door.non_blocking().knock()), Err(stopped));
    });
}

#[test]
fn pendings_may_be_taken_in_any_order() {
    bounded(|| {
        let (_engine, door) = engine();
        let mut pendings: Vec<_> = (1..=50).map(|number| (number, door.non_blocking().knock())).collect();
        pendings.reverse();
        for (number, pending) in pendings {
            assert_eq!(pending.wait(), Ok(number));
        }
    });
}

#[test]
fn polling_inside_a_handler_serves_the_callee_on_the_same_thread() {
    #[actor(calls(DoorMessage))]
    enum PollerMessage {
        #[reply(Vec<Result<u64, CallError>>)]
        Poll,
    }
    struct Poller;
    impl PollerHandler for Poller {
        fn poll(&mut self, ctx: &mut zctor::Context<PollerMessage>) -> Vec<Result<u64, CallError>> {
            let door = ctx.client::<DoorMessage>().expect("the door lives");
            let (first, second) = (door.non_blocking().knock(), door.non_blocking().knock());
            vec![block_on(second), block_on(first), block_on(door.within(LIMIT).non_blocking().knock())]
        }
    }
    bounded(|| {
        let engine = ActorEngine::new();
        let poller = PollerMessage::actor(|| Poller);
        engine.spawn(ActorThread::new().register(poller).register(DoorMessage::actor(Door::default))).unwrap();
        assert_eq!(engine.call(PollerMessage::poll()), Ok(vec![Ok(2), Ok(1), Ok(3)]));
    });
}

#[test]
fn a_waker_that_panics_does_not_reach_the_handler_that_drops_the_port() {
    struct Bad;
    impl Wake for Bad {
        fn wake(self: Arc<Self>) {
            panic!("the waker panics");
        }
    }
    #[actor]
    enum LaterMessage {
        #[reply(u64, deferred)]
        Forget(Gate),
        #[reply(u64)]
        Forgotten,
    }
    #[derive(Default)]
    struct Later(u64);
    impl LaterHandler for Later {
        fn forget(&mut self, gate: Gate, reply: ReplyTo<u64>) {
            gate.pass();
            drop(reply);
            self.0 += 1;
        }
        fn forgotten(&mut self) -> u64 {
            self.0
        }
    }
    bounded(|| {
        let engine = ActorEngine::new();
        let later = engine.pool(1, LaterMessage::actor(Later::default)).unwrap();
        let gate = Gate::new();
        let mut pending = later.non_blocking().forget(gate.clone());
        gate.await_arrivals(1);
        let waker = Waker::from(Arc::new(Bad));
        assert_eq!(Pin::new(&mut pending).poll(&mut Context::from_waker(&waker)), Poll::Pending);
        gate.open();
        assert_eq!(later.forgotten(), Ok(1));
        assert_eq!(pending.wait(), Err(CallError::NoReply { message: "LaterMessage" }));
        assert_eq!(engine.stats().restarts, 0);
    });
}
