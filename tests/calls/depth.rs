//! Call depths alone decide for whom a handler may wait, wherever the two live and whichever hook it is.

use std::sync::mpsc::{self, Sender};
use std::thread;

use zctor::{ActorEngine, ActorThread, CallError, Context, actor};
use zctor_tests::{Gate, bounded, receive};

use crate::each_depth::{
    Bell, BellMessage, Low, LowMessage, Mid, MidMessage, PeerMessage, Tally, TallyMessage, TopMessage, engine_of_all,
    is_undeclared,
};

#[test]
fn only_a_lower_depth_may_be_waited_for() {
    bounded(|| {
        let engine = engine_of_all();
        engine
            .call(TopMessage::run(Box::new(|ctx| {
                let engine = ctx.engine();
                // Lower than two, declared or not.
                assert_eq!(engine.call(TallyMessage::increment()), Ok(1));
                assert_eq!(engine.call(LowMessage::run(Box::new(|_| ()))), Ok(()));
                assert_eq!(engine.call(MidMessage::run(Box::new(|_| ()))), Ok(()));
                // Its own depth, of another type and of its own.
                assert!(is_undeclared(&engine.call(PeerMessage::run(Box::new(|_| ()))), "PeerMessage"));
                assert!(is_undeclared(&engine.call(TopMessage::run(Box::new(|_| ()))), "TopMessage"));
                assert!(is_undeclared(&ctx.me().run(Box::new(|_| ())), "TopMessage"));
            })))
            .unwrap();
        engine
            .call(MidMessage::run(Box::new(|ctx| {
                let engine = ctx.engine();
                assert_eq!(engine.call(LowMessage::run(Box::new(|_| ()))), Ok(()));
                assert!(is_undeclared(&engine.call(MidMessage::run(Box::new(|_| ()))), "MidMessage"));
                assert!(is_undeclared(&engine.call(TopMessage::run(Box::new(|_| ()))), "TopMessage"));
            })))
            .unwrap();
        assert_eq!(engine.call(TallyMessage::count()), Ok(1));
    });
}

#[test]
fn the_hooks_may_call_whom_the_actor_declares() {
    #[actor(calls(TallyMessage))]
    enum HookedMessage {
        Stop,
    }
    struct Hooked(Sender<(&'static str, Result<u64, CallError>)>);
    impl HookedHandler for Hooked {
        fn stop(&mut self, ctx: &mut Context<HookedMessage>) {
            ctx.stop();
        }
        fn on_start(&mut self, ctx: &mut Context<HookedMessage>) {
            self.0.send(("start", ctx.call(TallyMessage::increment()))).expect("the test listens");
        }
        fn on_stop(&mut self, ctx: &mut Context<HookedMessage>) {
            self.0.send(("stop", ctx.call(TallyMessage::increment()))).expect("the test listens");
        }
    }
    bounded(|| {
        for shared in [false, true] {
            let engine = ActorEngine::new();
            let (seen, calls) = mpsc::channel();
            let tally = ActorThread::new().register(TallyMessage::actor(Tally::default));
            let hooked = HookedMessage::actor(move || Hooked(seen.clone()));
            if shared {
                engine.spawn(tally.register(hooked)).unwrap();
            } else {
                engine.spawn(tally).unwrap();
                engine.spawn(ActorThread::new().register(hooked)).unwrap();
            }
            assert_eq!(receive(&calls), ("start", Ok(1)), "shared: {shared}");
            engine.send(HookedMessage::Stop).unwrap();
            assert_eq!(receive(&calls), ("stop", Ok(2)), "shared: {shared}");
        }
    });
}

#[test]
fn a_call_from_on_stop_reaches_older_threads_and_ends_for_younger_ones() {
    #[actor(calls(TallyMessage, BellMessage))]
    enum LastMessage {
        Nothing,
    }
    struct Last(Sender<(Result<u64, CallError>, Result<u64, CallError>)>);
    impl LastHandler for Last {
        fn nothing(&mut self, _: &mut Context<LastMessage>) {}
        fn on_stop(&mut self, ctx: &mut Context<LastMessage>) {
            let both = (ctx.call(TallyMessage::increment()), ctx.call(BellMessage::rings()));
            self.0.send(both).expect("the test listens");
        }
    }
    bounded(|| {
        let engine = ActorEngine::new();
        let (seen, replies) = mpsc::channel();
        engine.pool(1, TallyMessage::actor(Tally::default)).unwrap();
        engine.pool(1, LastMessage::actor(move || Last(seen.clone()))).unwrap();
        engine.pool(1, BellMessage::actor(Bell::default)).unwrap();
        engine.shutdown().unwrap();
        let (older, younger) = receive(&replies);
        assert_eq!(older, Ok(1));
        assert!(matches!(younger, Err(CallError::Stopped { .. } | CallError::NotRegistered { .. })), "{younger:?}");
    });
}

#[test]
fn the_depths_hold_between_engines() {
    bounded(|| {
        let (here, there) = (engine_of_all(), engine_of_all());
        let handle = there.handle();
        here.call(MidMessage::run(Box::new(move |_| {
            assert_eq!(handle.call(TallyMessage::increment()), Ok(1));
            assert!(is_undeclared(&handle.call(MidMessage::run(Box::new(|_| ()))), "MidMessage"));
            assert!(is_undeclared(&handle.call(TopMessage::run(Box::new(|_| ()))), "TopMessage"));
            handle.send(TallyMessage::Add(1)).expect("the other engine runs");
        })))
        .unwrap();
        let handle = there.handle();
        here.call(LowMessage::run(Box::new(move |_| {
            assert!(is_undeclared(&handle.call(TallyMessage::increment()), "TallyMessage"));
        })))
        .unwrap();
        there.settle();
        assert_eq!(there.call(TallyMessage::count()), Ok(2));

        // While one waits there, the lower depths of its own thread go on here.
        let gate = Gate::new();
        here.spawn(ActorThread::new().register(MidMessage::actor(|| Mid)).register(LowMessage::actor(|| Low))).unwrap();
        let (mid, low) = (here.client::<MidMessage>().unwrap(), here.client::<LowMessage>().unwrap());
        let (mid, low) = (mid.pin(mid.instances()[1]), low.pin(low.instances()[1]));
        thread::scope(|scope| {
            let (held, handle) = (gate.clone(), there.handle());
            let waiting = scope
                .spawn(move || mid.run(Box::new(move |_| assert_eq!(handle.call(TallyMessage::hold(held)), Ok(())))));
            gate.await_arrivals(1);
            assert_eq!(low.run(Box::new(|_| ())), Ok(()));
            gate.open();
            assert_eq!(waiting.join().unwrap(), Ok(()));
        });
    });
}
