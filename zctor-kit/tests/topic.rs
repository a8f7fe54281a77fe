//! A topic delivers each value to each live subscriber once and in order, and to none that has left.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Sender};
use std::thread;
use std::time::Duration;

use zctor::{ActorEngine, ActorThread, actor};
use zctor_kit::topic::Topic;
use zctor_tests::{Gate, SplitMix64, bounded};

const VALUES: u64 = if cfg!(miri) { 50 } else { 5_000 };
const CHURNS: usize = if cfg!(miri) { 20 } else { 2_000 };

#[actor]
enum ListenerMessage {
    Value((u64, u64)),
    #[reply(())]
    Hold(Gate),
    /// All values so far, in order.
    #[reply(Vec<(u64, u64)>)]
    Values,
}

#[derive(Default)]
struct Listener(Vec<(u64, u64)>);

impl ListenerHandler for Listener {
    fn value(&mut self, value: (u64, u64)) {
        self.0.push(value);
    }
    fn hold(&mut self, gate: Gate) {
        gate.pass();
    }
    fn values(&mut self) -> Vec<(u64, u64)> {
        std::mem::take(&mut self.0)
    }
}

fn listener(engine: &ActorEngine) -> ListenerClient {
    engine.start(ListenerMessage::actor(Listener::default)).expect("its factory cannot fail")
}

/// Those of one publisher, which must be ascending and have no gap.
fn assert_in_order(values: &[(u64, u64)], publisher: u64) -> Vec<u64> {
    let own: Vec<u64> = values.iter().filter(|value| value.0 == publisher).map(|value| value.1).collect();
    assert!(own.windows(2).all(|two| two[1] == two[0] + 1), "each once, and in order");
    own
}

#[test]
fn each_subscriber_gets_every_value_of_every_publisher_once_while_others_come_and_go() {
    bounded(|| {
        let (engine, topic) = (ActorEngine::new(), Topic::new());
        let stays: Vec<_> = (0..3).map(|_| listener(&engine)).collect();
        let kept: Vec<_> = stays.iter().map(|stays| topic.subscribe(stays, ListenerMessage::Value)).collect();
        let done = AtomicBool::new(false);
        thread::scope(|scope| {
            let publishers: Vec<_> = (0..2)
                .map(|publisher| {
                    let topic = topic.clone();
                    scope.spawn(move || {
                        for value in 0..VALUES {
                            assert!(topic.publish((publisher, value)).reached >= 3);
                        }
                    })
                })
                .collect();
            for seed in 0..2 {
                let (engine, topic, done) = (&engine, topic.clone(), &done);
                scope.spawn(move || {
                    let (mut random, visitor) = (SplitMix64::new(seed), listener(engine));
                    for _ in 0..CHURNS {
                        let visit = topic.subscribe(&visitor, ListenerMessage::Value);
                        (0..random.below(50)).for_each(|_| thread::yield_now());
                        drop(visit);
                        let seen = visitor.values().expect("it lives");
                        (0..2).for_each(|publisher| drop(assert_in_order(&seen, publisher)));
                        assert_eq!(visitor.values().expect("it lives"), [], "nothing is sent after the drop");
                        if done.load(Ordering::Relaxed) {
                            break;
                        }
                    }
                });
            }
            publishers.into_iter().for_each(|publisher| publisher.join().expect("it does not panic"));
            done.store(true, Ordering::Relaxed);
        });
        for stays in &stays {
            let seen = stays.values().unwrap();
            assert_eq!(seen.len() as u64, 2 * VALUES);
            (0..2).for_each(|publisher| assert_eq!(assert_in_order(&seen, publisher).len() as u64, VALUES));
        }
        drop(kept);
        assert!(topic.is_empty());
        assert_eq!(engine.shutdown().unwrap().dead_letters, 0);
    });
}

#[test]
fn the_ended_are_struck_off_and_the_full_stay() {
    bounded(|| {
        let (engine, topic) = (ActorEngine::new(), Topic::new());
        let ends = listener(&engine);
        topic.subscribe(&ends, ListenerMessage::Value).detach();
        let bounded = ActorThread::new().mailbox_bound(1);
        let full = engine.start_on(bounded, ListenerMessage::actor(Listener::default)).unwrap();
        topic.subscribe(&full, ListenerMessage::Value).detach();
        let gate = Gate::new();
        let held = full.non_blocking().hold(gate.clone());
        gate.await_arrivals(1);
        let published = topic.publish((0, 0));
        assert_eq!((published.reached, published.refused), (2, 0));
        ends.stop().unwrap();
        while ends.values().is_ok() {}
        let published = topic.publish((0, 1));
        assert_eq!((published.reached, published.refused), (0, 2));
        assert_eq!(topic.len(), 1);
        gate.open();
        held.wait().unwrap();
        assert_eq!(full.values().unwrap(), [(0, 0)]);
        assert_eq!(topic.publish((0, 2)).reached, 1);
        assert_eq!(full.values().unwrap(), [(0, 2)]);
    });
}

