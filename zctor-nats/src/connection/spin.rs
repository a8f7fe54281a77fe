//! A spin of the bridge's thread. While a single call is with another thread of this process, what that says comes within
//! some microseconds, and a thread that sleeps takes about as long to wake up.
//!
//! 1. A call has been put into a mailbox here, or a caller here has its reply (`Handed`), and no other call is under way:
//!    then a spin may begin. With several calls under way the thread seldom sleeps.
//! 2. In a spin the thread looks for a command as often as it looks at the network, and does what comes from there. The spin
//!    ends with the first command, or after [`LONGEST`].
//! 3. A spin in vain is the last for now: the thread sleeps from then on. It spins again when commands have come soon
//!    [`OFTEN`] times in turn. So a bridge whose handlers and callers take their time does not spin.
//!
//! Without calls there is no spin, and on one core neither.

use std::num::NonZero;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::available_parallelism;
use std::time::{Duration, Instant};

use tokio::sync::Notify;
use zctor::now;

/// How long a spin is at most.
const LONGEST: Duration = Duration::from_micros(40);
/// A command that came within this time while the thread slept would have ended a spin: waking up is a part of it.
const SOON: Duration = Duration::from_micros(80);
const OFTEN: u32 = 16;

/// Whether a call is with another thread now, or its reply is, and is the only one. A hint: no order is kept.
#[derive(Default)]
pub(crate) struct Handed {
    is_single: AtomicBool,
    told: Notify,
}

impl Handed {
    pub(crate) fn single(&self) {
        self.is_single.store(true, Ordering::Relaxed);
        self.told.notify_one();
    }

    pub(crate) fn several(&self) {
        self.is_single.store(false, Ordering::Relaxed);
    }

    /// Waits until one is. Gives whether it still is the only one.
    pub(super) async fn told(&self) -> bool {
        self.told.notified().await;
        self.is_single.load(Ordering::Relaxed)
    }
}

/// What is known of whether a spin pays.
pub(super) struct Spin {
    /// There is another core for whoever is waited for.
    may: bool,
    pays: bool,
    /// How many commands in turn have come soon since the last spin in vain.
    soon: u32,
    /// Since when the thread sleeps in place of a spin.
    sleeps: Option<Instant>,
}

impl Spin {
    pub(super) fn new() -> Self {
        let may = available_parallelism().is_ok_and(|cores| cores > NonZero::<usize>::MIN);
        Self { may, pays: may, soon: 0, sleeps: None }
    }

    /// Until when to spin; `None` if it does not pay.
    pub(super) fn begin(&mut self) -> Option<Instant> {
        let time = now();
        if self.pays {
            return Some(time + LONGEST);
        }
        self.sleeps = Some(time);
        None
    }

    /// A spin was in vain.
    pub(super) fn failed(&mut self) {
        (self.pays, self.soon) = (false, 0);
    }

    /// A command has come while the thread slept.
    pub(super) fn came(&mut self) {
        if let Some(since) = self.sleeps.take() {
            self.learn(now().saturating_duration_since(since));
        }
    }

    fn learn(&mut self, time: Duration) {
        self.soon = if time <= SOON { self.soon + 1 } else { 0 };
        self.pays = self.may && self.soon >= OFTEN;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn after_a_spin_in_vain_commands_that_come_soon_bring_it_back() {
        let mut spin = Spin { may: true, pays: true, soon: 0, sleeps: None };
        assert!(spin.begin().is_some(), "it tries");
        spin.failed();
        for _ in 1..OFTEN {
            assert!(spin.begin().is_none());
            spin.learn(SOON);
        }
        spin.learn(2 * SOON);
        assert!(spin.begin().is_none(), "one that came late takes back what was known");
        (0..OFTEN).for_each(|_| spin.learn(SOON));
        assert!(spin.begin().is_some());
    }
}
