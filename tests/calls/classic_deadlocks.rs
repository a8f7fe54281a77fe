//! The deadlocks that other actor libraries are known for: here each of these tests ends.
//!
//! Those whose cause is the depth of calls have more cases beside this: `depth.rs` and `refused_waits.rs` say who may
//! wait for whom, `serving.rs` that `spawn`, `pool` and `start` wait for no `on_start`. A handler that does not return
//! while its engine stops is in `stopping/deadline.rs`, drops and clones that use the engine are in
//! `failures/reentrancy.rs`.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use zctor::{ActorEngine, ActorThread, CallError, Context, Message, Overflow, Restart, SpawnError, actor};
use zctor_tests::{Counter, Gate, bounded, receive, receive_many};

const TIMES: usize = if cfg!(miri) { 3 } else { 100 };

/// What a handler is to do, so that each test says so itself.
type Job<M> = Box<dyn FnOnce(&mut Context<M>) + Send>;

/// Declares nobody, so it may wait for nobody.
#[actor(ctx)]
enum LowMessage {
    #[reply(())]
    Run(Job<LowMessage>),
    Later(Job<LowMessage>),
}

/// Waits for the low ones.
#[actor(calls(LowMessage))]
enum MidMessage {
    #[reply(())]
    Run(Job<MidMessage>),
    Later(Job<MidMessage>),
}

/// Waits for the others.
#[actor(calls(MidMessage, LowMessage))]
enum TopMessage {
    #[reply(())]
    Run(Job<TopMessage>),
    Later(Job<TopMessage>),
}

struct Worker;

macro_rules! works {
    ($($handler:ident $message:ident),*) => {$(
        impl $handler for Worker {
            fn run(&mut self, ctx: &mut Context<$message>, job: Job<$message>) {
                job(ctx);
            }
            fn later(&mut self, ctx: &mut Context<$message>, job: Job<$message>) {
                job(ctx);
            }
        }
    )*};
}

works!(LowHandler LowMessage, MidHandler MidMessage, TopHandler TopMessage);

fn low() -> zctor::Actor<LowMessage, Worker> {
    LowMessage::actor(|| Worker)
}

fn mid() -> zctor::Actor<MidMessage, Worker> {
    MidMessage::actor(|| Worker)
}

fn top() -> zctor::Actor<TopMessage, Worker> {
    TopMessage::actor(|| Worker)
}

/// One instance of each, all on one thread, or each on its own.
fn one_of_each(on_one_thread: bool) -> ActorEngine {
    let engine = ActorEngine::new();
    let threads = if on_one_thread {
        vec![ActorThread::new().register(low()).register(mid()).register(top())]
    } else {
        let alone = ActorThread::new;
        vec![alone().register(low()), alone().register(mid()), alone().register(top())]
    };
    for thread in threads {
        engine.spawn(thread).expect("the factories do not fail");
    }
    engine
}

/// A job that raises `counter`.
fn raise<M: Message>(counter: &Counter) -> Job<M> {
    let counter = counter.clone();
    Box::new(move |_| {
        counter.increment();
    })
}

fn is_undeclared<R>(result: &Result<R, CallError>) -> bool {
    matches!(result, Err(CallError::Undeclared { .. }))
}

#[test]
fn an_instance_that_calls_itself_is_refused() {
    for on_one_thread in [true, false] {
        bounded(move || {
            let engine = one_of_each(on_one_thread);
            let itself = engine.client::<LowMessage>().unwrap();
            itself
                .clone()
                .run(Box::new(move |ctx| {
                    assert!(is_undeclared(&itself.run(Box::new(|_| panic!("it never runs")))));
                    assert!(is_undeclared(&ctx.me().run(Box::new(|_| panic!("it never runs")))));
                    assert!(is_undeclared(&ctx.engine().call(LowMessage::run(Box::new(|_| panic!("it never runs"))))));
                    // What was requested already runs later; only the wait is refused.
                    let pending = ctx.me().non_blocking().run(Box::new(|_| ()));
                    assert!(is_undeclared(&pending.wait()));
                    assert!(
                        pending.wait_timeout(Duration::from_secs(60)).is_some_and(|refused| is_undeclared(&refused))
                    );
                    pending.detach();
                }))
                .unwrap();
            engine.settle();
            assert_eq!(engine.stats().handled(), 2);
        });
    }
}

