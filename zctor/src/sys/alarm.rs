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
use crate::sys::spawn::start_thread;
use crate::sys::unwind::ignoring_panic;

/// Names an alarm: when it is due, and its number.
pub(crate) type AlarmId = (Instant, u64);

/// The alarms of the process.
static ALARMS: Lazy<Monitor<Alarms>> = Lazy::new(Monitor::default);

#[derive(Default)]
struct Alarms {
    serial: u64,
    wakers: BTreeMap<AlarmId, Waker>,
    has_thread: bool,
}

/// Has the process's clock thread wake `waker` at `deadline`, unless the alarm is cleared before.
pub(crate) fn set_alarm(deadline: Instant, waker: Waker) -> AlarmId {
    let mut state = ALARMS.lock();
    state.serial += 1;
    let id = (deadline, state.serial);
    state.wakers.insert(id, waker);
    if !state.has_thread {
        // If the system refuses a thread, the next alarm tries again. Until then no alarm wakes anything.
        state.has_thread = start_thread("zctor-alarm", Some(128 * 1024), run_alarms).is_ok();
    }
    let is_first = state.wakers.first_key_value().is_some_and(|(first, _)| *first == id);
    drop(state);
    if is_first {
        ALARMS.notify();
    }
    id
}

pub(crate) fn clear_alarm(id: AlarmId) {
    let waker = ALARMS.lock().wakers.remove(&id);
    ignoring_panic(|| drop(waker));
}

fn run_alarms() {
    let mut state = ALARMS.lock();
    loop {
        let now = now();
        match state.wakers.first_key_value().map(|((due, _), _)| *due) {
            None => state = ALARMS.wait(state, None),
            Some(due) if due > now => state = ALARMS.wait(state, Some(due)),
            Some(_) => {
                let due = state.wakers.pop_first();
                drop(state);
                if let Some((_, waker)) = due {
                    ignoring_panic(|| waker.wake());
                }
                state = ALARMS.lock();
            }
        }
    }
}
