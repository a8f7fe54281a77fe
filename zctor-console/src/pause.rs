//! A pause that ends early when the server stops.

use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

/// Whether the server stops; who pauses is woken then.
#[derive(Default)]
pub(crate) struct Pause {
    stopped: Mutex<bool>,
    told: Condvar,
}

impl Pause {
    pub(crate) fn wait(&self, time: Duration) {
        let stopped = self.stopped.lock().unwrap_or_else(PoisonError::into_inner);
        let _ = self.told.wait_timeout_while(stopped, time, |stopped| !*stopped);
    }

    pub(crate) fn stop(&self) {
        *self.stopped.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.told.notify_all();
    }

    pub(crate) fn is_stopped(&self) -> bool {
        *self.stopped.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
