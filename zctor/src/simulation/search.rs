//! The search over seeds.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use crate::error::BoxError;
use crate::simulation::failure::{Failure, trace, verdict};
use crate::simulation::handle::Simulation;
use crate::simulation::shrink::shrink;
use crate::sys::simulated::dice::Dice;
use crate::sys::simulated::run;
use crate::sys::simulated::schedule::Policy;
use crate::sys::simulated::state::{Record, Setup};

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
    Search { body: Arc::new(body), seeds: 0..1_000, slowest: None, allow_panics: false, max_steps: 100_000 }
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
    slowest: Option<Duration>,
    allow_panics: bool,
    max_steps: u64,
}

impl fmt::Debug for Search {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Search").field("seeds", &self.seeds).finish_non_exhaustive()
    }
}

/// What a search without a failure has done.
///
/// ```
/// let summary = zctor::simulation::simulate(|_| Ok(())).seeds(0..50).outcome().unwrap();
/// assert_eq!(summary.steps(), 0, "a body that sends nothing takes no step");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Summary {
    runs: u64,
    steps: u64,
    traces: u64,
}

impl Summary {
    /// Returns how many runs there were: one in the steady order, and one for each seed.
    ///
    /// ```
    /// let summary = zctor::simulation::simulate(|_| Ok(())).seeds(0..50).outcome().unwrap();
    /// assert_eq!(summary.runs(), 51);
    /// ```
    pub fn runs(&self) -> u64 {
        self.runs
    }

    /// Returns how many steps all runs took together: sends, calls, replies, handlers, looks.
    ///
    /// ```
    /// let summary = zctor::simulation::simulate(|_| Ok(())).seeds(0..50).outcome().unwrap();
    /// assert_eq!(summary.steps(), 0, "a body that sends nothing takes no step");
    /// ```
    pub fn steps(&self) -> u64 {
        self.steps
    }

    /// Returns a hash of the traces of all runs. Two searches over the same seeds of one program give the same.
    ///
    /// ```
    /// let search = || zctor::simulation::simulate(|_| Ok(())).seeds(0..50).outcome().unwrap();
    /// assert_eq!(search().traces(), search().traces());
    /// ```
    pub fn traces(&self) -> u64 {
        self.traces
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
        let steady = Setup {
            seed: 0,
            policy: Policy::Steady,
            decisions: 0,
            slowest: Duration::ZERO,
            max_steps: self.max_steps,
            plan: None,
        };
        let mut summary = Summary { runs: 0, steps: 0, traces: 0 };
        let first = self.check(&steady, None, &mut summary)?;
        // How long a run is about: the same for each seed, whatever seeds came before.
        let length = first.decisions;
        for seed in self.seeds_to_run() {
            let setup = self.setup(seed, length, &steady);
            self.check(&setup, Some(seed), &mut summary)?;
        }
        Ok(summary)
    }

    fn seeds_to_run(&self) -> Range<u64> {
        let number = |name| {
            let text = std::env::var(name).ok()?;
            let number = text.trim().parse::<u64>();
            Some(number.unwrap_or_else(|_| panic!("{name} must be a whole number, and is `{text}`")))
        };
        match (number("ZCTOR_SEED"), number("ZCTOR_SEEDS")) {
            (Some(seed), _) => seed..seed.saturating_add(1),
            (None, Some(seeds)) => 0..seeds,
            (None, None) => self.seeds.clone(),
        }
    }

    /// A seed chooses how its run goes: by which policy, and how slow steps are.
    fn setup(&self, seed: u64, decisions: u64, steady: &Setup) -> Setup {
        let mut dice = Dice::new(seed, 0);
        let policy = Policy::draw(&mut dice);
        let drawn = Duration::from_millis([0, 0, 1, 20][dice.below(4) as usize]);
        Setup { seed, policy, decisions, slowest: self.slowest.unwrap_or(drawn), ..steady.clone() }
    }

    /// Runs once, and every hundredth time twice, to see that the two runs are the same.
    fn check(&self, setup: &Setup, seed: Option<u64>, summary: &mut Summary) -> Result<Record, Box<Failure>> {
        let record = self.once(setup);
        let text = verdict(&record, self.allow_panics);
        if text.is_some() || summary.runs % 100 == 0 {
            let again = self.once(setup);
            if let Some(text) = difference(&record, &again) {
                let explanation =
                    "a simulation controls zctor's threads, time and chance; not the order of a `HashMap`, \
                                   the system's clock, random numbers, statics, nor threads of the program's own"
                        .to_owned();
                return Err(Box::new(Failure { seed, text, explanation, deviations: 0, trace: trace(&again) }));
            }
        }
        summary.runs += 1;
        summary.steps += record.steps;
        for byte in trace(&record).bytes() {
            summary.traces = (summary.traces ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3);
        }
        match text {
            None => Ok(record),
            Some(text) => {
                let fails = |setup: &Setup| {
                    let record = self.once(setup);
                    (verdict(&record, self.allow_panics), record)
                };
                Err(Box::new(shrink(setup, seed, text, &record, fails)))
            }
        }
    }

    fn once(&self, setup: &Setup) -> Record {
        let body = Arc::clone(&self.body);
        let run = run(setup.clone(), move |seat| body(&Simulation(seat.clone())).map_err(|error| error.to_string()));
        match run {
            Ok(record) => record,
            Err(error) => panic!("the system refuses the thread `main` of a simulation: {error}"),
        }
    }
}

/// Where two runs with one seed differ.
fn difference(one: &Record, other: &Record) -> Option<String> {
    let length = one.events.len().max(other.events.len());
    let step = (0..length).find(|&step| one.events.get(step) != other.events.get(step))?;
    let show = |record: &Record| match record.events.get(step) {
        Some(event) => format!("`{}`: {}", record.names[event.thread], event.what),
        None => "the end".to_owned(),
    };
    Some(format!("two runs with one seed differ at step {step}, {} and {}", show(one), show(other)))
}
