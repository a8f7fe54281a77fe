//! A blocking call cannot deadlock: a wait that could is refused at once, and one that is allowed serves its thread.
//!
//! The deadlocks that other libraries are known for are in `classic_deadlocks.rs`.

use std::future::Future;
use std::pin::pin;
use std::rc::Rc;
use std::sync::mpsc::{self, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{self, Poll, Waker};
use std::thread;
use std::time::Duration;

use zctor::{ActorEngine, ActorThread, CallError, Context, Pending, actor};
use zctor_tests::{Counter, Gate, LIMIT, bounded, receive, receive_many};

const TIMES: usize = if cfg!(miri) { 3 } else { 100 };

/// What a handler is to do, so that each test says so itself.
type Job<M> = Box<dyn FnOnce(&mut Context<M>) + Send>;

/// The callee of depth 0.
#[actor]
enum TallyMessage {
    #[reply(u64)]
    Increment,
    #[reply(u64)]
    Count,
    Add(u64),
    #[reply(())]
    Hold(Gate),
    #[reply(())]
    Fail,
}

#[derive(Default)]
struct Tally {
    count: u64,
}

impl TallyHandler for Tally {
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
    fn hold(&mut self, gate: Gate) {
        gate.pass();
    }
    fn fail(&mut self) {
        panic!("the tally fails");
    }
}

#[actor]
#[derive(Clone)]
enum BellMessage {
    Ring,
    #[reply(u64)]
    Rings,
}

#[derive(Default)]
struct Bell {
    rings: u64,
}

impl BellHandler for Bell {
    fn ring(&mut self) {
        self.rings += 1;
    }
    fn rings(&mut self) -> u64 {
        self.rings
    }
}

/// Depth 0: declares nobody, so it may wait for nobody.
#[actor(ctx)]
enum LowMessage {
    #[reply(())]
    Run(Job<LowMessage>),
    Later(Job<LowMessage>),
}

struct Low;

impl LowHandler for Low {
    fn run(&mut self, ctx: &mut Context<LowMessage>, job: Job<LowMessage>) {
        job(ctx);
    }
    fn later(&mut self, ctx: &mut Context<LowMessage>, job: Job<LowMessage>) {
        job(ctx);
    }
}

/// Depth 1.
#[actor(calls(TallyMessage))]
enum MidMessage {
    #[reply(())]
    Run(Job<MidMessage>),
    Later(Job<MidMessage>),
}

struct Mid;

impl MidHandler for Mid {
    fn run(&mut self, ctx: &mut Context<MidMessage>, job: Job<MidMessage>) {
        job(ctx);
    }
    fn later(&mut self, ctx: &mut Context<MidMessage>, job: Job<MidMessage>) {
        job(ctx);
    }
}

/// Depth 2.
#[actor(calls(MidMessage, TallyMessage))]
enum TopMessage {
    #[reply(())]
    Run(Job<TopMessage>),
    Later(Job<TopMessage>),
}

struct Top;

impl TopHandler for Top {
    fn run(&mut self, ctx: &mut Context<TopMessage>, job: Job<TopMessage>) {
        job(ctx);
    }
    fn later(&mut self, ctx: &mut Context<TopMessage>, job: Job<TopMessage>) {
        job(ctx);
    }
}

/// Depth 2 as well, and no kin of the top.
#[actor(calls(MidMessage))]
enum PeerMessage {
    Later(Job<PeerMessage>),
    #[reply(())]
    Run(Job<PeerMessage>),
}

struct Peer;

impl PeerHandler for Peer {
    fn later(&mut self, ctx: &mut Context<PeerMessage>, job: Job<PeerMessage>) {
        job(ctx);
    }
    fn run(&mut self, ctx: &mut Context<PeerMessage>, job: Job<PeerMessage>) {
        job(ctx);
    }
}

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<String>>>);

