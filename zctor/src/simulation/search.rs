//! The search over seeds.

use std::fmt;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::error::BoxError;
use crate::simulation::body::Simulation;
use crate::simulation::environment;
use crate::simulation::failure::{Failure, failed_at, why_failed};
use crate::simulation::shrink::{shrink, without_numbers};
use crate::simulation::steps::{trace, what};
use crate::simulation::summary::Summary;
use crate::sys::clock::{deadline, now};
use crate::sys::lock::lock;
use crate::sys::simulated::dice::Dice;
use crate::sys::simulated::faults::Faults;
use crate::sys::simulated::planted::Planted;
use crate::sys::simulated::record::{Event, Record};
use crate::sys::simulated::schedule::Policy;
use crate::sys::simulated::setup::Setup;
use crate::sys::simulated::{run, side_by_side};

type Body = dyn Fn(&Simulation) -> Result<(), BoxError> + Send + Sync;

/// Prepares a search: `body` is run once a seed, each time on a new thread `main` in a new world. Every engine that is
/// made there is simulated.
///
/// ```
/// use zctor::simulation::simulate;
/// use zctor::{ActorEngine, actor};
///
/// #[actor]
/// pub enum AdderMessage {
///     #[reply(u32)]
///     Add(u32, u32),
/// }
/// struct Adder;
/// impl AdderHandler for Adder {
///     fn add(&mut self, a: u32, b: u32) -> u32 {
///         a + b
///     }
/// }
///
/// simulate(|_| {
///     let engine = ActorEngine::new();
///     let adder: AdderClient = engine.pool(2, AdderMessage::actor(|| Adder))?;
///     assert_eq!(adder.add(2, 3)?, 5);
///     engine.shutdown()?;
///     Ok(())
/// })
/// .seeds(0..100)
/// .run();
/// ```
pub fn simulate(body: impl Fn(&Simulation) -> Result<(), BoxError> + Send + Sync + 'static) -> Search {
    Search {
        body: Arc::new(body),
        seeds: 0..1_000,
        jobs: 1,
        time_limit: None,
        slowest: None,
        allow_panics: false,
        max_steps: 100_000,
        patience: Duration::from_secs(10),
        faults: Faults::new(),
        marks: Vec::new(),
        checks_each: false,
        planted: None,
    }
}

/// A search over seeds, made by [`simulate`].
///
/// ```
/// let summary = zctor::simulation::simulate(|_| Ok(())).seeds(0..50).outcome().unwrap();
/// assert_eq!(summary.runs(), 51, "one for each seed, and the steady one");
/// ```
#[must_use = "it runs when `run` or `outcome` is called"]
pub struct Search {
    body: Arc<Body>,
    seeds: Range<u64>,
    jobs: usize,
    time_limit: Option<Duration>,
    slowest: Option<Duration>,
    allow_panics: bool,
    max_steps: u64,
    patience: Duration,
    faults: Faults,
    marks: Vec<&'static str>,
    checks_each: bool,
    planted: Option<Planted>,
}

impl fmt::Debug for Search {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Search").field("seeds", &self.seeds).finish_non_exhaustive()
    }
}

impl Search {
    /// Sets the seeds; 0 to 999 by default.
    ///
    /// The environment comes first: `ZCTOR_SEED=4711` runs that one alone, and `ZCTOR_SEEDS=100000` as many from 0 on.
    /// The search panics if one of them is no whole number.
    ///
    /// ```
    /// let summary = zctor::simulation::simulate(|_| Ok(())).seeds(0..10).outcome().unwrap();
    /// assert_eq!(summary.runs(), 11);
    /// ```
    pub fn seeds(self, seeds: Range<u64>) -> Self {
        Self { seeds, ..self }
    }

    /// Sets how many runs are made at a time, each in a world of its own; 1 by default. `ZCTOR_JOBS=8` comes first.
    ///
    /// Runs are the same however many there are at a time, as long as they share nothing: statics of the program are
    /// shared by all.
    ///
    /// ```
    /// let search = |jobs| zctor::simulation::simulate(|_| Ok(())).seeds(0..50).jobs(jobs).outcome().unwrap();
    /// assert_eq!(search(1), search(4));
    /// ```
    pub fn jobs(self, jobs: usize) -> Self {
        Self { jobs, ..self }
    }

