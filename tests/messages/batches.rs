//! A batch is handled message by message, as if each had come alone, whatever comes in the middle of it.

use std::panic::{self, AssertUnwindSafe};
use std::sync::mpsc::{self, Receiver, Sender};
use std::time::Duration;

use zctor::{ActorEngine, ActorThread, CallError, Context, Pending, ReplyTo, Restart, ShutdownError, actor};
use zctor_tests::{Counter, DropGuard, Gate, bounded};

/// More than a thread serves before it looks at its mailbox again.
const BATCH: u64 = 100;

#[actor(ctx)]
enum WalkMessage {
    Step {
        number: u64,
        guard: DropGuard,
    },
    Stumble {
        guard: DropGuard,
    },
    Hold {
        gate: Gate,
        guard: DropGuard,
    },
    Reset,
    Leave,
    #[reply(u64, deferred)]
    Ask,
    /// Drops what was asked, in a panic that it catches.
    Forget,
}

/// What a walker tells, with the messages that its thread had handled by then.
#[derive(Debug, PartialEq)]
enum Told {
    Started { handled: u64 },
    Stepped { number: u64, handled: u64, panicked: u64, queued: usize },
    Stopped { handled: u64 },
}

struct Walker {
    told: Sender<Told>,
    asked: Option<ReplyTo<u64>>,
}

impl Walker {
    fn new(told: Sender<Told>) -> Self {
        Self { told, asked: None }
    }
}

/// What the own thread has handled, panicked and queued; nothing once it was given up.
fn counts(ctx: &Context<WalkMessage>) -> (u64, u64, usize) {
    let stats = ctx.engine().stats();
    let own = stats.threads.iter().find(|thread| thread.thread == ctx.thread_id());
    own.map_or((0, 0, 0), |own| (own.handled, own.panicked, own.queued))
}

impl WalkHandler for Walker {
    fn on_start(&mut self, ctx: &mut Context<WalkMessage>) {
        let _ = self.told.send(Told::Started { handled: counts(ctx).0 });
    }

    fn on_stop(&mut self, ctx: &mut Context<WalkMessage>) {
        let _ = self.told.send(Told::Stopped { handled: counts(ctx).0 });
    }

    fn step(&mut self, ctx: &mut Context<WalkMessage>, number: u64, _guard: DropGuard) {
        let (handled, panicked, queued) = counts(ctx);
        let _ = self.told.send(Told::Stepped { number, handled, panicked, queued });
    }

    fn stumble(&mut self, _ctx: &mut Context<WalkMessage>, _guard: DropGuard) {
        panic!("a stone");
    }

    fn hold(&mut self, _ctx: &mut Context<WalkMessage>, gate: Gate, _guard: DropGuard) {
        gate.pass();
    }

    fn reset(&mut self, ctx: &mut Context<WalkMessage>) {
        ctx.reset();
    }

    fn leave(&mut self, ctx: &mut Context<WalkMessage>) {
        ctx.stop();
    }

    fn ask(&mut self, _ctx: &mut Context<WalkMessage>, reply: ReplyTo<u64>) {
        self.asked = Some(reply);
    }

    fn forget(&mut self, _ctx: &mut Context<WalkMessage>) {
        let asked = self.asked.take();
        let caught = panic::catch_unwind(AssertUnwindSafe(move || {
            let _asked = asked;
            panic!("its own affair");
        }));
        assert!(caught.is_err());
    }
}

/// One walker, bound.
fn walker(engine: &ActorEngine) -> (WalkClient, Receiver<Told>) {
    let (tell, told) = mpsc::channel();
    let actor = WalkMessage::actor(move || Walker::new(tell.clone()));
    (engine.start(actor.restart(Restart::always())).expect("it starts"), told)
}

/// As many steps as make a batch, but for those that `other` gives in their place.
fn batch(dropped: &Counter, other: impl Fn(u64) -> Option<WalkMessage>) -> Vec<WalkMessage> {
    let step = |number| WalkMessage::Step { number, guard: dropped.guard() };
    (0..BATCH).map(|number| other(number).unwrap_or_else(|| step(number))).collect()
}

/// What a step of such a batch tells, behind so many panics: all before it are done, and it and the rest are not.
fn step_behind(panicked: u64, number: u64) -> Told {
    let queued = usize::try_from(BATCH - number).expect("a batch is small");
    Told::Stepped { number, handled: number - panicked, panicked, queued }
}

/// The numbers of the steps told.
fn steps(told: impl IntoIterator<Item = Told>) -> Vec<u64> {
    let number = |told| match told {
        Told::Stepped { number, .. } => Some(number),
        Told::Started { .. } | Told::Stopped { .. } => None,
    };
    told.into_iter().filter_map(number).collect()
}

