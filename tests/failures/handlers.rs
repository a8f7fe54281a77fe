//! A panic of user code is answered with its text, and ends nothing but the state it happened in.

use std::panic::{AssertUnwindSafe, catch_unwind, panic_any};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, Sender};
use std::thread;
use std::time::{Duration, Instant};

use zctor::{ActorEngine, ActorThread, BoxError, CallError, Context, ReplyTo, Restart, SpawnError, actor};
use zctor_tests::{Counter, DropGuard, bounded, expect_panics, receive};

const PANICS: u64 = if cfg!(miri) { 20 } else { 1000 };
const FAILURES: u64 = if cfg!(miri) { 20 } else { 2000 };
const CALLERS: u64 = 4;
const THREADS: u64 = 4;
const INSTANCES: u64 = if cfg!(miri) { 12 } else { 400 };

#[expect(clippy::disallowed_methods, reason = "the test measures a lower bound")]
fn now() -> Instant {
    Instant::now()
}

/// A payload that is no text.
struct Odd(#[expect(dead_code, reason = "it only makes the payload odd")] u32);

/// A payload whose drop panics as well.
struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        panic!("the payload's drop panics");
    }
}

#[actor]
enum FragileMessage {
    #[reply(u64)]
    Increment,
    #[reply(u64)]
    Count,
    Add(u64),
    #[reply(())]
    Break(String),
    #[reply(())]
    BreakPlainly,
    #[reply(())]
    BreakOddly,
    #[reply(())]
    BreakBadly,
    BreakUnasked,
    /// A reply whose drop panics, which nobody may be there to take.
    #[reply(Bomb)]
    Bomb,
}

struct Fragile {
    count: u64,
    _dropped: DropGuard,
}

impl FragileHandler for Fragile {
    fn increment(&mut self) -> u64 {
        self.count += 1;
        self.count
    }
    fn count(&mut self) -> u64 {
        self.count
    }
    fn add(&mut self, amount: u64) {
        self.count += amount;
    }
    fn r#break(&mut self, text: String) {
        self.count += 1000;
        panic!("{text}");
    }
    fn break_plainly(&mut self) {
        panic!("it breaks");
    }
    fn break_oddly(&mut self) {
        panic_any(Odd(7));
    }
    fn break_badly(&mut self) {
        panic_any(Bomb);
    }
    fn break_unasked(&mut self) {
        panic!("it breaks unasked");
    }
    fn bomb(&mut self) -> Bomb {
        Bomb
    }
}

#[actor(ctx)]
enum NeighbourMessage {
    #[reply(u64)]
    Increment,
}

#[derive(Default)]
struct Neighbour(u64);

impl NeighbourHandler for Neighbour {
    fn increment(&mut self, _: &mut Context<NeighbourMessage>) -> u64 {
        self.0 += 1;
        self.0
    }
}

/// Counts the states that a factory built and those that were dropped.
#[derive(Clone, Default)]
struct States {
    built: Counter,
    dropped: Counter,
}

impl States {
    fn fragile(&self) -> Fragile {
        self.built.increment();
        Fragile { count: 0, _dropped: self.dropped.guard() }
    }
    fn actor(&self) -> zctor::Actor<FragileMessage, Fragile> {
        let states = self.clone();
        FragileMessage::actor(move || states.fragile())
    }
    #[track_caller]
    fn assert_each_dropped_once(&self, built: u64) {
        assert_eq!((self.built.get(), self.dropped.get()), (built, built));
    }
}

#[track_caller]
fn text_of<R>(result: Result<R, CallError>) -> String {
    match result {
        Err(CallError::Panicked { text, message, .. }) => {
            assert_eq!(message, "FragileMessage");
            text.to_string()
        }
        Err(other) => panic!("not a panic: {other}"),
        Ok(_) => panic!("there was no panic"),
    }
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

#[actor(ctx)]
enum HookedMessage {
    Break,
    #[reply(u64)]
    Build,
    Stop,
    Reset,
}

/// Panics in its hooks or its drop, as it is told.
struct Hooked {
    build: u64,
    start: bool,
    stop: bool,
    dropping: bool,
    _dropped: DropGuard,
}

impl HookedHandler for Hooked {
    fn r#break(&mut self, _: &mut Context<HookedMessage>) {
        panic!("the handler panics");
    }
    fn build(&mut self, _: &mut Context<HookedMessage>) -> u64 {
        self.build
    }
    fn stop(&mut self, ctx: &mut Context<HookedMessage>) {
        ctx.stop();
    }
    fn reset(&mut self, ctx: &mut Context<HookedMessage>) {
        ctx.reset();
    }
    fn on_start(&mut self, _: &mut Context<HookedMessage>) {
        assert!(!self.start, "on_start panics");
    }
    fn on_stop(&mut self, _: &mut Context<HookedMessage>) {
        assert!(!self.stop, "on_stop panics");
    }
}