#[test]
fn an_instance_that_calls_back_its_caller_is_refused() {
    for on_one_thread in [true, false] {
        bounded(move || {
            let engine = one_of_each(on_one_thread);
            // Down by declarations, and back up by the handle, over one step and over two.
            engine
                .call(TopMessage::run(Box::new(|ctx| {
                    let asked = MidMessage::run(Box::new(|ctx| {
                        let back = ctx.engine().call(TopMessage::run(Box::new(|_| panic!("it never runs"))));
                        assert!(is_undeclared(&back));
                        let asked = LowMessage::run(Box::new(|ctx| {
                            let top = ctx.engine().client::<TopMessage>().expect("it lives");
                            assert!(is_undeclared(&top.run(Box::new(|_| panic!("it never runs")))));
                            let mid = ctx.engine().client::<MidMessage>().expect("it lives");
                            assert!(is_undeclared(&mid.run(Box::new(|_| panic!("it never runs")))));
                        }));
                        assert_eq!(ctx.call(asked), Ok(()));
                    }));
                    assert_eq!(ctx.call(asked), Ok(()));
                })))
                .unwrap();
        });
    }
}

#[test]
fn two_instances_that_call_each_other_at_once_both_end() {
    for on_one_thread in [true, false] {
        bounded(move || {
            let engine = one_of_each(on_one_thread);
            for _ in 0..TIMES {
                // On threads of their own, both are in their handlers before either calls.
                let both = Gate::new();
                if on_one_thread {
                    both.open();
                }
                let (down, up) = (both.clone(), both.clone());
                thread::scope(|scope| {
                    let top = scope.spawn(|| {
                        engine.call(TopMessage::run(Box::new(move |ctx| {
                            down.pass();
                            assert_eq!(ctx.call(MidMessage::run(Box::new(|_| ()))), Ok(()));
                        })))
                    });
                    let mid = scope.spawn(|| {
                        engine.call(MidMessage::run(Box::new(move |ctx| {
                            up.pass();
                            assert!(is_undeclared(&ctx.engine().call(TopMessage::run(Box::new(|_| ())))));
                        })))
                    });
                    if !on_one_thread {
                        both.await_arrivals(2);
                        both.open();
                    }
                    assert_eq!(top.join().unwrap(), Ok(()));
                    assert_eq!(mid.join().unwrap(), Ok(()));
                });
            }
        });
    }
}

#[test]
fn two_instances_that_call_the_neighbours_of_each_other_both_end() {
    bounded(|| {
        let engine = ActorEngine::new();
        for _ in 0..2 {
            engine.spawn(ActorThread::new().register(low()).register(mid()).register(top())).unwrap();
        }
        let (low, mid) = (engine.client::<LowMessage>().unwrap(), engine.client::<MidMessage>().unwrap());
        let (lows, mids) = (low.instances(), mid.instances());
        let called = Counter::new();
        for _ in 0..TIMES {
            // Both are in their handlers before either calls.
            let both = Gate::new();
            thread::scope(|scope| {
                let calls = [0, 1].map(|here| {
                    let (mid, neighbour) = (mid.pin(mids[here]), low.pin(lows[1 - here]));
                    let (both, called) = (both.clone(), called.clone());
                    scope.spawn(move || {
                        mid.run(Box::new(move |_| {
                            both.pass();
                            neighbour.run(raise(&called)).expect("the neighbour answers");
                        }))
                    })
                });
                both.await_arrivals(2);
                both.open();
                for call in calls {
                    call.join().unwrap().unwrap();
                }
            });
        }
        assert_eq!(called.get(), 2 * TIMES as u64);
    });
}

