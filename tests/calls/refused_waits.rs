//! A wait that could be for ever is refused at once, every time, and nothing is sent; what does not wait is free.
//!
//! The deadlocks that other libraries are known for are in `classic_deadlocks.rs`.

use std::future::Future;
use std::pin::pin;
use std::sync::mpsc::{self, Sender};
use std::task::{self, Poll, Waker};
use std::time::Duration;

use zctor::{ActorThread, CallError, Context, Pending, actor};
use zctor_tests::{Gate, LIMIT, bounded, receive, receive_many};

use crate::each_depth::{
    Bell, BellMessage, Low, LowMessage, Mid, MidMessage, TIMES, TallyClient, TallyMessage, engine_of_all, is_undeclared,
};

fn poll_once<R>(pending: &mut Pending<R>) -> Poll<Result<R, CallError>>
where
    Pending<R>: Future<Output = Result<R, CallError>> + Unpin,
{
    pin!(pending).poll(&mut task::Context::from_waker(Waker::noop()))
}

#[test]
fn a_wait_by_a_captured_client_is_refused_every_time_and_nothing_is_sent() {
    bounded(|| {
        let engine = engine_of_all();
        let tally = engine.client::<TallyMessage>().unwrap();
        let captured = tally.clone();
        engine
            .call(LowMessage::run(Box::new(move |_| {
                for _ in 0..TIMES {
                    assert!(is_undeclared(&captured.increment(), "TallyMessage"));
                    assert!(is_undeclared(&captured.call(TallyMessage::increment()), "TallyMessage"));
                    let limited = captured.within(LIMIT);
                    assert!(is_undeclared(&limited.increment(), "TallyMessage"));
                }
            })))
            .unwrap();
        assert_eq!(tally.count(), Ok(0));
    });
}

#[test]
fn a_refusal_names_who_would_wait_for_whom() {
    bounded(|| {
        let engine = engine_of_all();
        let captured = engine.client::<TallyMessage>().unwrap();
        let (tell, told) = mpsc::channel();
        let wait = move |_: &mut Context<LowMessage>| tell.send(captured.increment()).expect("the test listens");
        engine.call(LowMessage::run(Box::new(wait))).unwrap();
        let refused = receive(&told).unwrap_err();
        assert_eq!(refused, CallError::Undeclared { message: "TallyMessage", caller: Some("LowMessage") });
        // As `unwrap` and `assert_eq!` print it, and as a log does.
        for text in [format!("{refused:?}"), refused.to_string()] {
            assert!(text.contains("LowMessage") && text.contains("TallyMessage"), "{text}");
        }
    });
}

#[test]
fn a_wait_by_the_handle_of_the_engine_is_refused_every_time_and_nothing_is_sent() {
    bounded(|| {
        let engine = engine_of_all();
        let captured = engine.handle();
        engine
            .call(LowMessage::run(Box::new(move |ctx| {
                for _ in 0..TIMES {
                    assert!(is_undeclared(&captured.call(TallyMessage::increment()), "TallyMessage"));
                    assert!(is_undeclared(&ctx.engine().call(TallyMessage::increment()), "TallyMessage"));
                    let client = ctx.engine().client::<TallyMessage>().expect("the tally lives");
                    assert!(is_undeclared(&client.increment(), "TallyMessage"));
                }
            })))
            .unwrap();
        assert_eq!(engine.call(TallyMessage::count()), Ok(0));
    });
}

#[test]
fn call_all_is_a_wait_too() {
    bounded(|| {
        let engine = engine_of_all();
        let bells = engine.pool(3, BellMessage::actor(Bell::default)).unwrap();
        engine
            .call(LowMessage::run(Box::new(move |ctx| {
                assert!(is_undeclared(&bells.call_all(BellMessage::rings()), "BellMessage"));
                assert!(is_undeclared(&ctx.engine().call_all_with(|_| BellMessage::rings()), "BellMessage"));
            })))
            .unwrap();
        engine.settle();
        assert_eq!(engine.call(BellMessage::rings()), Ok(0));
    });
}

