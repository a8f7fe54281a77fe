//! A handler that panics costs its state and its own message, and nothing else.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use zctor::{ActorEngine, ActorThread, CallError, Context, ReplyTo, Restart, actor};
use zctor_tests::{Counter, DropGuard, bounded, expect_panics};

use crate::fragile::{FragileMessage, Neighbour, NeighbourMessage, States, text_of};

const PANICS: u64 = if cfg!(miri) { 20 } else { 1000 };
const CALLERS: u64 = 4;
const THREADS: u64 = 4;
const INSTANCES: u64 = if cfg!(miri) { 12 } else { 400 };

#[expect(clippy::disallowed_methods, reason = "the test measures a lower bound")]
fn now() -> Instant {
    Instant::now()
}

#[test]
fn the_caller_gets_the_text_of_the_panic_and_the_next_call_a_fresh_state() {
    bounded(|| {
        let (engine, states) = (ActorEngine::new(), States::default());
        let fragile = engine.pool(1, states.actor()).unwrap();
        assert_eq!(fragile.increment(), Ok(1));
        assert_eq!(text_of(fragile.break_plainly()), "it breaks");
        assert_eq!(fragile.increment(), Ok(1));
        assert_eq!(text_of(fragile.r#break("number 7".to_owned())), "number 7");
        assert_eq!(fragile.count(), Ok(0));
        let report = engine.shutdown().unwrap();
        assert_eq!(report.panicked(), 2);
        assert_eq!(report.instances.len(), 1);
        assert_eq!((report.instances[0].panicked, report.left), (2, 0));
        states.assert_each_dropped_once(3);
    });
}

#[test]
fn a_payload_that_is_no_text_is_answered_too() {
    bounded(|| {
        let (engine, states) = (ActorEngine::new(), States::default());
        let fragile = engine.pool(1, states.actor()).unwrap();
        assert!(!text_of(fragile.break_oddly()).is_empty());
        assert_eq!(fragile.increment(), Ok(1));
        engine.shutdown().unwrap();
        states.assert_each_dropped_once(2);
    });
}

#[test]
fn a_payload_whose_drop_panics_takes_nothing_down() {
    bounded(|| {
        let (engine, states) = (ActorEngine::new(), States::default());
        engine
            .spawn(ActorThread::new().register(states.actor()).register(NeighbourMessage::actor(Neighbour::default)))
            .unwrap();
        let fragile = engine.client::<FragileMessage>().unwrap();
        let neighbour = engine.client::<NeighbourMessage>().unwrap();
        for round in 1..=3 {
            assert!(!text_of(fragile.break_badly()).is_empty());
            assert_eq!(neighbour.increment(), Ok(round));
            assert_eq!(fragile.increment(), Ok(1));
        }
        engine.shutdown().unwrap();
        states.assert_each_dropped_once(4);
    });
}

#[test]
fn a_reply_whose_drop_panics_takes_nothing_down() {
    bounded(|| {
        let (engine, states) = (ActorEngine::new(), States::default());
        let fragile = engine.pool(1, states.actor()).unwrap();
        // As a send it has no port, so the reply is dropped on the actor's thread.
        fragile.send(FragileMessage::Bomb).unwrap();
        fragile.non_blocking().bomb().detach();
        engine.settle();
        assert!(fragile.increment().is_ok());
        std::mem::forget(fragile.bomb());
        assert!(engine.shutdown().is_ok());
    });
}

#[test]
fn neighbours_and_other_instances_do_not_notice() {
    bounded(|| {
        let (engine, states) = (ActorEngine::new(), States::default());
        for _ in 0..2 {
            engine
                .spawn(
                    ActorThread::new().register(states.actor()).register(NeighbourMessage::actor(Neighbour::default)),
                )
                .unwrap();
        }
        let fragile = engine.client::<FragileMessage>().unwrap();
        let neighbour = engine.client::<NeighbourMessage>().unwrap();
        let [first, second] = [0, 1].map(|index| fragile.pin(fragile.instances()[index]));
        let beside = neighbour.pin(neighbour.instances()[0]);
        assert_eq!((first.increment(), second.increment(), beside.increment()), (Ok(1), Ok(1), Ok(1)));
        text_of(first.break_plainly());
        assert_eq!((first.increment(), second.increment(), beside.increment()), (Ok(1), Ok(2), Ok(2)));
        // The pool is what it was.
        assert_eq!(fragile.instances().len(), 2);
        assert_eq!(engine.stats().restarts, 1);
    });
}

#[test]
fn the_mailbox_is_kept_and_the_message_that_panicked_is_not_retried() {
    bounded(|| {
        let (engine, states) = (ActorEngine::new(), States::default());
        let fragile = engine.pool(1, states.actor()).unwrap();
        fragile.add(1).unwrap();
        fragile.break_unasked().unwrap();
        fragile.add(2).unwrap();
        fragile.add(3).unwrap();
        assert_eq!(fragile.count(), Ok(5));
        let report = engine.shutdown().unwrap();
        assert_eq!((report.panicked(), report.left), (1, 0));
        states.assert_each_dropped_once(2);
    });
}

#[test]
fn what_a_handler_had_sent_before_its_panic_stays_sent() {
    #[actor(ctx)]
    enum SenderMessage {
        #[reply(())]
        SendAndBreak(u64),
    }
    struct Sending;
    impl SenderHandler for Sending {
        fn send_and_break(&mut self, ctx: &mut Context<SenderMessage>, count: u64) {
            for _ in 0..count {
                ctx.send(FragileMessage::Add(1)).expect("the receiver lives");
            }
            panic!("it sent {count} before");
        }
    }
    bounded(|| {
        for shared in [false, true] {
            let (engine, states) = (ActorEngine::new(), States::default());
            let sender = ActorThread::new().register(SenderMessage::actor(|| Sending));
            if shared {
                engine.spawn(sender.register(states.actor())).unwrap();
            } else {
                engine.spawn(sender).unwrap();
                engine.spawn(ActorThread::new().register(states.actor())).unwrap();
            }
            let Err(CallError::Panicked { text, .. }) = engine.call(SenderMessage::send_and_break(5)) else {
                panic!("the handler panics");
            };
            assert_eq!(&*text, "it sent 5 before");
            assert_eq!(engine.call(FragileMessage::count()), Ok(5), "shared: {shared}");
        }
    });
}

#[test]
fn messages_dropped_by_a_panic_are_dropped_once() {
    #[actor]
    enum HolderMessage {
        #[reply(())]
        Break(DropGuard),
        BreakUnasked(DropGuard),
    }
    struct Holder;
    impl HolderHandler for Holder {
        fn r#break(&mut self, held: DropGuard) {
            let _held = held;
            panic!("it breaks");
        }
        fn break_unasked(&mut self, held: DropGuard) {
            let _held = held;
            panic!("it breaks");
        }
    }
    bounded(|| {
        let engine = ActorEngine::new();
        let dropped = Counter::new();
        let holder = engine.pool(1, HolderMessage::actor(|| Holder)).unwrap();
        assert!(holder.r#break(dropped.guard()).is_err());
        assert_eq!(dropped.get(), 1);
        holder.break_unasked(dropped.guard()).unwrap();
        engine.settle();
        assert_eq!(dropped.get(), 2);
    });
}

#[test]
fn from_the_third_panic_on_an_instance_rests_before_it_is_built_again() {
    bounded(|| {
        let (engine, states) = (ActorEngine::new(), States::default());
        let fragile = engine.pool(2, states.actor()).unwrap();
        let [first, second] = [0, 1].map(|index| fragile.pin(fragile.instances()[index]));
        for _ in 0..2 {
            text_of(first.break_plainly());
        }
        // Pinned mail waits for it.
        for rest in [10, 20, 40, 80, 160, 320, 640] {
            let before = now();
            text_of(first.break_plainly());
            assert_eq!(first.increment(), Ok(1));
            assert!(before.elapsed() >= Duration::from_millis(rest), "it rested {:?}", before.elapsed());
        }
        // Rotated mail passes it over, which now rests for a second.
        text_of(first.break_plainly());
        for count in 1..=6 {
            assert_eq!(fragile.increment(), Ok(count));
        }
        assert_eq!(second.count(), Ok(6));
        // It stays in the pool, and what is pinned to it is handled in order.
        assert_eq!(fragile.instances().len(), 2);
        first.add(2).unwrap();
        let doubled = first.non_blocking().increment();
        assert_eq!(doubled.wait(), Ok(3));
        let report = engine.shutdown().unwrap();
        assert_eq!((report.panicked(), report.dead_letters, report.left), (10, 0, 0));
        states.assert_each_dropped_once(12);
    });
}

#[test]
fn mail_of_a_resting_instance_is_handled_before_the_shutdown_ends() {
    bounded(|| {
        let (engine, states) = (ActorEngine::new(), States::default());
        let fragile = engine.pool(1, states.actor()).unwrap();
        for _ in 0..4 {
            fragile.break_unasked().unwrap();
        }
        for _ in 0..10 {
            fragile.add(1).unwrap();
        }
        let report = engine.shutdown().unwrap();
        assert_eq!((report.handled(), report.panicked(), report.dead_letters, report.left), (10, 4, 0, 0));
        states.assert_each_dropped_once(5);
    });
}

#[test]
fn a_thousand_panics_under_load_and_every_call_is_answered() {
    expect_panics("one of a thousand");
    bounded(|| {
        let (engine, states) = (ActorEngine::new(), States::default());
        // Many instances, so that few of them panic often enough to rest.
        for _ in 0..THREADS {
            let thread = ActorThread::new().register(NeighbourMessage::actor(Neighbour::default));
            let thread = (0..INSTANCES / THREADS).fold(thread, |thread, _| thread.register(states.actor()));
            engine.spawn(thread).unwrap();
        }
        let panicked = Arc::new(AtomicU64::new(0));
        thread::scope(|scope| {
            for _ in 0..CALLERS {
                let fragile = engine.client::<FragileMessage>().unwrap();
                let neighbour = engine.client::<NeighbourMessage>().unwrap();
                let panicked = Arc::clone(&panicked);
                scope.spawn(move || {
                    for number in 0..PANICS / CALLERS {
                        let text = format!("one of a thousand: {number}");
                        assert_eq!(text_of(fragile.r#break(text.clone())), text);
                        panicked.fetch_add(1, Ordering::Relaxed);
                        fragile.add(1).unwrap();
                        assert!(fragile.increment().is_ok());
                        assert!(neighbour.increment().is_ok());
                    }
                });
            }
        });
        let report = engine.shutdown().unwrap();
        assert_eq!(panicked.load(Ordering::Relaxed), PANICS);
        assert_eq!((report.panicked(), report.dead_letters, report.left), (PANICS, 0, 0));
        assert_eq!(report.handled(), 3 * PANICS);
        // One that rests when the engine stops is not built again.
        assert!(states.built.get() <= PANICS + INSTANCES);
        assert_eq!(states.built.get(), states.dropped.get());
    });
}

#[test]
fn a_rest_too_long_for_the_clock_lasts_for_ever_and_takes_no_neighbour_down() {
    bounded(|| {
        let (engine, states) = (ActorEngine::new(), States::default());
        let fragile = states.actor().restart(Restart::always().backoff(Duration::MAX, Duration::MAX).jitter(1.0));
        let neighbour = NeighbourMessage::actor(Neighbour::default);
        engine.spawn(ActorThread::new().register(fragile).register(neighbour)).unwrap();
        for _ in 0..3 {
            assert_eq!(text_of(engine.call(FragileMessage::break_plainly())), "it breaks");
        }
        engine.settle();
        assert_eq!(engine.call(NeighbourMessage::increment()), Ok(1));
        engine.settle();
        // The third panic was followed by no rebuild.
        assert_eq!(engine.shutdown().unwrap().panicked(), 3);
        states.assert_each_dropped_once(3);
    });
}

#[test]
fn the_caller_of_a_dropped_port_gets_the_text_of_the_panic_that_dropped_it() {
    #[actor]
    enum LaterMessage {
        #[reply(u8, deferred)]
        Keep,
        #[reply(u8, deferred)]
        Ask,
    }
    /// Answers when it is dropped.
    struct Answer(Option<ReplyTo<u8>>);
    impl Drop for Answer {
        fn drop(&mut self) {
            if let Some(reply) = self.0.take() {
                reply.send(1);
            }
        }
    }
    #[derive(Default)]
    struct Later(Option<ReplyTo<u8>>);
    impl LaterHandler for Later {
        fn keep(&mut self, reply: ReplyTo<u8>) {
            self.0 = Some(reply);
        }
        fn ask(&mut self, reply: ReplyTo<u8>) {
            // The port goes first, and then another is answered, still within the panic.
            let _answer = Answer(self.0.take());
            let _reply = reply;
            panic!("it breaks");
        }
    }
    bounded(|| {
        let engine = ActorEngine::new();
        let later = engine.pool(1, LaterMessage::actor(Later::default)).unwrap();
        let kept = later.non_blocking().keep();
        let Err(CallError::Panicked { text, message: "LaterMessage", .. }) = later.ask() else {
            panic!("the handler panics");
        };
        assert_eq!(&*text, "it breaks");
        assert_eq!(kept.wait(), Ok(1));
    });
}

#[test]
fn the_caller_of_a_dropped_port_does_not_get_the_text_of_a_panic_that_is_not_its_own() {
    #[actor(calls(FragileMessage))]
    enum CautiousMessage {
        #[reply(u8, deferred)]
        Ask,
    }
    struct Cautious;
    impl CautiousHandler for Cautious {
        fn ask(&mut self, ctx: &mut Context<CautiousMessage>, reply: ReplyTo<u8>) {
            let caught = catch_unwind(AssertUnwindSafe(|| {
                let _reply = reply;
                panic!("it is caught");
            }));
            assert!(caught.is_err());
            // Served on this thread, within this handler.
            assert_eq!(text_of(ctx.call(FragileMessage::break_plainly())), "it breaks");
        }
    }
    bounded(|| {
        let (engine, states) = (ActorEngine::new(), States::default());
        let cautious = CautiousMessage::actor(|| Cautious);
        engine.spawn(ActorThread::new().register(cautious).register(states.actor())).unwrap();
        let answer = engine.call(CautiousMessage::ask());
        assert_eq!(answer, Err(CallError::NoReply { message: "CautiousMessage" }));
        assert_eq!(engine.stats().restarts, 1);
    });
}
