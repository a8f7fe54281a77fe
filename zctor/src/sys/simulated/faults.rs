//! Faults at the seed's choice: each of them may happen to a program on a real machine.

use crate::sys::simulated::dice::Dice;

/// The faults of a simulation, each at the seed's choice.
///
/// A seed switches each kind on or off, so that there are runs with one, with several and with none. All that they do
/// is what zctor allows for: no message is lost, and no order is broken.
///
/// ```
/// use std::sync::Arc;
/// use std::sync::atomic::{AtomicU64, Ordering};
/// use zctor::simulation::{Faults, simulate};
/// use zctor::{ActorEngine, CallError, actor};
///
/// #[actor]
/// pub enum AdderMessage {
///     #[reply(u32)]
///     Add(u32, u32),
/// }
/// struct Adder;
/// impl AdderHandler for Adder {
///     fn add(&mut self, a: u32, b: u32) -> u32 {
///         a + b
///     }
/// }
///
/// let panics = Arc::new(AtomicU64::new(0));
/// let seen = Arc::clone(&panics);
/// simulate(move |_| {
///     let engine = ActorEngine::new();
///     let adder: AdderClient = engine.pool(1, AdderMessage::actor(|| Adder))?;
///     match adder.add(2, 3) {
///         Ok(sum) => assert_eq!(sum, 5),
///         Err(CallError::Panicked { .. }) => drop(seen.fetch_add(1, Ordering::Relaxed)),
///         Err(other) => return Err(other.into()),
///     }
///     engine.shutdown()?;
///     Ok(())
/// })
/// .faults(Faults::new().panics())
/// .seeds(0..200)
/// .run();
/// assert!(panics.load(Ordering::Relaxed) > 0);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Faults {
    panics: bool,
    timeouts: bool,
    small_mailboxes: bool,
    stops: bool,
    shutdowns: bool,
    failed_rebuilds: bool,
    cancellations: bool,
}

impl Faults {
    /// No faults.
    ///
    /// ```
    /// use zctor::simulation::Faults;
    ///
    /// assert_eq!(Faults::new(), Faults::default());
    /// ```
    pub fn new() -> Self {
        Self::default()
    }

    /// A handler may panic before it begins, and before it replies: then its work is done, and its caller does not know.
    /// Such a panic does not fail the run by itself.
    ///
    /// ```
    /// use zctor::simulation::Faults;
    ///
    /// assert_ne!(Faults::new().panics(), Faults::new());
    /// ```
    pub fn panics(self) -> Self {
        Self { panics: true, ..self }
    }

    /// A thread may be so slow at a step that the next deadline or timer is due first: calls time out and `Pending`s are
    /// given up, whatever their limit is.
    ///
    /// ```
    /// use zctor::simulation::Faults;
    ///
    /// assert_ne!(Faults::new().timeouts(), Faults::new());
    /// ```
    pub fn timeouts(self) -> Self {
        Self { timeouts: true, ..self }
    }

    /// A mailbox that has a bound may hold one message only, so that it is full when the next one comes.
    ///
    /// ```
    /// use zctor::simulation::Faults;
    ///
    /// assert_ne!(Faults::new().small_mailboxes(), Faults::new());
    /// ```
    pub fn small_mailboxes(self) -> Self {
        Self { small_mailboxes: true, ..self }
    }

    /// An instance may stop when a handler of it has ended, as by [`Context::stop`](crate::Context::stop): what waits for
    /// it goes to others of its pool, or is a dead letter, and its clients get `Stopped` or `NotRegistered`.
    ///
    /// ```
    /// use zctor::simulation::Faults;
    ///
    /// assert_ne!(Faults::new().stops(), Faults::new());
    /// ```
    pub fn stops(self) -> Self {
        Self { stops: true, ..self }
    }

    /// An engine may begin to stop at any moment once one of its handlers has begun, as by
    /// [`EngineHandle::stop`](crate::EngineHandle::stop) on a thread `stopper`. At most one engine of a run does.
    ///
    /// ```
    /// use zctor::simulation::Faults;
    ///
    /// assert_ne!(Faults::new().shutdowns(), Faults::new());
    /// ```
    pub fn shutdowns(self) -> Self {
        Self { shutdowns: true, ..self }
    }

    /// A factory may fail where it is to build a state again, after a panic or a reset, as if it had returned an error.
    /// The actor's [`Restart`](crate::Restart) says what follows.
    ///
    /// ```
    /// use zctor::simulation::Faults;
    ///
    /// assert_ne!(Faults::new().failed_rebuilds(), Faults::new());
    /// ```
    pub fn failed_rebuilds(self) -> Self {
        Self { failed_rebuilds: true, ..self }
    }

    /// A [task](crate::simulation::Simulation::spawn_task) may be dropped where it awaits something, with the
    /// [`Pending`](crate::Pending)s that it holds, as executors do with the task of a client that has gone.
    ///
    /// ```
    /// use zctor::simulation::Faults;
    ///
    /// assert_ne!(Faults::new().cancellations(), Faults::new());
    /// ```
    pub fn cancellations(self) -> Self {
        Self { cancellations: true, ..self }
    }

    /// The faults that a seed switches on: each in half of all seeds.
    pub(crate) fn of_seed(self, seed: u64) -> Self {
        let drawn = Dice::new(seed, 5).next();
        let is_on = |bit: u32| drawn & (1 << bit) != 0;
        Self {
            panics: self.panics && is_on(0),
            timeouts: self.timeouts && is_on(1),
            small_mailboxes: self.small_mailboxes && is_on(2),
            stops: self.stops && is_on(3),
            shutdowns: self.shutdowns && is_on(4),
            failed_rebuilds: self.failed_rebuilds && is_on(5),
            cancellations: self.cancellations && is_on(6),
        }
    }

    /// Whether this may happen in the run.
    pub(super) fn allow(self, strike: Strike) -> bool {
        match strike {
            Strike::Panic => self.panics,
            Strike::Slow => self.timeouts,
            Strike::Stop => self.stops,
            Strike::FailedRebuild => self.failed_rebuilds,
            Strike::Cancellation => self.cancellations,
            Strike::Shutdown => self.shutdowns,
        }
    }

    pub(super) fn bound(self, bound: usize) -> usize {
        if self.small_mailboxes { 1 } else { bound }
    }
}

/// A thing that goes wrong in one place.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Strike {
    /// A handler panics.
    Panic,
    /// The thread is so slow that time passes to the next deadline.
    Slow,
    /// The instance stops when its handler has ended.
    Stop,
    /// The factory fails that was to build a state again.
    FailedRebuild,
    /// The task is dropped while it awaits something.
    Cancellation,
    /// An engine begins to stop.
    Shutdown,
}

impl Strike {
    /// As the trace tells it of the thread on which it happens.
    pub(super) fn text(self) -> &'static str {
        match self {
            Self::Panic => "panics, by a fault",
            Self::Slow => "is slow, by a fault",
            Self::Stop => "stops its instance, by a fault",
            Self::FailedRebuild => "cannot build a state again, by a fault",
            Self::Cancellation => "drops its task, by a fault",
            Self::Shutdown => "stops an engine, by a fault",
        }
    }
}

/// The text of every panic and every error that a fault of a simulation makes.
pub(crate) const INJECTED: &str = "a fault of the simulation";
