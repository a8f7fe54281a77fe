//! Every accepted message is handled exactly once, or reported as a dead letter.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};
use std::thread;

use zctor::{ActorEngine, ActorThread, CallError, Context, InstanceId, SendError, actor};
use zctor_tests::{Counter, Gate, LIMIT, SplitMix64, bounded, within};

/// Messages sent by all senders together.
const MESSAGES: usize = if cfg!(miri) { 240 } else { 1_000_000 };
const SENDERS: usize = 4;
const INSTANCES: usize = 5;
/// Messages of one `send_all`.
const BATCH: usize = 100;
/// Levels of the tree of messages that actors send one another.
const LEVELS: u32 = if cfg!(miri) { 5 } else { 15 };
/// Messages sent while an instance stops.
const MESSAGES_AT_STOP: usize = if cfg!(miri) { 60 } else { 60_000 };

/// Rounds of a race that one round seldom meets.
const ROUNDS: usize = if cfg!(miri) { 2 } else { 200 };

/// How often each message was handled.
#[derive(Clone)]
struct Seen {
    counts: Arc<Vec<AtomicU8>>,
}

impl Seen {
    fn new(messages: usize) -> Self {
        Self { counts: Arc::new((0..messages).map(|_| AtomicU8::new(0)).collect()) }
    }

    fn note(&self, id: usize) {
        self.counts[id].fetch_add(1, Ordering::Relaxed);
    }

    fn times(&self, id: usize) -> u8 {
        self.counts[id].load(Ordering::Relaxed)
    }

    /// Fails with the first few messages of `ids` that were not handled exactly once.
    #[track_caller]
    fn assert_once(&self, ids: impl Iterator<Item = usize>) {
        let wrong: Vec<_> = ids.map(|id| (id, self.times(id))).filter(|&(_, times)| times != 1).take(10).collect();
        assert!(wrong.is_empty(), "message and times handled: {wrong:?}");
    }

    fn total(&self) -> usize {
        (0..self.counts.len()).map(|id| usize::from(self.times(id))).sum()
    }
}

#[actor]
enum TallyMessage {
    Count {
        id: usize,
    },
    #[reply(usize)]
    Confirm {
        id: usize,
    },
}

struct Teller {
    seen: Seen,
}

impl TallyHandler for Teller {
    fn count(&mut self, id: usize) {
        self.seen.note(id);
    }

    fn confirm(&mut self, id: usize) -> usize {
        self.seen.note(id);
        id
    }
}

fn tellers(engine: &ActorEngine, seen: &Seen) -> TallyClient {
    let seen = seen.clone();
    engine.pool(INSTANCES, TallyMessage::actor(move || Teller { seen: seen.clone() })).expect("the pool starts")
}

/// Settles, ends the engine, and compares its own account with what was sent.
#[track_caller]
fn assert_nothing_lost_or_twice(engine: &ActorEngine, seen: &Seen) {
    let sent = seen.counts.len();
    engine.settle();
    seen.assert_once(0..sent);
    let sent = u64::try_from(sent).expect("a usize fits");
    assert_eq!(engine.stats().queued(), 0);
    let report = engine.shutdown().expect("every handler has returned");
    assert_eq!(report.handled(), sent);
    assert_eq!((report.panicked(), report.left), (0, 0));
}

#[test]
fn a_million_messages_by_every_route_are_handled_once_each() {
    within(4 * LIMIT, || {
        let engine = ActorEngine::new();
        let seen = Seen::new(MESSAGES);
        let teller = tellers(&engine, &seen);
        thread::scope(|scope| {
            for sender in 0..SENDERS {
                let (engine, teller) = (&engine, &teller);
                scope.spawn(move || send_share(engine, teller, sender));
            }
        });
        assert_nothing_lost_or_twice(&engine, &seen);
    });
}

/// Sends the messages whose number is `sender` modulo [`SENDERS`], each by a way drawn at random.
fn send_share(engine: &ActorEngine, teller: &TallyClient, sender: usize) {
    let mut random = SplitMix64::new(u64::try_from(sender).expect("it is small"));
    let handle = engine.handle();
    let pins: Vec<_> = teller.instances().into_iter().map(|id| teller.pin(id)).collect();
    let keys: Vec<_> = (0..16_u32).map(|key| teller.keyed(&key)).collect();
    let least_loaded = teller.least_loaded();
    for id in (sender..MESSAGES).step_by(SENDERS) {
        let message = TallyMessage::Count { id };
        let sent = match random.below(1_000) {
            // Rarely, since each parks two threads.
            0 => {
                assert_eq!(teller.confirm(id), Ok(id));
                Ok(())
            }
            1..100 => engine.send(message),
            100..200 => handle.send(message),
            200..300 => pins[random.below(pins.len())].send(message),
            300..400 => keys[random.below(keys.len())].send(message),
            400..500 => least_loaded.send(message),
            500..600 => teller.non_blocking().count(id),
            600..650 => {
                teller.request(TallyMessage::confirm(id)).detach();
                Ok(())
            }
            650..700 => teller.clone().send(message),
            _ => teller.send(message),
        };
        sent.expect("the pool is live");
    }
}

