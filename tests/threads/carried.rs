//! Code that a handler hands to other threads: its waits are checked as the handler's, and served where they can be.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use zctor::{
    ActorEngine, ActorThread, CallError, Carried, Context, Overflow, Pending, SendError, ShutdownError, SpawnError,
    actor,
};
use zctor_tests::{Gate, bounded, receive};

#[actor]
enum LeafMessage {
    #[reply(u32)]
    Double(u32),
    #[reply(u32)]
    Hold(Gate),
    Note(u32),
}

#[derive(Default)]
struct Leaf {
    noted: Vec<u32>,
}

impl LeafHandler for Leaf {
    fn double(&mut self, value: u32) -> u32 {
        value * 2
    }

    fn hold(&mut self, gate: Gate) -> u32 {
        gate.pass();
        1
    }

    fn note(&mut self, value: u32) {
        self.noted.push(value);
    }
}

/// Between the root and the leaf.
#[actor(calls(LeafMessage))]
enum MiddleMessage {
    #[reply(Result<u32, CallError>)]
    Twice(u32),
}

struct Middle;

impl MiddleHandler for Middle {
    fn twice(&mut self, ctx: &mut Context<MiddleMessage>, value: u32) -> Result<u32, CallError> {
        ctx.call(LeafMessage::double(value))
    }
}

/// What a root does with its context.
type Job = Box<dyn FnOnce(&mut Context<RootMessage>) + Send>;

#[actor(calls(MiddleMessage, LeafMessage))]
enum RootMessage {
    #[reply(())]
    Do(Job),
    #[reply(u32)]
    Ask,
}

struct Root;

impl RootHandler for Root {
    fn r#do(&mut self, ctx: &mut Context<RootMessage>, job: Job) {
        job(ctx);
    }

    fn ask(&mut self, _: &mut Context<RootMessage>) -> u32 {
        7
    }
}

/// Has the root do `job`, and gives what comes of it.
fn with<T: Send + 'static>(root: &RootClient, job: impl FnOnce(&mut Context<RootMessage>) -> T + Send + 'static) -> T {
    let (tell, told) = mpsc::channel();
    root.r#do(Box::new(move |ctx| tell.send(job(ctx)).expect("the test listens"))).expect("the root does it");
    receive(&told)
}

/// Runs `code` on another thread, and waits for it as zctor does not see.
fn elsewhere<T: Send>(code: impl FnOnce() -> T + Send) -> T {
    thread::scope(|scope| scope.spawn(code).join().expect("it does not panic"))
}

/// A root and a leaf on one thread, a middle on another.
fn neighbours() -> (ActorEngine, RootClient, MiddleClient, LeafClient) {
    let engine = ActorEngine::new();
    let leaf = LeafMessage::actor(Leaf::default);
    engine.spawn(ActorThread::new().register(RootMessage::actor(|| Root)).register(leaf)).expect("both are built");
    let middle = engine.pool(1, MiddleMessage::actor(|| Middle)).expect("it is built");
    let (root, leaf) = (engine.client::<RootMessage>(), engine.client::<LeafMessage>());
    (engine, root.expect("it is there"), middle, leaf.expect("it is there"))
}

fn panics(code: impl FnOnce()) -> bool {
    catch_unwind(AssertUnwindSafe(code)).is_err()
}

/// Whether a wait of the root's was refused, in words that name both.
fn undeclared<T: std::fmt::Debug>(outcome: Result<T, CallError>, of: &str) -> bool {
    undeclared_from(outcome, of, "RootMessage")
}

fn undeclared_from<T: std::fmt::Debug>(outcome: Result<T, CallError>, of: &str, by: &str) -> bool {
    let refused =
        matches!(&outcome, Err(CallError::Undeclared { message, caller }) if (*message, *caller) == (of, Some(by)));
    assert!(refused, "{outcome:?}");
    refused
}

#[test]
fn a_call_back_to_the_handlers_own_actor_is_refused_and_not_sent() {
    bounded(|| {
        let (engine, root, ..) = neighbours();
        let me = root.clone();
        let outcome = with(&root, move |ctx| {
            let carried = ctx.carry();
            elsewhere(|| {
                carried
                    .run(|| (me.ask(), me.request(RootMessage::ask()).wait(), me.call_all_with(|_| RootMessage::ask())))
            })
        });
        undeclared(outcome.0, "RootMessage");
        undeclared(outcome.1, "RootMessage");
        undeclared(outcome.2, "RootMessage");
        assert_eq!(engine.shutdown().unwrap().handled(), 1, "the request was given up, and nothing else was sent");
    });
}

