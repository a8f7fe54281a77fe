//! A timer never fires early, never after it was cancelled, and ends with the state that set it.

use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::time::{Duration, Instant};

use zctor::{ActorEngine, Context, Timer, actor};
use zctor_tests::{Gate, bounded, receive, receive_many};

const PERIOD: Duration = Duration::from_millis(10);
const FAR: Duration = Duration::from_secs(3600);

/// The number of a tick, and when it was handled.
type Seen = (u64, Instant);

type Job = Box<dyn FnOnce(&mut Clock, &mut Context<ClockMessage>) + Send>;

#[actor(ctx)]
enum ClockMessage {
    #[reply(())]
    Run(Job),
    Tick(u64),
    #[reply(())]
    Reset,
    Stop,
    #[reply(())]
    Break,
}

struct Clock {
    timer: Option<Timer>,
    seen: Sender<Seen>,
}

impl ClockHandler for Clock {
    fn run(&mut self, ctx: &mut Context<ClockMessage>, job: Job) {
        job(self, ctx);
    }
    fn tick(&mut self, _: &mut Context<ClockMessage>, number: u64) {
        // A test that has seen enough may be gone.
        let _ = self.seen.send((number, now()));
    }
    fn reset(&mut self, ctx: &mut Context<ClockMessage>) {
        ctx.reset();
    }
    fn stop(&mut self, ctx: &mut Context<ClockMessage>) {
        ctx.stop();
    }
    fn r#break(&mut self, _: &mut Context<ClockMessage>) {
        panic!("the clock breaks");
    }
}

#[expect(clippy::disallowed_methods, reason = "the test measures a lower bound")]
fn now() -> Instant {
    Instant::now()
}

/// Asserts that nothing is received while `duration` passes.
#[track_caller]
fn assert_silent<T>(receiver: &Receiver<T>, duration: Duration) {
    match receiver.recv_timeout(duration) {
        Err(RecvTimeoutError::Timeout) => {}
        Err(RecvTimeoutError::Disconnected) => panic!("the clock is gone"),
        Ok(_) => panic!("something was received"),
    }
}

fn engine() -> (ActorEngine, ClockClient, Receiver<Seen>, Sender<Seen>) {
    let engine = ActorEngine::new();
    let (seen, ticks) = mpsc::channel();
    let sender = seen.clone();
    let clock = engine
        .pool(1, ClockMessage::actor(move || Clock { timer: None, seen: sender.clone() }))
        .expect("the factory does not fail");
    (engine, clock, ticks, seen)
}

/// Numbers the ticks from 0.
fn numbered() -> impl FnMut() -> ClockMessage {
    let mut number = 0;
    move || {
        number += 1;
        ClockMessage::Tick(number - 1)
    }
}

#[test]
fn a_delayed_message_comes_once_and_not_early() {
    bounded(|| {
        let (_engine, clock, ticks, _seen) = engine();
        let before = now();
        clock
            .run(Box::new(|clock, ctx| clock.timer = Some(ctx.send_after(2 * PERIOD, ClockMessage::Tick(7)))))
            .unwrap();
        let (number, at) = receive(&ticks);
        assert_eq!(number, 7);
        assert!(at - before >= 2 * PERIOD);
        assert_silent(&ticks, 3 * PERIOD);
    });
}

#[test]
fn a_timer_needs_nobody_to_hold_it() {
    bounded(|| {
        let (_engine, clock, ticks, _seen) = engine();
        clock
            .run(Box::new(|_, ctx| {
                drop(ctx.send_after(PERIOD, ClockMessage::Tick(1)));
                drop(ctx.send_after(Duration::ZERO, ClockMessage::Tick(0)));
            }))
            .unwrap();
        assert_eq!([receive(&ticks).0, receive(&ticks).0], [0, 1]);
    });
}

#[test]
fn delayed_messages_come_in_the_order_of_their_times() {
    bounded(|| {
        let (_engine, clock, ticks, _seen) = engine();
        clock
            .run(Box::new(|_, ctx| {
                for number in [3, 1, 4, 2, 0] {
                    let delay = PERIOD * u32::try_from(number + 1).expect("it is small");
                    drop(ctx.send_after(delay, ClockMessage::Tick(number)));
                }
            }))
            .unwrap();
        let numbers: Vec<_> = receive_many(&ticks, 5).into_iter().map(|(number, _)| number).collect();
        assert_eq!(numbers, [0, 1, 2, 3, 4]);
    });
}

#[test]
fn a_repeated_message_comes_each_period_and_not_early() {
    bounded(|| {
        let (_engine, clock, ticks, _seen) = engine();
        let before = now();
        clock.run(Box::new(|clock, ctx| clock.timer = Some(ctx.send_every(PERIOD, numbered())))).unwrap();
        for (number, (seen, at)) in receive_many(&ticks, 10).into_iter().enumerate() {
            assert_eq!(seen, u64::try_from(number).unwrap());
            let periods = u32::try_from(number + 1).unwrap();
            assert!(at - before >= PERIOD * periods, "tick {number} is early");
        }
    });
}

