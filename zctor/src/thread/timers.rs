//! When this thread must wake.

use std::time::Instant;

use crate::id::Slot;
use crate::thread::local::Local;

impl Local {
    // Timers.

    pub(crate) fn next_serial(&self) -> u64 {
        self.serial.set(self.serial.get() + 1);
        self.serial.get()
    }

    pub(crate) fn set_timer(&self, due: Instant, slot: Slot) -> u64 {
        let id = self.next_serial();
        self.timers.borrow_mut().insert((due, id), slot);
        id
    }

    /// Sets a timer again under its old number.
    pub(crate) fn set_timer_again(&self, due: Instant, id: u64, slot: Slot) {
        self.timers.borrow_mut().insert((due, id), slot);
    }

    pub(crate) fn clear_timer(&self, due: Instant, id: u64) {
        self.timers.borrow_mut().remove(&(due, id));
    }

    pub(crate) fn next_timer(&self) -> Option<Instant> {
        if self.ending.get() && self.held.get() == 0 {
            return None;
        }
        self.timers.borrow().first_key_value().map(|((due, _), _)| *due)
    }
}
