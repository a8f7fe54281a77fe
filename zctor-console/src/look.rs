//! Looks at an engine: each is a snapshot, with rates against an earlier look.
//!
//! Nothing is sampled while nobody looks: whoever asks takes the look, and the one before is kept for the rates.

use std::cmp::Reverse;
use std::collections::{HashMap, VecDeque};
use std::process;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use zctor::{
    EngineHandle, InstanceId, InstanceStats, RunningInstance, Stats, ThreadId, ThreadStats, TypeStats, WaitForest,
};

use crate::snapshot::{Event, Instance, Room, Snapshot, Thread, Type, VERSION, WaitRoot, Waiting};

/// Rates are against the newest look that is at least this old.
pub(crate) const SHORT: Duration = Duration::from_millis(200);
/// A look that is older says nothing about now.
const LONG: Duration = Duration::from_secs(10);
/// How many instances of each kind are listed.
const TOP: usize = 20;
/// How many events are kept.
const EVENTS: usize = 200;
/// A wait, or a message, that is this old makes a culprit.
pub(crate) const OLD: Duration = Duration::from_secs(1);

/// The counts of an earlier look.
struct Look {
    at: Instant,
    threads: HashMap<ThreadId, ThreadStats>,
    /// In the order of their ids: what each has handled.
    instances: Vec<(InstanceId, u64)>,
    types: Counts,
}

impl Look {
    fn handled(&self, id: InstanceId) -> Option<u64> {
        let at = self.instances.binary_search_by_key(&id, |(id, _)| *id).ok()?;
        Some(self.instances[at].1)
    }
}

type Counts = HashMap<&'static str, TypeStats>;

/// The counts of the last look, and when it was.
struct Told {
    at: Instant,
    time: f64,
    counts: Counts,
}

/// The looks of the last seconds, and what changed between them.
#[derive(Default)]
pub(crate) struct Looks {
    looks: VecDeque<Look>,
    /// The counts up to which events were told.
    told: Option<Told>,
    /// The newest first.
    events: VecDeque<Event>,
}

impl Looks {
    /// Whether a look now has one before to compare with.
    pub(crate) fn has_earlier(&self) -> bool {
        self.earlier(Instant::now()).is_some()
    }

    fn earlier(&self, at: Instant) -> Option<&Look> {
        let ages = self.looks.iter().map(|look| (look, at.saturating_duration_since(look.at)));
        ages.filter(|(_, age)| (SHORT..=LONG).contains(age)).min_by_key(|(_, age)| *age).map(|(look, _)| look)
    }

    /// Takes a look.
    pub(crate) fn look(&mut self, engine: &EngineHandle, name: &str) -> Snapshot {
        let (stats, instances) = (engine.stats(), engine.instances());
        let (at, time) = (Instant::now(), seconds_since_1970());
        self.tell_changes(&stats, at, time);
        let earlier = self.earlier(at);
        let window = earlier.map_or(Duration::ZERO, |look| at.saturating_duration_since(look.at));
        let waits = worst_last(stats.waits());
        let culprit = culprit(&waits, &stats);
        let snapshot = Snapshot {
            version: VERSION,
            engine: clean(name),
            process: process::id(),
            time,
            window: window.as_secs_f64(),
            threads: stats.threads.iter().map(|row| thread(row, earlier, window)).collect(),
            types: stats.types.iter().map(|row| message_type(row, earlier, window)).collect(),
            instances: instances.len(),
            top: top(&instances, earlier, window),
            waits_text: waits.to_string(),
            culprit_thread: culprit.as_ref().and_then(|culprit| culprit.thread).map(|thread| thread.to_string()),
            culprit_since: culprit.as_ref().and_then(|culprit| culprit.stuck_for).map(|age| begun(time, age)),
            culprit: culprit.map(|culprit| culprit.line),
            waits: waits.roots.iter().map(|one| root(one, time)).collect(),
            events: self.events.iter().cloned().collect(),
        };
        self.keep(at, stats, &instances);
        snapshot
    }