    /// Ends the search after this much real time, with the seeds that it has come to by then.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let search = zctor::simulation::simulate(|_| Ok(())).seeds(0..u64::MAX);
    /// assert!(search.time_limit(Duration::from_millis(20)).outcome().is_ok());
    /// ```
    pub fn time_limit(self, limit: Duration) -> Self {
        Self { time_limit: Some(limit), ..self }
    }

    /// Lets faults happen, at the seed's choice; none by default.
    ///
    /// ```
    /// use zctor::simulation::{Faults, simulate};
    ///
    /// simulate(|_| Ok(())).faults(Faults::new().panics().timeouts()).seeds(0..10).run();
    /// ```
    pub fn faults(self, faults: Faults) -> Self {
        Self { faults, ..self }
    }

    /// Fails the search if none of its runs reaches one of these [marks](Simulation::mark): then it proves nothing of what
    /// lies behind that.
    ///
    /// ```
    /// use zctor::simulation::simulate;
    ///
    /// simulate(|simulation| Ok(simulation.mark("the end"))).must_reach(&["the end"]).seeds(0..10).run();
    /// let failure = simulate(|_| Ok(())).must_reach(&["the end"]).seeds(0..10).outcome().unwrap_err();
    /// assert_eq!(failure.text(), "no run has reached `the end`");
    /// ```
    pub fn must_reach(mut self, marks: &[&'static str]) -> Self {
        self.marks.extend(marks);
        self
    }

    /// Makes each run twice, to see that the two are the same. Without this it is done for each run that fails, and for
    /// every hundredth.
    ///
    /// A seed names a run only if the program depends on nothing else. The order of a `HashMap`, the system's clock,
    /// addresses in memory, random numbers and statics are others in each run. If that shows in what threads do or in how the
    /// run ends, the search fails, and says at which step two runs with one seed differ first.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use std::sync::atomic::{AtomicU32, Ordering};
    ///
    /// let runs = Arc::new(AtomicU32::new(0));
    /// let search = zctor::simulation::simulate(move |simulation| {
    ///     // What a static would do.
    ///     for _ in 0..runs.fetch_add(1, Ordering::Relaxed) % 3 {
    ///         simulation.spawn("one more", || ()).join();
    ///     }
    ///     Ok(())
    /// });
    /// let failure = search.seeds(0..10).check_determinism().outcome().unwrap_err();
    /// assert!(failure.text().contains("two runs with one seed differ at step"));
    /// ```
    pub fn check_determinism(self) -> Self {
        Self { checks_each: true, ..self }
    }

    /// Sets how long a step may take, in real time, before the run fails since its thread does not come back; 10 s by
    /// default. The thread is left behind.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// zctor::simulation::simulate(|_| Ok(())).patience(Duration::from_secs(60)).seeds(0..10).run();
    /// ```
    pub fn patience(self, patience: Duration) -> Self {
        Self { patience, ..self }
    }

    /// Plants a fault in the runtime: for tests that show that others can fail.
    #[doc(hidden)]
    pub fn __plant(self, fault: Planted) -> Self {
        Self { planted: Some(fault), ..self }
    }

    /// Sets how much virtual time a step takes at most.
    ///
    /// By default the seed decides: nothing in half of the runs, up to 1 ms in a quarter, up to 20 ms in a quarter.
    /// With `Duration::ZERO` time passes only while all threads wait: for programs that assert times.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// zctor::simulation::simulate(|_| {
    ///     let before = zctor::now();
    ///     zctor::sleep(Duration::from_secs(3600));
    ///     assert_eq!(zctor::now() - before, Duration::from_secs(3600));
    ///     Ok(())
    /// })
    /// .slowest(Duration::ZERO)
    /// .seeds(0..10)
    /// .run();
    /// ```
    pub fn slowest(self, step: Duration) -> Self {
        Self { slowest: Some(step), ..self }
    }

    /// Lets actors panic: without this a panic in a handler fails the run.
    ///
    /// ```
    /// let caught = || std::panic::catch_unwind(|| panic!("expected"));
    /// let search = zctor::simulation::simulate(move |_| Ok(drop(caught())));
    /// assert!(search.seeds(0..10).allow_panics().outcome().is_ok());
    /// ```
    pub fn allow_panics(self) -> Self {
        Self { allow_panics: true, ..self }
    }

    /// Sets after how many steps a run fails since it does not end; 100,000 by default.
    ///
    /// ```
    /// zctor::simulation::simulate(|_| Ok(())).max_steps(10).seeds(0..10).run();
    /// ```
    pub fn max_steps(self, steps: u64) -> Self {
        Self { max_steps: steps, ..self }
    }

    /// Runs the search.
    ///
    /// # Panics
    /// With the first failure: its seed, what it takes to fail, and its trace.
    ///
    /// # Blocking
    /// Until a run has failed, or all have ended.
    ///
    /// ```
    /// zctor::simulation::simulate(|_| Ok(())).seeds(0..10).run();
    /// ```
    #[track_caller]
    pub fn run(self) {
        if let Err(failure) = self.outcome() {
            panic!("{failure}");
        }
    }

    /// Runs the search, for programs that look at what it found.
    ///
    /// # Errors
    /// The first run that failed.
    ///
    /// # Blocking
    /// Until a run has failed, or all have ended.
    ///
    /// ```
    /// let outcome = zctor::simulation::simulate(|_| Err("always".into())).seeds(0..10).outcome();
    /// assert_eq!(outcome.unwrap_err().text(), "always");
    /// ```
    pub fn outcome(self) -> Result<Summary, Box<Failure>> {
        let outcome = self.search();
        if let Err(failure) = &outcome {
            environment::write_trace(failure);
        }
        outcome
    }

    /// Runs the seed, and returns its trace: to the end, or to the step at which it fails. It is not shrunk.
    ///
    /// # Blocking
    /// Until two runs have ended: a steady one first, as in a search.
    ///
    /// ```
    /// let trace = zctor::simulation::simulate(|simulation| Ok(simulation.spawn("one", || ()).join())).trace(7);
    /// assert!(trace.contains("`one`"));
    /// ```
    pub fn trace(&self, seed: u64) -> String {
        let steady = self.steady();
        let decisions = self.once(&steady).decisions;
        trace(&self.once(&self.setup(seed, decisions, &steady)))
    }

    /// The run by which each search begins.
    fn steady(&self) -> Setup {
        Setup {
            seed: 0,
            policy: Policy::Steady,
            decisions: 0,
            slowest: Duration::ZERO,
            max_steps: self.max_steps,
            patience: self.patience,
            faults: Faults::new(),
            planted: self.planted,
            plan: None,
        }
    }

    fn search(&self) -> Result<Summary, Box<Failure>> {
        let until = self.time_limit.and_then(deadline);
        let steady = self.steady();
        let mut summary = Summary::default();
        let first = match self.check(&steady, None) {
            Ok(first) => first,
            Err(failed) => return Err(self.explain(&steady, None, failed)),
        };
        summary.add(None, &first);
        let (mut summary, failed) = self.search_seeds(&steady, first.decisions, summary, until);
        if let Some((seed, failed)) = failed {
            let setup = self.setup(seed, first.decisions, &steady);
            return Err(self.explain(&setup, Some(seed), failed));
        }
        let summary = std::mem::take(&mut summary);
        match self.marks.iter().find(|mark| summary.reached(mark) == 0) {
            Some(mark) => {
                let text = format!("no run has reached `{mark}`");
                let why = format!("{} runs were made; the trace is that of the first", summary.runs());
                Err(Box::new(Failure::new(None, text, &first, (why, 0))))
            }
            None => Ok(summary),
        }
    }

    /// Runs the seeds, several at a time. They are begun in their order, so of several that fail the first is always the
    /// same one. `decisions` is how long a run is about: the same for each seed, whatever seeds came before.
    fn search_seeds(
        &self,
        steady: &Setup,
        decisions: u64,
        summary: Summary,
        until: Option<Instant>,
    ) -> (Summary, Option<(u64, Box<Failed>)>) {
        let Range { start, end } = environment::seeds(&self.seeds);
        let (next, has_failed) = (AtomicU64::new(start), AtomicBool::new(false));
        let (summary, failed) = (Mutex::new(summary), Mutex::new(None::<(u64, Box<Failed>)>));
        side_by_side(environment::jobs(self.jobs), || {
            let is_over = || has_failed.load(Ordering::Relaxed) || until.is_some_and(|until| until <= now());
            while !is_over() {
                let seed = next.fetch_add(1, Ordering::Relaxed);
                if seed >= end {
                    break;
                }
                match self.check(&self.setup(seed, decisions, steady), Some(seed)) {
                    Ok(record) => lock(&summary).add(Some(seed), &record),
                    Err(found) => {
                        has_failed.store(true, Ordering::Relaxed);
                        let mut failed = lock(&failed);
                        if failed.as_ref().is_none_or(|(other, _)| seed < *other) {
                            *failed = Some((seed, found));
                        }
                    }
                }
            }
        });
        let (summary, failed) = (std::mem::take(&mut *lock(&summary)), lock(&failed).take());
        (summary, failed)
    }

    /// A seed chooses how its run goes: by which policy, how slow steps are, and which faults there are.
    fn setup(&self, seed: u64, decisions: u64, steady: &Setup) -> Setup {
        let mut dice = Dice::new(seed, 0);
        let policy = Policy::draw(&mut dice);
        let drawn = Duration::from_millis([0, 0, 1, 20][dice.below(4) as usize]);
        let (slowest, faults) = (self.slowest.unwrap_or(drawn), self.faults.of_seed(seed));
        Setup { seed, policy, decisions, slowest, faults, ..steady.clone() }
    }

    /// Runs once, and twice if the run fails, for every hundredth seed or for each, to see that the two are the same.
    fn check(&self, setup: &Setup, seed: Option<u64>) -> Result<Record, Box<Failed>> {
        let record = self.once(setup);
        let text = why_failed(&record, self.allow_panics);
        let is_looked_at_twice = self.checks_each || text.is_some() || seed.is_none_or(|seed| seed % 100 == 0);
        if is_looked_at_twice && !record.is_stuck {
            let again = self.once(setup);
            let ends = [text.clone(), why_failed(&again, self.allow_panics)];
            if let Some(text) = difference(&record, &again).or_else(|| other_end(ends)) {
                return Err(Box::new(Failed { text, record: again, kind: Kind::Differs }));
            }
        }
        let kind = if record.is_stuck { Kind::Stuck } else { Kind::Fails };
        match text {
            None => Ok(record),
            Some(text) => Err(Box::new(Failed { text, record, kind })),
        }
    }

    fn explain(&self, setup: &Setup, seed: Option<u64>, failed: Box<Failed>) -> Box<Failure> {
        let Failed { text, record, kind } = *failed;
        let as_it_is = |why: &str| Failure::new(seed, text.clone(), &record, (why.to_owned(), 0));
        Box::new(match kind {
            Kind::Fails => shrink(setup, seed, text, &record, &|setup| {
                let record = self.once(setup);
                (why_failed(&record, self.allow_panics), record)
            }),
            // Each further run would take as long.
            Kind::Stuck => as_it_is("the trace is that of the whole run, up to the step that does not end"),
            Kind::Differs => as_it_is(
                "a simulation controls zctor's threads, time and chance; not the order of a `HashMap`, the system's \
                 clock, addresses in memory, random numbers, statics, nor threads of the program's own",
            ),
        })
    }

    fn once(&self, setup: &Setup) -> Record {
        let body = Arc::clone(&self.body);
        let run =
            run(setup.clone(), move |member| body(&Simulation(member.clone())).map_err(|error| error.to_string()));
        match run {
            Ok(mut record) => {
                if let Some(step) = failed_at(&record, self.allow_panics) {
                    record.cut_behind(step);
                }
                record
            }
            Err(error) => panic!("the system refuses the thread `main` of a simulation: {error}"),
        }
    }
}

/// A run that has failed, as it was found.
struct Failed {
    text: String,
    record: Record,
    kind: Kind,
}

enum Kind {
    Fails,
    /// A thread did not come back from a step.
    Stuck,
    /// A second run with the same seed was another one.
    Differs,
}

/// Where two runs with one seed differ.
fn difference(one: &Record, other: &Record) -> Option<String> {
    let length = one.events.len().max(other.events.len());
    let at = |record: &Record, step| {
        record.events.get(step).map(|event: &Event| (*event, record.names[event.thread].clone()))
    };
    let step = (0..length).find(|&step| at(one, step) != at(other, step))?;
    let show = |record: &Record| match record.events.get(step) {
        Some(event) => format!("`{}`: {}", record.names[event.thread], what(record, event)),
        None => "the end".to_owned(),
    };
    Some(format!("two runs with one seed differ at step {step}, {} and {}", show(one), show(other)))
}

/// How two runs with one seed end in which threads do the same, if that differs. Numbers in a text may.
fn other_end(ends: [Option<String>; 2]) -> Option<String> {
    let [one, other] = ends.each_ref().map(|text| text.as_deref().map(without_numbers));
    let show = |end: &Option<String>| end.as_ref().map_or_else(|| "well".to_owned(), |text| format!("with `{text}`"));
    let [first, second] = &ends;
    let text = || format!("two runs with one seed end differently, {} and {}", show(first), show(second));
    (one != other).then(|| text() + ", though their threads take the same steps")
}
