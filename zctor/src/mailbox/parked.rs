//! How long a thread was parked, and for what. The clock is read at each real park and nowhere else: a spin counts as
//! work.
//!
//! A total is one word, so that a reader never sees half of a change. While the thread is not parked, the word is the
//! total, in nanoseconds. While it is parked since `p`, the word is the total less `p`, and is marked: a reader adds the
//! time at which it reads. The lowest bit is the mark.

use std::time::{Duration, Instant};

use crate::sys::clock::now;
use crate::sys::counter::Counter;

/// The reason for which a thread is parked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Park {
    /// It has nothing to do. The calling thread of `here` is also in code of its own then.
    Idle,
    /// A handler on it waits for a reply, and nothing that may be served meanwhile is there.
    Waiting,
}

/// The times for which one thread was parked. Only that thread writes them.
pub(crate) struct Parked {
    /// When the thread was made: all times count from then.
    since: Instant,
    idle: Counter,
    waiting: Counter,
    /// When it last woke up, and how far it had got by then, in one word: see `Woke`.
    woke: Counter,
}

/// When a thread last woke up, in 2^20 nanoseconds, rounded up, in the upper 36 bits; and `Meter::progress` then, in
/// the lower 28. 0 before its first park.
struct Woke;

impl Woke {
    const PROGRESS: u64 = (1 << 28) - 1;

    fn pack(age: Duration, progress: u64) -> u64 {
        ((age.as_nanos() as u64 >> 20) + 1) << 28 | (progress & Self::PROGRESS)
    }

    /// The time from the start of the thread to its wake-up, if one piece of code has run since.
    fn age(word: u64, progress: u64) -> Option<Duration> {
        let is_the_same = word != 0 && word & Self::PROGRESS == progress & Self::PROGRESS;
        is_the_same.then(|| Duration::from_nanos(word >> 28 << 20))
    }
}

/// The words of both totals at one moment.
pub(crate) struct ParkSample {
    idle: u64,
    waiting: u64,
}

impl Parked {
    pub(super) fn new() -> Self {
        Self { since: now(), idle: Counter::default(), waiting: Counter::default(), woke: Counter::default() }
    }

    /// The age of the thread: the time since it was made.
    pub(crate) fn age(&self, at: Instant) -> Duration {
        at.saturating_duration_since(self.since)
    }

    /// An age in the unit of the words: twice its nanoseconds.
    fn doubled(age: Duration) -> u64 {
        (age.as_nanos() as u64) << 1
    }

    fn total(&self, park: Park) -> &Counter {
        match park {
            Park::Idle => &self.idle,
            Park::Waiting => &self.waiting,
        }
    }

    /// The thread is about to park, at this time. Gives its age.
    pub(crate) fn begin(&self, park: Park, at: Instant) -> Duration {
        let age = self.age(at);
        self.total(park).add(1u64.wrapping_sub(Self::doubled(age)));
        age
    }

    /// The thread has parked, for the same as it began to. `progress`: of its meter. Gives its age.
    pub(crate) fn end(&self, park: Park, progress: u64) -> Duration {
        let age = self.age(now());
        self.woke.set(Woke::pack(age, progress));
        self.total(park).add(Self::doubled(age).wrapping_sub(1));
        age
    }

    /// For how long the thread has run since it last woke up, if no other piece of code has begun since.
    pub(crate) fn runs_since_wake(&self, at: Instant, progress: u64) -> Option<Duration> {
        Woke::age(self.woke.get(), progress).map(|woke| self.age(at).saturating_sub(woke))
    }

    /// Looks at the totals. The clock is to be read after that.
    pub(crate) fn look(&self) -> ParkSample {
        ParkSample { idle: self.idle.get(), waiting: self.waiting.get() }
    }

    /// How long the thread had been idle, and how long it had waited, at a time after the look.
    pub(crate) fn until(&self, look: &ParkSample, at: Instant) -> (Duration, Duration) {
        let total = |word: u64| {
            let running = if word & 1 == 1 { Self::doubled(self.age(at)) } else { 0 };
            Duration::from_nanos(word.wrapping_add(running) >> 1)
        };
        (total(look.idle), total(look.waiting))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_park_that_lasts_counts_until_it_is_read() {
        let parked = Parked::new();
        let second = Duration::from_secs(1);
        let read = |after: Duration| parked.until(&parked.look(), parked.since + after);
        parked.begin(Park::Waiting, now());
        let begun = now();
        let (idle, waiting) = read(begun - parked.since + second);
        assert_eq!(idle, Duration::ZERO);
        assert!(waiting >= second);
        assert_eq!(read(begun - parked.since + 11 * second).1, waiting + 10 * second);
        parked.end(Park::Waiting, 0);
        let total = read(10 * second);
        assert_eq!(read(20 * second), total, "nothing is added after the end");
        assert!(total.1 <= parked.age(now()));
        parked.begin(Park::Idle, now());
        parked.end(Park::Idle, 0);
        assert_eq!(read(20 * second).1, total.1, "the other total is another");
    }

    #[test]
    fn a_thread_that_has_finished_nothing_has_run_since_it_woke() {
        let parked = Parked::new();
        let later = |seconds| now() + Duration::from_secs(seconds);
        assert_eq!(parked.runs_since_wake(later(10), 0), None, "it has never parked");
        parked.begin(Park::Idle, now());
        parked.end(Park::Idle, 7);
        let ran = parked.runs_since_wake(later(10), 7).expect("nothing was finished");
        assert!(ran > Duration::from_secs(9) && ran <= Duration::from_secs(10), "{ran:?}");
        assert_eq!(parked.runs_since_wake(later(10), 8), None);
    }
}
