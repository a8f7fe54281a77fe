//! The end of an instance is told once, with its reason, to whoever watches it and to the engine.

use std::sync::mpsc::{self, Sender};
use std::time::Duration;

use zctor::{ActorEngine, ActorThread, Context, End, Restart, WatchError, actor};
use zctor_tests::{Counter, Gate, bounded, receive, receive_many};

use crate::watching::{
    PLACES, Place, Seen, Target, TargetClient, TargetMessage, WatcherMessage, World, ended, next, panicked, target,
    watch, watcher,
};

const LONG: Duration = Duration::from_secs(3600);

#[test]
fn each_way_to_end_is_told_once_with_its_reason_when_the_state_is_dropped() {
    bounded(|| {
        type Ending = fn(&TargetClient);
        let endings: [(Ending, End); 5] = [
            (|target| target.run(Box::new(|ctx| ctx.stop())).unwrap(), End::Stopped),
            (|target| target.stop().unwrap(), End::Stopped),
            (|target| assert_eq!(target.stop_all(), Ok(1)), End::Stopped),
            (|target| target.r#break().unwrap(), panicked("the target breaks")),
            (
                |target| {
                    target
                        .later(Box::new(|ctx| {
                            ctx.stop();
                            panic!("after it asked for its end");
                        }))
                        .unwrap();
                },
                End::Stopped,
            ),
        ];
        for place in PLACES {
            for (i, (ending, why)) in endings.iter().enumerate() {
                let world = World::new(place, Restart::never());
                watch(&world.watcher, &world.target, &world.dropped);
                ending(&world.target);
                let expected = Seen::Gone(ended(&world.target, why.clone()), 1);
                assert_eq!(next(&world.told), expected, "{place:?}, ending {i}");
                world.settle();
                assert!(world.told.try_recv().is_err(), "{place:?}, ending {i}: told twice");
            }
        }
    });
}

#[test]
fn a_pin_to_one_that_never_was_has_ended() {
    bounded(|| {
        let world = World::new(Place::OtherThread, Restart::always());
        // The id of the watcher names no target.
        let nobody = world.target.pin(world.watcher.instances()[0]);
        watch(&world.watcher, &nobody, &world.dropped);
        let Seen::Gone(ended, 0) = next(&world.told) else { panic!("it is told of an end") };
        assert_eq!((ended.instance, ended.message), (world.watcher.instances()[0], "TargetMessage"));
        assert_eq!(ended.why, End::Stopped);
        assert!(world.target.run(Box::new(|_| ())).is_ok(), "nobody else has ended");
    });
}

#[test]
fn a_factory_that_fails_beyond_the_limit_is_an_end_with_its_text() {
    bounded(|| {
        for panics in [false, true] {
            let (engine, dropped) = (ActorEngine::new(), Counter::new());
            let (watching, told) = watcher();
            let watcher = engine.pool(1, watching).unwrap();
            let (builds, guards) = (Counter::new(), dropped.clone());
            let build = move |_: &mut Context<TargetMessage>| match builds.increment() {
                0 => Ok(Target { dropped: Some(guards.guard()), watcher: None }),
                _ if panics => panic!("the factory breaks"),
                _ => Err("the factory fails".into()),
            };
            let restart = Restart::at_most(1, LONG).backoff(Duration::ZERO, Duration::ZERO);
            let target = engine.start(TargetMessage::try_actor(build).restart(restart)).unwrap();
            watch(&watcher, &target, &dropped);
            target.r#break().unwrap();
            let text = if panics { "the factory breaks" } else { "the factory fails" };
            assert_eq!(next(&told), Seen::Gone(ended(&target, panicked(text)), 1));
        }
    });
}

#[test]
fn an_on_start_that_panics_beyond_the_limit_is_an_end() {
    #[actor]
    enum StillbornMessage {
        Never,
    }
    struct Stillborn;
    impl StillbornHandler for Stillborn {
        fn never(&mut self) {}
        fn on_start(&mut self, _: &mut Context<StillbornMessage>) {
            panic!("it cannot start");
        }
    }
    bounded(|| {
        let engine = ActorEngine::new();
        let (tell, ends) = mpsc::channel();
        engine.on_end(move |ended| tell.send(ended.clone()).unwrap_or_default());
        let client = engine.start(StillbornMessage::actor(|| Stillborn).restart(Restart::never())).unwrap();
        let ended = receive(&ends);
        assert_eq!((Some(ended.instance), ended.message), (client.instance_id(), "StillbornMessage"));
        assert_eq!(ended.why, panicked("it cannot start"));
    });
}

#[test]
fn one_that_is_built_once_ends_by_its_first_panic_and_by_a_reset() {
    bounded(|| {
        for resets in [false, true] {
            let (engine, dropped) = (ActorEngine::new(), Counter::new());
            let (watching, told) = watcher();
            let watcher = engine.pool(1, watching).unwrap();
            let guard = dropped.guard();
            let state = move || Target { dropped: Some(guard), watcher: None };
            let target = engine.start(TargetMessage::actor_once(state)).unwrap();
            watch(&watcher, &target, &dropped);
            let why = if resets {
                target.later(Box::new(|ctx| ctx.reset())).unwrap();
                // Nothing has panicked.
                End::Stopped
            } else {
                target.r#break().unwrap();
                panicked("the target breaks")
            };
            assert_eq!(next(&told), Seen::Gone(ended(&target, why), 1));
        }
    });
}

#[test]
fn a_shutdown_is_an_end_for_those_who_outlive_it() {
    bounded(|| {
        // In another engine.
        let world = World::new(Place::OtherEngine, Restart::always());
        world.target.remember(world.watcher.clone()).unwrap();
        watch(&world.watcher, &world.target, &world.dropped);
        world.there.as_ref().unwrap().shutdown().unwrap();
        let seen = [next(&world.told), next(&world.told), next(&world.told)];
        assert_eq!(seen, [Seen::Word(2), Seen::Word(3), Seen::Gone(ended(&world.target, End::Stopped), 1)]);
        // In the same, on a thread that was started before, and so ends after.
        let world = World::new(Place::OtherThread, Restart::always());
        watch(&world.watcher, &world.target, &world.dropped);
        world.here.shutdown().unwrap();
        assert_eq!(next(&world.told), Seen::Gone(ended(&world.target, End::Stopped), 1));
    });
}

#[test]
fn an_abandoned_thread_is_an_end_of_its_own_kind() {
    bounded(|| {
        let world = World::new(Place::OtherEngine, Restart::always());
        let there = world.there.as_ref().unwrap();
        let (tell, ends) = mpsc::channel();
        there.on_end(move |ended| tell.send(ended.clone()).unwrap_or_default());
        watch(&world.watcher, &world.target, &world.dropped);
        let gate = Gate::new();
        let held = world.target.non_blocking().hold(gate.clone());
        gate.await_arrivals(1);
        there.shutdown_timeout(Duration::from_millis(50)).expect_err("a handler does not return");
        assert_eq!(next(&world.told), Seen::Gone(ended(&world.target, End::Abandoned), 0));
        assert_eq!(receive(&ends), ended(&world.target, End::Abandoned));
        // Who asks now is told the same.
        watch(&world.watcher, &world.target, &world.dropped);
        assert_eq!(next(&world.told), Seen::Gone(ended(&world.target, End::Abandoned), 0));
        gate.open();
        drop(held);
    });
}

#[test]
fn one_that_comes_back_while_it_is_abandoned_is_told_of_once() {
    thread_local! {
        static LAST: std::cell::RefCell<Option<Sender<()>>> = const { std::cell::RefCell::new(None) };
    }
    bounded(|| {
        let engine = ActorEngine::new();
        let (tell, ends) = mpsc::channel();
        let hook = Gate::new();
        let at_hook = hook.clone();
        engine.on_end(move |ended| {
            tell.send(ended.clone()).unwrap_or_default();
            if ended.why == End::Abandoned {
                at_hook.pass();
            }
        });
        let target = engine.start(TargetMessage::actor(Target::default)).unwrap();
        let (last, over) = mpsc::channel();
        let gate = Gate::new();
        let held = gate.clone();
        target
            .later(Box::new(move |_| {
                // Dropped when the thread is at its very end.
                LAST.with(|here| here.replace(Some(last)));
                held.pass();
            }))
            .unwrap();
        gate.await_arrivals(1);
        let stopping = std::thread::scope(|scope| {
            let stopping = scope.spawn(|| engine.shutdown_timeout(Duration::from_millis(50)));
            hook.await_arrivals(1);
            gate.open();
            assert_eq!(over.recv_timeout(zctor_tests::LIMIT), Err(mpsc::RecvTimeoutError::Disconnected));
            hook.open();
            stopping.join().unwrap()
        });
        stopping.expect_err("a handler did not return in time");
        drop(engine);
        assert_eq!(ends.iter().collect::<Vec<_>>(), [ended(&target, End::Abandoned)]);
    });
}

#[test]
fn a_client_bound_to_no_single_instance_cannot_be_watched() {
    bounded(|| {
        let engine = ActorEngine::new();
        let (watching, _told) = watcher();
        let watcher = engine.pool(1, watching).unwrap();
        let targets = engine.pool(2, TargetMessage::actor(Target::default)).unwrap();
        let (tell, told) = mpsc::channel();
        watcher
            .run(Box::new(move |ctx| {
                for client in [targets.clone(), targets.keyed(&7), targets.least_loaded()] {
                    let refused = ctx.watch(&client, |ended| WatcherMessage::Gone(ended, 0));
                    tell.send(refused).expect("the test listens");
                }
                let pinned = targets.keyed(&7).pin(targets.instances()[1]);
                let taken = ctx.watch(&pinned, |ended| WatcherMessage::Gone(ended, 0));
                tell.send(taken).expect("the test listens");
            }))
            .unwrap();
        let refused = Err(WatchError::Unbound { message: "TargetMessage" });
        assert_eq!(receive_many(&told, 4), [refused, refused, refused, Ok(())]);
    });
}

#[test]
fn a_closure_that_panics_counts_as_a_panic_of_the_watcher() {
    bounded(|| {
        for place in PLACES {
            let world = World::new(place, Restart::always());
            let target = world.target.clone();
            world
                .watcher
                .run(Box::new(move |ctx| {
                    ctx.watch(&target, |_| panic!("what to make of it")).unwrap();
                }))
                .unwrap();
            assert_eq!(receive(&world.told), Seen::Start);
            world.target.stop().unwrap();
            assert_eq!(receive(&world.told), Seen::Start, "it was rebuilt");
            world.settle();
            assert_eq!(world.here.stats().restarts, 1);
        }
    });
}

#[test]
fn the_engine_is_told_of_every_end_once() {
    bounded(|| {
        let (engine, dropped) = (ActorEngine::new(), Counter::new());
        let (tell, ends) = mpsc::channel();
        let (first, drops) = (Counter::new(), dropped.clone());
        let old = first.clone();
        engine.on_end(move |_| {
            old.increment();
        });
        engine.on_end(move |ended| tell.send((ended.clone(), drops.get())).unwrap_or_default());
        let pool = engine.pool(3, target(&dropped).restart(Restart::never())).unwrap();
        let single = engine.start(target(&dropped)).unwrap();
        let (born, child) = mpsc::channel();
        let guards = dropped.clone();
        single
            .run(Box::new(move |ctx| {
                let state = move || Target { dropped: Some(guards.guard()), watcher: None };
                born.send(ctx.start::<TargetMessage>(state).expect("its factory cannot fail")).expect("it listens");
            }))
            .unwrap();
        let child = receive(&child);
        let failed = engine.start(TargetMessage::try_actor(|_| Err::<Target, _>("no".into())));
        assert!(failed.is_err(), "it never was one");

        let members: Vec<TargetClient> = pool.instances().into_iter().map(|id| pool.pin(id)).collect();
        members[1].r#break().unwrap();
        assert_eq!(receive(&ends), (ended(&members[1], panicked("the target breaks")), 1));
        members[0].run(Box::new(|ctx| ctx.stop())).unwrap();
        assert_eq!(receive(&ends), (ended(&members[0], End::Stopped), 2));
        engine.shutdown().unwrap();
        // In reverse order; the child and its parent share a thread.
        let rest: Vec<_> = ends.iter().collect();
        let expected = [&child, &single, &members[2]].map(|client| ended(client, End::Stopped));
        assert_eq!(rest.into_iter().map(|(ended, _)| ended).collect::<Vec<_>>(), expected);
        assert_eq!((first.get(), dropped.get()), (0, 5));
    });
}

#[test]
fn a_hook_for_ends_may_panic_and_may_send() {
    bounded(|| {
        let engine = ActorEngine::new();
        let (watching, told) = watcher();
        let watcher = engine.pool(1, watching).unwrap();
        let targets = engine.pool(2, TargetMessage::actor(Target::default)).unwrap();
        let client = watcher.clone();
        engine.on_end(move |ended| {
            // It may not wait.
            assert!(matches!(client.run(Box::new(|_| ())), Err(zctor::CallError::Undeclared { .. })));
            client.gone(ended.clone(), 7).unwrap_or_default();
            panic!("a hook");
        });
        let [first, second] = [0, 1].map(|i| targets.pin(targets.instances()[i]));
        first.stop().unwrap();
        assert_eq!(next(&told), Seen::Gone(ended(&first, End::Stopped), 7));
        second.stop().unwrap();
        assert_eq!(next(&told), Seen::Gone(ended(&second, End::Stopped), 7));
        engine.settle();
        assert_eq!(engine.stats().restarts, 0);
        assert!(watcher.run(Box::new(|_| ())).is_ok());
    });
}

#[test]
fn a_hook_for_ends_may_start_another() {
    bounded(|| {
        let (engine, dropped, starts) = (ActorEngine::new(), Counter::new(), Counter::new());
        let (handle, started, guards) = (engine.handle(), starts.clone(), dropped.clone());
        engine.on_end(move |_| {
            if handle.pool(1, target(&guards).restart(Restart::never())).is_ok() {
                started.increment();
            }
        });
        let targets = engine.pool(1, target(&dropped).restart(Restart::never())).unwrap();
        for round in 1..=20 {
            // The thread that runs the hook has nobody left.
            while targets.r#break().is_err() {
                std::thread::yield_now();
            }
            while starts.get() < round {
                std::thread::yield_now();
            }
            assert_eq!(targets.run(Box::new(|_| ())), Ok(()));
        }
        engine.settle();
        assert_eq!((engine.thread_count(), dropped.get()), (1, 20));
        let report = engine.shutdown().unwrap();
        assert_eq!((report.panicked(), starts.get(), dropped.get()), (20, 20, 21));
    });
}

