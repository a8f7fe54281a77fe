//! What caller and callee of a call agree on beside the reply: who came first, the handler's beginning or the caller's
//! giving up.
//!
//! They lie where the reply will (`reply.rs`).

use std::sync::atomic::Ordering;
use std::time::Instant;

use crate::sys::clock::now;
use crate::sys::sync::AtomicU8;

/// Who came first, and when a call's time is up. Generated code hands it on.
#[derive(Debug)]
pub struct Cancellation {
    state: AtomicU8,
    deadline: Option<Instant>,
}

impl Cancellation {
    const WAITING: u8 = 0;
    const BEGUN: u8 = 1;
    const GIVEN_UP: u8 = 2;

    /// Those of a call that can be given up, as those with a deadline, and requests that give a `Pending`.
    pub(crate) fn new(deadline: Option<Instant>) -> Self {
        Self { state: AtomicU8::new(Self::WAITING), deadline }
    }

    /// Those of a call that nobody gives up: it counts as begun from the beginning.
    pub(crate) fn none() -> Self {
        Self { state: AtomicU8::new(Self::BEGUN), deadline: None }
    }

    /// Whether the caller may give up, or has: asked when the call is put into an envelope.
    pub(crate) fn can_be_given_up(&self) -> bool {
        // Relaxed: a call that nobody gives up was made so, and no other has begun by then.
        self.state.load(Ordering::Relaxed) != Self::BEGUN
    }

    /// The handler is about to begin. `false`: the caller has given up, or its time is up, so it must not.
    pub(crate) fn begin(&self) -> bool {
        let late = self.deadline.is_some_and(|deadline| deadline <= now());
        let to = if late { Self::GIVEN_UP } else { Self::BEGUN };
        self.decide(to) == Self::BEGUN
    }

    /// The caller waits no more. `true`: the handler never began, and never will.
    pub(crate) fn give_up(&self) -> bool {
        self.decide(Self::GIVEN_UP) == Self::GIVEN_UP
    }

    /// Moves from waiting to `to`, once; gives where it stands.
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

#[cfg(all(test, loom))]
mod loom_models;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_begins_or_is_given_up_and_never_both() {
        let cancellation = Cancellation::new(None);
        assert!(cancellation.begin());
        assert!(!cancellation.give_up());

        let cancellation = Cancellation::new(Some(now()));
        assert!(!cancellation.begin(), "its time was up");
        assert!(cancellation.give_up());

        let cancellation = Cancellation::new(None);
        assert!(cancellation.give_up());
        assert!(cancellation.give_up(), "giving up twice is the same");
        assert!(!cancellation.begin());
    }

    #[test]
    fn a_call_without_terms_is_never_given_up() {
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
