//! The limits of restarts, and the panics that count for them: an instance that panics again and again must not take a
//! core for its rebuilds.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// How often an instance is built again after panics of its handlers, and after how long a backoff.
///
/// A factory that fails or panics when it is to build the state again counts as another panic. While an instance backs
/// off, messages in turn go to the other instances of its pool, unless all of them back off too; pinned and keyed
/// messages wait for it. After one panic more than the limit allows, the instance ends and leaves the registry, and its
/// pool goes on without it: messages that were sent to it in turn go to the others, and all else that is queued for it
/// becomes dead letters. Its keys go to the others until [`replace`](crate::ActorEngine::replace) fills its place
/// again.
///
/// Every panic is told, with what becomes of the instance: see [`ActorEngine::on_panic`](crate::ActorEngine::on_panic).
/// An instance that backs off is in [`ThreadStats::backing_off`](crate::ThreadStats::backing_off). In a pool with keys,
/// an instance that ends leaves its keys to the others, whose states know nothing of them; one that is built again
/// keeps its keys.
///
/// ```
/// use std::time::Duration;
/// use zctor::Restart;
///
/// let gentle = Restart::at_most(5, Duration::from_secs(60))
///     .backoff(Duration::from_millis(100), Duration::from_secs(5))
///     .jitter(0.2);
/// assert_ne!(gentle, Restart::always());
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Restart {
    /// At most so many rebuilds within that time; `None` if there is no limit.
    limit: Option<(u32, Duration)>,
    shortest: Duration,
    longest: Duration,
    jitter: f64,
    stops_engine: bool,
}

impl Default for Restart {
    fn default() -> Self {
        Self::always()
    }
}

/// Panics within this time count together for the backoff before a rebuild.
const WINDOW: Duration = Duration::from_secs(10);

/// From so many panics within the window on, a rebuild waits.
const PATIENCE: usize = 3;

/// After so many doublings any sensible backoff has reached its longest; this also bounds how many panics are
/// remembered.
const DOUBLINGS: usize = 32;

impl Restart {
    /// Builds the state again after every panic.
    ///
    /// The first two panics within 10 s are followed by a rebuild at once, the third by a backoff of 10 ms, and each
    /// further one by a backoff twice as long, up to 1 s.
    pub fn always() -> Self {
        let (shortest, longest) = (Duration::from_millis(10), Duration::from_secs(1));
        Self { limit: None, shortest, longest, jitter: 0.0, stops_engine: false }
    }

    /// Never builds the state again: the first panic ends the instance. In a pool whose state is kept by key, have a
    /// supervisor [`replace`](crate::ActorEngine::replace) it.
    pub fn never() -> Self {
        Self::at_most(0, Duration::ZERO)
    }

    /// Builds the state again at most `rebuilds` times within `window`: one more panic within it ends the instance.
    pub fn at_most(rebuilds: u32, window: Duration) -> Self {
        Self { limit: Some((rebuilds, window)), ..Self::always() }
    }

    /// Sets the backoff before a rebuild.
    ///
    /// The first two panics within 10 s are followed by a rebuild at once, the third by a backoff of `shortest`, and
    /// each further one by a backoff twice as long, up to `longest`. If `shortest` is zero, there is no backoff.
    #[must_use]
    pub fn backoff(self, shortest: Duration, longest: Duration) -> Self {
        Self { shortest, longest: longest.max(shortest), ..self }
    }

    /// Lengthens each backoff at random by up to this share of it, so that instances that failed together do not start
    /// again together. A share that is negative or no number counts as 0; one above 1 counts as 1.
    #[must_use]
    pub fn jitter(self, share: f64) -> Self {
        Self { jitter: if share.is_finite() { share.clamp(0.0, 1.0) } else { 0.0 }, ..self }
    }

    /// Stops the engine when a panic ends the instance, for an actor that the program makes no sense without.
    ///
    /// An instance ends by a panic when that is one more than the limit of [`at_most`](Restart::at_most) allows, or
    /// the first with [`never`](Restart::never); or when its factory fails too often. Then the shutdown of its engine
    /// begins as by [`EngineHandle::stop`](crate::EngineHandle::stop), after the hook
    /// [`on_end`](crate::ActorEngine::on_end) was told of the end with its reason, and
    /// [`ActorEngine::wait`](crate::ActorEngine::wait) returns. An instance that is stopped stops no engine.
    ///
    /// ```
    /// use zctor::{ActorEngine, Restart, actor};
    ///
    /// #[actor]
    /// pub enum StoreMessage {
    ///     Put(u64),
    /// }
    /// struct Store;
    /// impl StoreHandler for Store {
    ///     fn put(&mut self, _value: u64) {
    ///         panic!("the disk is gone");
    ///     }
    /// }
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # std::panic::set_hook(Box::new(|_| {}));
    /// let engine = ActorEngine::new();
    /// let store = StoreMessage::actor(|| Store).restart(Restart::never().or_stop_engine());
    /// engine.start(store)?.put(1)?;
    /// engine.wait(); // until the store has ended, and the engine with it
    /// assert_eq!(engine.shutdown()?.panicked(), 1);
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn or_stop_engine(self) -> Self {
        Self { stops_engine: true, ..self }
    }

    pub(super) fn stops_engine(&self) -> bool {
        self.stops_engine
    }

