//! The state of a world: its threads, the time, and the events so far.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::thread::{JoinHandle, Thread};
use std::time::Duration;

use crate::id::InstanceId;
use crate::sys::operation::Operation;
use crate::sys::simulated::dice::Dice;
use crate::sys::simulated::faults::{Faults, INJECTED};
use crate::sys::simulated::planted::Planted;
use crate::sys::simulated::schedule::{Policy, Schedule};
use crate::sys::simulated::turns::{Delay, Turn, Turns};

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
    /// Which thread is taken at which decision. A thread that is not ready then is not taken.
    pub(crate) deviations: BTreeMap<u64, usize>,
    /// Threads that are taken between these decisions only if no other is ready.
    pub(crate) held: Vec<(usize, Range<u64>)>,
    /// Turns that come later.
    pub(crate) delays: Vec<Delay>,
    /// The places at which there is a fault.
    pub(crate) faults: BTreeSet<u64>,
}

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

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Status {
    /// Since this many changes of the world.
    Ready(u64),
    Blocked(On, Option<Duration>),
    Gone,
}

/// The thing that a thread is blocked on.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum On {
    /// To be unparked: by mail, a reply, or room.
    Park,
    /// A change of the state in the monitor at this address.
    Monitor(usize),
    /// The end of a thread.
    End(usize),
    /// A step of another thread.
    Change,
    Time,
}

pub(super) struct Member {
    pub(super) name: String,
    pub(super) status: Status,
    /// Whether it was unparked before it parked.
    pub(super) permit: bool,
    /// The object of its next operation.
    pub(super) object: u64,
    /// The operation that it is about to do, while it waits for its turn to.
    pub(super) pending: Option<Operation>,
    /// That it has the token.
    pub(super) go: Arc<AtomicBool>,
    pub(super) os: Option<Thread>,
    pub(super) handle: Option<JoinHandle<()>>,
    /// Where the system says what the thread does, if it does.
    pub(super) stat_file: Option<PathBuf>,
    pub(super) last: Option<Operation>,
}

pub(super) struct State {
    pub(super) members: Vec<Member>,
    /// The thread that has the token.
    pub(super) running: usize,
    pub(super) now: Duration,
    pub(super) changes: u64,
    pub(super) steps: u64,
    pub(super) decisions: u64,
    pub(super) schedule: Schedule,
    pub(super) deviations: BTreeMap<u64, Deviation>,
    /// The event that came next, of each decision.
    pub(super) decided_at: Vec<usize>,
    /// How many places for faults there were.
    pub(super) fault_places: u64,
    pub(super) faults: BTreeSet<u64>,
    /// The step since which a fault may stop an engine, until it has had its occasion.
    pub(super) shutdown_at: Option<u64>,
    pub(super) alarms: BTreeMap<(Duration, u64), Alarm>,
    pub(super) alarm_serial: u64,
    pub(super) events: Vec<Event>,
    /// The calls that are under way. It is only looked up in: its order is of no account.
    pub(super) calls: HashMap<usize, Call>,
    pub(super) invariants: Vec<Arc<Invariant>>,
    pub(super) marks: BTreeSet<&'static str>,
    /// The turns of threads, in a run by a plan.
    pub(super) turns: Turns,
    /// Threads that have ended, to be joined.
    pub(super) ended: Vec<JoinHandle<()>>,
    pub(super) failure: Option<String>,
    pub(super) panics: Vec<Panic>,
    /// The event at which `main` began to fail.
    pub(super) failed_at: Option<usize>,
    /// The error that `main` has returned, until it ends.
    pub(super) returned: Option<String>,
    /// `main` is to panic with this when it comes back from where it is blocked.
    pub(super) condemned: Option<String>,
    /// Nobody could move, and `main` was told so.
    pub(super) is_hung: bool,
    /// A thread did not come back from a step.
    pub(super) is_stuck: bool,
    /// No thread runs any more.
    pub(super) is_over: bool,
    pub(super) own: Dice,
}

pub(crate) type Alarm = Box<dyn FnOnce() + Send>;

/// A condition that must hold between any two steps.
pub(crate) struct Invariant {
    pub(crate) name: &'static str,
    pub(crate) holds: Box<dyn Fn() -> bool + Send + Sync>,
}

/// A panic of a thread of the world.
pub(crate) struct Panic {
    /// Ends in the place, in parentheses.
    pub(crate) text: String,
    /// Its event; `None` for a fault, which has an event of its own, and for a panic behind the failure of the run.
    pub(crate) step: Option<usize>,
}

