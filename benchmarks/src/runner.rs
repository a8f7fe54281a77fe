//! Runs the workloads, each run in a fresh process, and collects what they print.

use std::env;
use std::io;
use std::process::{self, Command};
use std::thread;
use std::time::{Duration, Instant};

use zctor_benchmarks::libraries::{ENTRANTS, Entrant};
use zctor_benchmarks::library::Need;
use zctor_benchmarks::measure::{Figure, Plan, cpu_of, is_cpu};
use zctor_benchmarks::workloads::{self, LIMIT, Spec, Threads};

use crate::build;
use crate::results::{Results, Row};
use crate::variants;

/// What the command line asks for.
#[derive(Debug)]
pub(crate) struct Options {
    pub(crate) rounds: usize,
    /// The measured time of a run.
    pub(crate) budget: Duration,
    /// Only workloads and libraries whose name contains one of these; all if there is none.
    pub(crate) workloads: Vec<String>,
    pub(crate) libraries: Vec<String>,
    pub(crate) times_builds: bool,
}

fn is_wanted(name: &str, wanted: &[String]) -> bool {
    wanted.is_empty() || wanted.iter().any(|part| name.contains(part.as_str()))
}

/// One library on some threads at one workload.
struct Entry {
    spec: &'static Spec,
    entrant: &'static Entrant,
    threads: usize,
}

/// The first argument of a process that is one run.
pub(crate) const RUN: &str = "run";

impl Entry {
    fn row(&self) -> Row {
        let are_columns = self.spec.threads == Threads::Point;
        let threads = (self.entrant.shares_threads && !are_columns).then_some(self.threads);
        Row { workload: self.spec.name.into(), library: self.entrant.name.into(), threads }
    }

    fn points(&self) -> impl Iterator<Item = u64> {
        let points: &'static [u64] = if self.spec.points.is_empty() { &[0] } else { self.spec.points };
        let limit = if (self.entrant.lacks)(Need::Many).is_some() { self.spec.many_from } else { u64::MAX };
        points.iter().copied().filter(move |&point| point < limit)
    }

    /// About how long a run of it takes: the measured time, what goes before, and the process.
    fn estimate(&self, options: &Options) -> Duration {
        let run = options.budget.mul_f64(1.15 * f64::from(self.spec.stretch)) + Duration::from_millis(50);
        run * self.points().count() as u32
    }

    /// Runs it once and adds what it gave, or why it gave nothing.
    fn run(&self, options: &Options, results: &mut Results) {
        for point in self.points() {
            let threads = if self.spec.threads == Threads::Point { point as usize } else { self.threads };
            let budget = options.budget * self.spec.stretch;
            match in_a_process(self.spec, self.entrant, &Plan { threads, point, budget }) {
                Ok(figures) => {
                    for figure in figures {
                        let column = match point {
                            0 => figure.column,
                            _ if is_cpu(&figure.column) => cpu_of(&point.to_string()),
                            _ => point.to_string(),
                        };
                        results.add(self.row(), &column, figure.value);
                    }
                }
                Err(reason) => {
                    eprintln!("\n{} on {}: {reason}", self.spec.name, self.entrant.name);
                    results.fail(self.row(), "failed");
                }
            }
        }
    }
}

/// All that take part in a workload, in the order of the tables.
fn entries(spec: &'static Spec, options: &Options, results: &mut Results) -> Vec<Entry> {
    let cores = thread::available_parallelism().map_or(2, usize::from).max(2);
    let mut entries = Vec::new();
    let wanted = |entrant: &&Entrant| entrant.takes_part(spec) && is_wanted(entrant.name, &options.libraries);
    for entrant in ENTRANTS.iter().filter(wanted) {
        if let Some(reason) = spec.needs.iter().find_map(|&need| (entrant.lacks)(need)) {
            results.fail(Row { workload: spec.name.into(), library: entrant.name.into(), threads: None }, reason);
            continue;
        }
        let threads = match spec.threads {
            Threads::Both if entrant.shares_threads => vec![1, cores],
            Threads::One => vec![1],
            Threads::Both | Threads::Cores => vec![cores],
            Threads::Exactly(threads) => vec![threads],
            Threads::Point => vec![1],
        };
        for threads in threads {
            let entry = Entry { spec, entrant, threads };
            // Every row has its place in the table before the first figure comes.
            results.place(entry.row());
            entries.push(entry);
        }
    }
    entries
}

