//! A shutdown closes the edge, lets the inside run until it is quiet, and ends the threads in reverse order.

use std::sync::Arc;
use std::sync::mpsc::{self, Sender};
use std::thread;
use std::time::Duration;

use zctor::{ActorEngine, ActorThread, Context, EngineHandle, SpawnError, actor};
use zctor_tests::{Counter, DropGuard, Gate, LIMIT, bounded, receive, receive_many};

use crate::work::{LEVELS, Seen, WorkClient, WorkMessage, is_stopped};

#[test]
fn an_engine_without_threads_shuts_down() {
    bounded(|| {
        let engine = ActorEngine::new();
        let report = engine.shutdown().unwrap();
        assert!(report.instances.is_empty());
        assert_eq!((report.handled(), report.panicked(), report.left, report.dead_letters), (0, 0, 0, 0));
    });
}

#[test]
fn messages_that_produce_messages_are_all_handled() {
    bounded(|| {
        let (engine, seen) = (ActorEngine::new(), Seen::default());
        let work = engine.pool(3, seen.actor()).unwrap();
        work.grow(LEVELS).unwrap();
        let report = engine.shutdown().unwrap();
        let all = (1 << (LEVELS + 1)) - 1;
        assert_eq!(seen.handled.get(), all);
        assert_eq!((report.handled(), report.left, report.dead_letters), (all, 0, 0));
        assert_eq!((seen.built.get(), seen.dropped.get()), (3, 3));
    });
}

#[test]
fn the_closed_edge_refuses_the_outside_while_the_inside_goes_on() {
    bounded(|| {
        let (engine, seen) = (ActorEngine::new(), Seen::default());
        let work = engine.pool(2, seen.actor()).unwrap();
        let gate = Gate::new();
        let held = gate.clone();
        work.later(Box::new(move |ctx| {
            held.pass();
            ctx.send(WorkMessage::Grow(3)).expect("the inside is still accepted");
        }))
        .unwrap();
        gate.await_arrivals(1);
        engine.handle().stop();
        // A refused send comes back.
        let refused = work.grow(9).unwrap_err();
        assert!(refused.is_stopped());
        assert!(matches!(refused.into_inner(), WorkMessage::Grow(9)));
        assert!(engine.send(WorkMessage::Grow(9)).unwrap_err().is_stopped());
        assert!(is_stopped(&work.call()));
        assert!(is_stopped(&engine.call(WorkMessage::call())));
        assert!(is_stopped(&work.non_blocking().call().wait()));
        assert!(matches!(engine.spawn(ActorThread::new().register(seen.actor())), Err(SpawnError::Stopped)));
        gate.open();
        let report = engine.shutdown().unwrap();
        assert_eq!(seen.handled.get(), 15);
        // The refusals are no dead letters: their senders know.
        assert_eq!((report.handled(), report.left, report.dead_letters), (16, 0, 0));
    });
}

#[test]
fn threads_stop_in_reverse_order_of_their_start() {
    bounded(|| {
        let engine = ActorEngine::new();
        let (ends, told) = mpsc::channel();
        let seen = Seen { ends: Some(ends), ..Seen::default() };
        engine.pool(4, seen.actor()).unwrap();
        engine.settle();
        engine.shutdown().unwrap();
        let expected: Vec<_> = (0..4).rev().flat_map(|thread| [(thread, "stop"), (thread, "drop")]).collect();
        assert_eq!(receive_many(&told, 8), expected);
    });
}

#[test]
fn after_the_shutdown_every_client_answers_stopped() {
    bounded(|| {
        let (engine, seen) = (ActorEngine::new(), Seen::default());
        let work = engine.pool(2, seen.actor()).unwrap();
        let pinned = work.pin(work.instances()[1]);
        let least_loaded = work.least_loaded();
        let (limited, handle) = (work.within(LIMIT), engine.handle());
        engine.shutdown().unwrap();
        for client in [&work, &pinned, &least_loaded, &limited] {
            assert!(client.grow(1).unwrap_err().is_stopped());
            assert!(is_stopped(&client.call()));
            assert!(is_stopped(&client.non_blocking().call().wait()));
            assert!(is_stopped(&client.call_all_with(|_| WorkMessage::call())));
            assert!(client.send_all([WorkMessage::Break]).unwrap_err().is_stopped());
        }
        assert!(is_stopped(&work.broadcast_with(|_| WorkMessage::Break)));
        assert!(handle.send(WorkMessage::Break).unwrap_err().is_stopped());
        assert!(is_stopped(&handle.call(WorkMessage::call())));
        assert!(is_stopped(&handle.client::<WorkMessage>()));
        assert!(matches!(handle.start(seen.actor()), Err(SpawnError::Stopped)));
        assert!(matches!(handle.pool(2, seen.actor()), Err(SpawnError::Stopped)));
        engine.settle();
        engine.wait();
    });
}