#[test]
fn neighbours_of_instances_that_wait_crosswise_are_served() {
    bounded(|| {
        // Each top one waits for the mid one of the other thread, and that for the low one of the first.
        let engine = ActorEngine::new();
        for _ in 0..2 {
            engine.spawn(ActorThread::new().register(low()).register(mid()).register(top())).unwrap();
        }
        let low = engine.client::<LowMessage>().unwrap();
        let mid = engine.client::<MidMessage>().unwrap();
        let top = engine.client::<TopMessage>().unwrap();
        for _ in 0..TIMES {
            let both = Gate::new();
            thread::scope(|scope| {
                let calls = [0, 1].map(|here| {
                    let top = top.pin(top.instances()[here]);
                    let mid = mid.pin(mid.instances()[1 - here]);
                    let low = low.pin(low.instances()[here]);
                    let both = both.clone();
                    scope.spawn(move || {
                        top.run(Box::new(move |_| {
                            both.pass();
                            let down =
                                move |_: &mut Context<MidMessage>| low.run(Box::new(|_| ())).expect("it answers");
                            mid.run(Box::new(down)).expect("it answers");
                        }))
                    })
                });
                both.await_arrivals(2);
                both.open();
                for call in calls {
                    call.join().unwrap().unwrap();
                }
            });
        }
    });
}

/// Sends from outside until the mailbox is full; gives how many went in.
fn fill(send: impl Fn() -> Result<(), CallError>) -> u64 {
    let mut sent = 0;
    loop {
        match send() {
            Ok(()) => sent += 1,
            Err(CallError::Full { .. }) => return sent,
            Err(error) => panic!("it is full at the worst: {error}"),
        }
    }
}

#[test]
fn two_instances_with_full_mailboxes_send_to_and_call_each_other() {
    bounded(|| {
        let engine = ActorEngine::new();
        let bound = 2;
        for thread in [ActorThread::new().register(low()), ActorThread::new().register(mid())] {
            engine.spawn(thread.mailbox_bound(bound).overflow(Overflow::Wait)).unwrap();
        }
        let (low, mid) = (engine.client::<LowMessage>().unwrap(), engine.client::<MidMessage>().unwrap());
        // Both are in their handlers until both mailboxes are full.
        let (full, came) = (Gate::new(), Counter::new());
        let (held, count, there) = (full.clone(), came.clone(), mid.clone());
        let from_low = low.non_blocking().run(Box::new(move |ctx| {
            held.pass();
            for _ in 0..TIMES {
                ctx.send(MidMessage::Later(raise(&count))).expect("inside it goes through");
                there.later(raise(&count)).expect("inside it goes through");
            }
        }));
        let (held, count, there) = (full.clone(), came.clone(), low.clone());
        let from_mid = mid.non_blocking().run(Box::new(move |ctx| {
            held.pass();
            for _ in 0..TIMES {
                there.later(raise(&count)).expect("inside it goes through");
                ctx.call(LowMessage::run(raise(&count))).expect("inside it goes through");
            }
        }));
        full.await_arrivals(2);
        let to_low = fill(|| Ok(low.non_blocking().later(Box::new(|_| ()))?));
        let to_mid = fill(|| Ok(mid.non_blocking().later(Box::new(|_| ()))?));
        assert_eq!((to_low, to_mid), (bound as u64, bound as u64));
        thread::scope(|scope| {
            // Those outside wait for room.
            let outside = [
                scope.spawn(|| low.run(Box::new(|_| ()))),
                scope.spawn(|| mid.run(Box::new(|_| ()))),
                scope.spawn(|| Ok(low.later(Box::new(|_| ()))?)),
                scope.spawn(|| Ok(mid.later(Box::new(|_| ()))?)),
            ];
            full.open();
            assert_eq!((from_low.wait(), from_mid.wait()), (Ok(()), Ok(())));
            for sender in outside {
                assert_eq!(sender.join().unwrap(), Ok(()));
            }
        });
        engine.settle();
        assert_eq!(came.get(), 4 * TIMES as u64);
        let report = engine.shutdown().unwrap();
        assert_eq!(report.handled(), 4 * TIMES as u64 + 2 * bound as u64 + 6);
        assert_eq!((report.panicked(), report.dead_letters), (0, 0));
    });
}

