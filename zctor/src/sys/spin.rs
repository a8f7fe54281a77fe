//! How long a thread spins in a wait before it parks: for a fixed time, or as long as its last waits say.

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
    /// A spin that found nothing is the last for now: the thread parks at once from then on. It spins again when its
    /// parks get so short that a spin would have found what ended them. So a thread whose messages come seldom does not
    /// spin.
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
    /// The same, but a fixed time ends at `time`: nothing that is due then waits for the end of a spin. `time` is called
    /// for a fixed time alone.
    #[inline]
    pub(crate) fn no_later_than(self, time: impl FnOnce() -> Option<Instant>) -> Self {
        let Self::UpTo(limit) = self else { return self };
        Self::UpTo(time().map_or(limit, |time| limit.min(time.saturating_duration_since(now()))))
    }
}

/// How many looks a thread spins at most by `Spin::Adapt`, at 25 to 40 nanoseconds each: together they take about as
/// long as a wake-up.
const MAX_SPIN: u32 = 2_000;

/// A spin of `MAX_SPIN` looks would have found what ended a park that took no longer.
const SHORT_PARK: Duration = Duration::from_micros(50);

/// It may have found what ended a park that took no longer: the thread's own wake-up is a part of that, which takes some
/// microseconds on one machine and some tens on another.
const LONG_PARK: Duration = Duration::from_micros(150);

/// A short park counts so much as evidence that a spin pays. One that is neither short nor long counts 1.
const SHORT: u32 = 8;

/// The most evidence that a thread needs to spin again, however many of its spins were in vain: 32 short parks, or 256
/// others that were not long.
///
/// With more, two threads that answer each other, and always park, would stay so for too long. With less, many threads
/// that share few cores would spin too often: all their parks are short, and a long spin takes the core from the thread
/// that would answer.
const MOST_EVIDENCE: u32 = 32 * SHORT;

/// The spin that remains for mail that always comes at once: it covers an interrupt in between, say.
const SHORT_SPIN: u32 = 400;

/// How long to spin the next time, if something came at look number `turn`.
fn after_success(budget: u32, turn: u32) -> u32 {
    let slowly = budget - budget / 8;
    slowly.max(turn.saturating_mul(4).saturating_add(SHORT_SPIN)).min(MAX_SPIN)
}

/// The evidence of a thread's recent waits of one kind for its next spin.
///
/// A spin in vain ends the spins. From then on the parks say whether a spin would pay: they cost no looks, and each
/// tells how long the mail or the reply took to come. So a thread whose mail comes seldom does not spin at all.
pub(crate) struct Budget {
    /// How many looks the next spin takes.
    looks: Cell<u32>,
    /// The evidence for a spin of the parks since the last spin in vain, or since the last long park.
    evidence: Cell<u32>,
    /// So much evidence makes the thread spin again: twice as much after each spin in vain, until one succeeds.
    needed: Cell<u32>,
}

impl Budget {
    /// A thread first spins as long as it may.
    fn new() -> Self {
        Self::of(MAX_SPIN)
    }

    fn of(looks: u32) -> Self {
        Self { looks: Cell::new(looks), evidence: Cell::new(0), needed: Cell::new(SHORT) }
    }

    /// Something came at look number `turn` of a spin.
    fn succeeded(&self, turn: u32) {
        self.looks.set(after_success(self.looks.get(), turn));
        self.needed.set(SHORT);
    }

    fn failed(&self) {
        self.looks.set(0);
        self.evidence.set(0);
        self.needed.set((self.needed.get() * 2).min(MOST_EVIDENCE));
    }

    /// The park behind a spin, or in place of one, took so long.
    pub(crate) fn parked_for(&self, time: Duration) {
        let more = match time {
            short if short <= SHORT_PARK => SHORT,
            long if long > LONG_PARK => return self.evidence.set(0),
            _ => 1,
        };
        self.evidence.set(self.evidence.get().saturating_add(more));
        if self.evidence.get() >= self.needed.get() {
            self.looks.set(MAX_SPIN);
        }
    }
}

/// The budgets of one thread.
pub(crate) struct Budgets {
    /// For mail, behind work that woke nobody.
    mail: Budget,
    /// For mail, when the thread has just unparked another, which may answer when it has woken up.
    mail_after_waking: Budget,
    /// For a reply.
    reply: Budget,
}

/// The kind of wait that a thread spins for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum For {
    Mail,
    /// The same, for a thread that has just unparked another.
    MailAfterWaking,
    Reply,
}

impl Budgets {
    pub(crate) fn new() -> Self {
        Self { mail: Budget::new(), mail_after_waking: Budget::new(), reply: Budget::new() }
    }

    #[cfg(all(test, loom))]
    pub(crate) fn of(looks: u32) -> Self {
        Self { mail: Budget::of(looks), mail_after_waking: Budget::of(looks), reply: Budget::of(looks) }
    }

    pub(super) fn get(&self, what: For) -> &Budget {
        match what {
            For::Mail => &self.mail,
            For::MailAfterWaking => &self.mail_after_waking,
            For::Reply => &self.reply,
        }
    }
}

/// How a spin ended.
pub(crate) enum Spun<'a> {
    /// Something came.
    Came,
    /// Nothing came. The thread parks, and tells the budget for how long, if there is one.
    Nothing(Option<&'a Budget>),
}

/// One spin.
pub(super) struct Attempt<'a> {
    pub(super) budget: &'a Budget,
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

