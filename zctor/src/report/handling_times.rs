//! How long handlers took, by variant.

use std::time::Duration;

/// How long the handlers of one variant took, of all instances together: a histogram.
///
/// [`Observer::handling_times`](crate::Observer::handling_times) returns one for each variant.
///
/// ```
/// use std::time::Duration;
/// use zctor::{ActorEngine, HandlingTimes, actor};
///
/// #[actor]
/// pub enum JobMessage {
///     #[reply(u64)]
///     Run(u64),
/// }
/// struct Job;
/// impl JobHandler for Job {
///     fn run(&mut self, to: u64) -> u64 {
///         (0..to).sum()
///     }
/// }
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let engine = ActorEngine::new();
/// let job: JobClient = engine.pool(1, JobMessage::actor(|| Job))?;
/// let observer = engine.observe();
/// assert_eq!(job.run(3)?, 3);
/// engine.settle();
/// let times: &HandlingTimes = &observer.handling_times()[0];
/// assert_eq!((times.message, times.variant, times.count), ("JobMessage", "Run", 1));
/// assert_eq!(times.buckets.iter().sum::<u64>(), times.count);
/// assert_eq!(times.mean(), times.sum);
/// let bound = HandlingTimes::BOUNDS.into_iter().find(|bound| *bound >= times.sum);
/// assert!(times.quantile(0.99) <= bound.unwrap_or(Duration::MAX));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct HandlingTimes {
    /// The name of the message type.
    pub message: &'static str,
    /// The name of the variant.
    pub variant: &'static str,
    /// How many handlers have ended: those that returned, and those that panicked.
    pub count: u64,
    /// The sum of their times.
    pub sum: Duration,
    /// How many of them took as long as each bucket says. The first is for times up to the first of
    /// [`BOUNDS`](Self::BOUNDS); each further one for times beyond the bound before its own; the last for all that are
    /// longer than the last bound.
    pub buckets: [u64; Self::BOUNDS.len() + 1],
}

impl HandlingTimes {
    /// The upper bounds of the buckets but for the last, which has none: a microsecond, two, four and so on, up to 67
    /// seconds.
    ///
    /// ```
    /// use std::time::Duration;
    /// use zctor::HandlingTimes;
    ///
    /// assert_eq!(HandlingTimes::BOUNDS[..2], [Duration::from_micros(1), Duration::from_micros(2)]);
    /// assert_eq!(HandlingTimes::BOUNDS.last(), Some(&Duration::from_micros(67_108_864)));
    /// ```
    pub const BOUNDS: [Duration; 27] = {
        let mut bounds = [Duration::ZERO; 27];
        let mut at = 0;
        while at < bounds.len() {
            bounds[at] = Duration::from_micros(1 << at);
            at += 1;
        }
        bounds
    };

    pub(crate) fn new(message: &'static str, variant: &'static str, nanoseconds: u64, buckets: [u64; 28]) -> Self {
        let (count, sum) = (buckets.iter().sum(), Duration::from_nanos(nanoseconds));
        Self { message, variant, count, sum, buckets }
    }

    /// The number of the bucket for a time.
    pub(crate) fn bucket(nanoseconds: u64) -> usize {
        let whole_microseconds_below = nanoseconds.saturating_sub(1) / 1_000;
        let doublings = u64::BITS - whole_microseconds_below.leading_zeros();
        (doublings as usize).min(Self::BOUNDS.len())
    }

    /// Returns the mean time of a handler; zero without any.
    pub fn mean(&self) -> Duration {
        let nanoseconds = self.sum.as_nanos().checked_div(self.count.into()).unwrap_or_default();
        Duration::from_nanos(u64::try_from(nanoseconds).unwrap_or(u64::MAX))
    }

