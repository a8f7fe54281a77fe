//! Whether the cost of a message stays what it is as the work grows.

use super::memory::Gated;
use super::sink::{self, Sink, Source, nth, sum_to};
use super::{Field, Spec, Threads};
use crate::library::{Behaviour, Library, Never, Payload};
use crate::measure::{Figure, Plan, Stopwatch, each, rate};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, Sender};

pub(crate) const THREADS: Spec = Spec {
    name: "curve-threads",
    title: "Cost by the number of threads",
    about: "On each thread an actor that sends to a sink on the next thread, all at once: the time of all messages \
            together, divided by their number.",
    threads: Threads::Point,
    field: Field::Ours,
    points: &[1, 2, 4, 8, 16, 32, 64],
    axis: "threads",
    ..Spec::BASE
};

pub(crate) fn threads<L: Library>(library: &L, plan: &Plan) -> Vec<Figure> {
    let pairs = plan.point;
    let lanes: Vec<_> = (0..pairs as usize)
        .map(|place| {
            let (target, sums) = sink::spawn(library, place + 1, 1);
            (library.spawn(place, move || Source::<L> { target }), sums)
        })
        .collect();
    each(rate(plan, 100 * pairs, 400_000, |count| {
        let each = count / pairs;
        lanes.iter().for_each(|(source, _)| L::tell(source, each));
        lanes.iter().for_each(|(_, sums)| sink::expect(sums, sum_to(each)));
    }))
}

pub(crate) const INSTANCES: Spec = Spec {
    name: "curve-instances",
    title: "Cost by the number of instances",
    about: "A thread outside sends to 1 to 10,000 instances in turn, a message each. What grows is the working set: from \
            some size on each message finds its instance outside the cache. Where each instance has a thread of its own, \
            there are 60 at most.",
    points: &[1, 2, 8, 60, 1_000, 10_000],
    many_from: 1_000,
    axis: "instances",
    ..Spec::BASE
};

/// How many instances have not yet handled their share of a lot.
struct Shared {
    left: AtomicU64,
    done: Sender<u64>,
}

/// Counts for itself, so that instances on several threads share nothing but the end of a lot.
struct Counter {
    handled: u64,
    shared: Arc<Shared>,
}

impl Behaviour for Counter {
    type Message = Payload;
    type Question = Never;

    fn receive(&mut self, [_, share, _]: Payload) {
        self.handled += 1;
        if self.handled == share {
            self.handled = 0;
            if self.shared.left.fetch_sub(1, Ordering::AcqRel) == 1 {
                self.shared.done.send(share).expect("the outside waits");
            }
        }
    }
}

pub(crate) fn instances<L: Library>(library: &L, plan: &Plan) -> Vec<Figure> {
    let (done, ends) = mpsc::channel();
    let shared = Arc::new(Shared { left: AtomicU64::new(0), done });
    let counters: Vec<_> = (0..plan.point as usize)
        .map(|place| {
            let shared = Arc::clone(&shared);
            library.spawn(place, move || Counter { handled: 0, shared })
        })
        .collect();
    // Some doublings of the first, so that each lot has the same number of messages for each instance.
    let first = (10 * plan.point).max(1_000);
    let most = first << (200_000 / first).ilog2();
    each(rate(plan, first - first % plan.point, most - most % plan.point, |count| {
        let share = count / plan.point;
        shared.left.store(plan.point, Ordering::Release);
        for i in 0..share {
            counters.iter().for_each(|counter| L::tell(counter, [i, share, 0]));
        }
        sink::expect(&ends, share);
    }))
}

pub(crate) const QUEUED: Spec = Spec {
    name: "curve-queued",
    title: "Cost by the number of queued messages",
    about: "1,000 to 10 million messages are sent to a blocked actor, which then handles them: the time of both \
            together, divided by their number. Memory fresh from the system is part of it.",
    threads: Threads::One,
    field: Field::Ours,
    points: &[1_000, 10_000, 100_000, 1_000_000, 10_000_000],
    axis: "queued messages",
    ..Spec::BASE
};

pub(crate) fn queued<L: Library>(library: &L, plan: &Plan) -> Vec<Figure> {
    let count = plan.point;
    let (here, arrivals) = mpsc::channel();
    let (open, gate) = mpsc::channel();
    let (done, sums) = mpsc::channel();
    let gated = library.spawn(0, move || Gated { here, gate, sink: Sink::new(1, done) });
    let lot = || {
        (1..count).for_each(|i| L::tell(&gated, nth(i, count)));
        open.send(()).expect("the actor waits");
        sink::expect(&sums, sum_to(count));
    };
    // No warm-up but for the small ones: at ten million a single lot is a run.
    let (mut watch, mut lots) = (Stopwatch::default(), 0);
    while lots == 0 || watch.spent < plan.budget {
        L::tell(&gated, nth(0, count));
        sink::expect(&arrivals, 0);
        watch.run(lot);
        lots += 1;
    }
    each(watch.per(lots * count))
}
