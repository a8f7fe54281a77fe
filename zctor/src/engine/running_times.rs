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
pub(super) struct RunningTimes(BTreeMap<ThreadId, Since>);

struct Since {
    first: Sample,
    at: Instant,
}

/// A look at a thread where code of an instance runs.
#[derive(Clone, Copy)]
pub(super) struct Sample {
    pub(super) slot: Slot,
    /// How many messages the instance is done with.
    pub(super) done: u64,
    /// How many other pieces of code the thread has begun or ended: see `Meter::other_pieces`.
    pub(super) other_pieces: u64,
    /// For how long the thread was idle, and for how long it waited, since it started.
    pub(super) idle: Duration,
    pub(super) waiting: Duration,
}

impl RunningTimes {
    /// Keeps a look at a thread. Gives the time for which the handler there has run at least.
    pub(super) fn look(&mut self, thread: ThreadId, at: Instant, sample: Option<Sample>) -> Duration {
        let Some(sample) = sample else {
            self.0.remove(&thread);
            return Duration::ZERO;
        };
        let key = |sample: &Sample| (sample.slot, sample.done, sample.other_pieces, sample.idle);
        let same = |first: &Sample| key(first) == key(&sample);
        match self.0.get(&thread).filter(|since| same(&since.first)) {
            Some(since) => {
                let waited = sample.waiting.saturating_sub(since.first.waiting);
                at.saturating_duration_since(since.at).saturating_sub(waited)
            }
            None => {
                self.0.insert(thread, Since { first: sample, at });
                Duration::ZERO
            }
        }
    }

    /// The handler that runs on a thread, as the last look found it first.
    pub(super) fn first_sample(&self, thread: ThreadId) -> Option<Sample> {
        self.0.get(&thread).map(|since| since.first)
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

    fn sample(slot: u32, done: u64, idle: u64, waiting: u64) -> Option<Sample> {
        let slot = Slot { index: slot, generation: 0 };
        Some(Sample { slot, done, other_pieces: 0, idle: ms(idle), waiting: ms(waiting) })
    }

    #[test]
    fn a_handler_that_spans_looks_has_run_since_the_first_of_them() {
        let (mut running_times, start) = (RunningTimes::default(), now());
        let mut look = |at, sample| running_times.look(THREAD, start + ms(at), sample);
        assert_eq!(look(0, sample(1, 5, 0, 0)), ms(0));
        assert_eq!(look(40, sample(1, 5, 0, 0)), ms(40));
        assert_eq!(look(50, sample(1, 5, 0, 0)), ms(50));
        assert_eq!(look(60, sample(1, 6, 0, 0)), ms(0), "the next message");
        assert_eq!(look(70, sample(2, 6, 0, 0)), ms(0), "another instance");
        assert_eq!(look(80, None), ms(0));
        assert_eq!(look(90, sample(2, 6, 0, 0)), ms(0), "nothing ran in between");
    }

    #[test]
    fn idle_time_ends_a_handling_and_the_time_of_its_waits_does_not_count() {
        let (mut running_times, start) = (RunningTimes::default(), now());
        let mut look = |at, sample| running_times.look(THREAD, start + ms(at), sample);
        look(0, sample(1, 5, 0, 0));
        assert_eq!(look(100, sample(1, 5, 0, 90)), ms(10));
        assert_eq!(look(200, sample(1, 5, 20, 90)), ms(0), "the thread was idle: this is another message");
    }
}
