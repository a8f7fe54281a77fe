//! The sums over the runs of a search, in which the order of the runs does not count: several can be made at a time.

use std::collections::BTreeMap;
use std::hash::{Hash, Hasher};

use crate::sys::simulated::record::Record;

/// The counts of a search without a failure.
///
/// ```
/// let summary = zctor::simulation::simulate(|_| Ok(())).seeds(0..50).outcome().unwrap();
/// assert_eq!(summary.runs(), 51);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    runs: u64,
    steps: u64,
    traces: u64,
    reached: BTreeMap<&'static str, u64>,
}

impl Summary {
    /// Adds a run. The order of runs is of no account, so that several can be made at a time.
    pub(super) fn add(&mut self, seed: Option<u64>, record: &Record) {
        self.runs += 1;
        self.steps += record.steps;
        let mut hash = Fnv::default();
        (seed, &record.names, &record.events).hash(&mut hash);
        self.traces = self.traces.wrapping_add(hash.finish());
        for mark in &record.marks {
            *self.reached.entry(mark).or_default() += 1;
        }
    }

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

    /// Returns how many runs have reached a [mark](crate::simulation::Simulation::mark).
    ///
    /// ```
    /// let search = zctor::simulation::simulate(|simulation| Ok(simulation.mark("here"))).seeds(0..50);
    /// assert_eq!(search.outcome().unwrap().reached("here"), 51);
    /// ```
    pub fn reached(&self, mark: &str) -> u64 {
        self.reached.get(mark).copied().unwrap_or(0)
    }
}

/// The hash of Fowler, Noll and Vo, which is the same in each version of the standard library.
struct Fnv(u64);

impl Default for Fnv {
    fn default() -> Self {
        Self(0xCBF2_9CE4_8422_2325)
    }
}

impl Hasher for Fnv {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01B3);
        }
    }
}
