//! The one place that decides what a poisoned lock means: nothing.
//!
//! No user code runs under a lock of ours, so a panic while one is held is a bug of zctor's own, and the data behind
//! it is still whole.

use std::sync::{Mutex, MutexGuard, PoisonError};

pub(crate) fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
