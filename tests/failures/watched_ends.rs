//! When the news of an end comes: behind the last words, at once to the late, and to nobody who has gone.

use std::sync::mpsc::{self, Sender};
use std::time::Duration;

use zctor::{ActorEngine, ActorThread, Context, End, Ended, Restart, actor};
use zctor_tests::{Counter, Gate, bounded, receive, receive_many};

use crate::watching::{
    PLACES, Place, Seen, Target, TargetClient, TargetMessage, Watcher, WatcherJob, WatcherMessage, World, ended, next,
    panicked, target, watch, watcher,
};

const WATCHERS: usize = if cfg!(miri) { 4 } else { 60 };
const SHORT_LIVES: usize = if cfg!(miri) { 20 } else { 2_000 };

#[test]
fn the_last_words_of_the_ended_come_before_the_news_of_its_end() {
    bounded(|| {
        for place in PLACES {
            for breaks in [false, true] {
                let world = World::new(place, Restart::never());
                watch(&world.watcher, &world.target, &world.dropped);
                let watcher = world.watcher.clone();
                world.target.remember(watcher.clone()).unwrap();
                world
                    .target
                    .run(Box::new(move |_| {
                        assert!(watcher.send_all((10..200).map(WatcherMessage::Word)).is_ok());
                    }))
                    .unwrap();
                let why = if breaks {
                    world.target.r#break().unwrap();
                    panicked("the target breaks")
                } else {
                    world.target.stop().unwrap();
                    End::Stopped
                };
                for word in (10..200).chain([if breaks { 1 } else { 2 }, 3]) {
                    assert_eq!(next(&world.told), Seen::Word(word), "{place:?}, breaks: {breaks}");
                }
                assert_eq!(next(&world.told), Seen::Gone(ended(&world.target, why), 1));
            }
        }
    });
}

#[test]
fn who_watches_too_late_is_told_at_once() {
    bounded(|| {
        for place in PLACES {
            let world = World::new(place, Restart::never());
            world.target.r#break().unwrap();
            world.settle();
            watch(&world.watcher, &world.target, &world.dropped);
            assert_eq!(next(&world.told), Seen::Gone(ended(&world.target, panicked("the target breaks")), 1));
            // As often as one asks.
            watch(&world.watcher, &world.target, &world.dropped);
            assert_eq!(next(&world.told), Seen::Gone(ended(&world.target, panicked("the target breaks")), 1));
        }
    });
}

#[test]
fn who_watches_too_late_is_told_after_the_last_words_that_still_lie_in_its_mailbox() {
    bounded(|| {
        for place in [Place::OtherThread, Place::OtherEngine] {
            let world = World::new(place, Restart::never());
            let (gone, ends) = mpsc::channel();
            world.there.as_ref().unwrap_or(&world.here).on_end(move |_| gone.send(()).unwrap_or_default());
            let (gate, target, dropped) = (Gate::new(), world.target.clone(), world.dropped.clone());
            let held = gate.clone();
            world
                .watcher
                .later(Box::new(move |ctx| {
                    held.pass();
                    ctx.watch(&target, move |ended| WatcherMessage::Gone(ended, dropped.get())).unwrap();
                }))
                .unwrap();
            gate.await_arrivals(1);
            world.target.remember(world.watcher.clone()).unwrap();
            world.target.stop().unwrap();
            receive(&ends);
            gate.open();
            let seen = [next(&world.told), next(&world.told), next(&world.told)];
            let expected = [Seen::Word(2), Seen::Word(3), Seen::Gone(ended(&world.target, End::Stopped), 1)];
            assert_eq!(seen, expected, "{place:?}");
        }
    });
}

#[test]
fn a_rebuild_of_the_watched_is_no_end() {
    bounded(|| {
        for place in PLACES {
            let world = World::new(place, Restart::always().backoff(Duration::ZERO, Duration::ZERO));
            watch(&world.watcher, &world.target, &world.dropped);
            for _ in 0..5 {
                world.target.r#break().unwrap();
            }
            world.target.later(Box::new(|ctx| ctx.reset())).unwrap();
            world.target.run(Box::new(|_| ())).unwrap();
            world.settle();
            assert_eq!(world.told.try_iter().filter(|seen| *seen != Seen::Start).count(), 0, "{place:?}");
            world.target.stop().unwrap();
            assert_eq!(next(&world.told), Seen::Gone(ended(&world.target, End::Stopped), 7));
        }
    });
}

