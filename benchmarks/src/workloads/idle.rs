//! The cost of an idle engine.

use std::thread;
use std::time::{Duration, Instant};

use super::sink::{self, sum_to};
use super::{Spec, Threads};
use crate::library::Library;
use crate::measure::{Figure, Plan, one, others_cpu_time};

const THREADS: usize = 8;

pub(crate) const SPEC: Spec = Spec {
    name: "idle",
    title: "CPU time of an idle engine",
    about: "Eight threads with an actor each have handled some messages and are left alone; the CPU time of all threads of \
            the process but the one that looks, a second of idling.",
    unit: "µs of CPU a second",
    stretch: 7,
    threads: Threads::Exactly(THREADS),
    ..Spec::BASE
};

pub(crate) fn run<L: Library>(library: &L, plan: &Plan) -> Vec<Figure> {
    let sinks: Vec<_> = (0..THREADS).map(|place| sink::spawn(library, place, 1)).collect();
    for (sink, sums) in &sinks {
        (0..100).for_each(|i| L::tell(sink, sink::nth(i, 100)));
        sink::expect(sums, sum_to(100));
    }
    thread::sleep(Duration::from_millis(50));
    let (start, before) = (Instant::now(), others_cpu_time());
    thread::sleep(plan.budget);
    let used = others_cpu_time() - before;
    one(used.as_nanos() as f64 / 1_000.0 / start.elapsed().as_secs_f64())
}
