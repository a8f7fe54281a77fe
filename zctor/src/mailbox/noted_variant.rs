//! The variant that a thread handles, where that is noted.

use crate::id::Slot;
use crate::mailbox::account::Account;
use crate::sys::sync::{Mutex, lock};

/// The variant that was noted last on a thread, with the slot of its instance and the number of messages which that was
/// done with before.
#[derive(Default)]
pub(crate) struct NotedVariant(Mutex<Option<(Slot, u64, &'static str)>>);

impl NotedVariant {
    pub(crate) fn note(&self, slot: Slot, account: &Account, variant: &'static str) {
        *lock(&self.0) = Some((slot, account.done(), variant));
    }

    /// The variant that an instance handles, if it was noted when the instance was done with so many messages.
    pub(crate) fn get(&self, slot: Slot, done: u64) -> Option<&'static str> {
        lock(&self.0).filter(|(noted, before, _)| (*noted, *before) == (slot, done)).map(|(.., variant)| variant)
    }
}