#[test]
fn a_stall_is_not_followed_by_a_burst() {
    bounded(|| {
        let (_engine, clock, ticks, _seen) = engine();
        clock.run(Box::new(|clock, ctx| clock.timer = Some(ctx.send_every(PERIOD, numbered())))).unwrap();
        receive(&ticks);
        let gate = Gate::new();
        let held = gate.clone();
        let stalled = clock.non_blocking().run(Box::new(move |_, _| held.pass()));
        gate.await_arrivals(1);
        // Twenty ticks fall due in the stall.
        let (_never, nothing) = mpsc::channel::<()>();
        let _ = nothing.recv_timeout(20 * PERIOD);
        while ticks.try_recv().is_ok() {}
        let opened = now();
        gate.open();
        stalled.wait().unwrap();
        // One for the stall, one that was nearly due; the rest comes at its pace.
        let after = receive_many(&ticks, 6);
        let (_, last) = after[5];
        assert!(last - opened >= 4 * PERIOD, "six ticks came within {:?}", last - opened);
    });
}

#[test]
fn no_tick_arrives_after_cancel() {
    bounded(|| {
        let (engine, clock, ticks, _seen) = engine();
        clock
            .run(Box::new(|clock, ctx| {
                clock.timer = Some(ctx.send_every(Duration::from_millis(1), numbered()));
            }))
            .unwrap();
        receive(&ticks);
        let gate = Gate::new();
        let held = gate.clone();
        let cancelled = clock.non_blocking().run(Box::new(move |clock, _| {
            // Some fall due meanwhile, and even those do not arrive any more.
            held.pass();
            clock.timer.take().expect("it was set").cancel();
        }));
        gate.await_arrivals(1);
        let (_never, nothing) = mpsc::channel::<()>();
        let _ = nothing.recv_timeout(2 * PERIOD);
        while ticks.try_recv().is_ok() {}
        gate.open();
        cancelled.wait().unwrap();
        assert_silent(&ticks, 3 * PERIOD);
        engine.settle();
        assert!(ticks.try_recv().is_err());
    });
}

#[test]
fn a_delayed_message_can_be_cancelled_and_cancel_may_be_repeated() {
    bounded(|| {
        let (_engine, clock, ticks, _seen) = engine();
        clock
            .run(Box::new(|clock, ctx| {
                let never = ctx.send_after(Duration::ZERO, ClockMessage::Tick(1));
                never.cancel();
                never.cancel();
                clock.timer = Some(ctx.send_after(PERIOD, ClockMessage::Tick(2)));
            }))
            .unwrap();
        assert_eq!(receive(&ticks).0, 2);
        // Too late, which is no fault.
        clock.run(Box::new(|clock, _| assert!(!clock.timer.take().expect("it was set").cancel()))).unwrap();
        assert_silent(&ticks, 2 * PERIOD);
    });
}

#[test]
fn cancelling_one_timer_leaves_the_others() {
    bounded(|| {
        let (_engine, clock, ticks, _seen) = engine();
        clock
            .run(Box::new(|_, ctx| {
                let timers: Vec<_> = (0..6).map(|number| ctx.send_after(PERIOD, ClockMessage::Tick(number))).collect();
                timers[0].cancel();
                timers[3].cancel();
                timers[5].cancel();
            }))
            .unwrap();
        let numbers: Vec<_> = receive_many(&ticks, 3).into_iter().map(|(number, _)| number).collect();
        assert_eq!(numbers, [1, 2, 4]);
        assert_silent(&ticks, 2 * PERIOD);
    });
}

#[test]
fn timers_end_with_a_reset() {
    ends_with(|clock| clock.reset().unwrap());
}

#[test]
fn timers_end_with_a_panic() {
    ends_with(|clock| assert!(clock.r#break().is_err()));
}

#[test]
fn timers_end_with_a_stop() {
    ends_with(|clock| clock.stop().unwrap());
}

/// Sets timers, ends the state by `end`, and sees that nothing ticks after it.
fn ends_with(end: impl FnOnce(&ClockClient) + Send + 'static) {
    bounded(move || {
        let (engine, clock, ticks, _seen) = engine();
        clock
            .run(Box::new(|clock, ctx| {
                clock.timer = Some(ctx.send_every(Duration::from_millis(1), numbered()));
                drop(ctx.send_after(3 * PERIOD, ClockMessage::Tick(1000)));
            }))
            .expect("the clock lives");
        receive(&ticks);
        end(&clock);
        engine.settle();
        let ended = now();
        while let Ok((_, at)) = ticks.try_recv() {
            assert!(at <= ended);
        }
        assert_silent(&ticks, 5 * PERIOD);
    });
}

#[test]
fn a_timer_of_the_far_future_holds_up_no_shutdown() {
    bounded(|| {
        let (engine, clock, ticks, _seen) = engine();
        clock
            .run(Box::new(|_, ctx| {
                drop(ctx.send_after(FAR, ClockMessage::Tick(1)));
                drop(ctx.send_after(Duration::MAX, ClockMessage::Tick(2)));
                drop(ctx.send_every(FAR, numbered()));
                drop(ctx.send_every(Duration::MAX, numbered()));
            }))
            .unwrap();
        engine.settle();
        let report = engine.shutdown().unwrap();
        assert_eq!((report.left, report.dead_letters), (0, 0));
        assert!(ticks.try_recv().is_err());
    });
}

#[test]
fn a_panic_in_the_closure_of_a_timer_takes_no_thread_down() {
    bounded(|| {
        let (engine, clock, _ticks, _seen) = engine();
        clock
            .run(Box::new(|_, ctx| {
                drop(ctx.send_every(Duration::from_millis(1), || panic!("the closure panics")));
                drop(ctx.send_after(PERIOD, ClockMessage::Tick(1)));
            }))
            .unwrap();
        let (_never, nothing) = mpsc::channel::<()>();
        let _ = nothing.recv_timeout(2 * PERIOD);
        clock.run(Box::new(|_, _| ())).unwrap();
        engine.shutdown().unwrap();
    });
}
