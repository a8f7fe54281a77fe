//! The setup of one run: its seed, its limits, its faults, and its plan if it has one.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::time::Duration;

use crate::sys::simulated::faults::Faults;
use crate::sys::simulated::planted::Planted;
use crate::sys::simulated::schedule::Policy;
use crate::sys::simulated::turns::Delay;

/// How one run goes.
#[derive(Clone)]
pub(crate) struct Setup {
    pub(crate) seed: u64,
    pub(crate) policy: Policy,
    /// How many decisions a run of the program takes, about.
    pub(crate) decisions: u64,
    /// How long a step may take at most.
    pub(crate) slowest: Duration,
    pub(crate) max_steps: u64,
    /// How long a thread may take for a step, in real time, before the world is given up.
    pub(crate) patience: Duration,
    pub(crate) faults: Faults,
    pub(crate) planted: Option<Planted>,
    /// In place of the policy, if there is one.
    pub(crate) plan: Option<Plan>,
}

/// A run in which all goes by the steady policy, but for what is said here.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Plan {
    /// The thread that a decision takes, by the number of the decision. A thread that is not ready then is not taken.
    pub(crate) deviations: BTreeMap<u64, usize>,
    /// Threads that are taken between these decisions only if no other is ready.
    pub(crate) held: Vec<(usize, Range<u64>)>,
    /// Turns that come later.
    pub(crate) delays: Vec<Delay>,
    /// The places at which there is a fault.
    pub(crate) faults: BTreeSet<u64>,
}
