//! A factory that fails or panics comes out of the spawn, or counts as another panic of its instance.

use std::time::Duration;

use zctor::{ActorEngine, ActorThread, BoxError, CallError, Context, SpawnError, actor};
use zctor_tests::{Counter, bounded, expect_panics};

use crate::fragile::{
    Fragile, FragileMessage, Hooked, HookedMessage, Neighbour, NeighbourMessage, States, at_once, hooked_engine,
    text_of,
};

const FAILURES: u64 = if cfg!(miri) { 20 } else { 2000 };

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