#[test]
fn a_million_messages_in_batches_are_handled_once_each() {
    within(4 * LIMIT, || {
        let engine = ActorEngine::new();
        let seen = Seen::new(MESSAGES);
        let teller = tellers(&engine, &seen);
        thread::scope(|scope| {
            for sender in 0..SENDERS {
                let teller = teller.clone();
                scope.spawn(move || {
                    let mut ids = (sender..MESSAGES).step_by(SENDERS).peekable();
                    while ids.peek().is_some() {
                        let batch: Vec<_> = ids.by_ref().take(BATCH).map(|id| TallyMessage::Count { id }).collect();
                        let length = batch.len();
                        assert_eq!(teller.send_all(batch).unwrap(), length);
                    }
                });
            }
        });
        assert_nothing_lost_or_twice(&engine, &seen);
    });
}

/// Sends two of itself on, to any instance, until the last level.
#[actor(ctx)]
enum TreeMessage {
    /// A node, numbered as in a heap: its children are `2 * node + 1` and `2 * node + 2`.
    Grow { node: usize },
}

struct Tree {
    seen: Seen,
}

impl TreeHandler for Tree {
    fn grow(&mut self, ctx: &mut Context<TreeMessage>, node: usize) {
        self.seen.note(node);
        for child in [2 * node + 1, 2 * node + 2] {
            if child < self.seen.counts.len() {
                let sent = match child % 4 {
                    0 => ctx.me().grow(child),
                    1 => ctx.engine().send(TreeMessage::Grow { node: child }),
                    _ => ctx.send(TreeMessage::Grow { node: child }),
                };
                sent.expect("the pool is live");
            }
        }
    }
}

#[test]
fn messages_that_actors_send_one_another_are_handled_once_each() {
    bounded(|| {
        let engine = ActorEngine::new();
        let seen = Seen::new((1 << LEVELS) - 1);
        // Three threads, two instances on each: hops to itself, to a neighbour and to another thread.
        for _ in 0..3 {
            let (one, other) = (seen.clone(), seen.clone());
            let thread = ActorThread::new()
                .register(TreeMessage::actor(move || Tree { seen: one.clone() }))
                .register(TreeMessage::actor(move || Tree { seen: other.clone() }));
            engine.spawn(thread).unwrap();
        }
        engine.send(TreeMessage::Grow { node: 0 }).unwrap();
        assert_nothing_lost_or_twice(&engine, &seen);
    });
}

/// Can end, and can be held up.
#[actor(ctx)]
enum LeaverMessage {
    Count {
        id: usize,
    },
    #[reply(InstanceId)]
    Place,
    Hold {
        gate: Gate,
    },
    Leave,
}

struct Leaver {
    seen: Seen,
}

impl LeaverHandler for Leaver {
    fn count(&mut self, _ctx: &mut Context<LeaverMessage>, id: usize) {
        self.seen.note(id);
    }

    fn place(&mut self, ctx: &mut Context<LeaverMessage>) -> InstanceId {
        ctx.instance_id()
    }

    fn hold(&mut self, _ctx: &mut Context<LeaverMessage>, gate: Gate) {
        gate.pass();
    }

    fn leave(&mut self, ctx: &mut Context<LeaverMessage>) {
        ctx.stop();
    }
}

/// Goes from instance to instance.
#[actor(ctx)]
enum HopMessage {
    Hop { left: u32 },
}

struct Hopper {
    hops: Counter,
}

impl HopHandler for Hopper {
    fn hop(&mut self, ctx: &mut Context<HopMessage>, left: u32) {
        self.hops.increment();
        if left > 0 {
            ctx.send(HopMessage::Hop { left: left - 1 }).expect("it is live itself");
        }
    }
}

