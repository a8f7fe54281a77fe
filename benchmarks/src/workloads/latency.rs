//! How long single calls take at a fixed pace.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::{LIMIT, Spec, Threads};
use crate::library::{Behaviour, Library, Need, Never, Oracle, Payload};
use crate::measure::{CPU, Figure, Plan, cpu_time, figure, percentiles};

const PACE: Duration = Duration::from_micros(500);
/// Where calls may take longer than [`PACE`], and would have to be timed from when they were due.
const SLOW: Duration = Duration::from_millis(5);
/// The most that wait where a thread is flooded.
const BATCH: u64 = 10_000;
const UNIT: &str = "µs a call";
const CHARTED: &[&str] = &["p50", "p99", "p99.9"];

/// Calls once every `pace`; gives the latencies, and the CPU time of the process for each call. Between calls the thread sleeps, as a caller with something else to do would. A call that
/// is late because the one before it took long is timed from when it was due.
fn calls<L: Library>(oracle: &L::Address<Oracle>, plan: &Plan, pace: Duration) -> Vec<Figure> {
    let count = (plan.budget.as_nanos() / pace.as_nanos()).max(100) as u32;
    let mut latencies = Vec::with_capacity(count as usize);
    let (start, before) = (Instant::now(), cpu_time());
    for i in 0..count {
        let due = start + pace * i;
        let free = Instant::now();
        thread::sleep(due.saturating_duration_since(free));
        let begin = if free < due { Instant::now() } else { due };
        assert_eq!(L::ask(oracle, [u64::from(i), 1, 0]), u64::from(i) + 1);
        latencies.push(begin.elapsed());
    }
    let used = cpu_time() - before;
    let mut figures = percentiles(latencies);
    figures.push(figure(CPU, used.as_nanos() as f64 / 1_000.0 / f64::from(count)));
    figures
}

pub(crate) const IDLE: Spec = Spec {
    name: "latency-idle",
    title: "Latency of a call, idle",
    about: "A thread outside calls 2,000 times a second; nothing else happens.",
    unit: UNIT,
    needs: &[Need::Ask],
    threads: Threads::One,
    stretch: 8,
    charted: CHARTED,
    ..Spec::BASE
};

pub(crate) fn idle<L: Library>(library: &L, plan: &Plan) -> Vec<Figure> {
    calls::<L>(&library.spawn(0, Oracle::new), plan, PACE)
}

/// At another pace; nothing else happens.
const PACED: Spec = Spec {
    unit: UNIT,
    needs: &[Need::Ask],
    threads: Threads::One,
    has_many_rounds: true,
    charted: &["p50", "p99", CPU],
    ..Spec::BASE
};

pub(crate) const EVERY_100_US: Spec = Spec {
    name: "latency-100us",
    title: "A call every 100 µs",
    about: "A thread outside calls once every 100 microseconds and sleeps in between; nothing else happens. The CPU time is \
            that of the whole process, the sleeping thread's wake-ups among it.",
    stretch: 2,
    ..PACED
};

pub(crate) fn every_100_us<L: Library>(library: &L, plan: &Plan) -> Vec<Figure> {
    calls::<L>(&library.spawn(0, Oracle::new), plan, Duration::from_micros(100))
}

pub(crate) const EVERY_1_MS: Spec = Spec {
    name: "latency-1ms",
    title: "A call every millisecond",
    about: "The same once a millisecond.",
    stretch: 4,
    ..PACED
};

pub(crate) fn every_1_ms<L: Library>(library: &L, plan: &Plan) -> Vec<Figure> {
    calls::<L>(&library.spawn(0, Oracle::new), plan, Duration::from_millis(1))
}

pub(crate) const EVERY_10_MS: Spec = Spec {
    name: "latency-10ms",
    title: "A call every 10 ms",
    about: "The same once in ten milliseconds.",
    stretch: 8,
    ..PACED
};

