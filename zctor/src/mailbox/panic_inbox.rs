//! The panics of one instance, on their way to an instance that watches it.

use std::collections::VecDeque;
use std::task::Waker;

use crate::event::PanicEvent;
use crate::sys::sync::{Mutex, lock};
use crate::sys::unwind::wake;

/// The panics that one watcher has not yet taken. It is woken once for each panic, and once at the end of the watched
/// instance.
pub(crate) struct PanicInbox {
    events: Mutex<VecDeque<PanicEvent>>,
    waker: Waker,
}

impl PanicInbox {
    pub(crate) fn new(waker: Waker) -> Self {
        Self { events: Mutex::default(), waker }
    }

    pub(super) fn put(&self, event: PanicEvent) {
        lock(&self.events).push_back(event);
        self.wake();
    }

    /// Has the watcher look.
    pub(super) fn wake(&self) {
        wake(self.waker.clone());
    }

    pub(crate) fn take(&self) -> Option<PanicEvent> {
        lock(&self.events).pop_front()
    }
}
