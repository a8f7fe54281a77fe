//! Wakes a waker at a time.

use std::collections::BTreeMap;
use std::sync::{Condvar, Mutex, PoisonError};
use std::task::Waker;
use std::time::Instant;

use once_cell::sync::Lazy;

use crate::sys::clock::now;
use crate::sys::lock::lock;
use crate::sys::spawn::start_thread;
use crate::sys::unwind::quietly;

/// Names an alarm.
pub(crate) type AlarmId = (Instant, u64);

/// The alarms of the process.
static ALARMS: Lazy<Alarms> = Lazy::new(Alarms::default);

#[derive(Default)]
struct Alarms {
    state: Mutex<AlarmState>,
    earlier: Condvar,
}

#[derive(Default)]
struct AlarmState {
    serial: u64,
    wakers: BTreeMap<AlarmId, Waker>,
    has_thread: bool,
}

/// Has `waker` woken at `deadline`, by the process's own alarm thread, unless it is cleared before.
pub(crate) fn set_alarm(deadline: Instant, waker: Waker) -> AlarmId {
    let mut state = lock(&ALARMS.state);
    state.serial += 1;
    let id = (deadline, state.serial);
    state.wakers.insert(id, waker);
    if !state.has_thread {
        // Where the system refuses a thread, the next alarm tries again; until then only replies wake.
        state.has_thread = start_thread("zctor-alarm", Some(128 * 1024), run_alarms).is_ok();
    }
    let is_first = state.wakers.first_key_value().is_some_and(|(first, _)| *first == id);
    drop(state);
    if is_first {
        ALARMS.earlier.notify_one();
    }
    id
}

pub(crate) fn clear_alarm(id: AlarmId) {
    let waker = lock(&ALARMS.state).wakers.remove(&id);
    quietly(|| drop(waker));
}

fn run_alarms() {
    let mut state = lock(&ALARMS.state);
    loop {
        let now = now();
        match state.wakers.first_key_value().map(|((due, _), _)| *due) {
            None => state = ALARMS.earlier.wait(state).unwrap_or_else(PoisonError::into_inner),
            Some(due) if due > now => {
                let waited = ALARMS.earlier.wait_timeout(state, due - now);
                state = waited.unwrap_or_else(PoisonError::into_inner).0;
            }
            Some(_) => {
                let due = state.wakers.pop_first();
                drop(state);
                if let Some((_, waker)) = due {
                    quietly(|| waker.wake());
                }
                state = lock(&ALARMS.state);
            }
        }
    }
}
