//! The state of a world: its threads, the time, and who may go on. The events so far are in its record.

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::thread::{JoinHandle, Thread};
use std::time::Duration;

use crate::sys::operation::Operation;
use crate::sys::simulated::dice::Dice;
use crate::sys::simulated::faults::INJECTED;
use crate::sys::simulated::invariants::Invariant;
use crate::sys::simulated::record::{Call, Event, Panic, Record};
use crate::sys::simulated::schedule::Schedule;
use crate::sys::simulated::setup::Setup;
use crate::sys::simulated::turns::Turns;

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
    /// The operation that it is about to do, while it waits for its turn.
    pub(super) pending: Option<Operation>,
    /// Set when the thread gets the token.
    pub(super) go: Arc<AtomicBool>,
    pub(super) os: Option<Thread>,
    pub(super) handle: Option<JoinHandle<()>>,
    /// The file in which the system says whether the thread sleeps, if it has one.
    pub(super) stat_file: Option<PathBuf>,
    pub(super) last: Option<Operation>,
}

pub(super) struct State {
    pub(super) record: Record,
    pub(super) members: Vec<Member>,
    /// The thread that has the token.
    pub(super) running: usize,
    pub(super) now: Duration,
    pub(super) changes: u64,
    pub(super) schedule: Schedule,
    /// How many places for faults there were.
    pub(super) fault_places: u64,
    /// The step since which a fault may stop an engine, until it has had its occasion.
    pub(super) shutdown_at: Option<u64>,
    pub(super) alarms: BTreeMap<(Duration, u64), Alarm>,
    pub(super) alarm_serial: u64,
    /// The calls that are under way. It is only looked up in: its order is of no account.
    pub(super) calls: HashMap<usize, Call>,
    pub(super) invariants: Vec<Arc<Invariant>>,
    /// The turns of threads, in a run by a plan.
    pub(super) turns: Turns,
    /// Threads that have ended, to be joined.
    pub(super) ended: Vec<JoinHandle<()>>,
    /// The error that `main` has returned, until it ends.
    pub(super) returned: Option<String>,
    /// `main` is to panic with this when it comes back from where it is blocked.
    pub(super) condemned: Option<String>,
    /// Nobody could move, and `main` was told so.
    pub(super) is_hung: bool,
    /// No thread runs any more.
    pub(super) is_over: bool,
    pub(super) own: Dice,
}

pub(crate) type Alarm = Box<dyn FnOnce() + Send>;

impl State {
    pub(super) fn new(setup: &Setup) -> Self {
        let schedule = Schedule::new(setup.policy, Dice::new(setup.seed, 1), setup.decisions);
        Self {
            record: Record::default(),
            members: Vec::new(),
            running: 0,
            now: Duration::ZERO,
            changes: 0,
            schedule,
            fault_places: 0,
            // A run takes about two steps for each decision, so some runs end before it.
            shutdown_at: Some(Dice::new(setup.seed, 6).below(setup.decisions.max(8).saturating_mul(2))),
            alarms: BTreeMap::new(),
            alarm_serial: 0,
            calls: HashMap::new(),
            invariants: Vec::new(),
            turns: Turns::default(),
            ended: Vec::new(),
            returned: None,
            condemned: None,
            is_hung: false,
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
        if self.record.failure.is_none() {
            self.record.events.push(Event { time: self.now, thread, operation, call });
        }
    }

    /// Writes down a panic.
    pub(super) fn note_panic(&mut self, thread: usize, text: String) {
        let is_told = self.record.failure.is_none() && !text.starts_with(INJECTED);
        let step = is_told.then_some(self.record.events.len());
        if is_told {
            let number = u32::try_from(self.record.panics.len()).unwrap_or(u32::MAX);
            self.note(thread, Operation::Panics(number));
        }
        self.record.panics.push(Panic { text, step });
    }

    /// `main` has panicked with this text: on this thread, or on one whose panic went on here.
    pub(super) fn main_panics(&mut self, text: &str) {
        let begins = format!("{text} (");
        let panic = self.record.panics.iter().rev().find(|panic| panic.text.starts_with(&begins));
        let (step, text) = match panic {
            Some(panic) => (panic.step, panic.text.clone()),
            None => (None, format!("main has panicked: {text}")),
        };
        if self.record.failure.is_none() {
            self.record.failed_at = step;
        }
        self.fail(text);
    }

    /// `main` has ended, with an error.
    pub(super) fn main_fails(&mut self, error: String) {
        if self.record.failure.is_none() {
            self.record.failed_at = self.record.events.len().checked_sub(1);
        }
        self.fail(error);
    }

    /// The run has failed, unless it had before.
    pub(super) fn fail(&mut self, text: String) {
        self.record.failure.get_or_insert(text);
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

    /// Takes the record of the run, which is over.
    pub(super) fn take_record(&mut self) -> Record {
        Record {
            names: self.members.iter().map(|member| member.name.clone()).collect(),
            delays: self.turns.take_delays(),
            turns: self.turns.take_steps(),
            left: self.members.iter().filter(|member| member.status != Status::Gone).count(),
            ..std::mem::take(&mut self.record)
        }
    }
}