impl Drop for Hooked {
    fn drop(&mut self) {
        assert!(!self.dropping, "the drop panics");
    }
}

/// An engine with one thread: `make`'s states, given the number of the build from 1, and a neighbour.
fn hooked_engine(
    make: impl Fn(u64, DropGuard) -> Hooked + Send + Sync + 'static,
) -> (ActorEngine, HookedClient, NeighbourClient, States) {
    let (engine, states) = (ActorEngine::new(), States::default());
    let counted = states.clone();
    engine
        .spawn(
            ActorThread::new()
                .register(HookedMessage::actor(move || {
                    let build = counted.built.increment() + 1;
                    make(build, counted.dropped.guard())
                }))
                .register(NeighbourMessage::actor(Neighbour::default)),
        )
        .expect("the factories do not fail");
    let hooked = engine.client::<HookedMessage>().expect("it was spawned");
    let neighbour = engine.client::<NeighbourMessage>().expect("it was spawned");
    (engine, hooked, neighbour, states)
}

#[test]
fn a_panic_in_on_start_rebuilds_the_state() {
    bounded(|| {
        let (engine, hooked, neighbour, states) = hooked_engine(|build, dropped| Hooked {
            build,
            start: build == 1,
            stop: false,
            dropping: false,
            _dropped: dropped,
        });
        assert_eq!(hooked.build(), Ok(2));
        assert_eq!(neighbour.increment(), Ok(1));
        engine.shutdown().unwrap();
        states.assert_each_dropped_once(2);
    });
}

#[test]
fn a_panic_in_on_stop_takes_no_thread_down() {
    bounded(|| {
        let (engine, hooked, neighbour, states) = hooked_engine(|build, dropped| Hooked {
            build,
            start: false,
            stop: true,
            dropping: false,
            _dropped: dropped,
        });
        hooked.reset().unwrap();
        assert_eq!(hooked.build(), Ok(2));
        assert_eq!(neighbour.increment(), Ok(1));
        hooked.stop().unwrap();
        assert_eq!(neighbour.increment(), Ok(2));
        engine.shutdown().unwrap();
        states.assert_each_dropped_once(2);
    });
}

#[test]
fn a_panic_in_on_stop_does_not_hold_up_the_shutdown() {
    bounded(|| {
        let (engine, _hooked, _neighbour, states) = hooked_engine(|build, dropped| Hooked {
            build,
            start: false,
            stop: true,
            dropping: true,
            _dropped: dropped,
        });
        engine.shutdown().unwrap();
        states.assert_each_dropped_once(1);
    });
}

#[test]
fn a_panic_in_the_drop_of_a_state_takes_no_thread_down() {
    bounded(|| {
        let (engine, hooked, neighbour, states) = hooked_engine(|build, dropped| Hooked {
            build,
            start: false,
            stop: false,
            dropping: true,
            _dropped: dropped,
        });
        hooked.r#break().unwrap();
        assert_eq!(hooked.build(), Ok(2));
        assert_eq!(neighbour.increment(), Ok(1));
        hooked.reset().unwrap();
        assert_eq!(hooked.build(), Ok(3));
        hooked.stop().unwrap();
        engine.settle();
        assert_eq!(neighbour.increment(), Ok(2));
        engine.shutdown().unwrap();
        states.assert_each_dropped_once(3);
    });
}

#[test]
fn a_panic_in_the_rebuild_takes_no_neighbour_down() {
    bounded(|| {
        let (engine, hooked, neighbour, states) = hooked_engine(|build, dropped| {
            assert!(build != 2, "the factory panics");
            Hooked { build, start: false, stop: false, dropping: false, _dropped: dropped }
        });
        hooked.r#break().unwrap();
        // Built at a further try, or ended: in either case the call ends.
        match hooked.build() {
            Ok(build) => assert_eq!(build, 3),
            Err(error) => assert!(
                matches!(
                    error,
                    CallError::NotRegistered { .. } | CallError::Stopped { .. } | CallError::Panicked { .. }
                ),
                "{error}"
            ),
        }
        assert_eq!(neighbour.increment(), Ok(1));
        engine.shutdown().unwrap();
        // The build that panicked took its guard with it.
        assert_eq!(states.built.get(), states.dropped.get());
    });
}

