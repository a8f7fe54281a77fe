//! The workloads. Who adds one adds a file and a line at the end of this one.

mod broadcast;
mod calls;
mod create;
mod crowd;
mod curves;
mod fan_in;
mod forms;
mod idle;
mod latency;
mod memory;
mod one_way;
mod pool;
mod ring;
mod savina;
mod sink;

use std::time::Duration;

use savina::{banking, big, buffer, chameneos, count, dictionary, fork_join, philosophers, queens, radix};

use crate::library::{Library, Need};
use crate::measure::{Figure, Plan};

/// On how many threads a workload is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Threads {
    /// On one.
    One,
    /// On as many as there are cores, and two at least.
    Cores,
    /// Both ways, a row each.
    Both,
    Exactly(usize),
    /// The point on the curve is the number of threads.
    Point,
}

/// Who takes part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field {
    All,
    /// No floors: the workload is a program of many actors.
    Libraries,
    /// zctor, and the marks that it is measured against.
    Ours,
    /// zctor alone: its ways to do the same, side by side.
    Alone,
}

/// What a workload is.
#[derive(Debug)]
pub struct Spec {
    /// Short, for the command line and for file names.
    pub name: &'static str,
    pub title: &'static str,
    /// What is done, in a sentence or two.
    pub about: &'static str,
    pub unit: &'static str,
    pub needs: &'static [Need],
    pub threads: Threads,
    pub field: Field,
    /// The places on the curve, or nothing.
    pub points: &'static [u64],
    /// From this place on it takes a library that can have thousands of instances.
    pub many_from: u64,
    /// What the places are a number of.
    pub axis: &'static str,
    /// How many times longer than usual it takes to see anything.
    pub stretch: u32,
    /// Whether it goes through more rounds than others: a round has few operations, and the machine is faster in one than
    /// in another.
    pub has_many_rounds: bool,
    /// The columns that the chart shows, if it does not show all.
    pub charted: &'static [&'static str],
}

impl Spec {
    /// A workload of one column for everybody, which the workloads fill in from.
    pub const BASE: Self = Self {
        name: "",
        title: "",
        about: "",
        unit: "ns a message",
        needs: &[],
        threads: Threads::Both,
        field: Field::All,
        points: &[],
        many_from: u64::MAX,
        axis: "",
        stretch: 1,
        has_many_rounds: false,
        charted: &[],
    };

    /// How many rounds it goes through where a usual workload goes through `rounds`: what is slow and steady, because a
    /// run is long or has many points, through three at most.
    pub fn rounds(&self, rounds: usize) -> usize {
        if self.has_many_rounds {
            return many(rounds);
        }
        if self.stretch > 1 || !self.points.is_empty() { rounds.min(3) } else { rounds }
    }
}

/// The rounds of a workload that has many of them, where a usual one has `rounds`; an odd number, so that one is the
/// median.
pub fn many(rounds: usize) -> usize {
    2 * rounds - 1
}

/// The time that a wait for an end may take before the run counts as hung.
pub const LIMIT: Duration = Duration::from_secs(60);

/// What a workload does on a library.
type Run<L> = fn(&L, &Plan) -> Vec<Figure>;

/// A list of workloads, and the function that finds one of them for a library. There are several lists so that nobody
/// compiles a workload for a library that never runs it.
macro_rules! workloads {
    ($list:ident, $find:ident: $($module:ident :: $spec:ident => $run:ident,)*) => {
        static $list: &[&Spec] = &[$(&$module::$spec,)*];

        fn $find<L: Library>(name: &str) -> Option<Run<L>> {
            $(if name == $module::$spec.name {
                return Some($module::$run);
            })*
            None
        }
    };
}

workloads! {
    CORE, core:
    one_way::OUTSIDE => outside,
    one_way::FOUR => four,
    one_way::BATCH => batch,
    one_way::INSIDE => inside,
    one_way::SAME => same,
    calls::OUTSIDE => outside,
    calls::INSIDE => inside,
    calls::SAME => same,
    ring::PING_PONG => ping_pong,
    ring::RING => ring,
    ring::PING_PONG_TOGETHER => ping_pong_together,
    ring::RING_TOGETHER => ring_together,
    fan_in::SPEC => run,
    create::SPEC => run,
    big::SPEC => run,
    pool::SPEC => run,
    pool::SMALL => small,
    broadcast::SPEC => run,
    curves::INSTANCES => instances,
    latency::EVERY_100_US => every_100_us,
    latency::EVERY_1_MS => every_1_ms,
    latency::EVERY_10_MS => every_10_ms,
    latency::IDLE => idle,
    latency::LOADED => loaded,
    latency::FLOODED => flooded,
    idle::SPEC => run,
    memory::INSTANCE => instance,
    memory::ALONE => alone,
    memory::MESSAGE => message,
}

workloads! {
    GROWTH, growth:
    crowd::SPEC => run,
    curves::THREADS => threads,
    curves::QUEUED => queued,
}

workloads! {
    PROGRAMS, programs:
    count::SPEC => run,
    fork_join::SPEC => run,
    chameneos::SPEC => run,
    philosophers::SPEC => run,
    banking::SPEC => run,
    dictionary::SPEC => run,
    buffer::SPEC => run,
    radix::SPEC => run,
    queens::SPEC => run,
}

/// The workloads of zctor alone.
static FORMS: &[&Spec] = &[
    &forms::CALL_OUTSIDE,
    &forms::CALL_INSIDE,
    &forms::CALL_SAME,
    &forms::SEND_OUTSIDE,
    &forms::SEND_INSIDE,
    &forms::SEND_SAME,
];

/// All workloads, in the order of the tables.
pub fn all() -> impl Iterator<Item = &'static Spec> {
    CORE.iter().chain(FORMS).chain(GROWTH).chain(PROGRAMS).copied()
}

fn start<L: Library>(run: Option<Run<L>>, plan: &Plan) -> Vec<Figure> {
    let run = run.expect("it takes part in this workload");
    run(&L::start(plan.threads), plan)
}

/// Runs any workload.
pub(crate) fn run_any<L: Library>(spec: &Spec, plan: &Plan) -> Vec<Figure> {
    if let Some(run) = forms::find(spec.name) {
        return run(plan);
    }
    start(core::<L>(spec.name).or_else(|| growth(spec.name)).or_else(|| programs(spec.name)), plan)
}

/// Runs what is open to all libraries.
pub(crate) fn run_library<L: Library>(spec: &Spec, plan: &Plan) -> Vec<Figure> {
    start(core::<L>(spec.name).or_else(|| programs(spec.name)), plan)
}

/// Runs what is open to the floors that zctor is measured against as the work grows.
pub(crate) fn run_mark<L: Library>(spec: &Spec, plan: &Plan) -> Vec<Figure> {
    start(core::<L>(spec.name).or_else(|| growth(spec.name)), plan)
}

/// Runs what is open to all.
pub(crate) fn run_floor<L: Library>(spec: &Spec, plan: &Plan) -> Vec<Figure> {
    start(core::<L>(spec.name), plan)
}