/// Its drop panics.
struct Explosive(Counter);

impl Drop for Explosive {
    fn drop(&mut self) {
        self.0.increment();
        panic!("a drop of the user's");
    }
}

#[test]
fn a_hook_for_ends_that_puts_another_in_its_place_harms_nobody_by_its_drop() {
    static ENGINE: std::sync::OnceLock<ActorEngine> = std::sync::OnceLock::new();
    bounded(|| {
        let engine = ENGINE.get_or_init(ActorEngine::new);
        let (dropped, exploded) = (Counter::new(), Counter::new());
        let (replaced, told) = mpsc::channel();
        let explosive = Explosive(exploded.clone());
        engine.on_end(move |_| {
            let _ = &explosive;
            let replaced = replaced.clone();
            ENGINE.get().expect("it is made").on_end(move |_| replaced.send(()).unwrap_or_default());
        });
        // A neighbour on the thread that runs the hook.
        engine.spawn(ActorThread::new().register(target(&dropped)).register(target(&dropped))).unwrap();
        let targets = engine.client::<TargetMessage>().unwrap();
        let [first, second] = [0, 1].map(|i| targets.pin(targets.instances()[i]));
        first.stop().unwrap();
        engine.settle();
        assert_eq!(exploded.get(), 1);
        assert_eq!(second.run(Box::new(|_| ())), Ok(()), "the neighbour has seen nothing of it");
        second.stop().unwrap();
        receive(&told);
        engine.shutdown().unwrap();
    });
}

#[test]
fn a_hook_for_ends_is_dropped_when_the_engine_has_stopped() {
    bounded(|| {
        for late in [false, true] {
            let (engine, dropped, released) = (ActorEngine::new(), Counter::new(), Counter::new());
            let targets = engine.pool(1, target(&dropped)).unwrap();
            if late {
                engine.shutdown().unwrap();
            }
            let (guard, client) = (released.guard(), targets.clone());
            engine.on_end(move |_| {
                let _ = (&guard, &client);
            });
            engine.shutdown().unwrap();
            drop((engine, targets));
            assert_eq!((dropped.get(), released.get()), (1, 1), "given late: {late}");
        }
    });
}
