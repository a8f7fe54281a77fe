//! Of several replies the earliest comes first; those that are not taken are given up.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::mpsc::{self, Sender};
use std::task::{Context as TaskContext, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::Duration;

use zctor::{ActorEngine, CallError, Context, First, actor, first};
use zctor_tests::{Gate, LIMIT, SplitMix64, bounded, receive};

const ROUNDS: usize = if cfg!(miri) { 10 } else { 2_000 };

#[actor]
enum EchoMessage {
    /// Answers when the gate is open.
    #[reply(u64)]
    Hold(Gate, u64),
    #[reply(u64)]
    Echo(u64),
    #[reply(u64)]
    Break,
    #[reply(u64)]
    Handled,
}

#[derive(Default)]
struct Echo(u64);

impl EchoHandler for Echo {
    fn hold(&mut self, gate: Gate, value: u64) -> u64 {
        self.0 += 1;
        gate.pass();
        value
    }
    fn echo(&mut self, value: u64) -> u64 {
        self.0 += 1;
        value
    }
    fn r#break(&mut self) -> u64 {
        panic!("it breaks");
    }
    fn handled(&mut self) -> u64 {
        self.0
    }
}

fn echoes(count: usize) -> (ActorEngine, Vec<EchoClient>) {
    let engine = ActorEngine::new();
    let all = (0..count).map(|_| engine.start(EchoMessage::actor(Echo::default)).expect("no factory fails")).collect();
    (engine, all)
}

/// Polls on this thread until it is ready.
fn block_on<F: Future>(future: F) -> F::Output {
    struct Unpark(Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut TaskContext::from_waker(&waker)) {
            return output;
        }
        thread::park();
    }
}

#[test]
fn replies_come_in_the_order_of_their_answers() {
    bounded(|| {
        for by_await in [false, true] {
            let (_engine, echoes) = echoes(4);
            let gates: Vec<Gate> = (0..4).map(|_| Gate::new()).collect();
            let calls = echoes.iter().zip(&gates).enumerate();
            let mut replies =
                first(calls.map(|(index, (echo, gate))| echo.non_blocking().hold(gate.clone(), 10 + index as u64)));
            for index in [2, 0, 3, 1] {
                gates[index].open();
                let reply = if by_await { block_on(&mut replies) } else { replies.wait() };
                assert_eq!(reply, Ok(Some((index, Ok(10 + index as u64)))));
            }
            assert!(replies.is_empty());
            assert_eq!(replies.wait(), Ok(None));
            assert_eq!(block_on(replies), Ok(None));
        }
    });
}

#[test]
fn what_is_not_taken_is_given_up_and_skipped_if_not_begun() {
    bounded(|| {
        let (engine, echoes) = echoes(2);
        let gate = Gate::new();
        let busy = echoes[0].non_blocking().hold(gate.clone(), 1);
        gate.await_arrivals(1);
        let mut replies = first([echoes[0].non_blocking().echo(2), echoes[1].non_blocking().echo(3)]);
        assert_eq!(replies.wait(), Ok(Some((1, Ok(3)))));
        assert_eq!(replies.len(), 1);
        drop(replies);
        gate.open();
        assert_eq!(busy.wait(), Ok(1));
        assert_eq!(echoes[0].handled(), Ok(1), "the call that had not begun was skipped");
        assert_eq!(engine.shutdown().unwrap().skipped, 1);
    });
}

#[test]
fn a_limit_leaves_all_calls_on_their_way() {
    bounded(|| {
        let (_engine, echoes) = echoes(1);
        let gate = Gate::new();
        let mut replies = first([echoes[0].non_blocking().hold(gate.clone(), 5)]);
        assert_eq!(replies.wait_timeout(Duration::from_millis(10)), Ok(None));
        assert_eq!(replies.len(), 1);
        gate.open();
        assert_eq!(replies.wait_timeout(LIMIT), Ok(Some((0, Ok(5)))));
    });
}

