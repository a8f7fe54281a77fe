//! When an actor thread must wake by itself: the timers of its instances.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::time::Instant;

use crate::id::Slot;

/// The timers of the instances of one thread.
#[derive(Default)]
pub(crate) struct Timers {
    due: RefCell<BTreeMap<(Instant, u64), Slot>>,
    last: Cell<u64>,
}

impl Timers {
    /// A number that this thread gives only once, and that is above all earlier ones: for timers and pipes, and for the
    /// age of an instance.
    pub(crate) fn next_serial(&self) -> u64 {
        self.last.set(self.last.get() + 1);
        self.last.get()
    }

    /// Sets a timer for an instance; gives its number.
    pub(crate) fn set(&self, due: Instant, slot: Slot) -> u64 {
        let id = self.next_serial();
        self.set_again(due, id, slot);
        id
    }

    /// Sets a timer again under its old number.
    pub(crate) fn set_again(&self, due: Instant, id: u64, slot: Slot) {
        self.due.borrow_mut().insert((due, id), slot);
    }

    pub(crate) fn clear(&self, due: Instant, id: u64) {
        self.due.borrow_mut().remove(&(due, id));
    }

    pub(super) fn is_empty(&self) -> bool {
        self.due.borrow().is_empty()
    }

    pub(super) fn len(&self) -> usize {
        self.due.borrow().len()
    }

    /// When the first timer is due.
    pub(super) fn first(&self) -> Option<Instant> {
        self.due.borrow().first_key_value().map(|((due, _), _)| *due)
    }

    /// Takes the first timer that is due by now: its number, and the slot of its instance.
    pub(super) fn take_due(&self, now: Instant) -> Option<(u64, Slot)> {
        if self.first()? > now {
            return None;
        }
        self.due.borrow_mut().pop_first().map(|((_, id), slot)| (id, slot))
    }
}
