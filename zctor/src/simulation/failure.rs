//! The failure that a search has found.

use std::error::Error;
use std::fmt;

use crate::simulation::diagram::diagram;
use crate::simulation::steps::{instances, trace};
use crate::sys::simulated::faults::INJECTED;
use crate::sys::simulated::record::{Panic, Record};

/// A run that failed: its seed, why it failed, and what its threads did.
///
/// ```
/// use zctor::simulation::simulate;
///
/// let failure = simulate(|_| Err("not today".into())).seeds(0..10).outcome().unwrap_err();
/// assert_eq!(failure.text(), "not today");
/// assert!(failure.to_string().contains("not today"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    seed: Option<u64>,
    text: String,
    explanation: String,
    deviations: usize,
    /// Which actor each instance is; empty if there is none.
    instances: String,
    trace: String,
    mermaid: String,
}

impl Failure {
    /// `deviations` is how many reasons the explanation names.
    pub(super) fn new(
        seed: Option<u64>,
        text: String,
        record: &Record,
        (explanation, deviations): (String, usize),
    ) -> Self {
        let (instances, trace, mermaid) = (instances(record), trace(record), diagram(record));
        Self { seed, text, explanation, deviations, instances, trace, mermaid }
    }

    /// Returns the seed of the run. It is `None` if the program fails in the steady order already, by which a search
    /// begins, and if no run has reached a mark that the search must reach: then there is no seed to run again.
    ///
    /// ```
    /// # use zctor::simulation::simulate;
    /// let failure = simulate(|_| Err("not today".into())).seeds(0..10).outcome().unwrap_err();
    /// assert_eq!(failure.seed(), None);
    /// ```
    pub fn seed(&self) -> Option<u64> {
        self.seed
    }

    /// Says why the run failed: the text of a panic or of an error, or who waits for what if nobody can move.
    ///
    /// ```
    /// # use zctor::simulation::simulate;
    /// let failure = simulate(|_| Err("not today".into())).seeds(0..10).outcome().unwrap_err();
    /// assert_eq!(failure.text(), "not today");
    /// ```
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Says in words what it takes for the run to fail: which thread is held back and between which steps, or which
    /// steps come later than in the steady order and behind which ones, and which faults there are.
    ///
    /// ```
    /// # use zctor::simulation::simulate;
    /// let failure = simulate(|_| Err("not today".into())).seeds(0..10).outcome().unwrap_err();
    /// assert!(failure.explanation().contains("steady order"));
    /// ```
    pub fn explanation(&self) -> &str {
        &self.explanation
    }

    /// Returns how many reasons there are: threads that are held back, faults, or steps that come later than in the steady
    /// order, in which each thread runs on until it blocks.
    ///
    /// ```
    /// # use zctor::simulation::simulate;
    /// let failure = simulate(|_| Err("not today".into())).seeds(0..10).outcome().unwrap_err();
    /// assert_eq!(failure.deviations(), 0);
    /// ```
    pub fn deviations(&self) -> usize {
        self.deviations
    }

    /// Returns the trace of the shrunk run, a line for each step, up to the one where it failed. How the engines are taken
    /// down behind that is left out.
    ///
    /// ```
    /// # use zctor::simulation::simulate;
    /// let failure = simulate(|_| Err("not today".into())).seeds(0..10).outcome().unwrap_err();
    /// assert!(failure.trace().contains("main"));
    /// ```
    pub fn trace(&self) -> &str {
        &self.trace
    }

    /// Returns the messages and replies of the shrunk run as a sequence diagram in the language of Mermaid, which many
    /// viewers of Markdown draw.
    ///
    /// ```
    /// # use zctor::simulation::simulate;
    /// let failure = simulate(|_| Err("not today".into())).seeds(0..10).outcome().unwrap_err();
    /// assert!(failure.mermaid().starts_with("sequenceDiagram"));
    /// ```
    pub fn mermaid(&self) -> &str {
        &self.mermaid
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.seed {
            Some(seed) => writeln!(f, "the simulation failed with seed {seed}: {}", self.text)?,
            None => writeln!(f, "the simulation failed in the steady order: {}", self.text)?,
        }
        writeln!(f, "\n{}", self.explanation)?;
        if let Some(seed) = self.seed {
            writeln!(f, "to run it again: ZCTOR_SEED={seed}; with ZCTOR_TRACE=run.mmd for a diagram")?;
        }
        if !self.instances.is_empty() {
            writeln!(f, "instances: {}", self.instances)?;
        }
        write!(f, "\n{}", self.trace)
    }
}

impl Error for Failure {}

/// Why a run failed, if it did.
pub(super) fn why_failed(record: &Record, allow_panics: bool) -> Option<String> {
    if let Some(failure) = &record.failure {
        return Some(failure.clone());
    }
    if let Some(panic) = own_panic(record, allow_panics) {
        return Some(format!("code of an actor has panicked: {}", panic.text));
    }
    let waiting = match record.left {
        0 => return None,
        1 => "1 thread of the simulation still waits".to_owned(),
        left => format!("{left} threads of the simulation still wait"),
    };
    Some(format!("main has ended, and {waiting}: shut each engine down, and join what was spawned"))
}

/// The event at which a run failed, if steps may come behind it.
pub(super) fn failed_at(record: &Record, allow_panics: bool) -> Option<usize> {
    match &record.failure {
        Some(_) => record.failed_at,
        None => own_panic(record, allow_panics).and_then(|panic| panic.step),
    }
}

/// The first panic that is no fault of the simulation, if none is allowed.
fn own_panic(record: &Record, allow_panics: bool) -> Option<&Panic> {
    record.panics.iter().find(|panic| !panic.text.starts_with(INJECTED)).filter(|_| !allow_panics)
}