#[test]
fn a_factory_that_panics_or_fails_comes_out_of_spawn() {
    bounded(|| {
        let (engine, states) = (ActorEngine::new(), States::default());
        let healthy = states.clone();
        let failed = engine.spawn(
            ActorThread::new()
                .register(healthy.actor())
                .register(NeighbourMessage::actor(|| -> Neighbour { panic!("the factory panics") })),
        );
        match failed {
            Err(SpawnError::FactoryPanicked { message, text, .. }) => {
                assert_eq!((message, &*text), ("NeighbourMessage", "the factory panics"));
            }
            other => panic!("the factory panicked, and spawn gave {other:?}"),
        }
        let failed = engine.spawn(
            ActorThread::new()
                .register(healthy.actor())
                .register(NeighbourMessage::try_actor(|_| -> Result<Neighbour, _> { Err("no room".into()) })),
        );
        match failed {
            Err(SpawnError::Factory { message, source, .. }) => {
                assert_eq!((message, source.to_string().as_str()), ("NeighbourMessage", "no room"));
            }
            other => panic!("the factory failed, and spawn gave {other:?}"),
        }
        // None or all: the healthy ones beside them are not registered either.
        assert!(matches!(engine.client::<FragileMessage>(), Err(CallError::NotRegistered { .. })));
        assert!(engine.registry().is_empty());
        engine.spawn(ActorThread::new().register(healthy.actor())).unwrap();
        assert_eq!(engine.call(FragileMessage::increment()), Ok(1));
        engine.shutdown().unwrap();
        assert_eq!(states.built.get(), states.dropped.get());
    });
}

#[test]
fn an_actor_built_once_ends_at_a_panic() {
    bounded(|| {
        let (engine, states) = (ActorEngine::new(), States::default());
        let once = states.clone();
        let fragile = engine.start(FragileMessage::actor_once(move || once.fragile())).unwrap();
        assert_eq!(fragile.increment(), Ok(1));
        assert_eq!(text_of(fragile.break_plainly()), "it breaks");
        assert_eq!(fragile.increment(), Err(CallError::Stopped { message: "FragileMessage" }));
        engine.settle();
        states.assert_each_dropped_once(1);

        // Registered, it leaves the registry, and its neighbour stays.
        let once = states.clone();
        engine
            .spawn(
                ActorThread::new()
                    .register(FragileMessage::actor_once(move || once.fragile()))
                    .register(NeighbourMessage::actor(Neighbour::default)),
            )
            .unwrap();
        let fragile = engine.client::<FragileMessage>().unwrap();
        assert_eq!(text_of(fragile.break_plainly()), "it breaks");
        assert_eq!(fragile.increment(), Err(CallError::NotRegistered { message: "FragileMessage" }));
        assert!(engine.registry().get::<FragileMessage>().is_none());
        assert_eq!(engine.call(NeighbourMessage::increment()), Ok(1));
        engine.shutdown().unwrap();
        states.assert_each_dropped_once(2);
    });
}

