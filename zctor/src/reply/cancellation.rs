//! A call begins or is given up, never both.
//!
//! The callee moves the state when its handler is about to begin, and the caller when it gives up; the first move
//! counts. The state lies in the place of the reply (`oneshot.rs`), so that a call allocates once.

use std::sync::atomic::Ordering;
use std::time::Instant;

use crate::sys::clock::now;
use crate::sys::sync::AtomicU8;

/// Whether a call has begun or was given up, and its deadline. Generated code passes it on.
#[derive(Debug)]
pub struct Cancellation {
    state: AtomicU8,
    deadline: Option<Instant>,
}

impl Cancellation {
    const WAITING: u8 = 0;
    const BEGUN: u8 = 1;
    const GIVEN_UP: u8 = 2;
    /// The caller waits no more, and the handler had begun by then.
    const LEFT: u8 = 3;
    /// The call cannot be given up.
    const FIRM: u8 = 4;

    /// For a call that can be given up: one with a deadline, or a request that gives a `Pending`.
    pub(crate) fn new(deadline: Option<Instant>) -> Self {
        Self { state: AtomicU8::new(Self::WAITING), deadline }
    }

    /// For a call that cannot be given up.
    pub(crate) fn none() -> Self {
        Self { state: AtomicU8::new(Self::FIRM), deadline: None }
    }

    /// Whether the caller may give the call up, or has. To be asked when the call is put into an envelope.
    #[inline]
    pub(crate) fn can_be_given_up(&self) -> bool {
        // Relaxed: only `none` makes a call that cannot be given up, and a call never becomes one.
        self.state.load(Ordering::Relaxed) != Self::FIRM
    }

    /// Says that the handler is about to begin. `false`: it must not, since the caller has given up or its time is up.
    pub(crate) fn begin(&self) -> bool {
        let late = self.deadline.is_some_and(|deadline| deadline <= now());
        let to = if late { Self::GIVEN_UP } else { Self::BEGUN };
        self.decide(to) != Self::GIVEN_UP
    }

    /// Says that the caller waits no more. `true`: the handler has not begun, and never will.
    pub(crate) fn give_up(&self) -> bool {
        match self.decide(Self::GIVEN_UP) {
            Self::GIVEN_UP => true,
            Self::BEGUN => {
                // Relaxed: the handler only asks, and reads nothing else because of the answer. No other side writes
                // once it has begun.
                self.state.store(Self::LEFT, Ordering::Relaxed);
                false
            }
            _ => false,
        }
    }

    /// Whether the caller waits no more, though the handler had begun.
    pub(crate) fn has_left(&self) -> bool {
        self.state.load(Ordering::Relaxed) == Self::LEFT
    }

    /// Moves the state from waiting to `to`, unless it was moved before. Gives the state that stands.
    fn decide(&self, to: u8) -> u8 {
        // AcqRel on one word: exactly one of the two sides moves it.
        match self.state.compare_exchange(Self::WAITING, to, Ordering::AcqRel, Ordering::Acquire) {
            Ok(_) => to,
            Err(there) => there,
        }
    }

    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.deadline
    }
}

/// The caller of a call that a handler is at, whatever the type of the reply. Generated code passes it on.
pub trait Caller {
    /// Whether the caller waits no more.
    fn has_left(&self) -> bool;
}

#[cfg(all(test, loom))]
mod loom_models;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_begins_or_is_given_up_and_never_both() {
        let cancellation = Cancellation::new(None);
        assert!(cancellation.begin());
        assert!(!cancellation.has_left());
        assert!(!cancellation.give_up());
        assert!(cancellation.has_left());

        let cancellation = Cancellation::new(Some(now()));
        assert!(!cancellation.begin(), "its time was up");
        assert!(cancellation.give_up());

        let cancellation = Cancellation::new(None);
        assert!(cancellation.give_up());
        assert!(cancellation.give_up(), "giving up twice is the same");
        assert!(!cancellation.begin());
    }

    #[test]
    fn a_call_without_a_cancellation_is_never_given_up() {
        let revocable = Cancellation::new(None);
        assert!(revocable.can_be_given_up());
        revocable.give_up();
        assert!(revocable.can_be_given_up(), "it has been");
        let cancellation = Cancellation::none();
        assert!(!cancellation.can_be_given_up());
        assert!(!cancellation.give_up());
        assert!(cancellation.begin());
        assert!(!cancellation.give_up());
    }
}
