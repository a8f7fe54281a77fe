//! Whether the cost of a message stays what it is as the work grows.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, Sender};
use std::time::Instant;

use super::memory::Gated;
use super::sink::{self, Sink, Source, nth, sum_to};
use super::{Field, Spec, Threads};
use crate::library::{Behaviour, Library, Need, Never, Payload};
use crate::measure::{Figure, Plan, one, rate};

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
    one(rate(plan, 100 * pairs, 400_000, |count| {
        let each = count / pairs;
        lanes.iter().for_each(|(source, _)| L::tell(source, each));
        lanes.iter().for_each(|(_, sums)| sink::expect(sums, sum_to(each)));
    }))
}

pub(crate) const INSTANCES: Spec = Spec {
    name: "curve-instances",
    title: "Cost by the number of instances",
    about: "A thread outside sends to 1 to 100,000 instances of one thread in turn. What grows is the working set: \
            from some size on each message finds its instance outside the cache.",
    needs: &[Need::Many],
    threads: Threads::One,
    field: Field::Ours,
    points: &[1, 10, 100, 1_000, 10_000, 100_000],
    axis: "instances",
    ..Spec::BASE
};

/// Counts what all instances handle together.
struct Shared {
    handled: AtomicU64,
    goal: AtomicU64,
    done: Sender<u64>,
}

struct Counter(Arc<Shared>);

impl Behaviour for Counter {
    type Message = Payload;
    type Question = Never;

    fn receive(&mut self, _: Payload) {
        let handled = self.0.handled.fetch_add(1, Ordering::Relaxed) + 1;
        if handled == self.0.goal.load(Ordering::Relaxed) {
            self.0.done.send(handled).expect("the outside waits");
        }
    }
}

pub(crate) fn instances<L: Library>(library: &L, plan: &Plan) -> Vec<Figure> {
    let (done, ends) = mpsc::channel();
    let shared = Arc::new(Shared { handled: AtomicU64::new(0), goal: AtomicU64::new(0), done });
    let goals = Arc::clone(&shared);
    let counters = library.spawn_many(plan.point, move |_| Counter(Arc::clone(&goals)));
    one(rate(plan, 1_000, 200_000, |count| {
        // The first message of a lot is what publishes the goal to the thread that counts.
        let goal = shared.goal.load(Ordering::Relaxed) + count;
        shared.goal.store(goal, Ordering::Relaxed);
        for (i, counter) in (0..count).zip(counters.iter().cycle()) {
            L::tell(counter, [i, 0, 0]);
        }
        sink::expect(&ends, goal);
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
        L::tell(&gated, nth(0, count));
        sink::expect(&arrivals, 0);
        let start = Instant::now();
        (1..count).for_each(|i| L::tell(&gated, nth(i, count)));
        open.send(()).expect("the actor waits");
        sink::expect(&sums, sum_to(count));
        start.elapsed()
    };
    // No warm-up but for the small ones: at ten million a single lot is a run.
    let mut spent = lot();
    let mut lots = 1;
    while spent < plan.budget {
        spent += lot();
        lots += 1;
    }
    one(spent.as_nanos() as f64 / (lots * count) as f64)
}
