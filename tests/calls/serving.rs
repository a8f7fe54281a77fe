//! A handler that waits serves what lies below it on its thread, and nothing else.

use std::rc::Rc;
use std::sync::mpsc::{self, Sender};
use std::thread;
use std::time::Duration;

use zctor::{ActorEngine, ActorThread, CallError, Context, actor};
use zctor_tests::{Counter, Gate, bounded, receive, receive_many};

use crate::each_depth::{
    Bell, BellMessage, Log, Low, LowMessage, Mid, MidMessage, Peer, PeerMessage, TIMES, Tally, TallyMessage, Top,
    TopMessage, engine_of_all,
};

#[test]
fn a_waiting_handler_lets_lower_depths_of_its_thread_work_and_keeps_the_others_in_order() {
    bounded(|| {
        let engine = ActorEngine::new();
        // The tally that the top waits for is alone on thread 0; the rest shares thread 1.
        let tally = engine.pool(1, TallyMessage::actor(Tally::default)).unwrap();
        let shared = engine
            .spawn(
                ActorThread::new()
                    .register(LowMessage::actor(|| Low))
                    .register(MidMessage::actor(|| Mid))
                    .register(TopMessage::actor(|| Top))
                    .register(PeerMessage::actor(|| Peer)),
            )
            .unwrap();
        let top = engine.client::<TopMessage>().unwrap();
        let peer = engine.client::<PeerMessage>().unwrap();
        let low = engine.client::<LowMessage>().unwrap();
        let mid = engine.client::<MidMessage>().unwrap();
        let (gate, log) = (Gate::new(), Log::default());

        thread::scope(|scope| {
            let (held, noted, waiting) = (gate.clone(), log.clone(), top.clone());
            let call = scope.spawn(move || {
                waiting.run(Box::new(move |ctx| {
                    noted.note("top begins");
                    assert_eq!(ctx.call(TallyMessage::hold(held)), Ok(()));
                    noted.note("top ends");
                }))
            });
            gate.await_arrivals(1);

            // Its own depth, another type of the same depth, and the peer's timer wait.
            let noted = log.clone();
            peer.later(Box::new(move |_| noted.note("peer 0"))).unwrap();
            for number in 1..=3 {
                let noted = log.clone();
                peer.later(Box::new(move |_| noted.note(format!("peer {number}")))).unwrap();
                let noted = log.clone();
                top.later(Box::new(move |_| noted.note(format!("top {number}")))).unwrap();
            }

            // Lower depths serve messages, calls and nested calls.
            let noted = log.clone();
            low.run(Box::new(move |ctx| {
                assert_eq!(ctx.thread_id(), shared);
                noted.note("low");
            }))
            .unwrap();
            let noted = log.clone();
            mid.run(Box::new(move |ctx| {
                assert_eq!(ctx.thread_id(), shared);
                ctx.send(TallyMessage::Add(5)).expect("the tally lives");
                noted.note("mid");
            }))
            .unwrap();

            // Their timers fire, and they start instances.
            let (tick, ticks) = mpsc::channel();
            low.run(Box::new(move |ctx| {
                ctx.send_after(
                    Duration::from_millis(1),
                    LowMessage::Later(Box::new(move |_| {
                        tick.send(()).expect("the test listens");
                    })),
                );
            }))
            .unwrap();
            receive(&ticks);
            let (start, started) = mpsc::channel();
            low.run(Box::new(move |ctx| {
                let held = Rc::new(start);
                ctx.start::<NewcomerMessage>(move || Newcomer(held)).expect("the factory does not fail");
            }))
            .unwrap();
            assert_eq!(receive(&started), shared.index());

            assert_eq!(log.take(), ["top begins", "low", "mid"]);
            gate.open();
            call.join().unwrap().unwrap();
        });
        engine.settle();
        let after = log.take();
        assert_eq!(after[0], "top ends");
        let of = |who: &str| after.iter().filter(|line| line.starts_with(who)).cloned().collect::<Vec<_>>();
        assert_eq!(of("peer"), ["peer 0", "peer 1", "peer 2", "peer 3"]);
        assert_eq!(of("top "), ["top ends", "top 1", "top 2", "top 3"]);
        assert_eq!(tally.count(), Ok(5));
    });
}

#[actor(ctx)]
enum NewcomerMessage {
    Nothing,
}

struct Newcomer(Rc<Sender<usize>>);

impl NewcomerHandler for Newcomer {
    fn nothing(&mut self, _: &mut Context<NewcomerMessage>) {}
    fn on_start(&mut self, ctx: &mut Context<NewcomerMessage>) {
        self.0.send(ctx.thread_id().index()).expect("the test listens");
    }
}