#[test]
fn on_stop_does_not_run_after_a_panic() {
    #[actor(ctx)]
    enum HookMessage {
        Break,
    }
    struct Hook(Sender<&'static str>);
    impl HookHandler for Hook {
        fn r#break(&mut self, _: &mut Context<HookMessage>) {
            panic!("it breaks");
        }
        fn on_start(&mut self, _: &mut Context<HookMessage>) {
            self.0.send("start").expect("the test listens");
        }
        fn on_stop(&mut self, _: &mut Context<HookMessage>) {
            self.0.send("stop").expect("the test listens");
        }
    }
    bounded(|| {
        let engine = ActorEngine::new();
        let (seen, hooks) = mpsc::channel();
        let hook = engine.pool(1, HookMessage::actor(move || Hook(seen.clone()))).unwrap();
        hook.r#break().unwrap();
        assert_eq!([receive(&hooks), receive(&hooks)], ["start", "start"]);
        engine.shutdown().unwrap();
        assert_eq!(hooks.try_iter().collect::<Vec<_>>(), ["stop"]);
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

/// What a factory or a message carries, whose drop panics.
struct Fused;

impl Drop for Fused {
    fn drop(&mut self) {
        panic!("the drop of what was carried panics");
    }
}

/// A factory that holds a value whose drop panics.
fn fused(states: &States) -> zctor::Actor<FragileMessage, Fragile> {
    let (states, held) = (states.clone(), Fused);
    FragileMessage::actor(move || {
        let _held = &held;
        states.fragile()
    })
}

#[test]
fn a_factory_whose_captures_panic_when_dropped_takes_no_neighbour_down() {
    bounded(|| {
        let (engine, states) = (ActorEngine::new(), States::default());
        let counted = states.clone();
        let neighbour = HookedMessage::actor(move || {
            let build = counted.built.increment() + 1;
            Hooked { build, start: false, stop: false, dropping: false, _dropped: counted.dropped.guard() }
        });
        engine.spawn(ActorThread::new().register(neighbour).register(fused(&states))).unwrap();
        let fragile = engine.client::<FragileMessage>().unwrap();
        let neighbour = engine.client::<HookedMessage>().unwrap();
        fragile.pin(fragile.instances()[0]).stop().unwrap();
        engine.settle();
        assert_eq!(fragile.count(), Err(CallError::NotRegistered { message: "FragileMessage" }));
        assert_eq!(neighbour.build(), Ok(1));
        let report = engine.shutdown().unwrap();
        assert_eq!(report.instances.len(), 1);
        assert_eq!((report.instances[0].message, report.instances[0].handled), ("HookedMessage", 1));
        states.assert_each_dropped_once(2);
    });
}

#[test]
fn a_factory_that_fails_comes_out_of_spawn_whatever_panics_in_the_cleaning_up() {
    #[actor(ctx)]
    enum AlarmMessage {
        Ring(Fused),
    }
    struct Alarm;
    impl AlarmHandler for Alarm {
        fn ring(&mut self, _: &mut Context<AlarmMessage>, _: Fused) {}
    }
    #[track_caller]
    fn assert_failed(failed: Result<zctor::ThreadId, SpawnError>) {
        match failed {
            Err(SpawnError::Factory { source, .. }) => assert_eq!(source.to_string(), "no room"),
            other => panic!("the factory failed, and spawn gave {other:?}"),
        }
    }
    bounded(|| {
        let (engine, states) = (ActorEngine::new(), States::default());
        // What the factory had set goes with it.
        let alarm = AlarmMessage::try_actor(|ctx| -> Result<Alarm, BoxError> {
            drop(ctx.send_after(Duration::from_secs(3600), AlarmMessage::Ring(Fused)));
            Err("no room".into())
        });
        assert_failed(engine.spawn(ActorThread::new().register(states.actor()).register(alarm)));
        states.assert_each_dropped_once(1);
        // So do the factories that were not asked any more.
        let full = NeighbourMessage::try_actor(|_| -> Result<Neighbour, BoxError> { Err("no room".into()) });
        let thread = ActorThread::new().register(states.actor()).register(full).register(fused(&states));
        assert_failed(engine.spawn(thread));
        states.assert_each_dropped_once(2);
        assert!(engine.registry().is_empty());
        assert_eq!(engine.shutdown().unwrap().left, 0);
    });
}

/// No rest before a rebuild.
fn at_once() -> Restart {
    Restart::always().backoff(Duration::ZERO, Duration::ZERO)
}

#[test]
fn failures_in_a_row_without_a_rest_take_no_stack() {
    expect_panics("on_start panics");
    bounded(|| {
        let (engine, states) = (ActorEngine::new(), States::default());
        // Were each rebuild within the one before, this stack would not do.
        let thread = || ActorThread::new().stack_size(256 * 1024);
        let counted = states.clone();
        let hooked = HookedMessage::actor(move || {
            let build = counted.built.increment() + 1;
            let start = build <= FAILURES;
            Hooked { build, start, stop: false, dropping: false, _dropped: counted.dropped.guard() }
        });
        engine.spawn(thread().register(hooked.restart(at_once()))).unwrap();
        assert_eq!(engine.call(HookedMessage::build()), Ok(FAILURES + 1));

        let (asked, fragile) = (Counter::new(), States::default());
        let factory = fragile.clone();
        let failing = FragileMessage::try_actor(move |_| -> Result<Fragile, BoxError> {
            match asked.increment() {
                1..=FAILURES => Err("no room".into()),
                _ => Ok(factory.fragile()),
            }
        });
        engine.spawn(thread().register(failing.restart(at_once()))).unwrap();
        assert_eq!(text_of(engine.call(FragileMessage::break_plainly())), "it breaks");
        assert_eq!(engine.call(FragileMessage::increment()), Ok(1));
        engine.shutdown().unwrap();
        states.assert_each_dropped_once(FAILURES + 1);
        fragile.assert_each_dropped_once(2);
    });
}

#[test]
fn neighbours_of_an_on_start_that_panics_without_a_rest_are_served() {
    expect_panics("on_start panics");
    bounded(|| {
        let (engine, states) = (ActorEngine::new(), States::default());
        let counted = states.clone();
        let hooked = HookedMessage::actor(move || {
            let build = counted.built.increment() + 1;
            Hooked { build, start: build > 1, stop: false, dropping: false, _dropped: counted.dropped.guard() }
        });
        let neighbour = NeighbourMessage::actor(Neighbour::default);
        engine.spawn(ActorThread::new().register(hooked.restart(at_once())).register(neighbour)).unwrap();
        // The first of the batch begins it, and the others wait for its end.
        let hooked = engine.client::<HookedMessage>().unwrap();
        assert_eq!(hooked.send_all((0..10).map(|_| HookedMessage::Reset)).unwrap(), 10);
        let mut served = 0;
        while states.built.get() < 20 {
            served += 1;
            assert_eq!(engine.call(NeighbourMessage::increment()), Ok(served));
        }
        let report = engine.shutdown().unwrap();
        assert_eq!((report.dead_letters, report.left), (9, 0));
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
