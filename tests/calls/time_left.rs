//! A handler knows how much time its caller has, and whether the caller still waits.

use std::sync::mpsc::{self, Receiver, Sender};
use std::time::{Duration, Instant};

use zctor::{ActorEngine, ActorThread, CallError, Context, ReplyTo, actor};
use zctor_tests::{Gate, LIMIT, bounded, receive};

/// Time enough for a handler to begin on a busy machine.
const LONG: Duration = LIMIT;

#[actor]
enum LeafMessage {
    #[reply(())]
    Hold(Gate),
}

struct Leaf;

impl LeafHandler for Leaf {
    fn hold(&mut self, gate: Gate) {
        gate.pass();
    }
}

#[actor(calls(LeafMessage))]
enum TaskMessage {
    #[reply(Option<Duration>)]
    TimeLeft,
    TimeLeftOfASend(Sender<Option<Duration>>),
    /// Tells what it sees before and after it is let on.
    #[reply(())]
    Watch(Sender<bool>, Gate),
    /// The same while it waits for a leaf, which lets others of its thread in.
    #[reply(())]
    WatchAroundACall(Sender<bool>, Gate),
    #[reply((), deferred)]
    Later(Sender<bool>, Gate),
    /// Waits until its time is up.
    #[reply(())]
    UntilGone(Sender<Duration>),
}

struct Task;

impl TaskHandler for Task {
    fn time_left(&mut self, ctx: &mut Context<TaskMessage>) -> Option<Duration> {
        ctx.time_left()
    }
    fn time_left_of_a_send(&mut self, ctx: &mut Context<TaskMessage>, seen: Sender<Option<Duration>>) {
        seen.send(ctx.time_left()).expect("the test listens");
    }
    fn watch(&mut self, ctx: &mut Context<TaskMessage>, seen: Sender<bool>, gate: Gate) {
        seen.send(ctx.caller_gone()).expect("the test listens");
        gate.pass();
        seen.send(ctx.caller_gone()).expect("the test listens");
    }
    fn watch_around_a_call(&mut self, ctx: &mut Context<TaskMessage>, seen: Sender<bool>, gate: Gate) {
        seen.send(ctx.caller_gone()).expect("the test listens");
        ctx.call(LeafMessage::hold(gate)).expect("it lives");
        seen.send(ctx.caller_gone()).expect("the test listens");
    }
    fn later(&mut self, ctx: &mut Context<TaskMessage>, seen: Sender<bool>, gate: Gate, reply: ReplyTo<()>) {
        gate.pass();
        seen.send(ctx.caller_gone()).expect("the test listens");
        seen.send(reply.is_given_up()).expect("the test listens");
    }
    fn until_gone(&mut self, ctx: &mut Context<TaskMessage>, seen: Sender<Duration>) {
        while !ctx.caller_gone() {
            std::thread::yield_now();
        }
        seen.send(ctx.time_left().expect("its caller set a deadline")).expect("the test listens");
    }
}

fn task() -> (ActorEngine, TaskClient) {
    let engine = ActorEngine::new();
    engine.pool(1, LeafMessage::actor(|| Leaf)).expect("the factory does not fail");
    let task = engine.pool(1, TaskMessage::actor(|| Task)).expect("the factory does not fail");
    (engine, task)
}

fn seen() -> (Sender<bool>, Receiver<bool>, Gate) {
    let (tell, told) = mpsc::channel();
    (tell, told, Gate::new())
}

#[expect(clippy::disallowed_methods, reason = "a deadline is a time of the same clock")]
fn soon(after: Duration) -> Instant {
    Instant::now() + after
}

#[test]
fn a_handler_knows_what_is_left_of_its_callers_deadline() {
    bounded(|| {
        let (engine, task) = task();
        for left in [
            task.within(LONG).time_left(),
            task.until(soon(LONG)).time_left(),
            task.within(LONG).non_blocking().time_left().wait(),
            task.non_blocking().until(soon(LONG)).time_left().wait(),
        ] {
            assert!(left.unwrap().is_some_and(|left| !left.is_zero() && left <= LONG));
        }
        assert_eq!(task.time_left(), Ok(None));
        let (tell, told) = mpsc::channel();
        task.within(LONG).time_left_of_a_send(tell).unwrap();
        assert_eq!(receive(&told), None, "a send brings no deadline");
        drop(engine);
    });
}