pub(crate) fn every_10_ms<L: Library>(library: &L, plan: &Plan) -> Vec<Figure> {
    calls::<L>(&library.spawn(0, Oracle::new), plan, Duration::from_millis(10))
}

/// Counts what it has handled.
struct Busy(Arc<AtomicU64>);

impl Behaviour for Busy {
    type Message = Payload;
    type Question = Never;

    fn receive(&mut self, _: Payload) {
        self.0.fetch_add(1, Ordering::Release);
    }
}

/// Calls one instance while a thread repeats `feed(send, waiting)` for another: it may send a message, and ask how many
/// of those sent are not handled yet. Gives the latencies, and the microseconds of a batch.
fn beside<L: Library>(
    library: &L,
    plan: &Plan,
    pace: Duration,
    feed: impl Fn(&dyn Fn(), &dyn Fn() -> u64) + Send + Sync,
) -> (Vec<Figure>, f64) {
    let handled = Arc::new(AtomicU64::new(0));
    let counter = Arc::clone(&handled);
    let busy = library.spawn(0, move || Busy(counter));
    let oracle = library.spawn(0, Oracle::new);
    let stop = AtomicBool::new(false);
    let sent = AtomicU64::new(0);
    let (figures, a_batch) = thread::scope(|scope| {
        scope.spawn(|| {
            let send = || L::tell(&busy, [sent.fetch_add(1, Ordering::Relaxed), 0, 0]);
            let waiting = || sent.load(Ordering::Relaxed) - handled.load(Ordering::Acquire);
            while !stop.load(Ordering::Relaxed) {
                feed(&send, &waiting);
            }
        });
        let (start, before) = (Instant::now(), handled.load(Ordering::Acquire));
        let figures = calls::<L>(&oracle, plan, pace);
        let (spent, count) = (start.elapsed(), handled.load(Ordering::Acquire) - before);
        stop.store(true, Ordering::Relaxed);
        (figures, spent.as_nanos() as f64 / 1_000.0 * BATCH as f64 / count.max(1) as f64)
    });
    let end = Instant::now() + LIMIT;
    while handled.load(Ordering::Acquire) < sent.load(Ordering::Relaxed) {
        assert!(Instant::now() < end, "messages were lost");
        thread::sleep(Duration::from_millis(1));
    }
    (figures, a_batch)
}

pub(crate) const LOADED: Spec = Spec {
    name: "latency-loaded",
    title: "Latency of a call, under load",
    about: "The same while another thread sends 100 messages every millisecond to a second actor, on the same thread \
            where actors share one.",
    unit: UNIT,
    needs: &[Need::Ask],
    threads: Threads::One,
    stretch: 8,
    charted: CHARTED,
    ..Spec::BASE
};

pub(crate) fn loaded<L: Library>(library: &L, plan: &Plan) -> Vec<Figure> {
    let (figures, _) = beside(library, plan, PACE, |send, _| {
        (0..100).for_each(|_| send());
        thread::sleep(Duration::from_millis(1));
    });
    figures
}

pub(crate) const FLOODED: Spec = Spec {
    name: "latency-flooded",
    title: "Latency of a call to a quiet instance of a flooded thread",
    about: "A thread outside calls 200 times a second, while another keeps between 5,000 and 10,000 messages waiting for a \
            second actor of the same thread: fairness. A batch is what can wait there at most, 10,000 messages; its time is \
            how long that thread takes over so many in this very run.",
    unit: UNIT,
    needs: &[Need::Ask, Need::SharedThread],
    threads: Threads::One,
    stretch: 16,
    charted: CHARTED,
    ..Spec::BASE
};

pub(crate) fn flooded<L: Library>(library: &L, plan: &Plan) -> Vec<Figure> {
    let (mut figures, a_batch) = beside(library, plan, SLOW, |send, waiting| {
        if waiting() < BATCH / 2 {
            (0..BATCH / 2).for_each(|_| send());
        }
        thread::yield_now();
    });
    figures.push(figure("a batch", a_batch));
    figures
}