#[test]
fn a_call_to_a_neighbour_on_the_handlers_thread_is_refused_while_that_does_not_serve() {
    bounded(|| {
        let (engine, root, _, leaf) = neighbours();
        // A pool with one instance there is refused whichever has its turn; one that is elsewhere is not.
        let other = engine.pool(1, LeafMessage::actor(Leaf::default)).unwrap();
        let there = engine.registry().iter().find(|entry| entry.message() == "LeafMessage").unwrap().instances()[1];
        let outcomes = with(&root, move |ctx| {
            let carried = ctx.carry();
            elsewhere(|| {
                carried.run(|| {
                    let pending: Pending<u32> = leaf.request(LeafMessage::double(1));
                    let first = pending.wait();
                    let turns =
                        [other.double(1), other.double(1), leaf.least_loaded().double(1), leaf.keyed(&1).double(1)];
                    (turns, first, pending, leaf.pin(there).double(21))
                })
            })
        });
        let (turns, first, pending, elsewhere) = outcomes;
        assert!(turns.into_iter().all(|outcome| undeclared(outcome, "LeafMessage")));
        assert!(undeclared(first, "LeafMessage"));
        assert_eq!(pending.wait(), Ok(2), "it was sent, and stays usable");
        assert_eq!(elsewhere, Ok(42), "of an instance elsewhere");
    });
}

#[test]
fn a_call_downwards_to_another_thread_is_served() {
    bounded(|| {
        let engine = ActorEngine::new();
        engine.pool(1, LeafMessage::actor(Leaf::default)).unwrap();
        let middle = engine.pool(1, MiddleMessage::actor(|| Middle)).unwrap();
        let root = engine.pool(1, RootMessage::actor(|| Root)).unwrap();
        let outcome = with(&root, move |ctx| {
            let carried = ctx.carry();
            elsewhere(|| carried.run(|| middle.twice(4)))
        });
        assert_eq!(outcome, Ok(Ok(8)));
    });
}

#[test]
fn while_it_is_served_carried_code_may_wait_for_what_lives_on_the_handlers_thread() {
    bounded(|| {
        let (_engine, root, middle, leaf) = neighbours();
        let me = root.clone();
        let (near, over, own, many) = with(&root, move |ctx| {
            ctx.serve_while(|carried| {
                // By this thread, by a third one whose handler comes back here, and by many at once.
                let near = leaf.double(1);
                let over = middle.twice(2);
                let own = me.ask();
                let many: u32 = thread::scope(|scope| {
                    let parts: Vec<_> = (0..8)
                        .map(|i| {
                            let (leaf, carried) = (&leaf, carried.clone());
                            scope.spawn(move || carried.run(|| (0..50).map(|_| leaf.double(i).unwrap()).sum::<u32>()))
                        })
                        .collect();
                    parts.into_iter().map(|part| part.join().unwrap()).sum()
                });
                (near, over, own, many)
            })
        });
        assert_eq!((near, over), (Ok(2), Ok(Ok(4))));
        undeclared(own, "RootMessage");
        assert_eq!(many, 50 * 2 * (0..8).sum::<u32>());
    });
}

#[test]
fn what_was_served_is_so_no_more_when_the_work_has_ended() {
    bounded(|| {
        let (_engine, root, _, leaf) = neighbours();
        let outcome = with(&root, move |ctx| {
            let kept: Carried = ctx.serve_while(Carried::clone);
            elsewhere(|| kept.run(|| leaf.double(1)))
        });
        undeclared(outcome, "LeafMessage");
    });
}

#[test]
fn a_panic_of_the_work_goes_on_in_the_handler_and_one_in_run_to_its_caller() {
    bounded(|| {
        let (_engine, root, ..) = neighbours();
        let outcome = root.r#do(Box::new(|ctx| ctx.serve_while(|_| panic!("the work is broken"))));
        assert!(
            matches!(&outcome, Err(CallError::Panicked { text, .. }) if &**text == "the work is broken"),
            "{outcome:?}"
        );
        let me = root.within(Duration::from_millis(20));
        let (broken, outside) = with(&root, move |ctx| {
            let carried = ctx.carry();
            elsewhere(|| (panics(|| carried.run(|| panic!("the code is broken"))), me.ask()))
        });
        assert!(broken);
        assert_eq!(outside, Err(CallError::Timeout { message: "RootMessage", begun: false }), "that is outside again");
    });
}

