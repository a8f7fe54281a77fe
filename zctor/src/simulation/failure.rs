//! What a search has found.

use std::error::Error;
use std::fmt;

use crate::sys::simulated::state::{Event, Record};

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
    pub(super) seed: Option<u64>,
    pub(super) text: String,
    pub(super) explanation: String,
    pub(super) deviations: usize,
    pub(super) trace: String,
}

impl Failure {
    /// Returns the seed of the run, or `None` if the program fails in the steady order already, by which a search
    /// begins.
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

    /// Says in words what it takes for the run to fail.
    ///
    /// ```
    /// # use zctor::simulation::simulate;
    /// let failure = simulate(|_| Err("not today".into())).seeds(0..10).outcome().unwrap_err();
    /// assert!(failure.explanation().contains("steady order"));
    /// ```
    pub fn explanation(&self) -> &str {
        &self.explanation
    }

    /// Returns how many decisions of the shrunk run differ from the steady order, in which each thread runs on until it
    /// blocks.
    ///
    /// ```
    /// # use zctor::simulation::simulate;
    /// let failure = simulate(|_| Err("not today".into())).seeds(0..10).outcome().unwrap_err();
    /// assert_eq!(failure.deviations(), 0);
    /// ```
    pub fn deviations(&self) -> usize {
        self.deviations
    }

    /// Returns the trace of the shrunk run, a line for each step.
    ///
    /// ```
    /// # use zctor::simulation::simulate;
    /// let failure = simulate(|_| Err("not today".into())).seeds(0..10).outcome().unwrap_err();
    /// assert!(failure.trace().contains("main"));
    /// ```
    pub fn trace(&self) -> &str {
        &self.trace
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
            writeln!(f, "to run it again: ZCTOR_SEED={seed}")?;
        }
        write!(f, "\n{}", self.trace)
    }
}

impl Error for Failure {}

/// Why a run failed, if it did.
pub(super) fn verdict(record: &Record, allow_panics: bool) -> Option<String> {
    if let Some(failure) = &record.failure {
        let is_panic = failure == "main has panicked";
        return Some(record.panics.last().filter(|_| is_panic).unwrap_or(failure).clone());
    }
    if let Some(panic) = record.panics.first().filter(|_| !allow_panics) {
        return Some(format!("code of an actor has panicked: {panic}"));
    }
    (record.left > 0).then(|| {
        format!("main has ended, and {} threads of the simulation still wait: shut each engine down, and join what was spawned", record.left)
    })
}

/// The steps of a run, a line each.
pub(super) fn trace(record: &Record) -> String {
    let mut text = String::from("  step          time  thread\n");
    let mut before = None;
    for (step, Event { time, thread, what }) in record.events.iter().enumerate() {
        let turn = if before.replace(*thread).is_some_and(|before| before != *thread) { '>' } else { ' ' };
        let name = format!("{thread} `{}`", record.names[*thread]);
        text.push_str(&format!("{turn}{step:5}  {:>12}  {name:<16} {what}\n", format!("{time:?}")));
    }
    text
}