#[test]
fn a_rebuild_of_the_watcher_ends_its_watches() {
    bounded(|| {
        for place in PLACES {
            for breaks in [false, true] {
                let world = World::new(place, Restart::always());
                watch(&world.watcher, &world.target, &world.dropped);
                let job: WatcherJob =
                    if breaks { Box::new(|_| panic!("it breaks")) } else { Box::new(|ctx| ctx.reset()) };
                world.watcher.later(job).unwrap();
                world.settle();
                // What was captured is gone with the watch.
                world.target.stop().unwrap();
                world.settle();
                assert_eq!(world.told.try_iter().filter(|seen| *seen != Seen::Start).count(), 0, "{place:?}");
                // It may watch anew.
                watch(&world.watcher, &world.target, &world.dropped);
                assert_eq!(next(&world.told), Seen::Gone(ended(&world.target, End::Stopped), 1));
            }
        }
    });
}

#[test]
fn what_a_watch_holds_is_dropped_with_it() {
    bounded(|| {
        for place in PLACES {
            for ending in 0..4 {
                let world = World::new(place, Restart::always());
                let released = Counter::new();
                let (guard, target) = (released.guard(), world.target.clone());
                world
                    .watcher
                    .run(Box::new(move |ctx| {
                        let then = move |ended| {
                            drop(guard);
                            WatcherMessage::Gone(ended, 0)
                        };
                        ctx.watch(&target, then).unwrap();
                    }))
                    .unwrap();
                assert_eq!(released.get(), 0);
                match ending {
                    0 => world.target.stop().unwrap(),
                    1 => world.watcher.later(Box::new(|ctx| ctx.stop())).unwrap(),
                    2 => world.watcher.later(Box::new(|ctx| ctx.reset())).unwrap(),
                    _ => drop(world.here.shutdown().unwrap()),
                }
                world.settle();
                assert_eq!(released.get(), 1, "{place:?}, ending {ending}");
            }
        }
    });
}

#[test]
fn every_watcher_is_told() {
    bounded(|| {
        let (engine, other, dropped) = (ActorEngine::new(), ActorEngine::new(), Counter::new());
        let (watching, told) = watcher();
        engine
            .spawn(
                (0..WATCHERS)
                    .fold(ActorThread::new(), |thread, _| thread.register(watching.clone()))
                    .register(target(&dropped)),
            )
            .unwrap();
        engine.pool(2, watching.clone()).unwrap();
        let stranger = other.pool(1, watching).unwrap();
        let watchers = engine.client::<WatcherMessage>().unwrap();
        let target = engine.client::<TargetMessage>().unwrap();
        let target = target.pin(target.instances()[0]);
        for instance in watchers.instances() {
            watch(&watchers.pin(instance), &target, &dropped);
        }
        watch(&stranger, &target, &dropped);
        // Twice is two watches.
        watch(&stranger, &target, &dropped);
        // Those who ended before are no trouble.
        for instance in &watchers.instances()[..WATCHERS / 2] {
            watchers.pin(*instance).stop().unwrap();
        }
        engine.settle();
        target.stop().unwrap();
        let gone = WATCHERS - WATCHERS / 2 + 2 + 2;
        for _ in 0..gone {
            assert_eq!(next(&told), Seen::Gone(ended(&target, End::Stopped), 1));
        }
        engine.settle();
        other.settle();
        assert_eq!(told.try_iter().filter(|seen| *seen != Seen::Start).count(), 0);
    });
}