#[test]
fn carried_code_has_the_handlers_deadline() {
    bounded(|| {
        let engine = ActorEngine::new();
        let leaf = engine.pool(1, LeafMessage::actor(Leaf::default)).unwrap();
        let root = engine.pool(1, RootMessage::actor(|| Root)).unwrap();
        let gate = Gate::new();
        let mut limit = Duration::from_millis(50);
        let told = loop {
            let (tell, told) = mpsc::channel();
            let (leaf, closed) = (leaf.clone(), gate.clone());
            let job: Job = Box::new(move |ctx| {
                let carried = ctx.carry();
                tell.send(elsewhere(|| carried.run(|| leaf.hold(closed)))).unwrap();
            });
            match root.within(limit).r#do(job) {
                // The machine is so busy that the handler had not begun by then.
                Err(CallError::Timeout { begun: false, .. }) => limit *= 2,
                outcome => {
                    assert!(matches!(outcome, Err(CallError::Timeout { .. }) | Ok(())), "{outcome:?}");
                    break told;
                }
            }
        };
        assert!(matches!(receive(&told), Err(CallError::Timeout { message: "LeafMessage", .. })));
        gate.open();
    });
}

#[test]
fn carried_code_sends_past_the_bound_of_a_mailbox() {
    bounded(|| {
        let engine = ActorEngine::new();
        let thread = |_| ActorThread::new().mailbox_bound(1).overflow(Overflow::Refuse);
        let leaf = engine.pool_on(1, thread, LeafMessage::actor(Leaf::default)).unwrap();
        let root = engine.pool(1, RootMessage::actor(|| Root)).unwrap();
        let gate = Gate::new();
        leaf.non_blocking().hold(gate.clone()).detach();
        gate.await_arrivals(1);
        leaf.note(0).unwrap();
        assert!(matches!(leaf.note(0), Err(SendError::Full { .. })));
        let full = leaf.clone();
        let outcome = with(&root, move |ctx| {
            let carried = ctx.carry();
            elsewhere(|| carried.run(|| full.note(1)))
        });
        assert!(outcome.is_ok());
        gate.open();
    });
}

#[test]
fn the_statistics_list_a_carried_wait_as_one_of_its_handler() {
    bounded(|| {
        let engine = ActorEngine::new();
        let leaf = engine.pool(1, LeafMessage::actor(Leaf::default)).unwrap();
        let root = engine.pool(1, RootMessage::actor(|| Root)).unwrap();
        let gate = Gate::new();
        let (tell, told): (Sender<Result<u32, CallError>>, Receiver<_>) = mpsc::channel();
        let held = gate.clone();
        root.non_blocking()
            .r#do(Box::new(move |ctx| {
                let carried = ctx.carry();
                tell.send(elsewhere(|| carried.run(|| leaf.hold(held)))).unwrap();
            }))
            .detach();
        gate.await_arrivals(1);
        // The callee has begun before its caller is listed.
        let wait = loop {
            let stats = engine.stats();
            if let Some(wait) = stats.threads.iter().flat_map(|thread| &thread.waits).next() {
                break wait.to_string();
            }
            thread::yield_now();
        };
        assert!(wait.starts_with("`RootMessage::Do` 1.0 waits "), "{wait}");
        assert!(wait.ends_with(" for `LeafMessage::Hold` 0.0 on thread 0"), "{wait}");
        gate.open();
        assert_eq!(receive(&told), Ok(1));
        engine.settle();
        assert!(engine.stats().threads.iter().all(|thread| thread.waits.is_empty()));
    });
}

#[test]
fn what_waits_for_the_engine_is_refused_in_carried_code_as_in_the_handler() {
    bounded(|| {
        let engine = Arc::new(ActorEngine::new());
        let root = engine.pool(1, RootMessage::actor(|| Root)).unwrap();
        let lent = Arc::clone(&engine);
        let (settle, here, shutdown) = with(&root, move |ctx| {
            let carried = ctx.carry();
            elsewhere(|| {
                let settle = panics(|| carried.run(|| lent.settle()));
                let here = carried.run(|| matches!(lent.here(), Err(SpawnError::OnActorThread)));
                let shutdown = carried.run(|| matches!(lent.shutdown(), Err(ShutdownError::OnActorThread)));
                (settle, here, shutdown)
            })
        });
        assert!(settle && here && shutdown);
        assert_eq!(engine.shutdown().unwrap().handled(), 1);
    });
}

#[test]
fn carried_code_counts_as_inside_while_the_engine_stops() {
    bounded(|| {
        let engine = Arc::new(ActorEngine::new());
        let leaf = engine.pool(1, LeafMessage::actor(Leaf::default)).unwrap();
        let root = engine.pool(1, RootMessage::actor(|| Root)).unwrap();
        let gate = Gate::new();
        let (tell, told) = mpsc::channel();
        let (held, outside) = (gate.clone(), leaf.clone());
        root.non_blocking()
            .r#do(Box::new(move |ctx| {
                let carried = ctx.carry();
                elsewhere(|| {
                    held.pass();
                    tell.send((outside.double(1), carried.run(|| outside.double(1)), outside.double(1))).unwrap();
                });
            }))
            .detach();
        gate.await_arrivals(1);
        engine.handle().stop();
        gate.open();
        let stopped = Err(CallError::Stopped { message: "LeafMessage" });
        assert_eq!(receive(&told), (stopped.clone(), Ok(2), stopped));
        assert_eq!(engine.shutdown().unwrap().handled(), 2);
    });
}