#[test]
fn each_message_of_a_batch_counts_when_its_handler_has_returned() {
    bounded(|| {
        let engine = ActorEngine::new();
        let (walker, told) = walker(&engine);
        let dropped = Counter::new();
        engine.settle();
        assert_eq!(walker.send_all(batch(&dropped, |_| None)).unwrap(), 100);
        engine.settle();
        let expected = (0..BATCH).map(|number| step_behind(0, number));
        let expected = [Told::Started { handled: 0 }].into_iter().chain(expected);
        assert!(told.try_iter().eq(expected), "each sees those before it, and no other, as handled");
        assert_eq!(engine.stats().queued(), 0);
        assert_eq!(dropped.get(), BATCH);
    });
}

#[test]
fn a_panic_in_a_batch_costs_the_message_that_panicked_and_no_other() {
    for stone in [0, 1, 50, 63, 64, BATCH - 1] {
        bounded(move || {
            let engine = ActorEngine::new();
            let (walker, told) = walker(&engine);
            let dropped = Counter::new();
            let stumble = |number| (number == stone).then(|| WalkMessage::Stumble { guard: dropped.guard() });
            assert_eq!(walker.send_all(batch(&dropped, stumble)).unwrap(), 100);
            let report = engine.shutdown().unwrap();
            let mut expected = vec![Told::Started { handled: 0 }];
            expected.extend((0..stone).map(|number| step_behind(0, number)));
            expected.push(Told::Started { handled: stone });
            expected.extend((stone + 1..BATCH).map(|number| step_behind(1, number)));
            expected.push(Told::Stopped { handled: BATCH - 1 });
            assert!(told.try_iter().eq(expected), "the stone is at {stone}");
            assert_eq!((report.handled(), report.panicked(), report.left), (BATCH - 1, 1, 0));
            assert_eq!(report.dead_letters, 0);
            assert_eq!(dropped.get(), BATCH);
        });
    }
}

#[test]
fn what_is_behind_panics_that_make_an_instance_rest_is_handled_when_it_is_back() {
    bounded(|| {
        let engine = ActorEngine::new();
        let (walker, told) = walker(&engine);
        let dropped = Counter::new();
        let stumble = |number| (10..14).contains(&number).then(|| WalkMessage::Stumble { guard: dropped.guard() });
        assert_eq!(walker.send_all(batch(&dropped, stumble)).unwrap(), 100);
        let report = engine.shutdown().unwrap();
        assert!(steps(told.try_iter()).into_iter().eq((0..10).chain(14..BATCH)));
        assert_eq!((report.handled(), report.panicked(), report.left), (BATCH - 4, 4, 0));
        assert_eq!(dropped.get(), BATCH);
    });
}

#[test]
fn a_panic_beyond_the_limit_gives_what_is_behind_it_to_a_sibling_or_to_nobody() {
    for rotated in [true, false] {
        bounded(move || {
            let engine = ActorEngine::new();
            let (tell, told) = mpsc::channel();
            let actor = WalkMessage::actor(move || Walker::new(tell.clone())).restart(Restart::never());
            let pool: WalkClient = engine.pool(2, actor).unwrap();
            let dropped = Counter::new();
            let stumble = |number| (number == 40).then(|| WalkMessage::Stumble { guard: dropped.guard() });
            let client = if rotated { pool.clone() } else { pool.pin(pool.instances()[0]) };
            assert_eq!(client.send_all(batch(&dropped, stumble)).unwrap(), 100);
            let report = engine.shutdown().unwrap();
            let mut handled = steps(told.try_iter());
            handled.sort_unstable();
            let behind = if rotated { 41..BATCH } else { 0..0 };
            assert!(handled.into_iter().eq((0..40).chain(behind)), "rotated: {rotated}");
            let lost = if rotated { 0 } else { 59 };
            assert_eq!((report.handled(), report.dead_letters), (BATCH - 1 - lost, lost));
            assert_eq!(dropped.get(), BATCH);
        });
    }
}

#[test]
fn a_reset_in_a_batch_comes_before_the_next_message() {
    bounded(|| {
        let engine = ActorEngine::new();
        let (walker, told) = walker(&engine);
        let dropped = Counter::new();
        let reset = |number| (number % 40 == 20).then_some(WalkMessage::Reset);
        assert_eq!(walker.send_all(batch(&dropped, reset)).unwrap(), 100);
        let report = engine.shutdown().unwrap();
        let mut expected = vec![Told::Started { handled: 0 }];
        for (steps, handled) in [(0..20, 21), (21..60, 61), (61..BATCH, BATCH)] {
            expected.extend(steps.map(|number| step_behind(0, number)));
            // The message that asked for it is counted by then.
            expected.push(Told::Stopped { handled });
            expected.push(Told::Started { handled });
        }
        expected.pop();
        assert!(told.try_iter().eq(expected));
        assert_eq!((report.handled(), report.panicked(), report.left), (BATCH, 0, 0));
    });
}

