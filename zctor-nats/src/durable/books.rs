//! The books of the queues that a bridge serves.

use std::fmt;
use std::sync::{Mutex, PoisonError};

/// The counts of the messages that work queues gave to a bridge, by outcome.
///
/// A message counts each time that it is given out.
///
/// ```
/// use zctor_nats::QueueBooks;
///
/// assert_eq!(QueueBooks::default().under_way(), 0);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct QueueBooks {
    /// The messages that came.
    pub delivered: u64,
    /// Those for which a handler has answered. Each leaves the queue, unless the server does not hear of it; then it is
    /// given out again.
    pub handled: u64,
    /// Those that the queue is to give out again.
    pub returned: u64,
    /// Those that are dead letters of the queue.
    pub dead: u64,
}

impl QueueBooks {
    /// The messages that are in mailboxes or with handlers.
    ///
    /// ```
    /// assert_eq!(zctor_nats::QueueBooks::default().under_way(), 0);
    /// ```
    pub fn under_way(&self) -> u64 {
        self.delivered - self.handled - self.returned - self.dead
    }
}

impl fmt::Display for QueueBooks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { delivered, handled, returned, dead } = self;
        write!(f, "delivered {delivered}: {handled} handled, {returned} returned, {dead} dead")
    }
}

#[derive(Default)]
pub(crate) struct QueueLedger(Mutex<QueueBooks>);

impl QueueLedger {
    pub(crate) fn books(&self) -> QueueBooks {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn change(&self, change: impl FnOnce(&mut QueueBooks)) {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }
}