/// Its clones tell when they are made, and wait.
struct Slow(Sender<()>, Gate);

impl Clone for Slow {
    fn clone(&self) -> Self {
        self.0.send(()).expect("the test listens");
        self.1.pass();
        Self(self.0.clone(), self.1.clone())
    }
}

#[actor]
enum SlowMessage {
    Take(Slow),
    #[reply(u64)]
    Count,
}

#[derive(Default)]
struct Counts(u64);

impl SlowHandler for Counts {
    fn take(&mut self, _: Slow) {
        self.0 += 1;
    }
    fn count(&mut self) -> u64 {
        self.0
    }
}

#[test]
fn one_that_leaves_while_a_value_is_on_its_way_to_it_does_not_get_it() {
    bounded(|| {
        let (engine, topic) = (ActorEngine::new(), Topic::new());
        let counts = engine.start(SlowMessage::actor(Counts::default)).unwrap();
        let subscription = topic.subscribe(&counts, SlowMessage::Take);
        let ((tell, told), gate) = (mpsc::channel(), Gate::new());
        thread::scope(|scope| {
            let publisher = scope.spawn(|| topic.publish(Slow(tell, gate.clone())));
            zctor_tests::receive(&told);
            drop(subscription);
            gate.open();
            assert_eq!(publisher.join().unwrap().reached, 0);
        });
        assert_eq!(counts.count(), Ok(0));
    });
}

#[test]
fn a_drop_waits_for_the_send_that_is_under_way() {
    #[derive(Clone)]
    struct Held(Sender<()>, Gate);
    #[actor]
    enum HeldMessage {
        Take(Held),
        #[reply(u64)]
        Count,
    }
    impl HeldHandler for Counts {
        fn take(&mut self, _: Held) {
            self.0 += 1;
        }
        fn count(&mut self) -> u64 {
            self.0
        }
    }
    bounded(|| {
        let (engine, topic) = (ActorEngine::new(), Topic::new());
        let counts = engine.start(HeldMessage::actor(Counts::default)).unwrap();
        // The constructor of the message runs within the send.
        let subscription = topic.subscribe(&counts, |held: Held| {
            held.0.send(()).expect("the test listens");
            held.1.pass();
            HeldMessage::Take(held)
        });
        let ((tell, told), gate) = (mpsc::channel(), Gate::new());
        thread::scope(|scope| {
            let publisher = scope.spawn(|| topic.publish(Held(tell, gate.clone())));
            zctor_tests::receive(&told);
            let (left, leaves) = mpsc::channel();
            let counts = &counts;
            scope.spawn(move || {
                drop(subscription);
                left.send(counts.count()).expect("the test listens");
            });
            let early = leaves.recv_timeout(Duration::from_millis(100));
            gate.open();
            assert!(early.is_err(), "it waits for the send");
            assert_eq!(zctor_tests::receive(&leaves), Ok(1), "what was on its way came before the drop returned");
            assert_eq!(publisher.join().unwrap().reached, 1);
        });
    });
}

#[test]
fn a_pool_without_a_live_instance_misses_a_value_and_stays_subscribed() {
    bounded(|| {
        let (engine, topic) = (ActorEngine::new(), Topic::new());
        let pool = engine.pool(1, ListenerMessage::actor(Listener::default)).expect("a thread starts");
        let _subscription = topic.subscribe(&pool, ListenerMessage::Value);
        let first = pool.instances()[0];
        pool.pin(first).stop().expect("it lives");
        engine.settle();
        let missed = topic.publish((0, 0));
        assert_eq!((missed.reached, missed.refused, topic.len()), (0, 1, 1));

        engine.replace(first, ListenerMessage::actor(Listener::default)).expect("its place is free");
        assert_eq!(topic.publish((0, 1)).reached, 1);
        assert_eq!(pool.values(), Ok(vec![(0, 1)]));

        engine.shutdown().expect("it ends");
        assert_eq!(topic.publish((0, 2)).refused, 1);
        assert!(topic.is_empty(), "the engine takes no more");
    });
}