    fn keep(&mut self, at: Instant, stats: Stats, instances: &[InstanceStats]) {
        let age = |look: &Look| at.saturating_duration_since(look.at);
        // Looks that come fast need not all be kept, and of those that are old enough to compare with, the newest is
        // enough. An engine may have many instances.
        if self.looks.back().is_some_and(|last| age(last) < SHORT / 4) {
            return;
        }
        while self.looks.get(1).is_some_and(|second| age(second) >= SHORT) {
            self.looks.pop_front();
        }
        self.looks.push_back(Look {
            at,
            threads: stats.threads.into_iter().map(|row| (row.thread, row)).collect(),
            instances: instances.iter().map(|one| (one.id, one.handled)).collect(),
            types: stats.types.into_iter().map(|row| (row.message, row)).collect(),
        });
    }

    /// Makes events of what has changed since the last look, unless that is long ago.
    fn tell_changes(&mut self, stats: &Stats, at: Instant, time: f64) {
        let counts_now = stats.types.iter().map(|row| (row.message, row.clone())).collect();
        let told = self.told.replace(Told { at, time, counts: counts_now });
        let is_recent = |told: &Told| at.saturating_duration_since(told.at) <= LONG;
        let Some(Told { time: since, counts: last, .. }) = told.filter(is_recent) else { return };
        for row in &stats.types {
            let before = last.get(row.message).cloned().unwrap_or_default();
            let changes = counts(row).into_iter().zip(counts(&before));
            for ((what, now), (_, before)) in changes.filter(|((_, now), (_, before))| now > before) {
                self.tell(Event {
                    since,
                    time,
                    what: what.to_owned(),
                    count: now - before,
                    message: row.message.to_owned(),
                });
            }
        }
        self.events.truncate(EVENTS);
    }

    /// Adds an event; to the one before of the same kind, while that goes on.
    fn tell(&mut self, mut event: Event) {
        let is_same = |other: &Event| {
            let ago = Duration::try_from_secs_f64(event.time - other.time).unwrap_or_default();
            other.what == event.what && other.message == event.message && ago <= LONG
        };
        if let Some(before) = self.events.iter().position(is_same).and_then(|at| self.events.remove(at)) {
            event.since = before.since;
            event.count += before.count;
        }
        self.events.push_front(event);
    }
}

/// The counts that make an event when they grow.
fn counts(row: &TypeStats) -> [(&'static str, u64); 6] {
    [
        ("panics", row.panicked),
        ("restarts", row.restarts),
        ("ended", row.ended),
        ("dead letters", row.dead_letters.total()),
        ("refused", row.refused.total()),
        ("timed out", row.timed_out.total()),
    ]
}

fn seconds_since_1970() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64()
}

/// How many a second; 0 without an earlier look.
fn rate(now: u64, before: u64, window: Duration) -> f64 {
    if window.is_zero() { 0.0 } else { now.saturating_sub(before) as f64 / window.as_secs_f64() }
}

fn thread(row: &ThreadStats, earlier: Option<&Look>, window: Duration) -> Thread {
    let before = earlier.and_then(|look| look.threads.get(&row.thread));
    // A thread that is younger than the earlier look is compared with its own start.
    let age = row.age.saturating_sub(before.map_or(Duration::ZERO, |before| before.age)).as_secs_f64();
    let share = |now: Duration, before: Option<Duration>| {
        let time = now.saturating_sub(before.unwrap_or_default()).as_secs_f64();
        if age > 0.0 { (time / age).clamp(0.0, 1.0) } else { 0.0 }
    };
    let waits = row.waits.iter().map(ToString::to_string);
    let runs = row.holder();
    let inner_room = row.inner_room.map(|inner| Room { inside: true, ..room(inner) });
    Thread {
        thread: row.thread.to_string(),
        name: clean(&row.name),
        busy: share(row.busy(), before.map(ThreadStats::busy)),
        waiting: share(row.waiting, before.map(|before| before.waiting)),
        rate: rate(row.handled, before.map_or(0, |before| before.handled), window),
        instances: row.instances,
        queued: row.queued,
        oldest: row.oldest.as_secs_f64(),
        rooms: row.room.map(room).into_iter().chain(inner_room).collect(),
        timers: row.timers,
        handled: row.handled,
        panicked: row.panicked,
        waits: runs.is_none() && !row.waits.is_empty(),
        runs: waits.chain(runs.map(|runs| runs.to_string())).collect::<Vec<_>>().join("; "),
        backing_off: row.backing_off.len(),
    }
}

/// The room for messages from outside.
fn room(row: zctor::RoomStats) -> Room {
    Room { inside: false, bound: row.bound, taken: row.taken, waiting: row.waiting }
}

