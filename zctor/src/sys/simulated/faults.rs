//! What goes wrong at the seed's choice: all of it may happen to a program on a real machine.

use crate::sys::simulated::dice::Dice;

/// What a simulation lets go wrong, each at the seed's choice.
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
    pub(super) panics: bool,
    pub(super) timeouts: bool,
    small_mailboxes: bool,
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

    /// Those that a seed switches on: each in half of all seeds.
    pub(crate) fn of_seed(self, seed: u64) -> Self {
        let drawn = Dice::new(seed, 5).next();
        let [panics, timeouts, small_mailboxes] = [1, 2, 4].map(|bit| drawn & bit != 0);
        Self {
            panics: self.panics && panics,
            timeouts: self.timeouts && timeouts,
            small_mailboxes: self.small_mailboxes && small_mailboxes,
        }
    }

    pub(super) fn bound(self, bound: usize) -> usize {
        if self.small_mailboxes { 1 } else { bound }
    }
}

/// What every panic says that a simulation has a handler do.
pub(crate) const INJECTED: &str = "a fault of the simulation";
