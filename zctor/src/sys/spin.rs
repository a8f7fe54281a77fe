//! How long a thread looks for what it waits for before it parks: by a fixed time, or by what its last waits took.

use std::cell::Cell;
use std::time::{Duration, Instant};

use crate::sys::clock::{deadline, now};

/// How a thread that waits spends the time before it parks.
///
/// A thread that spins finds a message or a reply within a fraction of a microsecond, and uses a core meanwhile. A
/// thread that parks uses no CPU, and must be woken: that takes some microseconds to some tens.
///
/// The choice applies to the actor threads of an engine, and to threads outside while they wait for a reply from it or
/// for room in its mailboxes. No thread spins on a machine with one core, or while more actor threads of the process
/// are awake than there are cores.
///
/// ```
/// use std::time::Duration;
/// use zctor::{ActorEngine, Spin, actor};
///
/// #[actor]
/// pub enum QuoteMessage {
///     #[reply(u32)]
///     Price,
/// }
/// struct Quote;
/// impl QuoteHandler for Quote {
///     fn price(&mut self) -> u32 {
///         42
///     }
/// }
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// for spin in [Spin::Never, Spin::Adapt, Spin::UpTo(Duration::from_micros(20))] {
///     let engine = ActorEngine::builder().spin(spin).build();
///     let quote: QuoteClient = engine.start(QuoteMessage::actor(|| Quote))?;
///     assert_eq!(quote.price()?, 42);
///     engine.shutdown()?;
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Spin {
    /// A thread parks at once.
    Never,
    /// A thread spins as long as its recent waits say that it pays, and at most some tens of microseconds. This is the
    /// default.
    ///
    /// A spin that found nothing makes the next one half as long, down to one or two microseconds. After 32 of those
    /// comes one long spin, which finds out whether messages come sooner now.
    #[default]
    Adapt,
    /// A thread spins so long each time, whatever its recent waits took; but not beyond its next timer or the deadline
    /// of the wait.
    ///
    /// It is for programs that have cores to spare and want each reply as soon as it is there. A thread with nothing to
    /// do parks when the time is over, so an idle engine still uses no CPU.
    UpTo(Duration),
}

impl Spin {
    /// The same, but a fixed time ends at `time`: nothing that is due then waits for the end of a spin.
    pub(crate) fn no_later_than(self, time: Option<Instant>) -> Self {
        match (self, time) {
            (Self::UpTo(limit), Some(time)) => Self::UpTo(limit.min(time.saturating_duration_since(now()))),
            _ => self,
        }
    }
}

/// How many looks a thread spins at most by `Spin::Adapt`, at 25 to 40 nanoseconds each: together they take about as
/// long as a wake-up.
const MAX_SPIN: u32 = 2_000;

/// The shortest spin, but for the countdown below it: from here on each failed spin is one look shorter, and so counts
/// the failures.
const MIN_SPIN: u32 = 50;

/// After so many spins in that countdown a long one is tried again.
const SHORT_SPINS: u32 = 32;

const _: () = assert!(SHORT_SPINS < MIN_SPIN);

/// The spin that remains for mail that always comes at once: it covers an interrupt in between, say.
const SHORT_SPIN: u32 = 400;

/// How long to spin the next time, if something came at look number `turn`.
fn after_success(budget: u32, turn: u32) -> u32 {
    let slowly = budget - budget / 8;
    slowly.max(turn.saturating_mul(4).saturating_add(SHORT_SPIN)).min(MAX_SPIN)
}

/// How long to spin the next time, if nothing came.
///
/// After many short spins comes a long one again. Otherwise two threads that answer each other would both go on
/// parking, each too late for the short spin of the other (measured: 7,400 ns a call instead of 500). It does not come
/// sooner: where more threads want a core than there are cores, a long spin takes the core from the thread that would
/// answer.
fn after_failure(budget: u32) -> u32 {
    match budget {
        short if short + SHORT_SPINS <= MIN_SPIN => MAX_SPIN,
        short @ ..=MIN_SPIN => short - 1,
        long => (long / 2).max(MIN_SPIN),
    }
}

/// What the recent waits of a thread say about its next spin, in looks at what it waits for.
pub(crate) struct Budgets {
    /// For a wait behind work that woke nobody.
    plain: Cell<u32>,
    /// For a wait of a thread that has just unparked another, which may answer when it has woken up. A caller that
    /// comes seldom does not: then a thread that spins for it, as long as a wake-up takes, does so in vain each time.
    after_waking: Cell<u32>,
}

impl Budgets {
    /// A thread first spins as long as it may.
    pub(crate) fn new() -> Self {
        Self { plain: Cell::new(MAX_SPIN), after_waking: Cell::new(MAX_SPIN) }
    }

    #[cfg(all(test, loom))]
    pub(crate) fn of(looks: u32) -> Self {
        Self { plain: Cell::new(looks), after_waking: Cell::new(looks) }
    }