#[test]
fn the_drop_of_the_engine_shuts_it_down() {
    bounded(|| {
        let engine = ActorEngine::new();
        let (ends, told) = mpsc::channel();
        let seen = Seen { ends: Some(ends), ..Seen::default() };
        let work = engine.pool(2, seen.actor()).unwrap();
        work.grow(LEVELS).unwrap();
        drop(engine);
        assert_eq!(seen.handled.get(), (1 << (LEVELS + 1)) - 1);
        assert_eq!((seen.built.get(), seen.dropped.get()), (2, 2));
        assert_eq!(told.try_iter().filter(|(_, what)| *what == "stop").count(), 2);
        assert!(is_stopped(&work.call()));
    });
}

#[test]
fn stop_from_a_handler_returns_and_wait_returns_when_all_is_over() {
    bounded(|| {
        let (engine, seen) = (ActorEngine::new(), Seen::default());
        let work = engine.pool(2, seen.actor()).unwrap();
        let (went_on, told) = mpsc::channel();
        thread::scope(|scope| {
            let waiting = scope.spawn(|| engine.wait());
            work.later(Box::new(move |ctx| {
                ctx.engine().stop();
                ctx.engine().stop();
                assert!(ctx.stopping());
                ctx.send(WorkMessage::Grow(3)).expect("the inside is still accepted");
                went_on.send(()).expect("the test listens");
            }))
            .unwrap();
            receive(&told);
            waiting.join().unwrap();
        });
        assert_eq!(seen.handled.get(), 15);
        assert_eq!((seen.built.get(), seen.dropped.get()), (2, 2));
        assert_eq!(engine.shutdown().unwrap().handled(), 16);
    });
}

#[test]
fn an_engine_dropped_on_an_actor_thread_of_its_own_begins_the_shutdown() {
    bounded(|| {
        let engine = ActorEngine::new();
        let (ends, told) = mpsc::channel();
        let seen = Seen { ends: Some(ends), ..Seen::default() };
        let work = engine.pool(2, seen.actor()).unwrap();
        let handle = engine.handle();
        let (went_on, returned) = mpsc::channel();
        work.later(Box::new(move |_| {
            drop(engine);
            went_on.send(()).expect("the test listens");
        }))
        .unwrap();
        receive(&returned);
        let mut told = receive_many(&told, 4);
        told.sort_unstable();
        assert_eq!(told, [(0, "drop"), (0, "stop"), (1, "drop"), (1, "stop")]);
        assert!(is_stopped(&work.call()));
        assert!(is_stopped(&handle.call(WorkMessage::call())));
    });
}

#[test]
fn an_engine_dropped_on_an_actor_thread_of_another_ends() {
    bounded(|| {
        let (outer, inner) = (ActorEngine::new(), ActorEngine::new());
        let (ends, told) = mpsc::channel();
        let seen = Seen { ends: Some(ends), ..Seen::default() };
        inner.pool(2, seen.actor()).unwrap().grow(3).unwrap();
        let work = outer.pool(1, Seen::default().actor()).unwrap();
        work.run(Box::new(move |_| drop(inner))).unwrap();
        assert_eq!(receive_many(&told, 4).len(), 4);
        assert_eq!(seen.handled.get(), 15);
        outer.shutdown().unwrap();
    });
}

#[test]
fn a_shutdown_on_an_actor_thread_of_its_own_is_an_error() {
    bounded(|| {
        let (engine, seen) = (Arc::new(ActorEngine::new()), Seen::default());
        let work = engine.pool(2, seen.actor()).unwrap();
        let inside = Arc::clone(&engine);
        let (tell, told) = mpsc::channel();
        work.run(Box::new(move |_| {
            let both = [inside.shutdown(), inside.shutdown_timeout(LIMIT)];
            tell.send(both.map(|ended| ended.err().map(|error| error.to_string()))).expect("the test listens");
        }))
        .unwrap();
        for error in receive(&told) {
            assert!(!error.expect("it cannot join its own thread").is_empty());
        }
        engine.shutdown().unwrap();
        assert_eq!((seen.built.get(), seen.dropped.get()), (2, 2));
    });
}

