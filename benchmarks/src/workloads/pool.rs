//! A pool of workers for jobs that need a core.

use std::hint::black_box;
use std::sync::mpsc::{self, Sender};
use std::time::Instant;

use super::{LIMIT, Spec, Threads};
use crate::library::{Behaviour, Library, Never};
use crate::measure::{Figure, Plan, figure, rate};

pub(crate) const SPEC: Spec = Spec {
    name: "pool",
    title: "Pool of CPU-bound jobs",
    about: "Jobs of about 20 microseconds go in turn to as many workers as there are cores. The speed-up is against a \
            plain loop on one thread, timed in the same process.",
    unit: "ns a job, and times",
    threads: Threads::Cores,
    charted: &["ns a job"],
    ..Spec::BASE
};

/// Counts primes by trial division: long enough to dwarf a message, short enough for it to count.
fn job(seed: u64) -> u64 {
    let first = 1_000 + black_box(seed) % 64;
    (first..first + 900).filter(|&n| (2..).take_while(|d| d * d <= n).all(|d| n % d != 0)).count() as u64
}

struct Worker(Sender<u64>);

impl Behaviour for Worker {
    type Message = u64;
    type Question = Never;

    fn receive(&mut self, seed: u64) {
        self.0.send(job(seed)).expect("the outside waits");
    }
}

pub(crate) fn run<L: Library>(library: &L, plan: &Plan) -> Vec<Figure> {
    const JOBS: u64 = 256;
    let expected: u64 = (0..JOBS).map(job).sum();
    let mut alone = f64::MAX;
    for _ in 0..4 {
        let start = Instant::now();
        assert_eq!((0..JOBS).map(job).sum::<u64>(), expected);
        alone = alone.min(start.elapsed().as_nanos() as f64 / JOBS as f64);
    }
    let (done, results) = mpsc::channel();
    let mut give = library.rotator(plan.threads, move || Worker(done.clone()));
    let pooled = rate(plan, JOBS, JOBS * 16, |count| {
        (0..count).for_each(|seed| give(seed % JOBS));
        let sum: u64 = (0..count).map(|_| results.recv_timeout(LIMIT).expect("a job ends")).sum();
        assert_eq!(sum, expected * (count / JOBS));
    });
    vec![figure("ns a job", pooled), figure("speed-up", alone / pooled)]
}