/// The record of a run.
pub(crate) struct Record {
    pub(crate) failure: Option<String>,
    pub(crate) panics: Vec<Panic>,
    /// The event at which `main` began to fail, if that is known.
    pub(crate) failed_at: Option<usize>,
    pub(crate) events: Vec<Event>,
    pub(crate) names: Vec<String>,
    pub(crate) deviations: BTreeMap<u64, Deviation>,
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

impl State {
    pub(super) fn new(setup: &Setup) -> Self {
        let schedule = Schedule::new(setup.policy, Dice::new(setup.seed, 1), setup.decisions);
        Self {
            members: Vec::new(),
            running: 0,
            now: Duration::ZERO,
            changes: 0,
            steps: 0,
            decisions: 0,
            schedule,
            deviations: BTreeMap::new(),
            decided_at: Vec::new(),
            fault_places: 0,
            faults: BTreeSet::new(),
            // A run takes about two steps for each decision, so some runs end before it.
            shutdown_at: Some(Dice::new(setup.seed, 6).below(setup.decisions.max(8).saturating_mul(2))),
            alarms: BTreeMap::new(),
            alarm_serial: 0,
            events: Vec::new(),
            calls: HashMap::new(),
            invariants: Vec::new(),
            marks: BTreeSet::new(),
            turns: Turns::default(),
            ended: Vec::new(),
            failure: None,
            panics: Vec::new(),
            failed_at: None,
            returned: None,
            condemned: None,
            is_hung: false,
            is_stuck: false,
            is_over: false,
            own: Dice::new(setup.seed, 3),
        }
    }

    /// Writes down what a thread does, unless the run has failed already: then what follows is of no account.
    pub(super) fn note(&mut self, thread: usize, mut operation: Operation) {
        let key = operation.take_call();
        let call = match operation {
            Operation::Deliver { message, variant, from, to, .. } if key != 0 => {
                self.calls.insert(key, Call { thread, from, to, message, variant });
                None
            }
            Operation::Reply { .. } => self.calls.remove(&key),
            _ => None,
        };
        // That it waits is told by itself, and a panic is no step.
        if !matches!(operation, Operation::Park | Operation::Panics(_)) {
            self.members[thread].last = Some(operation);
        }
        if self.failure.is_none() {
            self.events.push(Event { time: self.now, thread, operation, call });
        }
    }

    /// Writes down a panic.
    pub(super) fn note_panic(&mut self, thread: usize, text: String) {
        let is_told = self.failure.is_none() && !text.starts_with(INJECTED);
        let step = is_told.then_some(self.events.len());
        if is_told {
            let number = u32::try_from(self.panics.len()).unwrap_or(u32::MAX);
            self.note(thread, Operation::Panics(number));
        }
        self.panics.push(Panic { text, step });
    }

    /// `main` has panicked with this text: on this thread, or on one whose panic went on here.
    pub(super) fn main_panics(&mut self, text: &str) {
        let begins = format!("{text} (");
        let panic = self.panics.iter().rev().find(|panic| panic.text.starts_with(&begins));
        let (step, text) = match panic {
            Some(panic) => (panic.step, panic.text.clone()),
            None => (None, format!("main has panicked: {text}")),
        };
        if self.failure.is_none() {
            self.failed_at = step;
        }
        self.fail(text);
    }

    /// `main` has ended, with an error.
    pub(super) fn main_fails(&mut self, error: String) {
        if self.failure.is_none() {
            self.failed_at = self.events.len().checked_sub(1);
        }
        self.fail(error);
    }

    /// The run has failed, unless it had before.
    pub(super) fn fail(&mut self, text: String) {
        self.failure.get_or_insert(text);
    }

    pub(super) fn wake(&mut self, id: usize) {
        self.changes += 1;
        self.members[id].status = Status::Ready(self.changes);
    }

    pub(super) fn make_ready(&mut self, is_met: impl Fn(On) -> bool) {
        for id in 0..self.members.len() {
            if matches!(self.members[id].status, Status::Blocked(on, _) if is_met(on)) {
                self.wake(id);
            }
        }
    }

    /// The record of the run.
    pub(super) fn record(&mut self) -> Record {
        Record {
            failure: self.failure.take(),
            panics: std::mem::take(&mut self.panics),
            failed_at: self.failed_at,
            events: std::mem::take(&mut self.events),
            names: self.members.iter().map(|member| member.name.clone()).collect(),
            deviations: std::mem::take(&mut self.deviations),
            decided_at: std::mem::take(&mut self.decided_at),
            faults: std::mem::take(&mut self.faults),
            delays: self.turns.take_delays(),
            turns: self.turns.take_steps(),
            marks: std::mem::take(&mut self.marks),
            decisions: self.decisions,
            steps: self.steps,
            left: self.members.iter().filter(|member| member.status != Status::Gone).count(),
            is_stuck: self.is_stuck,
        }
    }
}