#[test]
fn clients_and_handles_held_in_states_keep_nothing_alive() {
    #[actor]
    enum HolderMessage {
        Take(WorkClient, EngineHandle),
        TakeMe(HolderClient),
    }
    #[derive(Default)]
    struct Holder {
        work: Vec<WorkClient>,
        handles: Vec<EngineHandle>,
        holders: Vec<HolderClient>,
        _dropped: Option<DropGuard>,
    }
    impl HolderHandler for Holder {
        fn take(&mut self, work: WorkClient, handle: EngineHandle) {
            self.work.push(work);
            self.handles.push(handle);
        }
        fn take_me(&mut self, holder: HolderClient) {
            self.holders.push(holder);
        }
    }
    bounded(|| {
        let (engine, seen) = (ActorEngine::new(), Seen::default());
        let dropped = Counter::new();
        let counter = dropped.clone();
        let work = engine.pool(1, seen.actor()).unwrap();
        let holder = engine
            .pool(2, HolderMessage::actor(move || Holder { _dropped: Some(counter.guard()), ..Holder::default() }))
            .unwrap();
        for _ in 0..4 {
            holder.take(work.clone(), engine.handle()).unwrap();
            holder.take_me(holder.clone()).unwrap();
            holder.take_me(holder.pin(holder.instances()[0])).unwrap();
        }
        drop(engine);
        assert_eq!((dropped.get(), seen.dropped.get()), (2, 1));
    });
}

#[test]
fn a_limit_too_big_for_the_clock_waits_until_all_is_quiet() {
    bounded(|| {
        let (engine, seen) = (ActorEngine::new(), Seen::default());
        engine.pool(2, seen.actor()).unwrap().grow(LEVELS).unwrap();
        let report = engine.shutdown_timeout(Duration::MAX).unwrap();
        assert_eq!(report.handled(), (1 << (LEVELS + 1)) - 1);
    });
}

#[test]
fn timers_close_with_the_edge() {
    #[actor(ctx)]
    enum TickerMessage {
        #[reply(())]
        Begin,
        Tick,
    }
    struct Ticker(Sender<()>);
    impl TickerHandler for Ticker {
        fn begin(&mut self, ctx: &mut Context<TickerMessage>) {
            drop(ctx.send_every(Duration::from_millis(1), || TickerMessage::Tick));
        }
        fn tick(&mut self, _: &mut Context<TickerMessage>) {
            // A test that has seen enough may be gone.
            let _ = self.0.send(());
        }
    }
    bounded(|| {
        let engine = ActorEngine::new();
        let (tick, ticks) = mpsc::channel();
        let ticker = engine.pool(1, TickerMessage::actor(move || Ticker(tick.clone()))).unwrap();
        ticker.begin().unwrap();
        receive_many(&ticks, 3);
        let report = engine.shutdown().unwrap();
        assert_eq!(report.left, 0);
    });
}

#[test]
fn a_thread_spawned_by_a_handler_is_shut_down_as_well() {
    bounded(|| {
        let (engine, seen) = (ActorEngine::new(), Seen::default());
        let work = engine.pool(1, seen.actor()).unwrap();
        let inner = seen.clone();
        work.run(Box::new(move |ctx| {
            ctx.engine().spawn(ActorThread::new().register(inner.actor())).expect("the factory does not fail");
            ctx.start(inner.actor()).expect("the factory does not fail");
        }))
        .unwrap();
        work.grow(5).unwrap();
        let report = engine.shutdown().unwrap();
        assert_eq!(report.instances.len(), 3);
        assert_eq!(report.handled(), 64);
        assert_eq!((seen.built.get(), seen.dropped.get()), (3, 3));
    });
}

#[test]
fn a_shutdown_does_not_wait_for_an_on_start_that_always_panics() {
    #[actor]
    enum OfflineMessage {
        Note,
    }
    struct Offline(Sender<()>);
    impl OfflineHandler for Offline {
        fn note(&mut self) {}
        fn on_start(&mut self, _: &mut Context<OfflineMessage>) {
            // A test that has seen enough may be gone.
            let _ = self.0.send(());
            panic!("no connection");
        }
    }
    bounded(|| {
        let engine = ActorEngine::new();
        let (tried, tries) = mpsc::channel();
        let offline = engine.pool(1, OfflineMessage::actor(move || Offline(tried.clone()))).unwrap();
        offline.note().unwrap();
        receive_many(&tries, 4);
        // It rests now and then, with mail that waits for it.
        let report = engine.shutdown().unwrap();
        assert_eq!((report.handled(), report.dead_letters, report.left), (0, 1, 0));
    });
}

#[test]
fn a_hook_that_holds_the_last_owner_of_its_engine_hangs_nobody() {
    bounded(|| {
        let engine = Arc::new(ActorEngine::new());
        let handle = engine.handle();
        let owner = Arc::clone(&engine);
        engine.on_end(move |_| drop(owner.stats()));
        drop(engine);
        handle.stop();
        // Its owner is dropped by whoever drives the shutdown, who comes to an end, and lets go of the engine.
        while format!("{handle:?}") != "EngineHandle(gone)" {
            thread::yield_now();
        }
    });
}