#[test]
fn until_is_one_deadline_for_many_calls() {
    bounded(|| {
        let (_engine, task) = task();
        let task = task.until(soon(LONG));
        let mut last = LONG;
        for _ in 0..10 {
            let left = task.time_left().unwrap().expect("there is one");
            assert!(left <= last);
            last = left;
        }
        let over = task.until(soon(Duration::ZERO));
        assert_eq!(over.time_left(), Err(CallError::Timeout { message: "TaskMessage", begun: false }));
        assert_eq!(
            over.non_blocking().time_left().wait(),
            Err(CallError::Timeout { message: "TaskMessage", begun: false })
        );
    });
}

#[test]
fn a_handler_sees_that_its_caller_dropped_the_pending_reply() {
    bounded(|| {
        let (_engine, task) = task();
        let (tell, told, gate) = seen();
        let pending = task.non_blocking().watch(tell.clone(), gate.clone());
        assert!(!receive(&told));
        drop(pending);
        gate.open();
        assert!(receive(&told));
        // The next message on the same instance is not taken for that call.
        task.send(TaskMessage::Watch(tell.clone(), gate.clone())).unwrap();
        assert_eq!((receive(&told), receive(&told)), (false, false), "a send has no caller");
        let kept = task.non_blocking().watch(tell, gate);
        assert_eq!((receive(&told), receive(&told)), (false, false));
        assert_eq!(kept.wait(), Ok(()));
    });
}

#[test]
fn a_detached_call_has_no_caller_to_lose() {
    bounded(|| {
        let (_engine, task) = task();
        let (tell, told, gate) = seen();
        task.non_blocking().watch(tell, gate.clone()).detach();
        assert!(!receive(&told));
        gate.open();
        assert!(!receive(&told));
    });
}

#[test]
fn a_deferred_calls_handler_sees_it_by_both_ways() {
    bounded(|| {
        let (_engine, task) = task();
        let (tell, told, gate) = seen();
        let pending = task.non_blocking().later(tell, gate.clone());
        gate.await_arrivals(1);
        drop(pending);
        gate.open();
        assert_eq!((receive(&told), receive(&told)), (true, true));
    });
}

#[test]
fn a_caller_whose_time_is_up_is_gone() {
    bounded(|| {
        let (engine, task) = task();
        let (tell, told) = mpsc::channel();
        // On a busy machine the time may be up before the handler begins.
        let mut limit = Duration::from_millis(5);
        while let Err(CallError::Timeout { begun: false, .. }) = task.within(limit).until_gone(tell.clone()) {}
        assert_eq!(receive(&told), Duration::ZERO);
        // Also if nobody looks at the reply, so that nobody gives the call up.
        let left = loop {
            let _kept = task.within(limit).non_blocking().until_gone(tell.clone());
            engine.settle();
            match told.try_recv() {
                Ok(left) => break left,
                Err(_) => limit *= 2,
            }
        };
        assert_eq!(left, Duration::ZERO);
    });
}

#[test]
fn those_served_during_a_wait_do_not_see_the_callers_of_one_another() {
    bounded(|| {
        let engine = ActorEngine::new();
        // All on one thread: while a task waits for its leaf elsewhere, nothing of its own depth is served; a leaf is.
        engine.pool(1, LeafMessage::actor(|| Leaf)).unwrap();
        engine
            .spawn(ActorThread::new().register(TaskMessage::actor(|| Task)).register(OtherMessage::actor(|| Other)))
            .unwrap();
        let task = engine.client::<TaskMessage>().unwrap();
        let other = engine.client::<OtherMessage>().unwrap();
        let (tell, told, gate) = seen();
        let pending = task.non_blocking().watch_around_a_call(tell, gate.clone());
        assert!(!receive(&told));
        gate.await_arrivals(1);
        // Served within the task's wait, and with a caller that waits.
        assert_eq!(other.non_blocking().gone().wait(), Ok(false));
        drop(pending);
        assert_eq!(other.non_blocking().gone().wait(), Ok(false));
        assert_eq!(other.gone(), Ok(false));
        gate.open();
        assert!(receive(&told), "the task's own caller has left");
    });

    #[actor(ctx)]
    enum OtherMessage {
        #[reply(bool)]
        Gone,
    }
    struct Other;
    impl OtherHandler for Other {
        fn gone(&mut self, ctx: &mut Context<OtherMessage>) -> bool {
            ctx.caller_gone()
        }
    }
}
