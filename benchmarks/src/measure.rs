//! How things are measured: rates, percentiles, CPU time, memory.

use std::fs;
use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};

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

/// The column of the CPU time of an operation, all threads of the process together. Where a workload has several
/// columns of time, that of each is called by this and its name.
pub const CPU: &str = "CPU";

/// Whether a column is one of CPU time.
pub fn is_cpu(column: &str) -> bool {
    column.split(' ').next() == Some(CPU)
}

/// The column of the CPU time that belongs to a column of time.
pub fn cpu_of(column: &str) -> String {
    if column.is_empty() { CPU.into() } else { format!("{CPU} {column}") }
}

/// The result of a workload with one column and without a CPU time.
pub(crate) fn one(value: f64) -> Vec<Figure> {
    vec![figure("", value)]
}

pub(crate) fn figure(column: &str, value: f64) -> Figure {
    Figure { column: column.into(), value }
}

/// What an operation takes, in nanoseconds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cost {
    /// By the clock.
    pub(crate) time: f64,
    /// Of CPU time, on all threads of the process together.
    pub(crate) cpu: f64,
}

impl Cost {
    /// As the two figures of a column, in a unit of so many nanoseconds.
    pub(crate) fn in_column(self, column: &str, nanoseconds: f64) -> [Figure; 2] {
        [figure(column, self.time / nanoseconds), figure(&cpu_of(column), self.cpu / nanoseconds)]
    }
}

/// The result of a workload with one column, in nanoseconds.
pub(crate) fn each(cost: Cost) -> Vec<Figure> {
    cost.in_column("", 1.0).into()
}

/// Adds up the time and the CPU time of what is done under it.
#[derive(Debug, Default)]
pub(crate) struct Stopwatch {
    pub(crate) spent: Duration,
    cpu: Duration,
}

impl Stopwatch {
    pub(crate) fn run(&mut self, f: impl FnOnce()) {
        let (start, before) = (Instant::now(), cpu_time());
        f();
        self.spent += start.elapsed();
        self.cpu += cpu_time() - before;
    }

    /// The cost of each of so many operations.
    pub(crate) fn per(&self, operations: u64) -> Cost {
        let each = |time: Duration| time.as_nanos() as f64 / operations as f64;
        Cost { time: each(self.spent), cpu: each(self.cpu) }
    }
}

/// The CPU time that the process has used, on all its threads, those that have ended among them.
pub(crate) fn cpu_time() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), time.tv_nsec.unsigned_abs() as u32)
}

/// The cost of an operation: repeats `lot(n)`, which does `n` operations and checks them.
///
/// The lot grows until it takes a twentieth of the budget or reaches `most`, which warms everything up as well; then
/// it is repeated until the budget is spent.
pub(crate) fn rate(plan: &Plan, first: u64, most: u64, mut lot: impl FnMut(u64)) -> Cost {
    let size = grow(plan.budget, first, most, &mut lot);
    let (mut watch, mut lots) = (Stopwatch::default(), 0);
    while watch.spent < plan.budget {
        watch.run(|| lot(size));
        lots += 1;
    }
    watch.per(lots * size)
}

/// The size of a lot that takes a twentieth of the budget, or `most`.
fn grow(budget: Duration, first: u64, most: u64, lot: &mut dyn FnMut(u64)) -> u64 {
    let mut size = first;
    let mut time = |size| {
        let start = Instant::now();
        lot(size);
        start.elapsed()
    };
    time(size);
    while size < most && time(size) < budget / 20 {
        size = (size * 2).min(most);
    }
    size
}

/// A way to do the operation of a workload, under its name.
pub(crate) type Form<'a> = (&'static str, Box<dyn FnMut(u64) + 'a>);

/// The cost of an operation in each of several forms, a column a form. Their lots take turns, so that all forms meet
/// the same moods of the machine.
pub(crate) fn side_by_side(plan: &Plan, first: u64, most: u64, forms: Vec<Form<'_>>) -> Vec<Figure> {
    let budget = plan.budget / forms.len() as u32;
    let grown = forms.into_iter().map(|(name, mut lot)| (name, grow(budget, first, most, &mut lot), lot));
    let mut forms: Vec<_> = grown.map(|(name, size, lot)| (name, size, lot, Stopwatch::default(), 0)).collect();
    while forms.iter().any(|(.., watch, _)| watch.spent < budget) {
        for (_, size, lot, watch, lots) in &mut forms {
            watch.run(|| lot(*size));
            *lots += 1;
        }
    }
    forms.iter().flat_map(|(name, size, _, watch, lots)| watch.per(lots * size).in_column(name, 1.0)).collect()
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
