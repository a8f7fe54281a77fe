//! How a thread outside the engine waits: by a word of its own, which it spins and parks on.

use std::sync::Arc;
use std::task::Waker;
use std::time::Instant;

use crate::sys::awaited::Awaited;
use crate::sys::clock::now;
use crate::sys::park::Parker;
use crate::sys::spin::{Budgets, Spun};
use crate::sys::sync::thread_local;

thread_local! {
    /// The word of a thread outside the engine, made when it first waits.
    static OUTSIDE: Outside = Outside::new();
}

/// The parker of a thread outside the engine, with its waker and its budgets for spins.
pub(crate) struct Outside {
    pub(crate) parker: Arc<Parker>,
    waker: Waker,
    budgets: Budgets,
}

impl Outside {
    fn new() -> Self {
        let parker = Arc::new(Parker::default());
        parker.adopt_current_thread();
        Self { waker: Waker::from(Arc::clone(&parker)), parker, budgets: Budgets::new() }
    }
}

/// Waits on a thread outside the engine, for an outcome that is sure to come. `None` at the deadline.
pub(crate) fn wait_outside<A: Awaited>(awaited: &mut A, deadline: Option<Instant>) -> Option<A::Output> {
    wait_outside_noted(awaited, deadline, |_, _| ())
}

/// As `wait_outside`, for an outcome that may never come; keeps what `note` gives while the thread parks. `note` lists
/// the wait, with the word of the thread. It is not called if the outcome comes during the spin.
#[inline]
pub(crate) fn wait_outside_noted<A: Awaited + ?Sized, N>(
    awaited: &mut A,
    deadline: Option<Instant>,
    note: impl Fn(&A, &Arc<Parker>) -> N,
) -> Option<A::Output> {
    // The thread-local may be gone: this may run in the destructor of another. Then the wait makes a word for itself.
    OUTSIDE
        .try_with(|outside| outside.wait(awaited, deadline, &note))
        .unwrap_or_else(|_| Outside::new().wait(awaited, deadline, &note))
}

impl Outside {
    pub(crate) fn wait<A: Awaited + ?Sized, N>(
        &self,
        awaited: &mut A,
        deadline: Option<Instant>,
        note: impl Fn(&A, &Arc<Parker>) -> N,
    ) -> Option<A::Output> {
        // The spin looks at the reply alone: no waker need be registered for a reply that comes at once.
        let spin = awaited.spin().no_later_than(|| deadline);
        let spun = self.parker.spin_for_reply(&self.budgets, spin, || awaited.is_ready());
        let mut budget = match spun {
            Spun::Nothing(budget) => budget,
            Spun::Came => match awaited.poll(Waker::noop()) {
                Some(value) => return Some(value),
                None => None,
            },
        };
        let _noted = note(awaited, &self.parker);
        loop {
            self.parker.announce();
            if let Some(value) = awaited.poll_listed(&self.parker, &self.waker) {
                self.parker.retract();
                return Some(value);
            }
            if deadline.is_some_and(|deadline| deadline <= now()) {
                self.parker.retract();
                return None;
            }
            match budget.take() {
                Some(budget) => {
                    let since = now();
                    self.parker.park(deadline);
                    budget.parked_for(now().saturating_duration_since(since));
                }
                None => self.parker.park(deadline),
            }
        }
    }
}

#[cfg(all(test, loom))]
pub(crate) mod loom_models;
