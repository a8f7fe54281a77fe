//! Circuit breakers: after several failures in a row nothing is tried for a while, so that what fails can recover, and
//! callers learn of it at once.
//!
//! A breaker is closed, open, or trying:
//!
//! 1. Closed: all attempts go through. After so many failures in a row it opens; a success starts the count anew.
//! 2. Open: no attempt goes through, until its pause is over.
//! 3. Trying: one attempt goes through. A success closes the breaker, a failure opens it for another pause, and one that
//!    is given up lets the next try.
//!
//! An attempt that ends when the breaker has opened or closed since it began counts for nothing.

use std::error::Error;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use zctor::now;

/// A circuit breaker. It is cheap to clone; all clones are the same breaker.
///
/// It wraps whatever can fail, not only calls. No lock is held while an attempt runs.
///
/// ```
/// use std::time::Duration;
/// use zctor::{ActorEngine, actor};
/// use zctor_kit::breaker::{Breaker, BreakerError};
///
/// #[actor]
/// pub enum StoreMessage {
///     #[reply(u32)]
///     Load(u32),
/// }
/// struct Store;
/// impl StoreHandler for Store {
///     fn load(&mut self, key: u32) -> u32 {
///         assert!(key > 0, "no such key");
///         key * 10
///     }
/// }
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # std::panic::set_hook(Box::new(|_| {}));
/// let engine = ActorEngine::new();
/// let store: StoreClient = engine.pool(1, StoreMessage::actor(|| Store))?;
/// let breaker = Breaker::new(2, Duration::from_secs(60));
/// assert_eq!(breaker.call(|| store.load(7))?, 70);
/// assert!(matches!(breaker.call(|| store.load(0)), Err(BreakerError::Failed(_))));
/// assert!(matches!(breaker.call(|| store.load(0)), Err(BreakerError::Failed(_))));
/// assert!(matches!(breaker.call(|| store.load(7)), Err(BreakerError::Open { .. }))); // not asked
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Breaker {
    shared: Arc<Shared>,
}

struct Shared {
    failures: u32,
    pause: Duration,
    state: Mutex<State>,
}

struct State {
    phase: Phase,
    /// Grows with each change of the phase, so that an attempt knows whether it is from before.
    round: u64,
}

enum Phase {
    Closed {
        /// Failures in a row.
        failed: u32,
    },
    Open {
        /// `None` if the clock cannot say it: for good.
        until: Option<Instant>,
    },
    /// One attempt is under way.
    Trying,
}

impl Breaker {
    /// Makes a closed breaker. It opens for `pause` after so many failures in a row, at least one.
    pub fn new(failures: u32, pause: Duration) -> Self {
        let state = Mutex::new(State { phase: Phase::Closed { failed: 0 }, round: 0 });
        Self { shared: Arc::new(Shared { failures: failures.max(1), pause, state }) }
    }

    /// Runs `attempt`, unless the breaker is open. An `Err` of it is a failure, and so is a panic.
    ///
    /// # Errors
    /// - [`BreakerError::Open`]: the breaker is open; `attempt` was not run.
    /// - [`BreakerError::Failed`]: what `attempt` gave.
    ///
    /// # Blocking
    /// As `attempt`.
    pub fn call<R, E>(&self, attempt: impl FnOnce() -> Result<R, E>) -> Result<R, BreakerError<E>> {
        let mut permit = self.begin().map_err(|open| BreakerError::Open { retry_after: open.retry_after })?;
        permit.given_up = Outcome::Failure; // a panic
        let outcome = attempt();
        permit.end(outcome.is_ok());
        outcome.map_err(BreakerError::Failed)
    }

    /// Begins an attempt, whose end is told to what this gives: for async code, and where not each `Err` is a failure
    /// or not each `Ok` a success.
    ///
    /// # Errors
    /// [`Open`]: the breaker is open, or another attempt tries whether it may close.
    ///
    /// # Blocking
    /// Never.
    ///
    /// ```
    /// use std::time::Duration;
    /// use zctor_kit::breaker::Breaker;
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let breaker = Breaker::new(1, Duration::from_secs(60));
    /// let attempt = breaker.begin()?;
    /// let found: Result<Option<u32>, String> = Ok(None); // of `.await`, say
    /// attempt.end(matches!(found, Ok(Some(_))));
    /// assert!(breaker.begin().unwrap_err().retry_after <= Duration::from_secs(60));
    /// # Ok(())
    /// # }
    /// ```
    pub fn begin(&self) -> Result<Attempt, Open> {
        let mut state = self.shared.state();
        match state.phase {
            Phase::Closed { .. } => {}
            Phase::Open { until } => {
                let retry_after = left(until);
                if !retry_after.is_zero() {
                    return Err(Open { retry_after });
                }
                state.set(Phase::Trying);
            }
            Phase::Trying => return Err(Open { retry_after: Duration::ZERO }),
        }
        Ok(Attempt { shared: Arc::clone(&self.shared), round: state.round, given_up: Outcome::GivenUp })
    }