    /// Returns the time that this share of the handlers did not exceed: `quantile(0.5)` is the median, `quantile(0.99)` is
    /// exceeded by one handler in a hundred. Zero without any.
    ///
    /// The estimate lies in the right bucket, so it is wrong by a factor of two at most, above a microsecond; of shorter
    /// times it says only that they are shorter. Within the bucket it is estimated as Prometheus does, along a straight
    /// line. Beyond the last bound it is the last bound. A share below 0 counts as 0, one above 1 as 1.
    pub fn quantile(&self, share: f64) -> Duration {
        let rank = share.clamp(0.0, 1.0) * self.count as f64;
        let mut below = 0;
        let mut lower = Duration::ZERO;
        for (bound, inside) in Self::BOUNDS.into_iter().zip(self.buckets) {
            if inside > 0 && (below + inside) as f64 >= rank {
                let part = ((rank - below as f64) / inside as f64).clamp(0.0, 1.0);
                return lower + (bound - lower).mul_f64(part);
            }
            below += inside;
            lower = bound;
        }
        if below < self.count { lower } else { Duration::ZERO }
    }

    /// Returns what has been added since an earlier look of the same observer, for the times of a window.
    ///
    /// ```
    /// # use zctor::{ActorEngine, actor};
    /// # #[actor]
    /// # pub enum JobMessage {
    /// #     #[reply(())]
    /// #     Run,
    /// # }
    /// # struct Job;
    /// # impl JobHandler for Job { fn run(&mut self) {} }
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let engine = ActorEngine::new();
    /// # let job: JobClient = engine.pool(1, JobMessage::actor(|| Job))?;
    /// let observer = engine.observe();
    /// job.run()?;
    /// engine.settle();
    /// let earlier = observer.handling_times();
    /// job.run()?;
    /// engine.settle();
    /// let now = observer.handling_times();
    /// assert_eq!((now[0].count, now[0].since(&earlier[0]).count), (2, 1));
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        let buckets = std::array::from_fn(|at| self.buckets[at].saturating_sub(earlier.buckets[at]));
        let sum = self.sum.saturating_sub(earlier.sum);
        Self { count: buckets.iter().sum(), sum, buckets, ..*self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn times(each: &[Duration]) -> HandlingTimes {
        let mut buckets = [0; 28];
        let nanoseconds = |time: &Duration| u64::try_from(time.as_nanos()).expect("short");
        each.iter().for_each(|time| buckets[HandlingTimes::bucket(nanoseconds(time))] += 1);
        HandlingTimes::new("JobMessage", "Run", each.iter().map(nanoseconds).sum(), buckets)
    }

    #[test]
    fn a_time_is_in_the_first_bucket_whose_bound_it_does_not_exceed() {
        for (at, bound) in HandlingTimes::BOUNDS.into_iter().enumerate() {
            let nanoseconds = u64::try_from(bound.as_nanos()).expect("short");
            assert_eq!(HandlingTimes::bucket(nanoseconds), at);
            assert_eq!(HandlingTimes::bucket(nanoseconds + 1), at + 1);
        }
        assert_eq!((HandlingTimes::bucket(0), HandlingTimes::bucket(u64::MAX)), (0, 27));
    }

    #[test]
    fn a_quantile_lies_in_its_bucket() {
        let ms = Duration::from_millis;
        let hundred: Vec<Duration> = (1..=100).map(ms).collect();
        let hundred = times(&hundred);
        assert_eq!((hundred.count, hundred.mean()), (100, Duration::from_micros(50_500)));
        for (share, exact) in [(0.01, ms(1)), (0.5, ms(50)), (0.99, ms(99)), (1.0, ms(100))] {
            let estimated = hundred.quantile(share);
            assert!(estimated >= exact / 2 && estimated <= exact * 2, "{share}: {estimated:?}");
        }
        assert_eq!(hundred.quantile(7.0), hundred.quantile(1.0));
        assert_eq!(times(&[]).quantile(0.5), Duration::ZERO);
        assert_eq!(times(&[]).mean(), Duration::ZERO);
    }

    #[test]
    fn what_is_beyond_the_last_bound_counts() {
        let long = times(&[Duration::from_secs(100)]);
        assert_eq!((long.count, long.buckets[27]), (1, 1));
        assert_eq!(Some(&long.quantile(0.5)), HandlingTimes::BOUNDS.last());
    }
}