fn leavers(engine: &ActorEngine, size: usize, seen: &Seen) -> LeaverClient {
    let seen = seen.clone();
    engine.pool(size, LeaverMessage::actor(move || Leaver { seen: seen.clone() })).expect("the pool starts")
}

#[test]
fn rotated_mail_of_an_instance_that_stops_is_handled_by_its_siblings() {
    bounded(|| {
        let engine = ActorEngine::new();
        let seen = Seen::new(MESSAGES_AT_STOP);
        let leaver = leavers(&engine, 4, &seen);
        let instances = leaver.instances();
        thread::scope(|scope| {
            for sender in 0..3 {
                let (engine, leaver, instances) = (&engine, &leaver, &instances);
                scope.spawn(move || {
                    for id in (sender..MESSAGES_AT_STOP).step_by(3) {
                        // Two of the four leave while all three send.
                        if id == MESSAGES_AT_STOP / 4 {
                            leaver.pin(instances[1]).leave().unwrap();
                        } else if id == MESSAGES_AT_STOP / 2 {
                            leaver.pin(instances[3]).leave().unwrap();
                        }
                        if id % 2 == 0 {
                            leaver.count(id).unwrap();
                        } else {
                            engine.send(LeaverMessage::Count { id }).unwrap();
                        }
                    }
                });
            }
        });
        engine.settle();
        assert_eq!(leaver.instances(), [instances[0], instances[2]]);
        seen.assert_once(0..MESSAGES_AT_STOP);
        assert_eq!(engine.stats().dead_letters, 0);
    });
}

#[test]
fn a_backlog_of_one_that_stops_is_shared_out_and_moves_no_turn() {
    bounded(|| {
        let engine = ActorEngine::new();
        let seen = Seen::new(90);
        let leaver = leavers(&engine, 3, &seen);
        let instances = leaver.instances();
        let gate = Gate::new();
        let first = leaver.pin(instances[0]);
        first.hold(gate.clone()).unwrap();
        gate.await_arrivals(1);
        first.leave().unwrap();
        for id in 0..80 {
            leaver.count(id).unwrap();
        }
        assert_eq!(leaver.send_all((80..90).map(|id| LeaverMessage::Count { id })).unwrap(), 10);
        gate.open();
        engine.settle();
        seen.assert_once(0..90);
        let handled: Vec<_> = engine.stats().threads.iter().map(|thread| thread.handled).collect();
        // Thirty each in turn, and half of the thirty that the first left.
        assert_eq!(handled, [45, 45]);
        // The ninetieth went to the third, so the second is next: it alone ends now.
        leaver.leave().unwrap();
        engine.settle();
        assert_eq!(leaver.instances(), [instances[2]]);
    });
}

#[test]
fn calls_in_turn_to_one_that_stops_are_answered_by_its_siblings() {
    bounded(|| {
        let engine = ActorEngine::new();
        let seen = Seen::new(0);
        let leaver = leavers(&engine, 3, &seen);
        let instances = leaver.instances();
        let gate = Gate::new();
        let first = leaver.pin(instances[0]);
        first.hold(gate.clone()).unwrap();
        gate.await_arrivals(1);
        first.leave().unwrap();
        let pinned = first.request(LeaverMessage::place());
        let in_turn: Vec<_> = (0..30).map(|_| leaver.request(LeaverMessage::place())).collect();
        gate.open();
        for answer in in_turn {
            assert_ne!(answer.wait().unwrap(), instances[0]);
        }
        assert!(matches!(pinned.wait(), Err(CallError::Stopped { .. })));
        engine.settle();
        assert_eq!(engine.stats().dead_letters, 1);
    });
}

/// The end of a thread with its last instance, met by senders that had just chosen it.
#[test]
fn rotated_mail_is_not_lost_at_the_moment_a_thread_ends() {
    bounded(|| {
        for _ in 0..ROUNDS {
            let engine = ActorEngine::new();
            let seen = Seen::new(90);
            let leaver = leavers(&engine, 3, &seen);
            let instances = leaver.instances();
            thread::scope(|scope| {
                for sender in 0..3 {
                    let (leaver, instances) = (&leaver, &instances);
                    scope.spawn(move || {
                        for id in (sender..90).step_by(3) {
                            if id == 30 || id == 31 {
                                leaver.pin(instances[id - 30]).leave().unwrap();
                            }
                            leaver.count(id).unwrap();
                        }
                    });
                }
            });
            engine.settle();
            seen.assert_once(0..90);
            assert_eq!(engine.stats().dead_letters, 0);
        }
    });
}

