//! A pool of workers for jobs that need a core.

use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, Sender};
use std::time::Instant;

use super::{LIMIT, Spec, Threads};
use crate::library::{Behaviour, Library, Never};
use crate::measure::{CPU, Figure, Plan, figure, rate};

pub(crate) const SPEC: Spec = Spec {
    name: "pool",
    title: "Pool of CPU-bound jobs",
    about: "Jobs of 10 to 20 microseconds go in turn to as many workers as there are cores; the outside is told when the \
            last is done. The speed-up is against a plain loop on one thread, timed in the same process.",
    unit: "ns a job, and times",
    threads: Threads::Cores,
    charted: &[COLUMN],
    ..Spec::BASE
};

pub(crate) const SMALL: Spec = Spec {
    name: "pool-small",
    title: "Pool of small CPU-bound jobs",
    about: "The same with jobs of about a microsecond, for which the way there counts.",
    unit: "ns a job, and times",
    threads: Threads::Cores,
    charted: &[COLUMN],
    ..Spec::BASE
};

const COLUMN: &str = "ns a job";

/// Counts the primes among so many numbers by trial division.
fn job(seed: u64, numbers: u64) -> u64 {
    let first = 1_000 + black_box(seed) % 64;
    (first..first + numbers).filter(|&n| (2..).take_while(|d| d * d <= n).all(|d| n % d != 0)).count() as u64
}

/// What the workers have done, of a batch of jobs. Who does the last of them tells the outside, so that no core is
/// taken from the workers meanwhile.
#[derive(Default)]
struct Tally {
    sum: AtomicU64,
    left: AtomicU64,
}

struct Worker {
    numbers: u64,
    tally: Arc<Tally>,
    done: Sender<()>,
}

impl Behaviour for Worker {
    type Message = u64;
    type Question = Never;

    fn receive(&mut self, seed: u64) {
        self.tally.sum.fetch_add(job(seed, self.numbers), Ordering::Relaxed);
        if self.tally.left.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.done.send(()).expect("the outside waits");
        }
    }
}

pub(crate) fn run<L: Library>(library: &L, plan: &Plan) -> Vec<Figure> {
    // Long enough to dwarf a message, short enough for it to count.
    jobs(library, plan, 900)
}

pub(crate) fn small<L: Library>(library: &L, plan: &Plan) -> Vec<Figure> {
    jobs(library, plan, 75)
}

fn jobs<L: Library>(library: &L, plan: &Plan, numbers: u64) -> Vec<Figure> {
    const JOBS: u64 = 256;
    let all = || (0..JOBS).map(|seed| job(seed, numbers)).sum::<u64>();
    let expected = all();
    let mut alone = f64::MAX;
    for _ in 0..4 {
        let start = Instant::now();
        assert_eq!(all(), expected);
        alone = alone.min(start.elapsed().as_nanos() as f64 / JOBS as f64);
    }
    let tally = Arc::new(Tally::default());
    let (done, told) = mpsc::channel();
    let mut give = {
        let tally = Arc::clone(&tally);
        library.rotator(plan.threads, move || Worker { numbers, tally: Arc::clone(&tally), done: done.clone() })
    };
    let pooled = rate(plan, JOBS, JOBS * 16, |count| {
        tally.left.store(count, Ordering::Release);
        (0..count).for_each(|seed| give(seed % JOBS));
        told.recv_timeout(LIMIT).expect("the last job ends");
        assert_eq!(tally.sum.swap(0, Ordering::Relaxed), expected * (count / JOBS));
    });
    vec![figure(COLUMN, pooled.time), figure("speed-up", alone / pooled.time), figure(CPU, pooled.cpu)]
}