    /// Begins a wait of a thread that has just unparked another, or has not.
    pub(super) fn begin(&self, spin: Spin, woke: bool) -> Attempt<'_> {
        let budget = if woke { &self.after_waking } else { &self.plain };
        let limit = match spin {
            Spin::Never => Limit::Looks(0),
            Spin::Adapt => Limit::Looks(budget.get()),
            Spin::UpTo(time) => Limit::Until(deadline(time)),
        };
        Attempt { budget, limit, learns: spin == Spin::Adapt }
    }
}

/// One spin.
pub(super) struct Attempt<'a> {
    budget: &'a Cell<u32>,
    limit: Limit,
    /// Whether its outcome says how long the next may be.
    learns: bool,
}

enum Limit {
    Looks(u32),
    /// `None`: a time that the clock cannot represent.
    Until(Option<Instant>),
}

/// The clock is read once in so many looks.
const LOOKS_A_READING: u32 = 32;

impl Attempt<'_> {
    /// Whether it may last as long as a wake-up takes.
    pub(super) fn is_long(&self) -> bool {
        match self.limit {
            Limit::Looks(looks) => looks > MIN_SPIN,
            Limit::Until(_) => true,
        }
    }

    /// Whether look number `turn` may still be taken.
    #[inline]
    pub(super) fn goes_on(&self, turn: u32) -> bool {
        match self.limit {
            Limit::Looks(looks) => turn < looks,
            Limit::Until(until) => turn % LOOKS_A_READING != 0 || until.is_none_or(|until| now() < until),
        }
    }

    /// Something came at look number `turn`.
    pub(super) fn succeeded(self, turn: u32) {
        if self.learns {
            self.budget.set(after_success(self.budget.get(), turn));
        }
    }

    /// Nothing came.
    pub(super) fn failed(self) {
        if self.learns {
            self.budget.set(after_failure(self.budget.get()));
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn failed_spins_get_short_and_stay_so_for_a_while() {
        let mut budget = MAX_SPIN;
        let mut spins = vec![budget];
        loop {
            budget = after_failure(budget);
            if budget == MAX_SPIN {
                break;
            }
            spins.push(budget);
        }
        let long = spins.iter().filter(|spin| **spin > MIN_SPIN).count();
        let short = spins.len() - long;
        assert!(spins.is_sorted_by(|a, b| a > b), "{spins:?}");
        assert_eq!((long, short), (6, 33), "{spins:?}");
    }

    #[test]
    fn a_successful_spin_sets_the_next_to_a_few_times_its_length() {
        assert_eq!(after_success(MIN_SPIN, 100), 4 * 100 + SHORT_SPIN);
        assert_eq!(after_success(MAX_SPIN, 100), MAX_SPIN - MAX_SPIN / 8, "and gets shorter slowly");
        assert_eq!(after_success(MAX_SPIN, MAX_SPIN), MAX_SPIN);
    }

    /// The looks of `waits` spins in vain.
    fn looks_in_vain(budgets: &Budgets, woke: bool, waits: u32) -> u32 {
        let looks = |_| {
            let attempt = budgets.begin(Spin::Adapt, woke);
            let looks = (0..).take_while(|turn| attempt.goes_on(*turn)).count() as u32;
            attempt.failed();
            looks
        };
        (0..waits).map(looks).sum()
    }

    #[test]
    fn spins_in_vain_cost_a_tenth_of_a_wake_up_at_most_behind_one_too() {
        for woke in [false, true] {
            let looks = looks_in_vain(&Budgets::new(), woke, 10_000);
            assert!(looks / 10_000 <= MAX_SPIN / 10, "{looks}");
        }
    }

    #[test]
    fn spins_behind_a_wake_up_and_others_learn_apart() {
        let budgets = Budgets::new();
        looks_in_vain(&budgets, true, 10);
        assert!(!budgets.begin(Spin::Adapt, true).is_long());
        assert!(budgets.begin(Spin::Adapt, false).is_long());
    }

    #[test]
    fn a_thread_that_never_spins_looks_not_once_and_learns_nothing() {
        let budgets = Budgets::new();
        let attempt = budgets.begin(Spin::Never, false);
        assert!(!attempt.goes_on(0));
        attempt.failed();
        assert_eq!(budgets.plain.get(), MAX_SPIN);
    }

    #[test]
    fn a_fixed_time_ends_when_something_is_due() {
        let long = Spin::UpTo(Duration::from_secs(3_600));
        assert_eq!(long.no_later_than(Some(now())), Spin::UpTo(Duration::ZERO));
        assert_eq!(long.no_later_than(None), long);
        assert_eq!(Spin::Adapt.no_later_than(Some(now())), Spin::Adapt);
    }

    #[test]
    fn a_fixed_time_is_spun_and_then_ends() {
        let budgets = Budgets::new();
        let time = Duration::from_millis(20);
        let begun = now();
        let attempt = budgets.begin(Spin::UpTo(time), false);
        let looks = (0..).take_while(|turn| attempt.goes_on(*turn)).count();
        assert!(begun.elapsed() >= time, "{looks} looks");
        attempt.failed();
        assert_eq!(budgets.plain.get(), MAX_SPIN, "and learns nothing");
        assert!(!budgets.begin(Spin::UpTo(Duration::ZERO), false).goes_on(0));
    }
}