#[test]
fn keyed_mail_finds_an_instance_as_long_as_one_is_live() {
    bounded(|| {
        for round in 0..ROUNDS {
            let engine = ActorEngine::new();
            let seen = Seen::new(90);
            let leaver = leavers(&engine, 4, &seen);
            let instances = leaver.instances();
            let dead = thread::scope(|scope| {
                for sender in 0..3 {
                    let (leaver, instances) = (&leaver, &instances);
                    scope.spawn(move || {
                        for id in (sender..90).step_by(3) {
                            if (30..33).contains(&id) {
                                leaver.pin(instances[id - 30]).leave().unwrap();
                            }
                            leaver.keyed(&(round, id)).count(id).unwrap();
                        }
                    });
                }
                &engine
            });
            dead.settle();
            // What had been queued for one that ended is a dead letter; nothing was refused or handled twice.
            let lost = 90 - u64::try_from(seen.total()).unwrap();
            assert!((0..90).all(|id| seen.times(id) <= 1));
            assert_eq!(engine.stats().dead_letters, lost);
        }
    });
}

#[test]
fn settle_returns_only_when_all_is_handled() {
    bounded(|| {
        let engine = ActorEngine::new();
        let hops = Counter::new();
        let hopper = {
            let hops = hops.clone();
            engine.pool(3, HopMessage::actor(move || Hopper { hops: hops.clone() })).unwrap()
        };
        let mut expected = 0;
        for round in 0..10 * ROUNDS {
            let left = u32::try_from(round % 7).unwrap();
            hopper.hop(left).unwrap();
            hopper.hop(left).unwrap();
            expected += 2 * u64::from(left + 1);
            engine.settle();
            assert_eq!(hops.get(), expected);
        }
    });
}

#[test]
fn pinned_mail_of_an_instance_that_stops_is_reported_as_dead_letters() {
    bounded(|| {
        let engine = ActorEngine::new();
        let seen = Seen::new(20);
        let leaver = leavers(&engine, 2, &seen);
        let pinned = leaver.pin(leaver.instances()[0]);
        let gate = Gate::new();
        pinned.hold(gate.clone()).unwrap();
        gate.await_arrivals(1);
        for id in 0..5 {
            pinned.count(id).unwrap();
        }
        pinned.leave().unwrap();
        for id in 5..12 {
            pinned.count(id).unwrap();
        }
        // In turn, so one half lies behind the end of the first instance and goes to the second.
        for id in 12..20 {
            leaver.count(id).unwrap();
        }
        gate.open();
        engine.settle();
        seen.assert_once((0..5).chain(12..20));
        assert!((5..12).all(|id| seen.times(id) == 0));
        assert_eq!(engine.stats().dead_letters, 7);
    });
}

#[test]
fn what_was_accepted_before_a_shutdown_is_handled_or_counted_and_nothing_else() {
    bounded(|| {
        for round in 0..ROUNDS {
            let engine = ActorEngine::new();
            let most = if cfg!(miri) { 400 } else { 40_000 };
            let seen = Seen::new(most);
            let teller = tellers(&engine, &seen);
            let accepted = AtomicUsize::new(0);
            let under_way = Gate::new();
            let report = thread::scope(|scope| {
                for sender in 0..SENDERS {
                    let (teller, accepted, under_way) = (&teller, &accepted, &under_way);
                    scope.spawn(move || {
                        for (count, id) in (sender..most).step_by(SENDERS).enumerate() {
                            match teller.count(id) {
                                Ok(()) => accepted.fetch_add(1, Ordering::Relaxed),
                                Err(SendError::Stopped(_)) => break,
                                Err(error) => panic!("{error}"),
                            };
                            if count == round % 50 {
                                under_way.pass();
                            }
                        }
                    });
                }
                under_way.await_arrivals(SENDERS);
                under_way.open();
                engine.shutdown().unwrap()
            });
            let accepted = accepted.into_inner();
            assert!(accepted > SENDERS * (round % 50));
            assert!((0..most).all(|id| seen.times(id) <= 1));
            assert_eq!(report.handled(), u64::try_from(seen.total()).unwrap());
            // A sender that was between its look at the edge and its push when that closed may find the instance ended,
            // though its thread still takes mail: at most one message a sender, and each is in the report.
            assert_eq!(report.handled() + report.dead_letters, u64::try_from(accepted).unwrap());
            assert!(report.dead_letters <= u64::try_from(SENDERS).unwrap());
            assert_eq!(report.left, 0);
        }
    });
}