    /// The backoff after `panics` panics within the window, without jitter; `None` if there is none.
    fn backoff_after(&self, panics: usize) -> Option<Duration> {
        let doublings = panics.checked_sub(PATIENCE)?.min(DOUBLINGS - 1) as u32;
        let backoff = self.shortest.saturating_mul(1_u32 << doublings).min(self.longest);
        (!backoff.is_zero()).then_some(backoff)
    }
}

/// The decision about an instance after a panic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Decision {
    Rebuild,
    BackOff(Duration),
    End,
}

/// The panics of an instance that count for its next restart, and its backoff.
#[derive(Default)]
pub(crate) struct History {
    pub(super) panics: Panics,
    /// The timer that ends its backoff.
    pub(super) backoff_timer: u64,
}

/// The panics of one instance that still count.
#[derive(Default)]
pub(crate) struct Panics {
    /// Oldest first.
    times: VecDeque<Instant>,
    /// How many panics there were in all.
    total: u64,
}

impl Panics {
    /// How many panics there were in all.
    pub(crate) fn total(&self) -> u64 {
        self.total
    }

    /// Notes a panic, and decides what follows it. `chance` is a number from 0 to 1, for the jitter.
    pub(crate) fn decide(&mut self, restart: &Restart, at: Instant, chance: f64) -> Decision {
        self.times.push_back(at);
        self.total += 1;
        let rebuilds = restart.limit.map_or(0, |(rebuilds, _)| rebuilds as usize);
        let window = restart.limit.map_or(WINDOW, |(_, window)| window.max(WINDOW));
        while self.times.front().is_some_and(|first| at.duration_since(*first) > window)
            || self.times.len() > rebuilds.saturating_add(1).max(PATIENCE + DOUBLINGS)
        {
            self.times.pop_front();
        }
        if restart.limit.is_some_and(|(rebuilds, window)| self.within(window, at) > rebuilds as usize) {
            return Decision::End;
        }
        match restart.backoff_after(self.within(WINDOW, at)) {
            Some(backoff) => {
                let extra = backoff.as_secs_f64() * restart.jitter * chance.clamp(0.0, 1.0);
                Decision::BackOff(backoff.saturating_add(Duration::try_from_secs_f64(extra).unwrap_or_default()))
            }
            None => Decision::Rebuild,
        }
    }

    /// How many count now, as far as they are remembered: in the window of the limit, or in that of the rest.
    pub(crate) fn in_window(&self, restart: &Restart, at: Instant) -> usize {
        self.within(restart.limit.map_or(WINDOW, |(_, window)| window), at)
    }

    /// How many of those that are remembered were within that time.
    fn within(&self, window: Duration, at: Instant) -> usize {
        since(&self.times, |time| at.saturating_duration_since(*time) > window)
    }
}

/// The number of times, the oldest first, behind those that are too old. With a large limit there are many times: the
/// boundary is searched for, and not counted up to.
fn since(times: &VecDeque<Instant>, is_too_old: impl FnMut(&Instant) -> bool) -> usize {
    times.len() - times.partition_point(is_too_old)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decisions(restart: Restart, seconds: &[u64], chance: f64) -> Vec<Decision> {
        let start = crate::sys::clock::now();
        let mut panics = Panics::default();
        seconds.iter().map(|at| panics.decide(&restart, start + Duration::from_secs(*at), chance)).collect()
    }

    fn backoff(ms: u64) -> Decision {
        Decision::BackOff(Duration::from_millis(ms))
    }

    #[test]
    fn a_rebuild_waits_from_the_third_panic_on_and_never_longer_than_a_second() {
        let all = decisions(Restart::always(), &[0; 40], 0.0);
        assert_eq!(all[..5], [Decision::Rebuild, Decision::Rebuild, backoff(10), backoff(20), backoff(40)]);
        assert_eq!(all[8..10], [backoff(640), backoff(1000)]);
        assert_eq!(all[39], backoff(1000));
    }

    #[test]
    fn panics_of_long_ago_do_not_count() {
        assert_eq!(decisions(Restart::always(), &[0, 6, 12, 18, 24], 0.0), [Decision::Rebuild; 5]);
    }

    #[test]
    fn beyond_the_limit_within_its_window_it_ends() {
        let restart = Restart::at_most(2, Duration::from_secs(60)).backoff(Duration::ZERO, Duration::ZERO);
        assert_eq!(decisions(restart, &[0, 20, 40], 0.0), [Decision::Rebuild, Decision::Rebuild, Decision::End]);
        assert_eq!(decisions(restart, &[0, 50, 100, 150, 200], 0.0), [Decision::Rebuild; 5]);
    }

    #[test]
    fn a_panic_among_a_million_looks_at_a_few() {
        let start = crate::sys::clock::now();
        let times: VecDeque<Instant> = (0..1_000_000).map(|at| start + Duration::from_micros(at)).collect();
        let mut looks = 0;
        let recent = since(&times, |time| {
            looks += 1;
            *time < start + Duration::from_micros(999_990)
        });
        assert_eq!(recent, 10);
        assert!(looks <= 21, "{looks} looks");
    }

    #[test]
    fn never_is_the_first_time() {
        assert_eq!(decisions(Restart::never(), &[0], 0.0), [Decision::End]);
    }

    #[test]
    fn jitter_lengthens_by_no_more_than_its_share() {
        assert_eq!(decisions(Restart::always().jitter(0.5), &[0; 3], 1.0)[2], backoff(15));
        assert_eq!(decisions(Restart::always().jitter(7.0), &[0; 3], 1.0)[2], backoff(20));
        assert_eq!(decisions(Restart::always().jitter(f64::NAN), &[0; 3], 1.0)[2], backoff(10));
    }
}
