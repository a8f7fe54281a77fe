//! `settle` returns when the inside is quiet, so that tests need no sleeps.

use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use zctor::{ActorEngine, ActorThread, Context, actor};
use zctor_tests::{Counter, Gate, bounded};

const BOUNCES: u64 = if cfg!(miri) { 20 } else { 2000 };
const ROUNDS: usize = if cfg!(miri) { 3 } else { 100 };

#[actor(ctx)]
enum PingMessage {
    /// Goes to the other type, one less, until it is spent.
    Ping(u64),
    Hold(Gate),
    #[reply(())]
    Pipe(u64),
    Piped(Result<u64, zctor::CallError>),
    #[reply(())]
    Delay(Duration),
}

struct Ping(Counter);

impl PingHandler for Ping {
    fn ping(&mut self, ctx: &mut Context<PingMessage>, left: u64) {
        self.0.increment();
        if left > 0 {
            ctx.send(PongMessage::Pong(left - 1)).expect("the other lives");
        }
    }
    fn hold(&mut self, _: &mut Context<PingMessage>, gate: Gate) {
        gate.pass();
        self.0.increment();
    }
    fn pipe(&mut self, ctx: &mut Context<PingMessage>, value: u64) {
        ctx.pipe(PongMessage::same(value), PingMessage::Piped);
    }
    fn piped(&mut self, _: &mut Context<PingMessage>, outcome: Result<u64, zctor::CallError>) {
        self.0.add(outcome.expect("the other lives"));
    }
    fn delay(&mut self, ctx: &mut Context<PingMessage>, delay: Duration) {
        drop(ctx.send_after(delay, PingMessage::Ping(0)));
    }
}

#[actor(ctx)]
enum PongMessage {
    Pong(u64),
    #[reply(u64)]
    Same(u64),
}

struct Pong(Counter);

impl PongHandler for Pong {
    fn pong(&mut self, ctx: &mut Context<PongMessage>, left: u64) {
        self.0.increment();
        if left > 0 {
            ctx.send(PingMessage::Ping(left - 1)).expect("the other lives");
        }
    }
    fn same(&mut self, _: &mut Context<PongMessage>, value: u64) -> u64 {
        value
    }
}

fn engine(shared: bool) -> (ActorEngine, Counter) {
    let engine = ActorEngine::new();
    let handled = Counter::new();
    let (first, second) = (handled.clone(), handled.clone());
    let ping = ActorThread::new().register(PingMessage::actor(move || Ping(first.clone())));
    let pong = PongMessage::actor(move || Pong(second.clone()));
    if shared {
        engine.spawn(ping.register(pong)).expect("the factories do not fail");
    } else {
        engine.spawn(ping).expect("the factory does not fail");
        engine.spawn(ActorThread::new().register(pong)).expect("the factory does not fail");
    }
    (engine, handled)
}

#[test]
fn an_engine_with_nothing_to_do_is_settled() {
    bounded(|| {
        let engine = ActorEngine::new();
        engine.settle();
        engine.spawn(ActorThread::new().register(PongMessage::actor(|| Pong(Counter::new())))).unwrap();
        engine.settle();
        engine.shutdown().unwrap();
        engine.settle();
    });
}

#[test]
fn work_that_bounces_between_threads_is_done_when_settle_returns() {
    bounded(|| {
        for shared in [false, true] {
            let (engine, handled) = engine(shared);
            for round in 1..=u64::try_from(ROUNDS).unwrap() {
                engine.send(PingMessage::Ping(BOUNCES / 100)).unwrap();
                engine.settle();
                assert_eq!(handled.get(), round * (BOUNCES / 100 + 1), "shared: {shared}");
            }
            engine.send(PingMessage::Ping(BOUNCES)).unwrap();
            let before = handled.get();
            engine.settle();
            assert!(handled.get() >= before);
            assert_eq!(handled.get(), u64::try_from(ROUNDS).unwrap() * (BOUNCES / 100 + 1) + BOUNCES + 1);
        }
    });
}

#[test]
fn settle_waits_for_a_handler_that_is_running() {
    bounded(|| {
        let (engine, handled) = engine(false);
        let gate = Gate::new();
        engine.send(PingMessage::Hold(gate.clone())).unwrap();
        gate.await_arrivals(1);
        thread::scope(|scope| {
            let settled = scope.spawn(|| {
                engine.settle();
                handled.get()
            });
            let (_never, nothing) = mpsc::channel::<()>();
            let _ = nothing.recv_timeout(Duration::from_millis(20));
            gate.open();
            assert_eq!(settled.join().unwrap(), 1);
        });
    });
}

#[test]
fn settle_waits_for_what_a_pipe_turns_into() {
    bounded(|| {
        for shared in [false, true] {
            let (engine, handled) = engine(shared);
            for round in 1..=u64::try_from(ROUNDS).unwrap() {
                engine.call(PingMessage::pipe(3)).unwrap();
                engine.settle();
                assert_eq!(handled.get(), 3 * round, "shared: {shared}");
            }
        }
    });
}

#[test]
fn settle_does_not_wait_for_a_timer_that_is_not_due() {
    bounded(|| {
        let (engine, handled) = engine(false);
        engine.call(PingMessage::delay(Duration::from_secs(3600))).unwrap();
        engine.settle();
        assert_eq!(handled.get(), 0);
    });
}

#[test]
fn many_may_settle_at_once() {
    bounded(|| {
        let (engine, handled) = engine(false);
        engine.send(PingMessage::Ping(BOUNCES)).unwrap();
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    engine.settle();
                    assert_eq!(handled.get(), BOUNCES + 1);
                });
            }
        });
    });
}
