//! Shared state, and a wait until it has changed.

use std::sync::PoisonError;
use std::time::Instant;

use crate::sys::clock::now;
use crate::sys::sync::{Condvar, Mutex, MutexGuard, lock};

/// State behind a lock, for threads that wait until it has changed.
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

    /// Wakes all that wait, to look again. A change of the state comes before it.
    pub(crate) fn notify(&self) {
        self.changed.notify_all();
    }

    /// Gives the lock up until somebody notifies, or until the time is up; it may also return for no reason.
    pub(crate) fn wait<'a>(&self, state: MutexGuard<'a, T>, until: Option<Instant>) -> MutexGuard<'a, T> {
        match until {
            None => self.changed.wait(state).unwrap_or_else(PoisonError::into_inner),
            Some(until) => {
                let left = until.saturating_duration_since(now());
                self.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0
            }
        }
    }
}