    /// Whether an attempt would be refused now.
    ///
    /// ```
    /// use std::time::Duration;
    /// use zctor_kit::breaker::Breaker;
    ///
    /// let breaker = Breaker::new(1, Duration::from_secs(60));
    /// assert!(!breaker.is_open());
    /// assert!(breaker.call(|| Err::<(), _>("no")).is_err());
    /// assert!(breaker.is_open());
    /// ```
    pub fn is_open(&self) -> bool {
        match self.shared.state().phase {
            Phase::Closed { .. } => false,
            Phase::Open { until } => !left(until).is_zero(),
            Phase::Trying => true,
        }
    }
}

impl fmt::Debug for Breaker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Breaker").field("is_open", &self.is_open()).finish_non_exhaustive()
    }
}

impl Shared {
    /// No user code runs under it.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn ended(&self, round: u64, outcome: Outcome) {
        let mut state = self.state();
        if state.round != round {
            return;
        }
        let open = || Phase::Open { until: now().checked_add(self.pause) };
        match (&mut state.phase, outcome) {
            (Phase::Closed { failed }, Outcome::Success) => *failed = 0,
            (Phase::Closed { failed }, Outcome::Failure) => {
                *failed += 1;
                if *failed >= self.failures {
                    state.set(open());
                }
            }
            (Phase::Trying, Outcome::Success) => state.set(Phase::Closed { failed: 0 }),
            (Phase::Trying, Outcome::Failure) => state.set(open()),
            (Phase::Trying, Outcome::GivenUp) => state.set(Phase::Open { until: Some(now()) }),
            (Phase::Closed { .. }, Outcome::GivenUp) | (Phase::Open { .. }, _) => {}
        }
    }
}

impl State {
    fn set(&mut self, phase: Phase) {
        self.phase = phase;
        self.round += 1;
    }
}

#[derive(Clone, Copy)]
enum Outcome {
    Success,
    Failure,
    GivenUp,
}

/// An attempt under way, which a [`Breaker`] has let through. Dropping it gives it up, which is neither success nor
/// failure.
///
/// ```
/// use std::time::Duration;
/// use zctor_kit::breaker::Breaker;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let breaker = Breaker::new(1, Duration::from_secs(60));
/// drop(breaker.begin()?);
/// assert!(!breaker.is_open());
/// breaker.begin()?.end(false);
/// assert!(breaker.is_open());
/// # Ok(())
/// # }
/// ```
#[must_use = "dropping an attempt gives it up; tell its `end`"]
pub struct Attempt {
    shared: Arc<Shared>,
    round: u64,
    /// As what it counts if it is dropped.
    given_up: Outcome,
}

impl Attempt {
    /// Ends the attempt, by a success or by a failure.
    pub fn end(mut self, success: bool) {
        self.given_up = if success { Outcome::Success } else { Outcome::Failure };
    }
}

impl Drop for Attempt {
    fn drop(&mut self) {
        self.shared.ended(self.round, self.given_up);
    }
}

impl fmt::Debug for Attempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Attempt")
    }
}

/// Error of [`Breaker::begin`]: the breaker is open.
///
/// ```
/// use std::time::Duration;
/// use zctor_kit::breaker::Breaker;
///
/// let breaker = Breaker::new(1, Duration::MAX);
/// assert!(breaker.call(|| Err::<(), _>("no")).is_err());
/// assert_eq!(breaker.begin().unwrap_err().retry_after, Duration::MAX); // for good
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Open {
    /// When its pause is over. Zero if an attempt is trying whether it may close.
    pub retry_after: Duration,
}

impl fmt::Display for Open {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the circuit breaker is open for another {:?}; nothing was tried", self.retry_after)
    }
}

impl Error for Open {}

/// Error of [`Breaker::call`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BreakerError<E> {
    /// The breaker is open, and nothing was tried.
    Open {
        /// When its pause is over. Zero if an attempt is trying whether it may close.
        retry_after: Duration,
    },
    /// The attempt failed.
    Failed(E),
}

impl<E: fmt::Display> fmt::Display for BreakerError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Open { retry_after } => Open { retry_after: *retry_after }.fmt(f),
            Self::Failed(error) => error.fmt(f),
        }
    }
}

impl<E: Error + 'static> Error for BreakerError<E> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Open { .. } => None,
            Self::Failed(error) => error.source(), // its own text is printed above
        }
    }
}

/// How long that is from now.
fn left(until: Option<Instant>) -> Duration {
    until.map_or(Duration::MAX, |until| until.saturating_duration_since(now()))
}