#[test]
fn a_timer_of_the_waiting_depth_waits_and_fires_afterwards() {
    bounded(|| {
        let engine = ActorEngine::new();
        engine.pool(1, TallyMessage::actor(Tally::default)).unwrap();
        engine
            .spawn(
                ActorThread::new()
                    .register(LowMessage::actor(|| Low))
                    .register(TopMessage::actor(|| Top))
                    .register(PeerMessage::actor(|| Peer)),
            )
            .unwrap();
        let low = engine.client::<LowMessage>().unwrap();
        let (gate, log) = (Gate::new(), Log::default());
        let (fire, fired) = mpsc::channel();
        let noted = log.clone();
        engine
            .call(PeerMessage::run(Box::new(move |ctx| {
                ctx.send_after(
                    Duration::from_millis(20),
                    PeerMessage::Later(Box::new(move |_| {
                        noted.note("peer's timer");
                        fire.send(()).expect("the test listens");
                    })),
                );
            })))
            .unwrap();
        thread::scope(|scope| {
            let (held, noted, engine) = (gate.clone(), log.clone(), &engine);
            let call = scope.spawn(move || {
                engine.call(TopMessage::run(Box::new(move |ctx| {
                    // Should the peer's timer come before this, it is no fault of the wait below.
                    noted.take();
                    assert_eq!(ctx.call(TallyMessage::hold(held)), Ok(()));
                    noted.note("top ends");
                })))
            });
            gate.await_arrivals(1);
            let (tick, ticks) = mpsc::channel();
            low.run(Box::new(move |ctx| {
                ctx.send_after(
                    Duration::from_millis(40),
                    LowMessage::Later(Box::new(move |_| {
                        tick.send(()).expect("the test listens");
                    })),
                );
            }))
            .unwrap();
            // By now the peer's timer is due, and only the low one fires.
            receive(&ticks);
            assert_eq!(log.take(), Vec::<String>::new());
            gate.open();
            call.join().unwrap().unwrap();
        });
        receive(&fired);
        assert_eq!(log.take().first().map(String::as_str), Some("top ends"));
    });
}

#[test]
fn nested_waits_serve_only_what_is_below_the_innermost() {
    bounded(|| {
        let engine = ActorEngine::new();
        engine.pool(2, TallyMessage::actor(Tally::default)).unwrap();
        engine
            .spawn(
                ActorThread::new()
                    .register(LowMessage::actor(|| Low))
                    .register(MidMessage::actor(|| Mid))
                    .register(TopMessage::actor(|| Top)),
            )
            .unwrap();
        let log = Log::default();
        let (outer, inner) = (Gate::new(), Gate::new());
        thread::scope(|scope| {
            let (held, noted, handle) = (outer.clone(), log.clone(), engine.handle());
            let top = scope.spawn(move || {
                handle.call(TopMessage::run(Box::new(move |ctx| {
                    assert_eq!(ctx.call(TallyMessage::hold(held)), Ok(()));
                    noted.note("top ends");
                })))
            });
            outer.await_arrivals(1);
            // The middle one runs within the wait of the top, and waits itself.
            let (held, noted, handle) = (inner.clone(), log.clone(), engine.handle());
            let mid = scope.spawn(move || {
                handle.call(MidMessage::run(Box::new(move |ctx| {
                    assert_eq!(ctx.call(TallyMessage::hold(held)), Ok(()));
                    noted.note("mid ends");
                })))
            });
            inner.await_arrivals(1);
            let noted = log.clone();
            engine.send(MidMessage::Later(Box::new(move |_| noted.note("mid again")))).unwrap();
            let noted = log.clone();
            engine.call(LowMessage::run(Box::new(move |_| noted.note("low")))).unwrap();
            assert_eq!(log.take(), ["low"]);
            // The outer reply is there first, and still the inner frame has to end before.
            outer.open();
            inner.open();
            mid.join().unwrap().unwrap();
            top.join().unwrap().unwrap();
        });
        engine.settle();
        let log = log.take();
        let place = |what: &str| log.iter().position(|line| line == what).expect("it was noted");
        assert_eq!(log.len(), 3);
        assert!(place("mid ends") < place("top ends"), "{log:?}");
        assert!(place("mid ends") < place("mid again"), "{log:?}");
    });
}