impl Log {
    fn note(&self, what: impl Into<String>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(what.into());
    }
    fn take(&self) -> Vec<String> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

fn is_undeclared<R>(result: &Result<R, CallError>, callee: &str) -> bool {
    matches!(result, Err(CallError::Undeclared { message, .. }) if *message == callee)
}

fn poll_once<R>(pending: &mut Pending<R>) -> Poll<Result<R, CallError>>
where
    Pending<R>: Future<Output = Result<R, CallError>> + Unpin,
{
    pin!(pending).poll(&mut task::Context::from_waker(Waker::noop()))
}

/// An engine with the tally on a thread, and one instance of each depth on threads of their own.
fn engine_of_all() -> ActorEngine {
    let engine = ActorEngine::new();
    for thread in [
        ActorThread::new().register(TallyMessage::actor(Tally::default)),
        ActorThread::new().register(LowMessage::actor(|| Low)),
        ActorThread::new().register(MidMessage::actor(|| Mid)),
        ActorThread::new().register(TopMessage::actor(|| Top)),
        ActorThread::new().register(PeerMessage::actor(|| Peer)),
    ] {
        engine.spawn(thread).expect("the factories do not fail");
    }
    engine
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
fn a_pending_refused_inside_stays_usable_outside() {
    bounded(|| {
        let engine = engine_of_all();
        let tally = engine.client::<TallyMessage>().unwrap();
        let (hand_out, handed_out) = mpsc::channel();
        let captured = tally.non_blocking();
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
fn a_waiting_handler_lets_lower_depths_of_its_thread_work_and_keeps_the_others_in_order() {
    bounded(|| {
        let engine = ActorEngine::new();
        // The tally that the top waits for is alone on thread 0; the rest shares thread 1.
        let tally = engine.pool(1, TallyMessage::actor(Tally::default)).unwrap();
        let shared = engine
            .spawn(
                ActorThread::new()
                    .register(LowMessage::actor(|| Low))
                    .register(MidMessage::actor(|| Mid))
                    .register(TopMessage::actor(|| Top))
                    .register(PeerMessage::actor(|| Peer)),
            )
            .unwrap();
        let top = engine.client::<TopMessage>().unwrap();
        let peer = engine.client::<PeerMessage>().unwrap();
        let low = engine.client::<LowMessage>().unwrap();
        let mid = engine.client::<MidMessage>().unwrap();
        let (gate, log) = (Gate::new(), Log::default());

        thread::scope(|scope| {
            let (held, noted, waiting) = (gate.clone(), log.clone(), top.clone());
            let call = scope.spawn(move || {
                waiting.run(Box::new(move |ctx| {
                    noted.note("top begins");
                    assert_eq!(ctx.call(TallyMessage::hold(held)), Ok(()));
                    noted.note("top ends");
                }))
            });
            gate.await_arrivals(1);

            // Its own depth, another type of the same depth, and the peer's timer wait.
            let noted = log.clone();
            peer.later(Box::new(move |_| noted.note("peer 0"))).unwrap();
            for number in 1..=3 {
                let noted = log.clone();
                peer.later(Box::new(move |_| noted.note(format!("peer {number}")))).unwrap();
                let noted = log.clone();
                top.later(Box::new(move |_| noted.note(format!("top {number}")))).unwrap();
            }

            // Lower depths serve messages, calls and nested calls.
            let noted = log.clone();
            low.run(Box::new(move |ctx| {
                assert_eq!(ctx.thread_id(), shared);
                noted.note("low");
            }))
            .unwrap();
            let noted = log.clone();
            mid.run(Box::new(move |ctx| {
                assert_eq!(ctx.thread_id(), shared);
                ctx.send(TallyMessage::Add(5)).expect("the tally lives");
                noted.note("mid");
            }))
            .unwrap();

            // Their timers fire, and they start instances.
            let (tick, ticks) = mpsc::channel();
            low.run(Box::new(move |ctx| {
                ctx.send_after(
                    Duration::from_millis(1),
                    LowMessage::Later(Box::new(move |_| {
                        tick.send(()).expect("the test listens");
                    })),
                );
            }))
            .unwrap();
            receive(&ticks);
            let (start, started) = mpsc::channel();
            low.run(Box::new(move |ctx| {
                let held = Rc::new(start);
                ctx.start::<NewcomerMessage>(move || Newcomer(held)).expect("the factory does not fail");
            }))
            .unwrap();
            assert_eq!(receive(&started), shared.index());

            assert_eq!(log.take(), ["top begins", "low", "mid"]);
            gate.open();
            call.join().unwrap().unwrap();
        });
        engine.settle();
        let after = log.take();
        assert_eq!(after[0], "top ends");
        let of = |who: &str| after.iter().filter(|line| line.starts_with(who)).cloned().collect::<Vec<_>>();
        assert_eq!(of("peer"), ["peer 0", "peer 1", "peer 2", "peer 3"]);
        assert_eq!(of("top "), ["top ends", "top 1", "top 2", "top 3"]);
        assert_eq!(tally.count(), Ok(5));
    });
}

#[actor(ctx)]
enum NewcomerMessage {
    Nothing,
}

struct Newcomer(Rc<Sender<usize>>);

impl NewcomerHandler for Newcomer {
    fn nothing(&mut self, _: &mut Context<NewcomerMessage>) {}
    fn on_start(&mut self, ctx: &mut Context<NewcomerMessage>) {
        self.0.send(ctx.thread_id().index()).expect("the test listens");
    }
}

#[test]
fn a_timer_of_the_waiting_depth_waits_and_fires_afterwards() {
    bounded(|| {
        let engine = ActorEngine::new();
        engine.pool(1, TallyMessage::actor(Tally::default)).unwrap();
        engine
            .spawn(
                ActorThread::new()
                    .register(LowMessage::actor(|| Low))
                    .register(TopMessage::actor(|| Top))
                    .register(PeerMessage::actor(|| Peer)),
            )
            .unwrap();
        let low = engine.client::<LowMessage>().unwrap();
        let (gate, log) = (Gate::new(), Log::default());
        let (fire, fired) = mpsc::channel();
        let noted = log.clone();
        engine
            .call(PeerMessage::run(Box::new(move |ctx| {
                ctx.send_after(
                    Duration::from_millis(20),
                    PeerMessage::Later(Box::new(move |_| {
                        noted.note("peer's timer");
                        fire.send(()).expect("the test listens");
                    })),
                );
            })))
            .unwrap();
        thread::scope(|scope| {
            let (held, noted, engine) = (gate.clone(), log.clone(), &engine);
            let call = scope.spawn(move || {
                engine.call(TopMessage::run(Box::new(move |ctx| {
                    // Should the peer's timer come before this, it is no fault of the wait below.
                    noted.take();
                    assert_eq!(ctx.call(TallyMessage::hold(held)), Ok(()));
                    noted.note("top ends");
                })))
            });
            gate.await_arrivals(1);
            let (tick, ticks) = mpsc::channel();
            low.run(Box::new(move |ctx| {
                ctx.send_after(
                    Duration::from_millis(40),
                    LowMessage::Later(Box::new(move |_| {
                        tick.send(()).expect("the test listens");
                    })),
                );
            }))
            .unwrap();
            // By now the peer's timer is due, and only the low one fires.
            receive(&ticks);
            assert_eq!(log.take(), Vec::<String>::new());
            gate.open();
            call.join().unwrap().unwrap();
        });
        receive(&fired);
        assert_eq!(log.take().first().map(String::as_str), Some("top ends"));
    });
}

#[test]
fn nested_waits_serve_only_what_is_below_the_innermost() {
    bounded(|| {
        let engine = ActorEngine::new();
        engine.pool(2, TallyMessage::actor(Tally::default)).unwrap();
        engine
            .spawn(
                ActorThread::new()
                    .register(LowMessage::actor(|| Low))
                    .register(MidMessage::actor(|| Mid))
                    .register(TopMessage::actor(|| Top)),
            )
            .unwrap();
        let log = Log::default();
        let (outer, inner) = (Gate::new(), Gate::new());
        thread::scope(|scope| {
            let (held, noted, handle) = (outer.clone(), log.clone(), engine.handle());
            let top = scope.spawn(move || {
                handle.call(TopMessage::run(Box::new(move |ctx| {
                    assert_eq!(ctx.call(TallyMessage::hold(held)), Ok(()));
                    noted.note("top ends");
                })))
            });
            outer.await_arrivals(1);
            // The middle one runs within the wait of the top, and waits itself.
            let (held, noted, handle) = (inner.clone(), log.clone(), engine.handle());
            let mid = scope.spawn(move || {
                handle.call(MidMessage::run(Box::new(move |ctx| {
                    assert_eq!(ctx.call(TallyMessage::hold(held)), Ok(()));
                    noted.note("mid ends");
                })))
            });
            inner.await_arrivals(1);
            let noted = log.clone();
            engine.send(MidMessage::Later(Box::new(move |_| noted.note("mid again")))).unwrap();
            let noted = log.clone();
            engine.call(LowMessage::run(Box::new(move |_| noted.note("low")))).unwrap();
            assert_eq!(log.take(), ["low"]);
            // The outer reply is there first, and still the inner frame has to end before.
            outer.open();
            inner.open();
            mid.join().unwrap().unwrap();
            top.join().unwrap().unwrap();
        });
        engine.settle();
        let log = log.take();
        let place = |what: &str| log.iter().position(|line| line == what).expect("it was noted");
        assert_eq!(log.len(), 3);
        assert!(place("mid ends") < place("top ends"), "{log:?}");
        assert!(place("mid ends") < place("mid again"), "{log:?}");
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
fn spawn_pool_and_start_inside_a_handler_wait_for_no_on_start() {
    /// Calls the spawner's own type back from its first message: were `on_start` waited for, nobody would go on.
    #[actor(calls(MidMessage))]
    enum YoungMessage {
        Nothing,
    }
    struct Young(Counter, Sender<Result<(), CallError>>);
    impl YoungHandler for Young {
        fn nothing(&mut self, _: &mut Context<YoungMessage>) {}
        fn on_start(&mut self, ctx: &mut Context<YoungMessage>) {
            let called = self.0.clone();
            let request = MidMessage::run(Box::new(move |_| {
                called.increment();
            }));
            self.1.send(ctx.call(request)).expect("the test listens");
        }
    }
    bounded(|| {
        let engine = engine_of_all();
        let (seen, replies) = mpsc::channel();
        let called = Counter::new();
        let counter = called.clone();
        engine
            .call(MidMessage::run(Box::new(move |ctx| {
                let young = || {
                    let (counter, seen) = (counter.clone(), seen.clone());
                    YoungMessage::actor(move || Young(counter.clone(), seen.clone()))
                };
                let handle = ctx.engine();
                handle.spawn(ActorThread::new().register(young())).expect("the factory does not fail");
                handle.pool(2, young()).expect("the factory does not fail");
                handle.start(young()).expect("the factory does not fail");
                ctx.start(young()).expect("the factory does not fail");
                assert_eq!(counter.get(), 0);
            })))
            .unwrap();
        assert_eq!(receive_many(&replies, 5), vec![Ok(()); 5]);
        assert_eq!(called.get(), 5);
    });
}

#[test]
fn a_panic_of_the_callee_ends_the_wait_inside_a_handler() {
    bounded(|| {
        let engine = engine_of_all();
        engine
            .call(MidMessage::run(Box::new(|ctx| {
                let Err(CallError::Panicked { text, .. }) = ctx.call(TallyMessage::fail()) else {
                    panic!("the callee panicked");
                };
                assert_eq!(&*text, "the tally fails");
                assert_eq!(ctx.call(TallyMessage::increment()), Ok(1));
            })))
            .unwrap();
    });
}

#[test]
fn restarts_and_stops_of_lower_depths_happen_while_a_handler_waits() {
    bounded(|| {
        let engine = ActorEngine::new();
        let tally = engine.pool(1, TallyMessage::actor(Tally::default)).unwrap();
        engine
            .spawn(
                ActorThread::new()
                    .register(LowMessage::actor(|| Low))
                    .register(LowMessage::actor(|| Low))
                    .register(TopMessage::actor(|| Top)),
            )
            .unwrap();
        let low = engine.client::<LowMessage>().unwrap();
        let [first, second] = [0, 1].map(|index| low.pin(low.instances()[index]));
        let gate = Gate::new();
        thread::scope(|scope| {
            let (held, engine) = (gate.clone(), &engine);
            let waiting = scope.spawn(move || {
                engine.call(TopMessage::run(Box::new(move |ctx| {
                    assert_eq!(ctx.call(TallyMessage::hold(held)), Ok(()));
                })))
            });
            gate.await_arrivals(1);
            // From the third panic on it rests before it is built again, and that passes too.
            for _ in 0..5 {
                let broken = first.run(Box::new(|_| panic!("the low one breaks")));
                assert!(matches!(broken, Err(CallError::Panicked { .. })));
                assert_eq!(first.run(Box::new(|_| ())), Ok(()));
            }
            assert_eq!(first.run(Box::new(|ctx| ctx.reset())), Ok(()));
            assert_eq!(first.run(Box::new(|_| ())), Ok(()));
            second.stop().unwrap();
            assert_eq!(second.run(Box::new(|_| ())), Err(CallError::Stopped { message: "LowMessage" }));
            assert_eq!(low.instances().len(), 1);
            gate.open();
            waiting.join().unwrap().unwrap();
        });
        assert_eq!(tally.count(), Ok(0));
        assert_eq!(engine.stats().restarts, 5);
    });
}

#[test]
fn call_all_reaches_instances_on_the_callers_own_thread() {
    #[actor(calls(BellMessage))]
    enum RingerMessage {
        #[reply(usize)]
        RingAll,
    }
    struct Ringer;
    impl RingerHandler for Ringer {
        fn ring_all(&mut self, ctx: &mut Context<RingerMessage>) -> usize {
            let bells = ctx.client::<BellMessage>().expect("they live");
            let all = bells.call_all(BellMessage::rings()).expect("they are declared");
            all.into_iter().filter(|(_, rings)| *rings == Ok(0)).count()
        }
    }
    bounded(|| {
        let engine = ActorEngine::new();
        for _ in 0..2 {
            engine
                .spawn(
                    ActorThread::new()
                        .register(BellMessage::actor(Bell::default))
                        .register(BellMessage::actor(Bell::default))
                        .register(RingerMessage::actor(|| Ringer)),
                )
                .unwrap();
        }
        // Both threads ask all four at once.
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..TIMES {
                        assert_eq!(engine.call(RingerMessage::ring_all()), Ok(4));
                    }
                });
            }
        });
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
