//! A panic in a hook or in the drop of a state takes nobody else down.

use std::sync::mpsc::{self, Sender};

use zctor::{ActorEngine, ActorThread, Context, actor};
use zctor_tests::{bounded, expect_panics, receive};

use crate::fragile::{Hooked, HookedMessage, Neighbour, NeighbourMessage, States, at_once, hooked_engine};

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
