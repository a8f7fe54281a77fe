//! Counters that others read as statistics.

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

/// A counter that many threads write.
#[cfg(feature = "remote")]
#[derive(Default)]
pub(crate) struct SharedCounter(AtomicU64);

#[cfg(feature = "remote")]
impl SharedCounter {
    pub(crate) fn increment(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    pub(crate) fn reset(&self) {
        self.0.store(0, Ordering::Relaxed);
    }
}

/// The same where there is nothing to count.
#[cfg(not(feature = "remote"))]
#[derive(Default)]
pub(crate) struct SharedCounter;

#[cfg(not(feature = "remote"))]
impl SharedCounter {
    pub(crate) fn get(&self) -> u64 {
        0
    }

    pub(crate) fn reset(&self) {}
}