/// Everything, in rounds: each round goes through all workloads, and each workload through all libraries, starting
/// with another one each time.
pub(crate) fn run(options: &Options) -> Results {
    let mut results = Results::default();
    let specs: Vec<_> = workloads::all().filter(|spec| is_wanted(spec.name, &options.workloads)).collect();
    let times = |spec: &Spec| options.times_builds && is_wanted(spec.name, &options.workloads);
    let build_rounds = options.rounds.min(BUILD_ROUNDS);
    let mut planned = Duration::ZERO;
    for spec in &specs {
        let entries = entries(spec, options, &mut results);
        planned += entries.iter().map(|entry| entry.estimate(options)).sum::<Duration>()
            * u32::try_from(spec.rounds(options.rounds)).unwrap_or(u32::MAX);
    }
    for (spec, estimate) in [(&build::SPEC, build::ESTIMATE), (&variants::SPEC, variants::ESTIMATE)] {
        if times(spec) {
            planned += estimate * build_rounds as u32;
        }
    }
    let mut progress = Progress { start: Instant::now(), planned, done: Duration::ZERO };
    eprintln!("about {} in all", minutes(planned));
    let most = specs.iter().map(|spec| spec.rounds(options.rounds)).max().unwrap_or_default();
    for round in 0..most {
        for spec in specs.iter().filter(|spec| round < spec.rounds(options.rounds)) {
            let mut entries = entries(spec, options, &mut results);
            if entries.is_empty() {
                continue;
            }
            let length = entries.len();
            entries.rotate_left(round % length);
            progress.tell(&format!("round {} of {}, {}", round + 1, spec.rounds(options.rounds), spec.name));
            for entry in &entries {
                entry.run(options, &mut results);
                progress.done += entry.estimate(options);
            }
        }
    }
    for round in 0..build_rounds {
        if times(&build::SPEC) {
            progress.tell(&format!("round {} of {build_rounds}, {}", round + 1, build::SPEC.name));
            build::run(&mut results);
            progress.done += build::ESTIMATE;
        }
        if times(&variants::SPEC) {
            progress.tell(&format!("round {} of {build_rounds}, {}", round + 1, variants::SPEC.name));
            variants::run(&mut results);
            progress.done += variants::ESTIMATE;
        }
    }
    eprintln!("{} in all", minutes(progress.start.elapsed()));
    results
}

/// Builds take long and differ little.
const BUILD_ROUNDS: usize = 3;

/// How far the runs are, by what they were estimated to take.
struct Progress {
    start: Instant,
    planned: Duration,
    done: Duration,
}

impl Progress {
    /// Says what comes next, and how long all the rest may take if it goes on as it went.
    fn tell(&self, next: &str) {
        let spent = self.start.elapsed();
        let left = self.planned.saturating_sub(self.done);
        let pace = if self.done.is_zero() { 1.0 } else { spent.as_secs_f64() / self.done.as_secs_f64() };
        eprintln!("after {}, about {} left: {next}", minutes(spent), minutes(left.mul_f64(pace)));
    }
}

fn minutes(time: Duration) -> String {
    format!("{}:{:02} min", time.as_secs() / 60, time.as_secs() % 60)
}

fn in_a_process(spec: &Spec, entrant: &Entrant, plan: &Plan) -> Result<Vec<Figure>, String> {
    let run = || -> io::Result<process::Output> {
        Command::new(env::current_exe()?)
            .args([RUN, spec.name, entrant.name])
            .args([plan.threads as u64, plan.point, plan.budget.as_millis() as u64].map(|number| number.to_string()))
            .output()
    };
    let output = run().map_err(|error| error.to_string())?;
    if !output.status.success() {
        return Err(format!("{}\n{}", output.status, String::from_utf8_lossy(&output.stderr)));
    }
    let line = |line: &str| {
        let (column, value) = line.split_once('\t')?;
        Some(Figure { column: column.into(), value: value.parse().ok()? })
    };
    let text = String::from_utf8_lossy(&output.stdout);
    text.lines().map(line).collect::<Option<_>>().ok_or_else(|| format!("printed {text:?}"))
}

/// One run, in the process that was started for it: prints the figures, and ends the process without waiting for any
/// of the threads that are left.
pub(crate) fn child(arguments: &[String]) -> Option<()> {
    let [workload, library, threads, point, budget] = arguments else { return None };
    let spec = workloads::all().find(|spec| spec.name == workload)?;
    let entrant = ENTRANTS.iter().find(|entrant| entrant.name == library)?;
    let budget = Duration::from_millis(budget.parse().ok()?);
    let plan = Plan { threads: threads.parse().ok()?, point: point.parse().ok()?, budget };
    thread::spawn(|| {
        thread::sleep(2 * LIMIT);
        eprintln!("hung");
        process::exit(1);
    });
    for figure in (entrant.run)(spec, &plan) {
        println!("{}\t{}", figure.column, figure.value);
    }
    process::exit(0);
}