fn message_type(row: &TypeStats, earlier: Option<&Look>, window: Duration) -> Type {
    let before = earlier.and_then(|look| look.types.get(row.message)).map_or(0, |before| before.handled);
    Type {
        message: row.message.to_owned(),
        instances: row.instances,
        ended: row.ended,
        queued: row.queued,
        rate: rate(row.handled, before, window),
        handled: row.handled,
        panicked: row.panicked,
        restarts: row.restarts,
        dead_letters: row.dead_letters.total(),
        refused: row.refused.total(),
        timed_out: row.timed_out.total(),
    }
}

/// The instances with the longest queues, those that did the most, and those that panicked most.
fn top(instances: &[InstanceStats], earlier: Option<&Look>, window: Duration) -> Vec<Instance> {
    let done = |one: &InstanceStats| {
        let before = earlier.and_then(|look| look.handled(one.id)).unwrap_or_default();
        one.handled.saturating_sub(before)
    };
    let mut chosen: Vec<usize> = Vec::new();
    let mut order: Vec<usize> = (0..instances.len()).collect();
    let mut choose = |key: &dyn Fn(&InstanceStats) -> u64| {
        let count = TOP.min(order.len());
        if count > 0 {
            order.select_nth_unstable_by_key(count - 1, |at| Reverse(key(&instances[*at])));
            chosen.extend_from_slice(&order[..count]);
        }
    };
    choose(&|one| one.queued as u64);
    choose(&done);
    choose(&|one| one.panicked);
    chosen.sort_unstable();
    chosen.dedup();
    chosen.sort_by_key(|at| Reverse((instances[*at].queued, done(&instances[*at]))));
    let row = |one: &InstanceStats| Instance {
        instance: one.id.to_string(),
        message: one.message.to_owned(),
        queued: one.queued,
        rate: rate(done(one), 0, window),
        handled: one.handled,
        panicked: one.panicked,
        backing_off: one.backing_off.is_some(),
    };
    chosen.into_iter().map(|at| row(&instances[at])).collect()
}

/// The handler that others have waited for, or that has run, for so long; for an actor that is slow by right, for its
/// own limit if that is longer. Messages that are old while their thread goes on make nobody stuck: it is slow.
pub(crate) fn stuck(engine: &EngineHandle, limit: Duration) -> Option<String> {
    let stats = engine.stats();
    let mut waits = worst_last(stats.waits());
    waits.roots.sort_by_key(longest);
    let limit_of = |runs: &RunningInstance| runs.slow_limit.unwrap_or_default().max(limit);
    let limit_of_root = |root: &zctor::WaitRoot| {
        let mut run = stats.threads.iter().filter_map(ThreadStats::holder);
        run.find(|runs| Some(runs.instance) == root.runs).map_or(limit, |runs| limit_of(&runs))
    };
    let culprit = awaited(&waits, limit_of_root).or_else(|| holds(&stats, limit_of, 0))?;
    Some(culprit.line)
}

/// A name without what would break its line, or move the cursor of a terminal.
fn clean(name: &str) -> String {
    name.replace(char::is_control, " ")
}

/// The end of chains that was waited for longest comes last; of those that are not old, the one that the most wait for.
fn worst_last(mut waits: WaitForest) -> WaitForest {
    let old = |root: &zctor::WaitRoot| Some(longest(root)).filter(|longest| *longest >= OLD);
    waits.roots.sort_by_key(|root| (old(root), root.handlers.len() + root.callers.len()));
    waits.roots.iter_mut().for_each(|root| root.name = clean(&root.name));
    let callers = waits.roots.iter_mut().flat_map(|root| &mut root.callers);
    callers.for_each(|one| one.caller.thread = one.caller.thread.as_deref().map(clean));
    waits
}

fn longest(root: &zctor::WaitRoot) -> Duration {
    let handlers = root.handlers.iter().map(|handler| handler.wait.lasted);
    handlers.chain(root.callers.iter().map(|one| one.caller.lasted)).max().unwrap_or_default()
}

fn last_line(text: impl ToString) -> String {
    text.to_string().lines().last().unwrap_or_default().trim().to_owned()
}

/// For how long it is stuck, at least: how long it has run is not always known in full.
fn stuck_for(root: &zctor::WaitRoot) -> Duration {
    root.lasted.max(longest(root))
}