#[test]
fn a_pending_refused_inside_stays_usable_outside() {
    bounded(|| {
        let engine = engine_of_all();
        let tally = engine.client::<TallyMessage>().unwrap();
        let (hand_out, handed_out) = mpsc::channel();
        let captured = tally.non_blocking();
        // Until the gate opens there is no reply: one that is there already is taken, which is no wait.
        let gate = Gate::new();
        let held = captured.hold(gate.clone());
        engine
            .call(LowMessage::run(Box::new(move |_| {
                let mut pending = captured.increment();
                for _ in 0..TIMES {
                    assert!(is_undeclared(&pending.wait(), "TallyMessage"));
                    match pending.wait_timeout(LIMIT) {
                        Some(refused) => assert!(is_undeclared(&refused, "TallyMessage")),
                        None => panic!("a refusal comes at once"),
                    }
                    match poll_once(&mut pending) {
                        Poll::Ready(refused) => assert!(is_undeclared(&refused, "TallyMessage")),
                        Poll::Pending => panic!("a refusal comes at once"),
                    }
                }
                hand_out.send(pending).expect("the test listens");
            })))
            .unwrap();
        gate.open();
        assert_eq!(held.wait(), Ok(()));
        assert_eq!(receive(&handed_out).wait(), Ok(1));
        assert_eq!(tally.count(), Ok(1));
    });
}

#[test]
fn a_look_at_a_pending_inside_is_no_wait() {
    bounded(|| {
        let engine = engine_of_all();
        let gate = Gate::new();
        let (hand_out, handed_out) = mpsc::channel();
        let held = engine.client::<TallyMessage>().unwrap().non_blocking().hold(gate.clone());
        engine
            .call(LowMessage::run(Box::new(move |_| {
                assert!(held.try_take().is_none());
                hand_out.send(held).expect("the test listens");
            })))
            .unwrap();
        gate.open();
        assert_eq!(receive(&handed_out).wait(), Ok(()));
    });
}

#[test]
fn sends_broadcasts_pipes_and_unwaited_requests_are_free_inside() {
    bounded(|| {
        let engine = engine_of_all();
        let bells = engine.pool(3, BellMessage::actor(Bell::default)).unwrap();
        let tally = engine.client::<TallyMessage>().unwrap();
        let (outcome, piped) = mpsc::channel();
        engine
            .call(LowMessage::run(Box::new(move |ctx| {
                ctx.send(TallyMessage::Add(1)).expect("the tally lives");
                ctx.engine().send(TallyMessage::Add(1)).expect("the tally lives");
                tally.add(1).expect("the tally lives");
                tally.non_blocking().add(1).expect("the tally lives");
                tally.non_blocking().increment().detach();
                ctx.non_blocking::<TallyMessage>().expect("the tally lives").increment().detach();
                tally.request(TallyMessage::increment()).detach();
                ctx.pipe(TallyMessage::increment(), move |reply| {
                    LowMessage::Later(Box::new(move |_| outcome.send(reply).expect("the test listens")))
                });
                assert_eq!(ctx.broadcast(BellMessage::Ring).ok(), Some(3));
                assert_eq!(bells.broadcast(BellMessage::Ring).ok(), Some(3));
            })))
            .unwrap();
        assert_eq!(receive(&piped), Ok(8));
        engine.settle();
        for (_, rings) in engine.call_all(BellMessage::rings()).unwrap() {
            assert_eq!(rings, Ok(2));
        }
    });
}

