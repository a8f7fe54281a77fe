//! Items that are forwarded come once and in order and wait for room; the forwarding ends with its source, its actor or
//! its guard.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc;
use std::time::Duration;

use zctor::{ActorEngine, ActorThread, actor};
use zctor_kit::forward;
use zctor_tests::{Counter, Gate, bounded, expect_panics, receive};

#[actor]
enum SinkMessage {
    Item(u32),
    Hold(Gate),
    #[reply(Vec<u32>)]
    Items,
}

#[derive(Default)]
struct Sink(Vec<u32>);

impl SinkHandler for Sink {
    fn item(&mut self, value: u32) {
        self.0.push(value);
    }
    fn hold(&mut self, gate: Gate) {
        gate.pass();
    }
    fn items(&mut self) -> Vec<u32> {
        self.0.clone()
    }
}

fn sink(engine: &ActorEngine, bound: usize) -> SinkClient {
    engine
        .start_on(ActorThread::new().mailbox_bound(bound), SinkMessage::actor(Sink::default))
        .expect("a thread starts")
}

#[test]
fn each_item_comes_once_and_in_order_and_a_full_mailbox_holds_the_source() {
    bounded(|| {
        let engine = ActorEngine::new();
        let (sink, gate, taken) = (sink(&engine, 4), Gate::new(), Counter::new());
        sink.hold(gate.clone()).expect("there is room");
        gate.await_arrivals(1);
        let count = taken.clone();
        let items = (0..1_000).inspect(move |_| {
            count.increment();
        });
        let forward = forward::iterator("items", items, &sink, SinkMessage::Item).expect("a thread starts");
        while engine.stats().threads[0].room.is_none_or(|room| room.waiting == 0) {
            std::thread::yield_now();
        }
        assert_eq!(taken.get(), 5, "four have room, and one waits for it");
        gate.open();
        assert_eq!(forward.join().expect("all are sent"), 1_000);
        assert!(sink.items().expect("it lives").into_iter().eq(0..1_000));
    });
}

#[test]
fn it_ends_when_the_actor_takes_no_more_and_gives_the_message_back() {
    bounded(|| {
        let engine = ActorEngine::new();
        let sink = sink(&engine, 4);
        let (give, items) = mpsc::channel();
        let forward = forward::iterator("items", items, &sink, SinkMessage::Item).expect("a thread starts");
        sink.stop().expect("it lives");
        engine.settle();
        give.send(7).expect("the thread waits for it");
        let refused = forward.join().expect_err("the actor has ended");
        assert!(refused.is_stopped() && matches!(refused.into_inner(), SinkMessage::Item(7)));
        assert!(give.send(8).is_err(), "the source is dropped");
    });
}

#[test]
fn a_limit_of_the_client_ends_it_where_the_mailbox_stays_full() {
    bounded(|| {
        let engine = ActorEngine::new();
        let (sink, gate) = (sink(&engine, 1), Gate::new());
        sink.hold(gate.clone()).expect("there is room");
        gate.await_arrivals(1);
        let hurried = sink.within(Duration::from_millis(5));
        let forward = forward::iterator("items", 0.., &hurried, SinkMessage::Item).expect("a thread starts");
        assert!(forward.join().expect_err("no room in time").is_full());
        gate.open();
    });
}

/// Tells when it is dropped, as the thread that goes through it ends.
struct Source(mpsc::Receiver<u32>, mpsc::Sender<()>);

impl Iterator for Source {
    type Item = u32;

    fn next(&mut self) -> Option<u32> {
        self.0.recv().ok()
    }
}

impl Drop for Source {
    fn drop(&mut self) {
        self.1.send(()).unwrap_or_default();
    }
}

#[test]
fn it_ends_at_the_next_item_when_it_is_stopped_or_dropped_and_goes_on_when_it_is_detached() {
    bounded(|| {
        let engine = ActorEngine::new();
        let sink = sink(&engine, 4);
        let start = || {
            let ((give, items), (tell, told)) = (mpsc::channel(), mpsc::channel());
            let items = Source(items, tell);
            (give, told, forward::iterator("items", items, &sink, SinkMessage::Item).expect("a thread starts"))
        };
        let (give, told, forward) = start();
        forward.stop();
        give.send(1).expect("the thread waits for it");
        receive(&told);
        assert_eq!(forward.join().expect("nothing was refused"), 0);

        let (give, told, forward) = start();
        drop(forward);
        give.send(2).expect("the thread waits for it");
        receive(&told);

        let (give, told, forward) = start();
        forward.detach();
        give.send(3).expect("the thread waits for it");
        drop(give);
        receive(&told);
        assert_eq!(sink.items().expect("it lives"), [3]);
    });
}

#[test]
fn a_panic_of_the_iterator_is_that_of_join() {
    expect_panics("the source breaks");
    bounded(|| {
        let engine = ActorEngine::new();
        let sink = sink(&engine, 4);
        let items = (0..10).inspect(|item| assert!(*item < 3, "the source breaks"));
        let forward = forward::iterator("items", items, &sink, SinkMessage::Item).expect("a thread starts");
        let panic = catch_unwind(AssertUnwindSafe(|| forward.join())).expect_err("it panics");
        assert_eq!(panic.downcast_ref::<&str>(), Some(&"the source breaks"));
        assert_eq!(sink.items().expect("it lives"), [0, 1, 2]);
    });
}

#[cfg(feature = "stream")]
mod streams {
    use std::pin::{Pin, pin};
    use std::sync::{Arc, Mutex};
    use std::task::{Context, Poll, Wake, Waker};

    use futures_core::Stream;

    use super::*;

    struct Numbers(std::ops::Range<u32>, Counter);

    impl Stream for Numbers {
        type Item = u32;

        fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<u32>> {
            self.1.increment();
            Poll::Ready(self.0.next())
        }
    }

    struct Bell(Mutex<mpsc::Sender<()>>);

    impl Wake for Bell {
        fn wake(self: Arc<Self>) {
            self.0.lock().expect("nobody panics with it").send(()).unwrap_or_default();
        }
    }

    #[test]
    fn a_stream_is_asked_for_the_next_item_when_the_last_one_has_room() {
        bounded(|| {
            let engine = ActorEngine::new();
            let (sink, gate, asked) = (sink(&engine, 2), Gate::new(), Counter::new());
            sink.hold(gate.clone()).expect("there is room");
            gate.await_arrivals(1);
            let (ring, bell) = mpsc::channel();
            let waker = Waker::from(Arc::new(Bell(Mutex::new(ring))));
            let mut forward = pin!(forward::stream(Numbers(0..100, asked.clone()), &sink, SinkMessage::Item));
            assert!(forward.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
            assert_eq!(asked.get(), 3, "two have room, and one waits for it");
            gate.open();
            let sent = loop {
                receive(&bell);
                if let Poll::Ready(sent) = forward.as_mut().poll(&mut Context::from_waker(&waker)) {
                    break sent;
                }
            };
            assert_eq!(sent.expect("all are sent"), 100);
            assert!(sink.items().expect("it lives").into_iter().eq(0..100));
        });
    }

    #[test]
    fn it_ends_when_the_actor_takes_no_more() {
        bounded(|| {
            let engine = ActorEngine::new();
            let sink = sink(&engine, 2);
            engine.shutdown().expect("it ends");
            let mut forward = pin!(forward::stream(Numbers(0..100, Counter::new()), &sink, SinkMessage::Item));
            match forward.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
                Poll::Ready(Err(refused)) => assert!(matches!(refused.into_inner(), SinkMessage::Item(0))),
                other => panic!("{other:?}"),
            }
        });
    }
}