/// Sends to itself until `enough`.
fn send_to_itself(ctx: &mut Context<LowMessage>, enough: Arc<AtomicBool>, sent: Counter) {
    sent.increment();
    if !enough.load(Ordering::SeqCst) {
        ctx.me().later(Box::new(move |ctx| send_to_itself(ctx, enough, sent))).expect("it lives");
    }
}

#[test]
fn calls_to_an_instance_that_sends_to_itself_without_end_are_answered() {
    for on_one_thread in [true, false] {
        bounded(move || {
            let engine = one_of_each(on_one_thread);
            let low = engine.client::<LowMessage>().unwrap();
            let (enough, sent) = (Arc::new(AtomicBool::new(false)), Counter::new());
            let (stop, count) = (Arc::clone(&enough), sent.clone());
            low.later(Box::new(move |ctx| send_to_itself(ctx, stop, count))).unwrap();
            for _ in 0..TIMES {
                // From outside, and from a handler.
                assert_eq!(low.run(Box::new(|_| ())), Ok(()));
                let ask = |ctx: &mut Context<MidMessage>| {
                    assert_eq!(ctx.call(LowMessage::run(Box::new(|_| ()))), Ok(()));
                };
                assert_eq!(engine.call(MidMessage::run(Box::new(ask))), Ok(()));
            }
            assert!(sent.get() > 0);
            // It went on all the time.
            assert!(!enough.swap(true, Ordering::SeqCst));
            engine.settle();
        });
    }
}

#[test]
fn a_callee_that_backs_off_on_the_thread_of_its_caller_answers_when_it_is_back() {
    bounded(|| {
        let rest = Duration::from_millis(5);
        let engine = ActorEngine::new();
        let resting = low().restart(Restart::always().backoff(rest, rest));
        engine.spawn(ActorThread::new().register(resting).register(mid()).register(top())).unwrap();
        let restarts = 5;
        engine
            .call(TopMessage::run(Box::new(move |ctx| {
                for _ in 0..restarts {
                    let broken = ctx.call(LowMessage::run(Box::new(|_| panic!("the callee breaks"))));
                    assert!(matches!(broken, Err(CallError::Panicked { .. })));
                    // Held while it rests, from the third panic on; over one frame, and over two. Mail keeps its order.
                    let (noted, seen) = mpsc::channel();
                    ctx.send(LowMessage::Later(Box::new(move |_| noted.send(()).expect("it listens"))))
                        .expect("it lives");
                    assert_eq!(
                        ctx.call(LowMessage::run(Box::new(move |_| seen.try_recv().expect("in order")))),
                        Ok(())
                    );
                    let broken = ctx.call(LowMessage::run(Box::new(|_| panic!("the callee breaks"))));
                    assert!(matches!(broken, Err(CallError::Panicked { .. })));
                    let down = MidMessage::run(Box::new(|ctx| {
                        assert_eq!(ctx.call(LowMessage::run(Box::new(|_| ()))), Ok(()));
                    }));
                    assert_eq!(ctx.call(down), Ok(()));
                }
            })))
            .unwrap();
        assert_eq!(engine.stats().restarts, 2 * restarts);
    });
}

#[test]
fn a_spawn_inside_a_handler_ends_though_its_factories_need_the_spawner() {
    /// Its factory tries all ways to reach the one that spawns it.
    #[actor]
    enum BornMessage {
        #[reply(())]
        Touch,
    }
    struct Born;
    impl BornHandler for Born {
        fn touch(&mut self) {}
    }
    for on_one_thread in [true, false] {
        bounded(move || {
            let engine = one_of_each(on_one_thread);
            let (spawner, low) = (engine.client::<MidMessage>().unwrap(), engine.client::<LowMessage>().unwrap());
            let (tell, told) = mpsc::channel();
            let handle = engine.handle();
            let factory = {
                let spawner = spawner.clone();
                move || {
                    // It may not wait for its spawner, nor for anybody whom the spawner's thread would have to serve.
                    assert!(is_undeclared(&spawner.run(Box::new(|_| panic!("it never runs")))));
                    assert!(is_undeclared(&handle.call(LowMessage::run(Box::new(|_| panic!("it never runs"))))));
                    assert!(is_undeclared(&low.non_blocking().run(Box::new(|_| ())).wait()));
                    // What it sends comes when the spawner is through.
                    let tell = tell.clone();
                    spawner.later(Box::new(move |_| tell.send(()).expect("the test listens"))).expect("it lives");
                    Born
                }
            };
            spawner
                .run(Box::new(move |ctx| {
                    let born = || BornMessage::actor(factory.clone());
                    let handle = ctx.engine();
                    handle.spawn(ActorThread::new().register(born())).expect("the factory does not fail");
                    handle.pool(2, born()).expect("the factory does not fail");
                    handle.start(born()).expect("the factory does not fail");
                    let child = ctx.start(born()).expect("the factory does not fail");
                    // All are there at once.
                    assert_eq!(child.touch(), Ok(()));
                    assert_eq!(handle.call(BornMessage::touch()), Ok(()));
                }))
                .unwrap();
            receive_many(&told, 5);
        });
    }
}