#[test]
fn a_factory_may_send_and_may_not_wait() {
    bounded(|| {
        let engine = engine_of_all();
        let tally = engine.client::<TallyMessage>().unwrap();
        let (seen, refusals) = mpsc::channel();
        let (captured, noted) = (tally.clone(), seen.clone());
        // Its type may call the tally, its factory may not.
        engine
            .spawn(ActorThread::new().register(MidMessage::actor(move || {
                captured.add(10).expect("the tally lives");
                noted.send(captured.increment()).expect("the test listens");
                Mid
            })))
            .unwrap();
        assert!(is_undeclared(&receive(&refusals), "TallyMessage"));
        engine
            .spawn(ActorThread::new().register(MidMessage::try_actor(move |ctx| {
                ctx.send(TallyMessage::Add(10))?;
                seen.send(ctx.call(TallyMessage::increment()))?;
                seen.send(ctx.engine().call(TallyMessage::increment()))?;
                Ok(Mid)
            })))
            .unwrap();
        for refused in receive_many(&refusals, 2) {
            assert!(is_undeclared(&refused, "TallyMessage"));
        }
        assert_eq!(tally.count(), Ok(20));
    });
}

#[test]
fn a_factory_may_not_wait_inside_a_waiting_handler_either() {
    bounded(|| {
        let engine = engine_of_all();
        let (seen, refusals) = mpsc::channel();
        engine
            .call(MidMessage::run(Box::new(move |ctx| {
                let handle = ctx.engine();
                ctx.start::<LowMessage>(move || {
                    seen.send(handle.call(TallyMessage::increment())).expect("the test listens");
                    Low
                })
                .expect("the factory does not fail");
                // The handler's own depth is back once the factory is through.
                assert_eq!(ctx.call(TallyMessage::increment()), Ok(1));
            })))
            .unwrap();
        assert!(is_undeclared(&receive(&refusals), "TallyMessage"));
    });
}

#[test]
fn the_drop_of_a_state_may_send_and_may_not_wait() {
    #[actor(calls(TallyMessage))]
    enum LeaverMessage {
        Stop,
        #[reply(())]
        Reset,
    }
    struct Leaver {
        tally: TallyClient,
        seen: Sender<Result<u64, CallError>>,
    }
    impl LeaverHandler for Leaver {
        fn stop(&mut self, ctx: &mut Context<LeaverMessage>) {
            ctx.stop();
        }
        fn reset(&mut self, ctx: &mut Context<LeaverMessage>) {
            ctx.reset();
        }
    }
    impl Drop for Leaver {
        fn drop(&mut self) {
            self.tally.add(10).expect("the tally lives");
            self.seen.send(self.tally.increment()).expect("the test listens");
        }
    }
    bounded(|| {
        let engine = engine_of_all();
        let tally = engine.client::<TallyMessage>().unwrap();
        let (seen, refusals) = mpsc::channel();
        let captured = tally.clone();
        let leaver = engine
            .pool(1, LeaverMessage::actor(move || Leaver { tally: captured.clone(), seen: seen.clone() }))
            .unwrap();
        leaver.reset().unwrap();
        assert!(is_undeclared(&receive(&refusals), "TallyMessage"));
        leaver.stop().unwrap();
        assert!(is_undeclared(&receive(&refusals), "TallyMessage"));
        assert_eq!(tally.count(), Ok(20));
    });
}

#[test]
fn the_closures_of_pipes_and_timers_may_send_and_may_not_wait() {
    bounded(|| {
        let engine = engine_of_all();
        let tally = engine.client::<TallyMessage>().unwrap();
        let (seen, refusals) = mpsc::channel();
        let captured = tally.clone();
        engine
            .call(MidMessage::run(Box::new(move |ctx| {
                let (piping, noted) = (captured.clone(), seen.clone());
                ctx.pipe(TallyMessage::count(), move |reply| {
                    assert!(reply.is_ok());
                    piping.add(10).expect("the tally lives");
                    noted.send(piping.increment()).expect("the test listens");
                    MidMessage::Later(Box::new(|_| ()))
                });
                let mut ticks = 0;
                let _timer = ctx.send_every(Duration::from_millis(1), move || {
                    ticks += 1;
                    if ticks == 1 {
                        captured.add(10).expect("the tally lives");
                        seen.send(captured.increment()).expect("the test listens");
                    }
                    MidMessage::Later(Box::new(|_| ()))
                });
            })))
            .unwrap();
        for refused in receive_many(&refusals, 2) {
            assert!(is_undeclared(&refused, "TallyMessage"));
        }
        assert_eq!(tally.count(), Ok(20));
    });
}
