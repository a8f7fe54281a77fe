//! A monitor: state behind a lock, and a wait until it has changed. The engine and the alarms wait so. A thread that waits
//! for mail or a reply parks instead (`park.rs`).

use std::sync::PoisonError;
use std::time::Instant;

use crate::sys::clock::now;
use crate::sys::simulated::this_member;
use crate::sys::sync::{Condvar, Mutex, MutexGuard, lock};

/// State behind a lock, with a wait until it has changed.
pub(crate) struct Monitor<T> {
    state: Mutex<T>,
    changed: Condvar,
}

impl<T: Default> Default for Monitor<T> {
    fn default() -> Self {
        Self::new(T::default())
    }
}

impl<T> Monitor<T> {
    pub(crate) fn new(state: T) -> Self {
        Self { state: Mutex::new(state), changed: Condvar::new() }
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
        lock(&self.state)
    }

    /// Names the monitor in a simulation.
    fn address(&self) -> usize {
        std::ptr::from_ref(self) as usize
    }

    /// Wakes all waiting threads, to look again. The state is changed before.
    pub(crate) fn notify(&self) {
        if let Some(member) = this_member() {
            member.notify(self.address());
        }
        self.changed.notify_all();
    }

    /// Releases the lock until a thread notifies, or until the time is up. It may also return for no reason.
    pub(crate) fn wait<'a>(&'a self, state: MutexGuard<'a, T>, until: Option<Instant>) -> MutexGuard<'a, T> {
        if let Some(member) = this_member() {
            drop(state);
            member.wait_at(self.address(), until);
            return self.lock();
        }
        match until {
            None => self.changed.wait(state).unwrap_or_else(PoisonError::into_inner),
            Some(until) => {
                let left = until.saturating_duration_since(now());
                self.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0
            }
        }
    }
}
