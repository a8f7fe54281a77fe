//! For how long the handler that runs on a thread has run, though no handler reads a clock.
//!
//! Each look at the statistics keeps which instance runs on a thread, and how many messages it was done with. If the next
//! look finds the same instance and the same number, and the thread was not idle meanwhile, then one handler spans both.
//! The time for which the thread waited in it does not count.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::id::{Slot, ThreadId};

/// The handler that runs on each thread, as the last look found it.
#[derive(Default)]
pub(super) struct Handlings(BTreeMap<ThreadId, Seen>);

struct Seen {
    first: Sight,
    at: Instant,
}

/// A look at a thread where code of an instance runs.
#[derive(Clone, Copy)]
pub(super) struct Sight {
    pub(super) slot: Slot,
    /// How many messages the instance is done with.
    pub(super) done: u64,
    /// How many other pieces of code the thread has begun or ended: see `Meter::others`.
    pub(super) others: u64,
    /// For how long the thread was idle, and for how long it waited, since it started.
    pub(super) idle: Duration,
    pub(super) waiting: Duration,
}

impl Handlings {
    /// Keeps a look at a thread. Gives the time for which the handler there has run at least.
    pub(super) fn look(&mut self, thread: ThreadId, at: Instant, sight: Option<Sight>) -> Duration {
        let Some(sight) = sight else {
            self.0.remove(&thread);
            return Duration::ZERO;
        };
        let key = |sight: &Sight| (sight.slot, sight.done, sight.others, sight.idle);
        let same = |first: &Sight| key(first) == key(&sight);
        match self.0.get(&thread).filter(|seen| same(&seen.first)) {
            Some(seen) => {
                let waited = sight.waiting.saturating_sub(seen.first.waiting);
                at.saturating_duration_since(seen.at).saturating_sub(waited)
            }
            None => {
                self.0.insert(thread, Seen { first: sight, at });
                Duration::ZERO
            }
        }
    }

    /// The handler that runs on a thread, as the last look found it first.
    pub(super) fn sight(&self, thread: ThreadId) -> Option<Sight> {
        self.0.get(&thread).map(|seen| seen.first)
    }

    /// Forgets the threads that run no more.
    pub(super) fn keep(&mut self, runs: impl Fn(ThreadId) -> bool) {
        self.0.retain(|thread, _| runs(*thread));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::clock::now;

    const THREAD: ThreadId = ThreadId(0);

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    fn sight(slot: u32, done: u64, idle: u64, waiting: u64) -> Option<Sight> {
        let slot = Slot { index: slot, generation: 0 };
        Some(Sight { slot, done, others: 0, idle: ms(idle), waiting: ms(waiting) })
    }

    #[test]
    fn a_handler_that_spans_looks_has_run_since_the_first_of_them() {
        let (mut handlings, start) = (Handlings::default(), now());
        let mut look = |at, sight| handlings.look(THREAD, start + ms(at), sight);
        assert_eq!(look(0, sight(1, 5, 0, 0)), ms(0));
        assert_eq!(look(40, sight(1, 5, 0, 0)), ms(40));
        assert_eq!(look(50, sight(1, 5, 0, 0)), ms(50));
        assert_eq!(look(60, sight(1, 6, 0, 0)), ms(0), "the next message");
        assert_eq!(look(70, sight(2, 6, 0, 0)), ms(0), "another instance");
        assert_eq!(look(80, None), ms(0));
        assert_eq!(look(90, sight(2, 6, 0, 0)), ms(0), "nothing ran in between");
    }

    #[test]
    fn idle_time_ends_a_handling_and_the_time_of_its_waits_does_not_count() {
        let (mut handlings, start) = (Handlings::default(), now());
        let mut look = |at, sight| handlings.look(THREAD, start + ms(at), sight);
        look(0, sight(1, 5, 0, 0));
        assert_eq!(look(100, sight(1, 5, 0, 90)), ms(10));
        assert_eq!(look(200, sight(1, 5, 20, 90)), ms(0), "the thread was idle: this is another message");
    }
}
