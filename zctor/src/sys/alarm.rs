//! Alarms: the process's own clock thread wakes a waker at a given time.
//!
//! They are for waits that no thread of ours times: a task that polls a call with a deadline, and the timers of a
//! borrowed thread that is in code of its own.

use std::collections::BTreeMap;
use std::task::Waker;
use std::time::Instant;

use once_cell::sync::Lazy;

use crate::sys::clock::now;
use crate::sys::monitor::Monitor;
use crate::sys::simulated::this_member;
use crate::sys::spawn::start_thread;
use crate::sys::unwind::{ignoring_panic, wake};

/// Names an alarm: when it is due, and its number.
pub(crate) type AlarmId = (Instant, u64);

/// The alarms of the process.
static ALARMS: Lazy<Monitor<Alarms>> = Lazy::new(Monitor::default);

#[derive(Default)]
struct Alarms {
    serial: u64,
    wakers: BTreeMap<AlarmId, Waker>,
    /// When the clock thread wakes up by itself, if it waits for a time. It does not look at alarms that are set and
    /// cleared before.
    wakes_up: Option<Instant>,
    /// The process that the clock thread was started in. After a `fork` the child has this state, and no such thread.
    process: Option<u32>,
}

impl Alarms {
    /// Starts the clock thread if there is none. `false` if the system refuses it.
    fn start(&mut self) -> bool {
        let process = std::process::id();
        if self.process != Some(process) {
            // With the stack of a usual thread, since the wakers are the user's: some executors poll in them.
            self.process = start_thread("zctor-alarm", None, run_alarms).is_ok().then_some(process);
        }
        self.process.is_some()
    }
}

/// Has the process's clock thread wake `waker` at `deadline`, unless the alarm is cleared before.
///
/// `None` if the system refuses that thread. Then `waker` is woken at once, so that its task looks again and sets
/// another alarm: the deadline is kept by a busy task, until there is a thread to keep it.
pub(crate) fn set_alarm(deadline: Instant, waker: Waker) -> Option<AlarmId> {
    if let Some(member) = this_member() {
        return Some(member.set_alarm(deadline, Box::new(move || wake(waker))));
    }
    let mut state = ALARMS.lock();
    if !state.start() {
        drop(state);
        wake(waker);
        return None;
    }
    state.serial += 1;
    let id = (deadline, state.serial);
    state.wakers.insert(id, waker);
    let is_too_late = state.wakes_up.is_none_or(|wakes_up| deadline < wakes_up);
    drop(state);
    if is_too_late {
        ALARMS.notify();
    }
    Some(id)
}

pub(crate) fn clear_alarm(id: AlarmId) {
    if let Some(member) = this_member() {
        let alarm = member.clear_alarm(id);
        return ignoring_panic(|| drop(alarm));
    }
    let waker = ALARMS.lock().wakers.remove(&id);
    ignoring_panic(|| drop(waker));
}

fn run_alarms() {
    let mut state = ALARMS.lock();
    loop {
        let now = now();
        state.wakes_up = state.wakers.first_key_value().map(|((due, _), _)| *due);
        match state.wakes_up {
            None => state = ALARMS.wait(state, None),
            Some(due) if due > now => state = ALARMS.wait(state, Some(due)),
            Some(_) => {
                let due = state.wakers.pop_first();
                drop(state);
                if let Some((_, waker)) = due {
                    wake(waker);
                }
                state = ALARMS.lock();
            }
        }
    }
}
