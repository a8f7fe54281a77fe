//! The end of an instance is told to those who watch it, once, with its reason, after all that it had sent to them.

use std::sync::mpsc::{self, Receiver, Sender};
use std::time::Duration;

use zctor::{ActorEngine, ActorThread, Context, End, Ended, Restart, WatchError, actor};
use zctor_tests::{Counter, DropGuard, Gate, bounded, receive, receive_many};

const LONG: Duration = Duration::from_secs(3600);
const WATCHERS: usize = if cfg!(miri) { 4 } else { 60 };
const SHORT_LIVES: usize = if cfg!(miri) { 20 } else { 2_000 };

#[derive(Debug, PartialEq)]
enum Seen {
    Start,
    Word(u32),
    /// With the number of targets whose state was dropped by then.
    Gone(Ended, u64),
}

type WatcherJob = Box<dyn FnOnce(&mut Context<WatcherMessage>) + Send>;

#[actor(ctx)]
enum WatcherMessage {
    #[reply(())]
    Run(WatcherJob),
    Later(WatcherJob),
    Word(u32),
    Gone(Ended, u64),
}

struct Watcher {
    seen: Sender<Seen>,
}

impl Watcher {
    fn tell(&self, what: Seen) {
        // A test that has seen enough may be gone.
        let _ = self.seen.send(what);
    }
}

impl WatcherHandler for Watcher {
    fn run(&mut self, ctx: &mut Context<WatcherMessage>, job: WatcherJob) {
        job(ctx);
    }
    fn later(&mut self, ctx: &mut Context<WatcherMessage>, job: WatcherJob) {
        job(ctx);
    }
    fn word(&mut self, _: &mut Context<WatcherMessage>, word: u32) {
        self.tell(Seen::Word(word));
    }
    fn gone(&mut self, _: &mut Context<WatcherMessage>, ended: Ended, dropped: u64) {
        self.tell(Seen::Gone(ended, dropped));
    }
    fn on_start(&mut self, _: &mut Context<WatcherMessage>) {
        self.tell(Seen::Start);
    }
}

fn watcher() -> (zctor::Actor<WatcherMessage, Watcher>, Receiver<Seen>) {
    let (seen, told) = mpsc::channel();
    (WatcherMessage::actor(move || Watcher { seen: seen.clone() }), told)
}

type TargetJob = Box<dyn FnOnce(&mut Context<TargetMessage>) + Send>;

#[actor(ctx)]
enum TargetMessage {
    #[reply(())]
    Run(TargetJob),
    Later(TargetJob),
    #[reply(())]
    Hold(Gate),
    /// From now on it speaks to this one in its hooks.
    Remember(WatcherClient),
    Break,
}

#[derive(Default)]
struct Target {
    dropped: Option<DropGuard>,
    heir: Option<WatcherClient>,
}

impl Target {
    fn say(&self, word: u32) {
        if let Some(heir) = &self.heir {
            heir.word(word).expect("the watcher lives");
        }
    }
}

impl TargetHandler for Target {
    fn run(&mut self, ctx: &mut Context<TargetMessage>, job: TargetJob) {
        job(ctx);
    }
    fn later(&mut self, ctx: &mut Context<TargetMessage>, job: TargetJob) {
        job(ctx);
    }
    fn hold(&mut self, _: &mut Context<TargetMessage>, gate: Gate) {
        gate.pass();
    }
    fn remember(&mut self, _: &mut Context<TargetMessage>, heir: WatcherClient) {
        self.heir = Some(heir);
    }
    fn r#break(&mut self, _: &mut Context<TargetMessage>) {
        self.say(1);
        panic!("the target breaks");
    }
    fn on_stop(&mut self, _: &mut Context<TargetMessage>) {
        self.say(2);
    }
}

impl Drop for Target {
    fn drop(&mut self) {
        self.say(3);
        drop(self.dropped.take());
    }
}

fn target(dropped: &Counter) -> zctor::Actor<TargetMessage, Target> {
    let dropped = dropped.clone();
    TargetMessage::actor(move || Target { dropped: Some(dropped.guard()), heir: None })
}

/// Has `watcher` watch `target`; it does when this returns.
fn watch(watcher: &WatcherClient, target: &TargetClient, dropped: &Counter) {
    let (target, dropped) = (target.clone(), dropped.clone());
    watcher
        .run(Box::new(move |ctx| {
            ctx.watch(&target, move |ended| WatcherMessage::Gone(ended, dropped.get())).expect("it is bound");
        }))
        .expect("the watcher lives");
}

fn ended(target: &TargetClient, why: End) -> Ended {
    // `Ended` is not to be made outside: what it says is compared by its parts.
    let (tell, told) = mpsc::channel();
    let engine = ActorEngine::new();
    engine.on_end(move |ended| tell.send(ended.clone()).unwrap_or_default());
    let stranger = engine.start(TargetMessage::actor(Target::default)).expect("its factory cannot fail");
    stranger.stop().expect("it lives");
    let mut ended = receive(&told);
    ended.instance = target.instance_id().expect("it is bound");
    ended.why = why;
    ended
}

fn panicked(text: &str) -> End {
    End::Panicked(text.into())
}

/// The next that `told` gives but for starts.
#[track_caller]
fn next(told: &Receiver<Seen>) -> Seen {
    loop {
        match receive(told) {
            Seen::Start => {}
            seen => return seen,
        }
    }
}

#[derive(Clone, Copy, Debug)]
enum Place {
    SameThread,
    OtherThread,
    OtherEngine,
}

/// A watcher and a target that lives in the place given.
struct World {
    here: ActorEngine,
    there: Option<ActorEngine>,
    watcher: WatcherClient,
    target: TargetClient,
    told: Receiver<Seen>,
    dropped: Counter,
}

impl World {
    fn new(place: Place, restart: Restart) -> Self {
        let (here, dropped) = (ActorEngine::new(), Counter::new());
        let there = matches!(place, Place::OtherEngine).then(ActorEngine::new);
        let (watching, told) = watcher();
        let target = target(&dropped).restart(restart);
        if let Place::SameThread = place {
            here.spawn(ActorThread::new().register(watching).register(target)).expect("it starts");
        } else {
            here.spawn(ActorThread::new().register(watching)).expect("it starts");
            there.as_ref().unwrap_or(&here).spawn(ActorThread::new().register(target)).expect("it starts");
        }
        let watcher = here.client::<WatcherMessage>().expect("it starts");
        let target = there.as_ref().unwrap_or(&here).client::<TargetMessage>().expect("it starts");
        let target = target.pin(target.instances()[0]);
        Self { here, there, watcher, target, told, dropped }
    }

    fn settle(&self) {
        // What goes from one engine to the other has left the first when that is quiet.
        self.there.iter().for_each(ActorEngine::settle);
        self.here.settle();
    }
}

const PLACES: [Place; 3] = [Place::SameThread, Place::OtherThread, Place::OtherEngine];

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
                0 => Ok(Target { dropped: Some(guards.guard()), heir: None }),
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
            let state = move || Target { dropped: Some(guard), heir: None };
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
                    .start::<TargetMessage>(move || Target { dropped: Some(guards.guard()), heir: None })
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
                let state = move || Target { dropped: Some(guards.guard()), heir: None };
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
