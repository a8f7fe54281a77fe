//! Decides what a poisoned lock means: nothing.
//!
//! No user code runs under a lock of zctor's. So a panic while one is held is a bug of zctor's own, and the data behind
//! the lock is still whole.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Locks a mutex, poisoned or not.
pub(crate) fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