#[test]
fn a_factory_that_fails_inside_a_handler_ends_the_spawn() {
    bounded(|| {
        let engine = one_of_each(true);
        engine
            .call(MidMessage::run(Box::new(|ctx| {
                let broken = || LowMessage::actor(|| -> Worker { panic!("the factory breaks") });
                let spawned = ctx.engine().spawn(ActorThread::new().register(mid()).register(broken()));
                assert!(matches!(spawned, Err(SpawnError::FactoryPanicked { .. })));
                assert!(matches!(ctx.start(broken()), Err(SpawnError::FactoryPanicked { .. })));
            })))
            .unwrap();
    });
}

/// Calls at once when it starts.
#[actor(calls(LowMessage))]
enum EagerMessage {
    #[reply(())]
    Touch,
}

struct Eager {
    whom: Option<LowClient>,
    both: Gate,
    called: Counter,
}

impl EagerHandler for Eager {
    fn touch(&mut self, _: &mut Context<EagerMessage>) {}
    fn on_start(&mut self, ctx: &mut Context<EagerMessage>) {
        self.both.pass();
        let result = match &self.whom {
            Some(low) => low.run(raise(&self.called)),
            None => ctx.call(LowMessage::run(raise(&self.called))),
        };
        assert_eq!(result, Ok(()));
    }
}

#[test]
fn a_call_from_on_start_reaches_neighbours_that_have_not_started_yet() {
    bounded(|| {
        let engine = ActorEngine::new();
        let (both, called) = (Gate::new(), Counter::new());
        both.open();
        let eager = {
            let called = called.clone();
            EagerMessage::actor(move || Eager { whom: None, both: both.clone(), called: called.clone() })
        };
        // Its callee comes after it on the same thread.
        engine.spawn(ActorThread::new().register(eager).register(low())).unwrap();
        assert_eq!(engine.call(EagerMessage::touch()), Ok(()));
        assert_eq!(called.get(), 1);
    });
}

#[test]
fn two_that_call_the_neighbours_of_each_other_from_on_start_both_start() {
    bounded(|| {
        for _ in 0..TIMES {
            let engine = ActorEngine::new();
            for _ in 0..2 {
                engine.spawn(ActorThread::new().register(low()).register(mid())).unwrap();
            }
            let low = engine.client::<LowMessage>().unwrap();
            let mid = engine.client::<MidMessage>().unwrap();
            let (both, called) = (Gate::new(), Counter::new());
            for here in [0, 1] {
                let whom = low.pin(low.instances()[1 - here]);
                let (both, called) = (both.clone(), called.clone());
                // Started by a handler, and so on that handler's thread.
                mid.pin(mid.instances()[here])
                    .later(Box::new(move |ctx| {
                        let eager = Eager { whom: Some(whom), both, called };
                        ctx.start::<EagerMessage>(move || eager).expect("the factory does not fail");
                    }))
                    .unwrap();
            }
            // Both are in `on_start` before either calls.
            both.await_arrivals(2);
            both.open();
            engine.settle();
            assert_eq!(called.get(), 2);
            assert_eq!(engine.shutdown().unwrap().panicked(), 0);
        }
    });
}

