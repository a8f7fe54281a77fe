//! Conditions that must hold between any two steps.

use std::cell::Cell;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

/// A condition that must hold between any two steps.
pub(crate) struct Invariant {
    pub(crate) name: &'static str,
    pub(crate) holds: Box<dyn Fn() -> bool + Send + Sync>,
}

thread_local! {
    /// An invariant runs on this thread, and so no step of the program may be taken.
    static ASKING: Cell<bool> = const { Cell::new(false) };
}

/// Whether an invariant runs on this thread.
pub(super) fn is_asking() -> bool {
    ASKING.get()
}

/// An invariant that does not hold.
pub(super) enum Violated {
    No(&'static str),
    Panics(&'static str),
}

impl Violated {
    /// The first that does not hold. The invariants are the user's code, and no lock is held while they run.
    pub(super) fn among(invariants: &[Arc<Invariant>]) -> Option<Self> {
        if ASKING.replace(true) {
            return None;
        }
        let violated = invariants.iter().find_map(|invariant| {
            let Invariant { name, holds } = &**invariant;
            match catch_unwind(AssertUnwindSafe(holds)) {
                Ok(true) => None,
                Ok(false) => Some(Self::No(name)),
                Err(_) => Some(Self::Panics(name)),
            }
        });
        ASKING.set(false);
        violated
    }
}

impl fmt::Display for Violated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::No(name) => write!(f, "the invariant `{name}` does not hold"),
            Self::Panics(name) => write!(f, "the invariant `{name}` panics"),
        }
    }
}
