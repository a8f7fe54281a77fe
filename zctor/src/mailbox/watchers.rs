//! The watchers of an instance: of its panics, and of its end.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::mailbox::panic_inbox::PanicInbox;
use crate::sys::unwind::wake;
use crate::sys::waiters::Waiters;

/// The watchers of the panics of one instance, each under a number that grows in the order of joining.
#[derive(Default)]
pub(super) struct PanicWatchers {
    pub(super) inboxes: BTreeMap<u64, Arc<PanicInbox>>,
    pub(super) last: u64,
}

/// The watchers that must still be told after an instance was taken off the roster.
#[must_use = "who watches it waits to be told"]
pub(crate) struct Removed {
    /// Whether its end was not reported before, with its abandoned thread.
    pub(crate) is_first_report: bool,
    pub(super) watchers: Option<Box<Waiters>>,
    pub(super) panic_watchers: Option<Box<PanicWatchers>>,
}

impl Removed {
    /// Wakes its watchers.
    #[inline]
    pub(crate) fn tell(self) {
        if self.watchers.is_some() || self.panic_watchers.is_some() {
            self.tell_all();
        }
    }

    #[cold]
    fn tell_all(self) {
        if let Some(mut watchers) = self.watchers {
            for waker in watchers.take(0, usize::MAX) {
                wake(waker);
            }
        }
        if let Some(watchers) = self.panic_watchers {
            watchers.inboxes.values().for_each(|inbox| inbox.wake());
        }
    }
}
