//! The limits for slow handlers of the instances of one thread.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use crate::id::Slot;

/// The limits of the instances that have one of their own.
#[derive(Default)]
pub(super) struct SlowLimits {
    pub(super) by_slot: HashMap<Slot, Duration>,
    /// How many instances have each limit: the least is asked for at each look, and many instances may have one.
    counts: BTreeMap<Duration, usize>,
}

impl SlowLimits {
    pub(super) fn set(&mut self, slot: Slot, limit: Duration) {
        self.remove(slot);
        self.by_slot.insert(slot, limit);
        *self.counts.entry(limit).or_default() += 1;
    }

    pub(super) fn remove(&mut self, slot: Slot) {
        let Some(limit) = self.by_slot.remove(&slot) else { return };
        if let Some(count) = self.counts.get_mut(&limit) {
            *count -= 1;
            if *count == 0 {
                self.counts.remove(&limit);
            }
        }
    }

    pub(super) fn least(&self) -> Option<Duration> {
        self.counts.first_key_value().map(|(limit, _)| *limit)
    }
}