#[test]
fn spawn_pool_and_start_inside_a_handler_wait_for_no_on_start() {
    /// Calls the spawner's own type back from its first message: were `on_start` waited for, nobody would go on.
    #[actor(calls(MidMessage))]
    enum YoungMessage {
        Nothing,
    }
    struct Young(Counter, Sender<Result<(), CallError>>);
    impl YoungHandler for Young {
        fn nothing(&mut self, _: &mut Context<YoungMessage>) {}
        fn on_start(&mut self, ctx: &mut Context<YoungMessage>) {
            let called = self.0.clone();
            let request = MidMessage::run(Box::new(move |_| {
                called.increment();
            }));
            self.1.send(ctx.call(request)).expect("the test listens");
        }
    }
    bounded(|| {
        let engine = engine_of_all();
        let (seen, replies) = mpsc::channel();
        let called = Counter::new();
        let counter = called.clone();
        engine
            .call(MidMessage::run(Box::new(move |ctx| {
                let young = || {
                    let (counter, seen) = (counter.clone(), seen.clone());
                    YoungMessage::actor(move || Young(counter.clone(), seen.clone()))
                };
                let handle = ctx.engine();
                handle.spawn(ActorThread::new().register(young())).expect("the factory does not fail");
                handle.pool(2, young()).expect("the factory does not fail");
                handle.start(young()).expect("the factory does not fail");
                ctx.start(young()).expect("the factory does not fail");
                assert_eq!(counter.get(), 0);
            })))
            .unwrap();
        assert_eq!(receive_many(&replies, 5), vec![Ok(()); 5]);
        assert_eq!(called.get(), 5);
    });
}

#[test]
fn a_panic_of_the_callee_ends_the_wait_inside_a_handler() {
    bounded(|| {
        let engine = engine_of_all();
        engine
            .call(MidMessage::run(Box::new(|ctx| {
                let Err(CallError::Panicked { text, .. }) = ctx.call(TallyMessage::fail()) else {
                    panic!("the callee panicked");
                };
                assert_eq!(&*text, "the tally fails");
                assert_eq!(ctx.call(TallyMessage::increment()), Ok(1));
            })))
            .unwrap();
    });
}

#[test]
fn restarts_and_stops_of_lower_depths_happen_while_a_handler_waits() {
    bounded(|| {
        let engine = ActorEngine::new();
        let tally = engine.pool(1, TallyMessage::actor(Tally::default)).unwrap();
        engine
            .spawn(
                ActorThread::new()
                    .register(LowMessage::actor(|| Low))
                    .register(LowMessage::actor(|| Low))
                    .register(TopMessage::actor(|| Top)),
            )
            .unwrap();
        let low = engine.client::<LowMessage>().unwrap();
        let [first, second] = [0, 1].map(|index| low.pin(low.instances()[index]));
        let gate = Gate::new();
        thread::scope(|scope| {
            let (held, engine) = (gate.clone(), &engine);
            let waiting = scope.spawn(move || {
                engine.call(TopMessage::run(Box::new(move |ctx| {
                    assert_eq!(ctx.call(TallyMessage::hold(held)), Ok(()));
                })))
            });
            gate.await_arrivals(1);
            // From the third panic on it rests before it is built again, and that passes too.
            for _ in 0..5 {
                let broken = first.run(Box::new(|_| panic!("the low one breaks")));
                assert!(matches!(broken, Err(CallError::Panicked { .. })));
                assert_eq!(first.run(Box::new(|_| ())), Ok(()));
            }
            assert_eq!(first.run(Box::new(|ctx| ctx.reset())), Ok(()));
            assert_eq!(first.run(Box::new(|_| ())), Ok(()));
            second.stop().unwrap();
            assert_eq!(second.run(Box::new(|_| ())), Err(CallError::Stopped { message: "LowMessage" }));
            assert_eq!(low.instances().len(), 1);
            gate.open();
            waiting.join().unwrap().unwrap();
        });
        assert_eq!(tally.count(), Ok(0));
        assert_eq!(engine.stats().restarts, 5);
    });
}

#[test]
fn call_all_reaches_instances_on_the_callers_own_thread() {
    #[actor(calls(BellMessage))]
    enum RingerMessage {
        #[reply(usize)]
        RingAll,
    }
    struct Ringer;
    impl RingerHandler for Ringer {
        fn ring_all(&mut self, ctx: &mut Context<RingerMessage>) -> usize {
            let bells = ctx.client::<BellMessage>().expect("they live");
            let all = bells.call_all(BellMessage::rings()).expect("they are declared");
            all.into_iter().filter(|(_, rings)| *rings == Ok(0)).count()
        }
    }
    bounded(|| {
        let engine = ActorEngine::new();
        for _ in 0..2 {
            engine
                .spawn(
                    ActorThread::new()
                        .register(BellMessage::actor(Bell::default))
                        .register(BellMessage::actor(Bell::default))
                        .register(RingerMessage::actor(|| Ringer)),
                )
                .unwrap();
        }
        // Both threads ask all four at once.
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..TIMES {
                        assert_eq!(engine.call(RingerMessage::ring_all()), Ok(4));
                    }
                });
            }
        });
    });
}