impl<'a> Attempt<'a> {
    /// Begins a spin; `None` if it would not take one look.
    pub(super) fn begin(budget: &'a Budget, spin: Spin) -> Option<Self> {
        let limit = match spin {
            Spin::Never => return None,
            Spin::Adapt => match budget.looks.get() {
                0 => return None,
                looks => Limit::Looks(looks),
            },
            Spin::UpTo(time) => Limit::Until(deadline(time)),
        };
        Some(Self { budget, limit, learns: spin == Spin::Adapt })
    }

    /// Whether look number `turn` may still be taken.
    #[inline]
    pub(super) fn goes_on(&self, turn: u32) -> bool {
        match self.limit {
            Limit::Looks(looks) => turn < looks,
            Limit::Until(until) => turn % LOOKS_A_READING != 0 || until.is_none_or(|until| now() < until),
        }
    }

    pub(super) fn succeeded(self, turn: u32) {
        if self.learns {
            self.budget.succeeded(turn);
        }
    }

    pub(super) fn failed(self) {
        if self.learns {
            self.budget.failed();
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    const MEDIUM_PARK: Duration = Duration::from_micros(100);
    const LONGER_PARK: Duration = Duration::from_micros(200);

    /// The looks of a spin in vain, and of the park behind it the budget learns.
    fn wait_in_vain(budget: &Budget, park: Duration) -> u32 {
        let looks = Attempt::begin(budget, Spin::Adapt).map_or(0, |attempt| {
            let looks = (0..).take_while(|turn| attempt.goes_on(*turn)).count() as u32;
            attempt.failed();
            looks
        });
        budget.parked_for(park);
        looks
    }

    #[test]
    fn a_thread_whose_parks_are_long_spins_once_and_never_again() {
        let budget = Budget::new();
        let looks: u32 = (0..10_000).map(|_| wait_in_vain(&budget, LONGER_PARK)).sum();
        assert_eq!(looks, MAX_SPIN);
    }

    #[test]
    fn after_short_parks_a_thread_spins_again() {
        let budget = Budget::new();
        assert_eq!(wait_in_vain(&budget, LONGER_PARK), MAX_SPIN);
        assert_eq!([SHORT_PARK; 2].map(|park| wait_in_vain(&budget, park)), [0; 2]);
        let attempt = Attempt::begin(&budget, Spin::Adapt).expect("a spin would have found what ended the parks");
        attempt.succeeded(100);
        assert_eq!(budget.looks.get(), MAX_SPIN - MAX_SPIN / 8);
    }

    #[test]
    fn a_long_park_takes_back_what_short_ones_have_said() {
        let budget = Budget::new();
        wait_in_vain(&budget, LONGER_PARK);
        let looks: u32 = (0..1_000).map(|wait| wait_in_vain(&budget, [SHORT_PARK, LONGER_PARK][wait % 2])).sum();
        assert_eq!(looks, 0);
    }

    /// How many of 10,000 waits are spins in vain, if all parks take so long.
    fn spins_in_vain(park: Duration) -> usize {
        let budget = Budget::new();
        (0..10_000).filter(|_| wait_in_vain(&budget, park) > 0).count()
    }

    #[test]
    fn spins_in_vain_get_seldom() {
        let (short, medium) = (spins_in_vain(SHORT_PARK), spins_in_vain(MEDIUM_PARK));
        assert!((10_000 / 33..=10_000 / 32 + 6).contains(&short), "{short}");
        assert!((10_000 / 257..=10_000 / 256 + 6).contains(&medium), "{medium}");
    }

    #[test]
    fn a_successful_spin_sets_the_next_to_a_few_times_its_length() {
        assert_eq!(after_success(50, 100), 4 * 100 + SHORT_SPIN);
        assert_eq!(after_success(MAX_SPIN, 100), MAX_SPIN - MAX_SPIN / 8, "and gets shorter slowly");
        assert_eq!(after_success(MAX_SPIN, MAX_SPIN), MAX_SPIN);
    }

    #[test]
    fn spins_behind_a_wake_up_and_others_learn_apart() {
        let budgets = Budgets::new();
        wait_in_vain(budgets.get(For::MailAfterWaking), LONGER_PARK);
        assert!(Attempt::begin(budgets.get(For::MailAfterWaking), Spin::Adapt).is_none());
        assert!(Attempt::begin(budgets.get(For::Mail), Spin::Adapt).is_some());
        assert!(Attempt::begin(budgets.get(For::Reply), Spin::Adapt).is_some());
    }

    #[test]
    fn a_thread_that_never_spins_looks_not_once() {
        assert!(Attempt::begin(&Budget::new(), Spin::Never).is_none());
    }

    #[test]
    fn a_fixed_time_ends_when_something_is_due() {
        let long = Spin::UpTo(Duration::from_secs(3_600));
        assert_eq!(long.no_later_than(|| Some(now())), Spin::UpTo(Duration::ZERO));
        assert_eq!(long.no_later_than(|| None), long);
        assert_eq!(Spin::Adapt.no_later_than(|| Some(now())), Spin::Adapt);
    }

    #[test]
    fn a_fixed_time_is_spun_and_then_ends() {
        let budget = Budget::new();
        let time = Duration::from_millis(20);
        let begun = now();
        let attempt = Attempt::begin(&budget, Spin::UpTo(time)).expect("it takes a look");
        let looks = (0..).take_while(|turn| attempt.goes_on(*turn)).count();
        assert!(begun.elapsed() >= time, "{looks} looks");
        attempt.failed();
        assert_eq!(budget.looks.get(), MAX_SPIN, "and learns nothing");
        let none = Attempt::begin(&budget, Spin::UpTo(Duration::ZERO)).expect("it takes a look at the clock");
        assert!(!none.goes_on(0));
    }
}
