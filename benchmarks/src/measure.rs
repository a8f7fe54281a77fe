//! How things are measured: rates, percentiles, CPU time, memory.

use std::fs;
use std::time::{Duration, Instant};

/// What a run is asked to do.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// The threads of the library.
    pub threads: usize,
    /// The place on the curve, for workloads that are one; else 0.
    pub point: u64,
    /// How long the measured part may take, about.
    pub budget: Duration,
}

/// One result of a run, in the unit of its workload.
#[derive(Clone, Debug, PartialEq)]
pub struct Figure {
    pub column: String,
    pub value: f64,
}

/// The result of a workload with one column.
pub(crate) fn one(value: f64) -> Vec<Figure> {
    vec![Figure { column: String::new(), value }]
}

pub(crate) fn figure(column: &str, value: f64) -> Figure {
    Figure { column: column.into(), value }
}

/// Nanoseconds an operation: repeats `lot(n)`, which does `n` operations and checks them.
///
/// The lot grows until it takes a twentieth of the budget or reaches `most`, which warms everything up as well; then
/// it is repeated until the budget is spent.
pub(crate) fn rate(plan: &Plan, first: u64, most: u64, mut lot: impl FnMut(u64)) -> f64 {
    let mut size = first;
    let mut time = |size| {
        let start = Instant::now();
        lot(size);
        start.elapsed()
    };
    time(size);
    while size < most && time(size) < plan.budget / 20 {
        size = (size * 2).min(most);
    }
    let (mut spent, mut lots) = (Duration::ZERO, 0);
    while spent < plan.budget {
        spent += time(size);
        lots += 1;
    }
    spent.as_nanos() as f64 / (lots * size) as f64
}

/// The percentiles that latencies are reported by, in microseconds.
pub(crate) fn percentiles(mut latencies: Vec<Duration>) -> Vec<Figure> {
    latencies.sort_unstable();
    let at = |share: f64| {
        let index = ((latencies.len() as f64 * share).ceil() as usize).clamp(1, latencies.len()) - 1;
        latencies[index].as_nanos() as f64 / 1_000.0
    };
    [("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("p99.9", 0.999), ("max", 1.0)]
        .map(|(column, share)| figure(column, at(share)))
        .to_vec()
}

/// The CPU time that all threads of the process but the calling one have used. Linux only.
pub(crate) fn others_cpu_time() -> Duration {
    let own = fs::read_link("/proc/thread-self").expect("Linux shows a process its threads");
    let threads = fs::read_dir("/proc/self/task").expect("Linux shows a process its threads");
    let others = threads.flatten().filter(|thread| Some(thread.file_name().as_os_str()) != own.file_name());
    let nanoseconds = others.map(|thread| {
        let text = fs::read_to_string(thread.path().join("schedstat")).expect("Linux counts a thread's time");
        text.split_whitespace().next().and_then(|spent| spent.parse::<u64>().ok()).expect("the time comes first")
    });
    Duration::from_nanos(nanoseconds.sum())
}

/// The memory of the process that is in RAM, in bytes. Linux only.
pub(crate) fn resident() -> f64 {
    let statm = fs::read_to_string("/proc/self/statm").expect("Linux shows a process its memory");
    let pages: u64 = statm.split_whitespace().nth(1).and_then(|pages| pages.parse().ok()).expect("statm has pages");
    (pages * 4_096) as f64
}