#[test]
fn a_call_to_an_instance_that_stops_meanwhile_ends() {
    for on_one_thread in [true, false] {
        bounded(move || {
            let engine = one_of_each(on_one_thread);
            let low = engine.client::<LowMessage>().unwrap();
            let pinned = low.pin(low.instances()[0]);
            let stopped = CallError::Stopped { message: "LowMessage" };
            // A call from outside and, on a thread of its own, one from a handler are queued behind the message that
            // ends their callee; others come later.
            let gate = Gate::new();
            let (held, hold) = (gate.clone(), pinned.clone());
            let stopping = hold.non_blocking().run(Box::new(move |ctx| {
                held.pass();
                ctx.stop();
            }));
            gate.await_arrivals(1);
            let outside = pinned.non_blocking().run(Box::new(|_| panic!("it never runs")));
            let callee = pinned.clone();
            let (asked, was_asked) = mpsc::channel();
            let inside = engine.client::<MidMessage>().unwrap().non_blocking().run(Box::new(move |ctx| {
                let pending = callee.non_blocking().run(Box::new(|_| panic!("it never runs")));
                asked.send(()).expect("the test listens");
                assert_eq!(pending.wait(), Err(CallError::Stopped { message: "LowMessage" }));
                // By turn nobody is left.
                let gone = ctx.call(LowMessage::run(Box::new(|_| panic!("it never runs"))));
                assert_eq!(gone, Err(CallError::NotRegistered { message: "LowMessage" }));
            }));
            if !on_one_thread {
                receive(&was_asked);
            }
            gate.open();
            assert_eq!(stopping.wait(), Ok(()));
            assert_eq!(outside.wait(), Err(stopped.clone()));
            assert_eq!(inside.wait(), Ok(()));
            assert_eq!(pinned.run(Box::new(|_| ())), Err(stopped));
        });
    }
}

#[test]
fn a_callee_that_stops_on_the_thread_of_its_waiting_caller_ends_the_wait() {
    bounded(|| {
        let engine = one_of_each(true);
        let low = engine.client::<LowMessage>().unwrap();
        let low = low.pin(low.instances()[0]);
        let (seen, outcomes) = mpsc::channel();
        engine
            .call(MidMessage::run(Box::new(move |_| {
                // Both are queued before either is served, which happens in the wait.
                let last = low.non_blocking().run(Box::new(|ctx| ctx.stop()));
                let lost = low.non_blocking().run(Box::new(|_| panic!("it never runs")));
                seen.send((lost.wait(), last.wait())).expect("the test listens");
            })))
            .unwrap();
        assert_eq!(receive(&outcomes), (Err(CallError::Stopped { message: "LowMessage" }), Ok(())));
    });
}

#[test]
fn calls_under_way_and_calls_begun_during_a_shutdown_end() {
    for on_one_thread in [true, false] {
        bounded(move || {
            let engine = one_of_each(on_one_thread);
            let gate = Gate::new();
            let held = gate.clone();
            // Down over two steps, and held at the lowest.
            let top = engine.client::<TopMessage>().unwrap().non_blocking().run(Box::new(move |ctx| {
                let down = MidMessage::run(Box::new(move |ctx| {
                    assert_eq!(ctx.call(LowMessage::run(Box::new(move |_| held.pass()))), Ok(()));
                    assert!(ctx.stopping());
                    // The shutdown has begun, and the inside still calls.
                    assert_eq!(ctx.call(LowMessage::run(Box::new(|_| ()))), Ok(()));
                }));
                assert_eq!(ctx.call(down), Ok(()));
                assert_eq!(ctx.call(LowMessage::run(Box::new(|_| ()))), Ok(()));
            }));
            gate.await_arrivals(1);
            engine.handle().stop();
            // The edge is closed.
            let late = engine.call(LowMessage::run(Box::new(|_| panic!("it never runs"))));
            assert_eq!(late, Err(CallError::Stopped { message: "LowMessage" }));
            gate.open();
            assert_eq!(top.wait(), Ok(()));
            let report = engine.shutdown().unwrap();
            assert_eq!((report.handled(), report.panicked(), report.dead_letters, report.left), (5, 0, 0, 0));
        });
    }
}