/// When that began which has this age now.
fn begun(time: f64, age: Duration) -> f64 {
    time - age.as_secs_f64()
}

fn root(root: &zctor::WaitRoot, time: f64) -> WaitRoot {
    let callers = root.callers.iter().map(|one| Waiting {
        text: one.to_string(),
        outside: true,
        lasted: one.caller.lasted.as_secs_f64(),
        distance: one.distance,
    });
    let handlers = root.handlers.iter().map(|one| Waiting {
        text: one.to_string(),
        outside: false,
        lasted: one.wait.lasted.as_secs_f64(),
        distance: one.distance,
    });
    let mut waiting: Vec<Waiting> = callers.chain(handlers).collect();
    waiting.sort_by_key(|one| Reverse(one.distance));
    WaitRoot {
        text: last_line(root),
        thread: root.own_thread().map(|thread| thread.to_string()).unwrap_or_default(),
        name: root.name.clone(),
        is_elsewhere: root.is_elsewhere,
        since: begun(time, stuck_for(root)),
        instance: root.runs.map(|id| id.to_string()),
        message: root.message.map(str::to_owned),
        variant: root.variant.map(str::to_owned),
        lasted: root.lasted.as_secs_f64(),
        longest: longest(root).as_secs_f64(),
        handlers: root.handlers.len(),
        callers: root.callers.len(),
        waiting,
    }
}

/// What needs a look first.
struct Culprit {
    /// `None` for a thread of another engine.
    thread: Option<ThreadId>,
    line: String,
    /// For how long, at least. `None` for a thread that goes on from message to message.
    stuck_for: Option<Duration>,
}

/// The line for the operator who has time for one: the worst end of waits, or the code that holds up messages behind
/// it, or the thread whose messages are the oldest.
fn culprit(waits: &WaitForest, stats: &Stats) -> Option<Culprit> {
    awaited(waits, |_| OLD).or_else(|| holds(stats, |_| OLD, 1)).or_else(|| is_behind(stats))
}

/// The last of the ends of waits that was waited for as long as its limit.
fn awaited(waits: &WaitForest, limit_of: impl Fn(&zctor::WaitRoot) -> Duration) -> Option<Culprit> {
    let root = waits.roots.iter().rev().find(|root| longest(root) >= limit_of(root))?;
    Some(Culprit { thread: root.own_thread(), line: last_line(root), stuck_for: Some(stuck_for(root)) })
}

/// The code that holds a thread for longest, of that which does so for as long as its limit and has so many messages behind
/// it.
fn holds(stats: &Stats, limit_of: impl Fn(&RunningInstance) -> Duration, behind: usize) -> Option<Culprit> {
    let holders = stats.threads.iter().filter_map(|row| Some((row, row.holder()?)));
    let old = holders.filter(|(row, runs)| runs.lasted >= limit_of(runs) && row.queued_behind() >= behind);
    let (row, runs) = old.max_by_key(|(_, runs)| runs.lasted)?;
    let line = format!("thread {} `{}` RUNS {runs}", row.thread, clean(&row.name));
    let line = match row.queued_behind() {
        0 => line + "; nothing else is queued there",
        more => format!("{line}; {more} more queued there, the oldest for {:.1} s", row.oldest.as_secs_f64()),
    };
    Some(Culprit { thread: Some(row.thread), line, stuck_for: Some(runs.lasted) })
}

/// The thread whose messages are the oldest, if they are old, though none of its handlers runs for long.
fn is_behind(stats: &Stats) -> Option<Culprit> {
    let old = stats.threads.iter().filter(|row| row.oldest >= OLD && row.queued_behind() > 0);
    let row = old.max_by_key(|row| (row.oldest, row.queued))?;
    let (thread, name, queued, age) = (row.thread, clean(&row.name), row.queued, row.oldest.as_secs_f64());
    let mut line = format!("thread {thread} `{name}` is behind: {queued} queued, the oldest for {age:.1} s");
    if let Some(runs) = row.holder() {
        line += &format!("; it runs {runs}");
    }
    match row.backing_off.len() {
        0 => {}
        1 => line += "; 1 instance backs off",
        many => line += &format!("; {many} instances back off"),
    }
    Some(Culprit { thread: Some(row.thread), line, stuck_for: None })
}
