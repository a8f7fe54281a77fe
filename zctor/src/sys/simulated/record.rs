//! The record of a run: its events, its decisions and faults, and how it failed. It is written while the world runs.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use crate::id::InstanceId;
use crate::sys::operation::Operation;
use crate::sys::simulated::turns::{Delay, Turn};

/// Something that a thread has done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Event {
    pub(crate) time: Duration,
    pub(crate) thread: usize,
    pub(crate) operation: Operation,
    /// The caller that a reply is for.
    pub(crate) call: Option<Call>,
}

/// A call, as its reply is told of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Call {
    /// The thread that called.
    pub(crate) thread: usize,
    /// The instance that called, if one did.
    pub(crate) from: Option<InstanceId>,
    pub(crate) to: InstanceId,
    pub(crate) message: &'static str,
    pub(crate) variant: &'static str,
}

/// A decision by which a run leaves the steady order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Deviation {
    /// The event that comes next.
    pub(crate) step: usize,
    /// The thread that goes on.
    pub(crate) to: usize,
}

/// A panic of a thread of the world.
pub(crate) struct Panic {
    /// Ends in the place, in parentheses.
    pub(crate) text: String,
    /// Its event; `None` for a fault, which has an event of its own, and for a panic behind the failure of the run.
    pub(crate) step: Option<usize>,
}

/// The record of a run.
#[derive(Default)]
pub(crate) struct Record {
    pub(crate) failure: Option<String>,
    pub(crate) panics: Vec<Panic>,
    /// The event at which `main` began to fail, if that is known.
    pub(crate) failed_at: Option<usize>,
    pub(crate) events: Vec<Event>,
    pub(crate) names: Vec<String>,
    pub(crate) deviations: BTreeMap<u64, Deviation>,
    /// The event that came next, of each decision.
    pub(crate) decided_at: Vec<usize>,
    pub(crate) faults: BTreeSet<u64>,
    /// The turns that came later than in the steady order, if it was a run by a plan.
    pub(crate) delays: Vec<Delay>,
    /// The event that came next at each turn, if it was a run by a plan.
    pub(crate) turns: HashMap<Turn, usize>,
    pub(crate) marks: BTreeSet<&'static str>,
    pub(crate) decisions: u64,
    pub(crate) steps: u64,
    /// Threads that were still there when `main` had ended and no thread could move.
    pub(crate) left: usize,
    pub(crate) is_stuck: bool,
}

impl Record {
    /// Takes away all that comes behind this event: the run has failed there, and is only taken down.
    pub(crate) fn cut_behind(&mut self, step: usize) {
        self.events.truncate(step + 1);
        self.decided_at.retain(|next| *next <= step);
        self.deviations.retain(|_, deviation| deviation.step <= step);
        self.turns.retain(|_, next| *next <= step);
    }
}
