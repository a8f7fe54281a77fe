//! What a world knows of its threads, of the time, and of what has happened.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::thread::{JoinHandle, Thread};
use std::time::Duration;

use crate::sys::simulated::dice::Dice;
use crate::sys::simulated::schedule::{Policy, Schedule};

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
    /// In place of the policy, if there is one.
    pub(crate) plan: Option<Plan>,
}

/// A run in which all goes by the steady policy, but for what is said here.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Plan {
    /// Which thread is taken at which decision. What is not ready then is not taken.
    pub(crate) deviations: BTreeMap<u64, usize>,
    /// A thread that is taken between these decisions only if no other is ready.
    pub(crate) held: Option<(usize, Range<u64>)>,
}

/// Something that a thread has done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Event {
    pub(crate) time: Duration,
    pub(crate) thread: usize,
    pub(crate) what: String,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Status {
    /// Since this many changes of the world.
    Ready(u64),
    Blocked(On, Option<Duration>),
    Gone,
}

/// What a thread is blocked on.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum On {
    /// To be unparked: by mail, a reply, or room.
    Park,
    /// A change of the state in the monitor at this address.
    Monitor(usize),
    /// The end of a thread.
    End(usize),
    Time,
}

pub(super) struct Member {
    pub(super) name: String,
    pub(super) status: Status,
    /// Whether it was unparked before it parked.
    pub(super) permit: bool,
    /// What its next operation is on.
    pub(super) object: u64,
    /// That it has the token.
    pub(super) go: Arc<AtomicBool>,
    pub(super) os: Option<Thread>,
    pub(super) handle: Option<JoinHandle<()>>,
    pub(super) last: Option<String>,
}

pub(super) struct State {
    pub(super) members: Vec<Member>,
    pub(super) now: Duration,
    pub(super) changes: u64,
    pub(super) steps: u64,
    pub(super) decisions: u64,
    pub(super) schedule: Schedule,
    pub(super) deviations: BTreeMap<u64, usize>,
    pub(super) alarms: BTreeMap<(Duration, u64), Alarm>,
    pub(super) alarm_serial: u64,
    pub(super) events: Vec<Event>,
    /// Threads that have ended, to be joined.
    pub(super) ended: Vec<JoinHandle<()>>,
    pub(super) failure: Option<String>,
    pub(super) panics: Vec<String>,
    /// `main` is to panic with the failure when it comes back from where it is blocked.
    pub(super) is_condemned: bool,
    /// No thread runs any more.
    pub(super) is_over: bool,
    pub(super) own: Dice,
}

pub(crate) type Alarm = Box<dyn FnOnce() + Send>;

/// What a run has left behind.
pub(crate) struct Record {
    pub(crate) failure: Option<String>,
    pub(crate) panics: Vec<String>,
    pub(crate) events: Vec<Event>,
    pub(crate) names: Vec<String>,
    pub(crate) deviations: BTreeMap<u64, usize>,
    pub(crate) decisions: u64,
    pub(crate) steps: u64,
    /// Threads that were still there when `main` had ended and no thread could move.
    pub(crate) left: usize,
}

impl State {
    pub(super) fn new(setup: &Setup) -> Self {
        let schedule = Schedule::new(setup.policy, Dice::new(setup.seed, 1), setup.decisions);
        Self {
            members: Vec::new(),
            now: Duration::ZERO,
            changes: 0,
            steps: 0,
            decisions: 0,
            schedule,
            deviations: BTreeMap::new(),
            alarms: BTreeMap::new(),
            alarm_serial: 0,
            events: Vec::new(),
            ended: Vec::new(),
            failure: None,
            panics: Vec::new(),
            is_condemned: false,
            is_over: false,
            own: Dice::new(setup.seed, 3),
        }
    }

    pub(super) fn note(&mut self, thread: usize, what: impl FnOnce() -> String) {
        let what = what();
        self.members[thread].last = Some(what.clone());
        self.events.push(Event { time: self.now, thread, what });
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

    /// Lets it be this time. Who waits for that is ready; alarms that are due are given.
    pub(super) fn advance(&mut self, to: Duration) -> Vec<Alarm> {
        self.now = to;
        for id in 0..self.members.len() {
            if matches!(self.members[id].status, Status::Blocked(_, Some(until)) if until <= to) {
                self.wake(id);
            }
        }
        let mut due = Vec::new();
        while self.alarms.first_key_value().is_some_and(|((at, _), _)| *at <= to) {
            due.extend(self.alarms.pop_first().map(|(_, alarm)| alarm));
        }
        due
    }

    /// What a hang is reported with.
    pub(super) fn report(&self) -> String {
        let mut text = format!("nobody can move, {:?} after the start:", self.now);
        for (id, member) in self.members.iter().enumerate() {
            let waits = match member.status {
                Status::Gone => continue,
                Status::Ready(_) => "is ready".to_owned(),
                Status::Blocked(On::Park, _) => "waits for mail, a reply or room".to_owned(),
                Status::Blocked(On::Monitor(_), _) => {
                    "waits for the engine: to settle, to stop or to be stopped".to_owned()
                }
                Status::Blocked(On::End(other), _) => {
                    format!("waits for the end of {other} `{}`", self.members[other].name)
                }
                Status::Blocked(On::Time, _) => "sleeps".to_owned(),
            };
            let last = member.last.as_deref().unwrap_or("none");
            let _ = write!(text, "\n  {id} `{}` {waits}; its last step: {last}", member.name);
        }
        text
    }

    /// What is reported if the thread that runs does not come back.
    pub(super) fn stuck(&self, patience: Duration) -> String {
        let last = self.events.last();
        let thread = last.map_or("main", |event| &self.members[event.thread].name);
        let what = last.map_or("none", |event| &event.what);
        format!(
            "no step for {patience:?} of real time; the last one was of `{thread}`: {what}. Either its code does not end, or it \
             waits for something that is not zctor's, while no other thread of the simulation may run: hold no lock \
             across a send or a call, and wait for no channel or thread of your own"
        )
    }

    /// What the run has left behind.
    pub(super) fn record(&mut self) -> Record {
        Record {
            failure: self.failure.take(),
            panics: std::mem::take(&mut self.panics),
            events: std::mem::take(&mut self.events),
            names: self.members.iter().map(|member| member.name.clone()).collect(),
            deviations: std::mem::take(&mut self.deviations),
            decisions: self.decisions,
            steps: self.steps,
            left: self.members.iter().filter(|member| member.status != Status::Gone).count(),
        }
    }
}