#[test]
fn in_another_handler_the_stricter_of_both_depths_holds() {
    bounded(|| {
        let engine = ActorEngine::new();
        let leaf = engine.pool(1, LeafMessage::actor(Leaf::default)).unwrap();
        let middle = engine.pool(1, MiddleMessage::actor(|| Middle)).unwrap();
        let root = engine.pool(1, RootMessage::actor(|| Root)).unwrap();
        let judge = engine.pool(1, JudgeMessage::actor(|| Judge)).unwrap();
        let carried = with(&root, |ctx| ctx.carry());
        let (clients, place) = ((leaf, middle), Arc::new(Mutex::new(None)));
        let told = Arc::clone(&place);
        let code: Code = Box::new(move || {
            let (leaf, middle) = clients;
            *told.lock().unwrap() = Some((leaf.double(1), middle.twice(1)));
        });
        judge.run(carried, code).unwrap();
        let (leaf, middle) = place.lock().unwrap().take().unwrap();
        assert_eq!(leaf, Ok(2));
        undeclared_from(middle, "MiddleMessage", "JudgeMessage");
    });
}

#[test]
fn in_another_handler_the_earlier_of_both_deadlines_holds() {
    bounded(|| {
        let engine = ActorEngine::new();
        let leaf = engine.pool(1, LeafMessage::actor(Leaf::default)).unwrap();
        let root = engine.pool(1, RootMessage::actor(|| Root)).unwrap();
        let judge = engine.pool(1, JudgeMessage::actor(|| Judge)).unwrap();
        let carried = with(&root, |ctx| ctx.carry());
        let gate = Gate::new();
        let mut limit = Duration::from_millis(50);
        let told = loop {
            let (tell, told) = mpsc::channel();
            let (leaf, closed) = (leaf.clone(), gate.clone());
            let code: Code = Box::new(move || tell.send(leaf.hold(closed)).unwrap());
            match judge.within(limit).run(carried.clone(), code) {
                // The machine is so busy that the handler had not begun by then.
                Err(CallError::Timeout { begun: false, .. }) => limit *= 2,
                outcome => {
                    assert!(matches!(outcome, Err(CallError::Timeout { .. }) | Ok(())), "{outcome:?}");
                    break told;
                }
            }
        };
        let outcome =
            told.recv_timeout(Duration::from_secs(60)).expect("the root has no deadline, and the judge has one");
        assert!(matches!(outcome, Err(CallError::Timeout { message: "LeafMessage", .. })), "{outcome:?}");
        gate.open();
    });
}

#[test]
fn what_is_a_part_of_two_handlers_waits_for_nothing_on_either_thread() {
    bounded(|| {
        let engine = ActorEngine::new();
        let both = || {
            let leaf = LeafMessage::actor(Leaf::default);
            ActorThread::new().register(RootMessage::actor(|| Root)).register(leaf)
        };
        engine.spawn(both()).unwrap();
        engine.spawn(both()).unwrap();
        let (roots, leaves) = (engine.client::<RootMessage>().unwrap(), engine.client::<LeafMessage>().unwrap());
        let pins = |at: usize| (roots.pin(roots.instances()[at]), leaves.pin(leaves.instances()[at]));
        let ((first, near_first), (second, near_second)) = (pins(0), pins(1));
        let of_second = with(&second, |ctx| ctx.carry());
        let outcomes = with(&first, move |ctx| {
            let of_first = ctx.carry();
            // A limit, since nobody would serve it.
            let ask = |leaf: &LeafClient| leaf.within(Duration::from_millis(500)).double(1);
            elsewhere(|| of_first.run(|| of_second.run(|| (ask(&near_first), ask(&near_second)))))
        });
        assert!(undeclared(outcomes.0, "LeafMessage") && undeclared(outcomes.1, "LeafMessage"));
    });
}

type Code = Box<dyn FnOnce() + Send>;

/// Of the same depth as a middle.
#[actor(calls(LeafMessage))]
enum JudgeMessage {
    #[reply(())]
    Run(Carried, Code),
}

struct Judge;

impl JudgeHandler for Judge {
    fn run(&mut self, _: &mut Context<JudgeMessage>, carried: Carried, code: Code) {
        carried.run(code);
    }
}