#[test]
fn a_watch_that_meets_the_end_is_told_once() {
    bounded(|| {
        let (engine, dropped) = (ActorEngine::new(), Counter::new());
        let (watching, told) = watcher();
        let watcher = engine.pool(1, watching).unwrap();
        let home = engine.pool(1, TargetMessage::actor(Target::default)).unwrap();
        for life in 0..SHORT_LIVES {
            let (tell, born) = mpsc::channel();
            let guards = dropped.clone();
            home.later(Box::new(move |ctx| {
                let child = ctx
                    .start::<TargetMessage>(move || Target { dropped: Some(guards.guard()), watcher: None })
                    .expect("its factory cannot fail");
                tell.send(child).expect("the test listens");
            }))
            .unwrap();
            let child = receive(&born);
            let (target, drops) = (child.clone(), dropped.clone());
            let job: WatcherJob = Box::new(move |ctx| {
                ctx.watch(&target, move |ended| WatcherMessage::Gone(ended, drops.get())).expect("it is bound");
            });
            // At the same time.
            watcher.later(job).unwrap();
            child.stop().unwrap();
            let Seen::Gone(ended, drops) = next(&told) else { panic!("nobody says a word") };
            assert_eq!((Some(ended.instance), ended.why), (child.instance_id(), End::Stopped));
            assert_eq!(drops, life as u64 + 1);
        }
        engine.settle();
        assert!(told.try_recv().is_err());
    });
}

#[test]
fn one_that_watches_itself_is_told_nothing() {
    bounded(|| {
        let engine = ActorEngine::new();
        let (watching, told) = watcher();
        let watcher = engine.start(watching).unwrap();
        watcher
            .run(Box::new(|ctx| {
                ctx.watch(&ctx.me(), |ended| WatcherMessage::Gone(ended, 0)).unwrap();
                ctx.stop();
            }))
            .unwrap();
        let report = engine.shutdown().unwrap();
        assert_eq!((report.handled(), report.dead_letters), (1, 0));
        assert_eq!(told.try_iter().collect::<Vec<_>>(), [Seen::Start]);
    });
}

#[test]
fn on_start_comes_before_the_end_that_the_factory_watched() {
    bounded(|| {
        let engine = ActorEngine::new();
        let target = engine.start(TargetMessage::actor(Target::default)).unwrap();
        target.stop().unwrap();
        engine.settle();
        let (seen, told) = mpsc::channel();
        let gone = target.clone();
        let build = move |ctx: &mut Context<WatcherMessage>| {
            ctx.watch(&gone, |ended| WatcherMessage::Gone(ended, 0))?;
            Ok(Watcher { seen: seen.clone() })
        };
        engine.start(WatcherMessage::try_actor(build)).unwrap();
        assert_eq!(receive_many(&told, 2), [Seen::Start, Seen::Gone(ended(&target, End::Stopped), 0)]);
    });
}

#[actor(ctx)]
enum CensusMessage {
    #[reply(())]
    Watch(TargetClient),
    Ended(Ended),
}

/// Tells how many instances the first thread had when an end was heard of.
struct Census(Sender<usize>);

impl CensusHandler for Census {
    fn watch(&mut self, ctx: &mut Context<CensusMessage>, target: TargetClient) {
        ctx.watch(&target, CensusMessage::Ended).expect("it is bound to one");
    }

    fn ended(&mut self, ctx: &mut Context<CensusMessage>, _: Ended) {
        self.0.send(ctx.engine().stats().threads[0].instances).unwrap_or_default();
    }
}

#[test]
fn who_is_told_of_an_end_finds_one_instance_less() {
    bounded(|| {
        for _ in 0..200 {
            let engine = ActorEngine::new();
            let dropped = Counter::new();
            engine.spawn(ActorThread::new().register(target(&dropped)).register(target(&dropped))).unwrap();
            let (tell, told) = mpsc::channel();
            let census: CensusClient = engine.start(CensusMessage::actor(move || Census(tell.clone()))).unwrap();
            let targets = engine.client::<TargetMessage>().unwrap();
            let one = targets.pin(targets.instances()[1]);
            census.watch(one.clone()).unwrap();
            one.stop().unwrap();
            assert_eq!(receive(&told), 1);
        }
    });
}
