//! Counters that one thread writes, and that others read as statistics.

// Under loom too: they only count.
use std::sync::atomic::{AtomicU64, Ordering};

/// A counter that one thread writes, with no read-modify-write, and that others read as a statistic.
#[derive(Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    /// Adds to it, on the one thread that writes it. It wraps around, so that a negative change can be added too.
    #[inline]
    pub(crate) fn add(&self, change: u64) {
        self.0.store(self.get().wrapping_add(change), Ordering::Relaxed);
    }

    #[inline]
    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    pub(crate) fn set(&self, value: u64) {
        self.0.store(value, Ordering::Relaxed);
    }

    pub(crate) fn reset(&self) {
        self.0.store(0, Ordering::Relaxed);
    }
}