#[test]
fn a_call_that_fails_or_is_late_is_a_reply() {
    bounded(|| {
        for by_await in [false, true] {
            let (_engine, echoes) = echoes(3);
            let gate = Gate::new();
            let late = echoes[0].within(Duration::from_millis(10)).non_blocking().hold(gate.clone(), 1);
            let mut replies = first([late, echoes[1].non_blocking().hold(gate.clone(), 2)]);
            let reply = if by_await { block_on(&mut replies) } else { replies.wait() };
            let Ok(Some((0, Err(CallError::Timeout { .. })))) = reply else { panic!("{reply:?}") };
            gate.open();
            assert_eq!(replies.wait(), Ok(Some((1, Ok(2)))));
            let mut broken = first([echoes[2].non_blocking().r#break()]);
            assert!(matches!(broken.wait(), Ok(Some((0, Err(CallError::Panicked { .. }))))));
            echoes[2].stop().unwrap();
            let mut refused = first([echoes[2].non_blocking().echo(1)]);
            assert!(matches!(refused.wait(), Ok(Some((0, Err(CallError::Stopped { .. }))))));
        }
    });
}

/// What a pipe gives.
type Won = Option<(usize, Result<u64, CallError>)>;
/// What a wait gives.
type Seen = Result<Won, CallError>;

#[actor(calls(EchoMessage))]
enum RacerMessage {
    #[reply(Seen)]
    Race(Vec<EchoClient>),
    /// Waits in vain under its caller's deadline, and hands the replies on.
    #[reply(())]
    Late(EchoClient, Gate, Sender<(Seen, First<u64>)>),
    Piped(EchoClient, EchoClient, Gate, Sender<Won>),
    #[msg(internal)]
    Won(Won),
}

#[derive(Default)]
struct Racer(Option<Sender<Won>>);

impl RacerHandler for Racer {
    fn race(&mut self, _: &mut Context<RacerMessage>, echoes: Vec<EchoClient>) -> Seen {
        first(echoes.iter().map(|echo| echo.non_blocking().echo(8))).wait()
    }
    fn late(&mut self, _: &mut Context<RacerMessage>, echo: EchoClient, gate: Gate, seen: Sender<(Seen, First<u64>)>) {
        let mut replies = first([echo.non_blocking().hold(gate, 9)]);
        let outcome = replies.wait();
        seen.send((outcome, replies)).expect("the test listens");
    }
    fn piped(
        &mut self,
        ctx: &mut Context<RacerMessage>,
        slow: EchoClient,
        fast: EchoClient,
        gate: Gate,
        won: Sender<Won>,
    ) {
        self.0 = Some(won);
        ctx.pipe(first([slow.non_blocking().hold(gate, 1), fast.non_blocking().echo(2)]), RacerMessage::Won);
    }
    fn won(&mut self, _: &mut Context<RacerMessage>, reply: Won) {
        if let Some(won) = self.0.take() {
            won.send(reply).expect("the test listens");
        }
    }
}

/// Waits for what it may not wait for.
#[actor]
enum LeafMessage {
    #[reply(Seen)]
    Race(EchoClient),
}

struct Leaf;

impl LeafHandler for Leaf {
    fn race(&mut self, echo: EchoClient) -> Seen {
        let mut replies = first([echo.non_blocking().echo(1)]);
        let refused = replies.wait();
        assert_eq!(replies.len(), 1, "it is on its way still");
        refused
    }
}

#[test]
fn a_handler_may_wait_for_lower_depths_only_and_its_time_leaves_the_calls_on_their_way() {
    bounded(|| {
        let (engine, echoes) = echoes(2);
        let racer: RacerClient = engine.pool(1, RacerMessage::actor(Racer::default)).unwrap();
        assert!(matches!(racer.race(echoes.clone()), Ok(Ok(Some((_, Ok(8)))))));
        let leaf: LeafClient = engine.pool(1, LeafMessage::actor(|| Leaf)).unwrap();
        assert!(matches!(leaf.race(echoes[0].clone()), Ok(Err(CallError::Undeclared { .. }))));

        let (gate, (tell, seen)) = (Gate::new(), mpsc::channel());
        let late = racer.within(Duration::from_millis(300)).late(echoes[0].clone(), gate.clone(), tell);
        // The handler may return just before its caller gives up.
        assert!(matches!(late, Ok(()) | Err(CallError::Timeout { begun: true, .. })));
        let (outcome, mut replies) = receive(&seen);
        assert!(matches!(outcome, Err(CallError::HandlerTimeout { .. })));
        gate.open();
        assert_eq!(replies.wait(), Ok(Some((0, Ok(9)))));

        let (gate, (tell, won)) = (Gate::new(), mpsc::channel());
        racer.piped(echoes[0].clone(), echoes[1].clone(), gate.clone(), tell).unwrap();
        assert_eq!(receive(&won), Some((1, Ok(2))));
        gate.open();

        // The reply is there when the pipe is made: that of a call which is refused at once.
        echoes[1].stop().unwrap();
        engine.settle();
        let (gate, (tell, won)) = (Gate::new(), mpsc::channel());
        racer.piped(echoes[0].clone(), echoes[1].clone(), gate.clone(), tell).unwrap();
        assert!(matches!(receive(&won), Some((1, Err(CallError::Stopped { .. })))));
        gate.open();
    });
}

#[test]
fn of_replies_that_are_there_the_one_that_was_given_first_comes_first() {
    bounded(|| {
        let (_engine, echoes) = echoes(2);
        let gate = Gate::new();
        let answered_last = echoes[0].non_blocking().hold(gate.clone(), 1);
        let answered_first = echoes[1].non_blocking().echo(2);
        assert_eq!(echoes[1].handled(), Ok(1)); // behind its answer
        gate.open();
        assert_eq!(echoes[0].handled(), Ok(1));
        let mut replies = first([answered_last, answered_first]);
        assert_eq!(replies.wait(), Ok(Some((0, Ok(1)))));
        assert_eq!(replies.wait(), Ok(Some((1, Ok(2)))));
    });
}

/// Every reply is taken once, whatever the order in which they come and the way in which they are waited for.
#[test]
fn every_reply_of_a_storm_is_taken_once() {
    bounded(|| {
        let (engine, echoes) = echoes(4);
        let mut random = SplitMix64::new(20);
        for round in 0..ROUNDS {
            let count = 1 + random.below(8);
            let calls = (0..count).map(|index| echoes[random.below(4)].non_blocking().echo(index as u64));
            let mut replies = first(calls.collect::<Vec<_>>());
            let mut taken = vec![false; count];
            while !replies.is_empty() {
                let reply = match round % 3 {
                    0 => replies.wait(),
                    1 => replies.wait_timeout(Duration::from_micros(random.below(20) as u64)),
                    _ => block_on(&mut replies),
                };
                if let Some((index, value)) = reply.unwrap() {
                    assert_eq!(value, Ok(index as u64));
                    assert!(!std::mem::replace(&mut taken[index], true), "{index} came twice");
                }
            }
            assert!(taken.iter().all(|taken| *taken));
        }
        let report = engine.shutdown().unwrap();
        assert_eq!((report.skipped, report.dead_letters), (0, 0));
    });
}
