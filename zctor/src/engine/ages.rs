//! The age of the oldest message that waits, without a time stamp on any message.
//!
//! A thread counts the messages that have come (`accepted`) and those that it is done with (`done`). Each look at the
//! statistics keeps how many had come by then. The oldest message that waits is the one with the number `done + 1`. It
//! had come by the first look that counted so many, and it is at least as old as that look.
//!
//! A call that goes ahead is done with before its number says so. Then the oldest message has a smaller number, and is
//! older than what is said here, never younger.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use crate::id::ThreadId;

/// With so many looks kept for one thread, every second one is forgotten.
const MANY: usize = 64;

/// The looks at each thread that a message which still waits may have been counted by.
#[derive(Default)]
pub(super) struct Ages(BTreeMap<ThreadId, VecDeque<Look>>);

struct Look {
    at: Instant,
    accepted: u64,
}

impl Ages {
    /// Keeps a look at one thread. Gives the time for which the oldest of its messages has waited at least.
    pub(super) fn look(&mut self, thread: ThreadId, at: Instant, accepted: u64, done: u64) -> Duration {
        let looks = self.0.entry(thread).or_default();
        while looks.front().is_some_and(|look| look.accepted <= done) {
            looks.pop_front();
        }
        // A look counts mail twice that is just being taken in. The surplus of its count had not come by then.
        while looks.back().is_some_and(|look| look.accepted > accepted) {
            looks.pop_back();
        }
        if accepted <= done {
            return Duration::ZERO;
        }
        if looks.back().is_none_or(|look| look.accepted < accepted) {
            if looks.len() >= MANY {
                let mut index = 0;
                looks.retain(|_| {
                    index += 1;
                    index % 2 == 1
                });
            }
            looks.push_back(Look { at, accepted });
        }
        looks.front().map_or(Duration::ZERO, |look| at.saturating_duration_since(look.at))
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

    #[test]
    fn the_oldest_is_as_old_as_the_first_look_that_counted_it() {
        let (mut ages, start) = (Ages::default(), now());
        let ms = Duration::from_millis;
        let mut look = |at, accepted, done| ages.look(THREAD, start + ms(at), accepted, done);
        assert_eq!(look(0, 0, 0), ms(0));
        assert_eq!(look(10, 5, 0), ms(0), "it came since the last look");
        assert_eq!(look(20, 9, 0), ms(10));
        assert_eq!(look(30, 9, 4), ms(20), "the fifth is the oldest: it was there at 10");
        assert_eq!(look(40, 9, 5), ms(20), "the sixth is the oldest: it was there at 20");
        assert_eq!(look(50, 9, 9), ms(0));
        assert_eq!(look(60, 10, 9), ms(0));
    }

    #[test]
    fn a_look_that_counted_too_many_makes_nothing_older() {
        let (mut ages, start) = (Ages::default(), now());
        let mut look = |at, accepted, done| ages.look(THREAD, start + Duration::from_millis(at), accepted, done);
        look(0, 2_000, 0);
        look(1, 1_000, 1_000);
        assert_eq!(look(60_000, 1_001, 1_000), Duration::ZERO);
    }

    #[test]
    fn many_looks_keep_the_first() {
        let (mut ages, start) = (Ages::default(), now());
        let mut look = |at| ages.look(THREAD, start + Duration::from_secs(at), at, 0);
        let oldest = (1..=10_000).map(&mut look).last();
        assert_eq!(oldest, Some(Duration::from_secs(9_999)));
        assert!(ages.0[&THREAD].len() <= MANY);
    }

    #[test]
    fn threads_that_are_gone_are_forgotten() {
        let mut ages = Ages::default();
        ages.look(THREAD, now(), 1, 0);
        ages.keep(|_| false);
        assert!(ages.0.is_empty());
    }
}