#[test]
fn an_instance_that_stops_in_a_batch_leaves_what_is_behind_to_a_sibling_or_to_nobody() {
    for rotated in [true, false] {
        bounded(move || {
            let engine = ActorEngine::new();
            let (tell, told) = mpsc::channel();
            let pool: WalkClient = engine.pool(2, WalkMessage::actor(move || Walker::new(tell.clone()))).unwrap();
            let dropped = Counter::new();
            let leave = |number| (number == 40).then_some(WalkMessage::Leave);
            let client = if rotated { pool.clone() } else { pool.pin(pool.instances()[0]) };
            assert_eq!(client.send_all(batch(&dropped, leave)).unwrap(), 100);
            engine.settle();
            assert_eq!(pool.instances().len(), 1);
            let report = engine.shutdown().unwrap();
            let mut handled = steps(told.try_iter());
            handled.sort_unstable();
            let behind = if rotated { 41..BATCH } else { 0..0 };
            assert!(handled.into_iter().eq((0..40).chain(behind)), "rotated: {rotated}");
            let lost = if rotated { 0 } else { 59 };
            assert_eq!((report.handled(), report.dead_letters, report.left), (BATCH - lost, lost, 0));
            assert_eq!(dropped.get(), BATCH - 1);
        });
    }
}

#[test]
fn a_shutdown_in_a_batch_waits_for_the_rest_of_it() {
    bounded(|| {
        let engine = ActorEngine::new();
        let (walker, told) = walker(&engine);
        let (dropped, gate) = (Counter::new(), Gate::new());
        let hold = |number| (number == 50).then(|| WalkMessage::Hold { gate: gate.clone(), guard: dropped.guard() });
        assert_eq!(walker.send_all(batch(&dropped, hold)).unwrap(), 100);
        gate.await_arrivals(1);
        engine.handle().stop();
        gate.open();
        let report = engine.shutdown().unwrap();
        assert!(steps(told.try_iter()).into_iter().eq((0..50).chain(51..BATCH)));
        assert_eq!((report.handled(), report.left, report.dead_letters), (BATCH, 0, 0));
        assert_eq!(dropped.get(), BATCH);
    });
}

#[test]
fn nothing_of_a_batch_is_handled_when_the_time_of_a_shutdown_is_up() {
    bounded(|| {
        let engine = ActorEngine::new();
        let (walker, told) = walker(&engine);
        let (dropped, gate) = (Counter::new(), Gate::new());
        let hold = |number| (number == 50).then(|| WalkMessage::Hold { gate: gate.clone(), guard: dropped.guard() });
        assert_eq!(walker.send_all(batch(&dropped, hold)).unwrap(), 100);
        gate.await_arrivals(1);
        let error = engine.shutdown_timeout(Duration::from_millis(20)).expect_err("a handler does not return");
        let ShutdownError::Abandoned { threads, report, .. } = error else { panic!("{error}") };
        assert_eq!(threads[0].handled, 50);
        assert_eq!(
            (report.instances[0].handled, report.instances[0].left),
            (50, 50),
            "the one at the gate is left too"
        );
        gate.open();
        // Until the walker's sender is dropped, with its thread.
        assert!(steps(told.iter()).into_iter().eq(0..50));
        assert_eq!(dropped.get(), BATCH, "the rest is dropped where it was");
    });
}

#[test]
fn a_caller_whose_port_a_caught_panic_dropped_is_answered_before_the_next_message_of_a_batch() {
    bounded(|| {
        let engine = ActorEngine::new();
        let (walker, _told) = walker(&engine);
        let (dropped, gate) = (Counter::new(), Gate::new());
        let asked: Pending<u64> = walker.request(WalkMessage::ask());
        let hold = WalkMessage::Hold { gate: gate.clone(), guard: dropped.guard() };
        assert_eq!(walker.send_all([WalkMessage::Forget, hold]).unwrap(), 2);
        gate.await_arrivals(1);
        assert_eq!(asked.wait(), Err(CallError::NoReply { message: "WalkMessage" }));
        gate.open();
    });
}

#[test]
fn each_message_of_a_batch_makes_room_when_it_is_begun() {
    bounded(|| {
        let engine = ActorEngine::new();
        let (tell, _told) = mpsc::channel();
        let actor = WalkMessage::actor(move || Walker::new(tell.clone()));
        engine.spawn(ActorThread::new().mailbox_bound(5).register(actor)).unwrap();
        let walker: WalkClient = engine.client::<WalkMessage>().unwrap();
        let dropped = Counter::new();
        let gates = [Gate::new(), Gate::new()];
        let hold = |gate: &Gate| WalkMessage::Hold { gate: gate.clone(), guard: dropped.guard() };
        let step = || WalkMessage::Step { number: 0, guard: dropped.guard() };
        walker.send(hold(&gates[0])).unwrap();
        gates[0].await_arrivals(1);
        assert_eq!(walker.send_all([step(), step(), hold(&gates[1]), step(), step()]).unwrap(), 5);
        let hasty = walker.non_blocking();
        assert!(hasty.send(step()).unwrap_err().is_full(), "none is begun");
        gates[0].open();
        gates[1].await_arrivals(1);
        for _ in 0..3 {
            hasty.send(step()).unwrap();
        }
        assert!(hasty.send(step()).unwrap_err().is_full(), "two of the batch are not begun");
        gates[1].open();
        assert_eq!(engine.shutdown().unwrap().handled(), 9);
    });
}
