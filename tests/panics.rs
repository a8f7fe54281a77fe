//! A panic of user code is answered with its text, and ends nothing but the state it happened in.

use std::panic::panic_any;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, Sender};
use std::thread;
use std::time::{Duration, Instant};

use zctor::{ActorEngine, ActorThread, CallError, Context, SpawnError, actor};
use zctor_tests::{Counter, DropGuard, bounded, receive};

const PANICS: u64 = if cfg!(miri) { 20 } else { 1000 };
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
        for rest in [10, 20, 40, 80, 160] {
            let before = now();
            text_of(first.break_plainly());
            assert_eq!(first.increment(), Ok(1));
            assert!(before.elapsed() >= Duration::from_millis(rest), "it rested {:?}", before.elapsed());
        }
        // Rotated mail passes it over.
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
        assert_eq!((report.panicked(), report.dead_letters, report.left), (8, 0, 0));
        states.assert_each_dropped_once(10);
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
                        let text = number.to_string();
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
