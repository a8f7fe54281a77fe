//! The room of a bounded mailbox: permits for what comes from outside, until it is begun.
//!
//! The protocol:
//!
//! 1. A permit is taken by compare-and-swap while fewer are taken than the bound.
//! 2. Who finds none and waits joins the line, and only then tries again.
//! 3. Who gives permits back does that first, and then looks at the line: as many as permits came back are called, the
//!    first first. Who is called and finds the permit gone joins again in its old place.
//! 4. Who leaves the line without having been called is forgotten. Who was called, and may leave without a permit, calls
//!    the next if there is room.
//! 5. What changes whom one waits for (an end, a newcomer, the closing of the edge) is done first; then all are called.
//!
//! No call is missed: a fence between joining and trying again, and one between giving back and looking at the line, let
//! one of the two see the other. In 5 the lock of the line does.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::task::Waker;

use crate::frame::quietly;
use crate::sync::{AtomicUsize, Mutex, fence, lock};

/// What becomes of a message from outside for which a bounded mailbox has no room.
///
/// How long a sender waits is a matter of its view: a blocking client waits as long as it takes, or as long as `within`
/// says; a non-blocking one not at all. Actor threads never wait for room: inside, a blocking client's messages always
/// go through, and only a non-blocking one sees a mailbox as full.
///
/// ```
/// use zctor::{ActorEngine, ActorThread, Overflow, actor};
///
/// #[actor]
/// pub enum JobMessage {
///     Run,
/// }
/// struct Job;
/// impl JobHandler for Job {
///     fn run(&mut self) {}
/// }
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let engine = ActorEngine::new();
/// let bounded = ActorThread::new().mailbox_bound(100).overflow(Overflow::Refuse);
/// engine.spawn(bounded.register(JobMessage::actor(|| Job)))?;
/// let mut refused = 0;
/// for _ in 0..1_000 {
///     match engine.send(JobMessage::Run) {
///         Ok(()) => {}
///         Err(error) => {
///             assert!(error.is_full());
///             refused += 1;
///         }
///     }
/// }
/// assert_eq!(engine.shutdown()?.handled(), 1_000 - refused);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Overflow {
    /// Its sender waits for room; in vain, it gets [`SendError::Full`](crate::SendError::Full) or
    /// [`CallError::Full`](crate::CallError::Full).
    #[default]
    Wait,
    /// Its sender gets that error at once.
    Refuse,
    /// It is a dead letter, and its sender gets `Ok`; a call ends with [`CallError::Full`](crate::CallError::Full).
    DropNewest,
}

/// The permits of one mailbox.
pub(crate) struct Room {
    bound: usize,
    pub(crate) overflow: Overflow,
    taken: AtomicUsize,
    /// The length of the line.
    waiting: AtomicUsize,
    line: Mutex<Line>,
}

#[derive(Default)]
struct Line {
    next: u64,
    wakers: BTreeMap<u64, Waker>,
}

impl Room {
    pub(crate) fn new(bound: usize, overflow: Overflow) -> Self {
        Self {
            bound: bound.max(1),
            overflow,
            taken: AtomicUsize::new(0),
            waiting: AtomicUsize::new(0),
            line: Mutex::default(),
        }
    }

    pub(crate) fn has_free(&self) -> bool {
        // Relaxed: a hint, or after the fence in `join`.
        self.taken.load(Ordering::Relaxed) < self.bound
    }

    /// Step 1.
    pub(crate) fn take(&self) -> bool {
        let mut taken = self.taken.load(Ordering::Relaxed);
        while taken < self.bound {
            // Relaxed: a permit counts and orders nothing; the mailbox's lock orders what it is for.
            match self.taken.compare_exchange_weak(taken, taken + 1, Ordering::Relaxed, Ordering::Relaxed) {
                Ok(_) => return true,
                Err(seen) => taken = seen,
            }
        }
        false
    }

    /// Step 3.
    pub(crate) fn give_back(&self, permits: usize) {
        self.taken.fetch_sub(permits, Ordering::Relaxed);
        fence(Ordering::SeqCst); // pairs with that in `join`
        if self.waiting.load(Ordering::Relaxed) > 0 {
            self.call(permits);
        }
    }

    /// Step 2, before the second try. Gives the place in line; who was called, or has another waker, joins again in its
    /// old place.
    pub(crate) fn join(&self, place: Option<u64>, waker: &Waker) -> u64 {
        let waker = waker.clone();
        let (place, old) = {
            let mut line = lock(&self.line);
            let place = place.unwrap_or_else(|| {
                line.next += 1;
                line.next
            });
            let old = line.wakers.insert(place, waker);
            self.waiting.store(line.wakers.len(), Ordering::Relaxed);
            (place, old)
        };
        quietly(|| drop(old));
        fence(Ordering::SeqCst); // pairs with that in `give_back`
        place
    }

    /// Step 4.
    pub(crate) fn leave(&self, place: u64) {
        let own = {
            let mut line = lock(&self.line);
            let own = line.wakers.remove(&place);
            self.waiting.store(line.wakers.len(), Ordering::Relaxed);
            own
        };
        if own.is_none() && self.has_free() {
            self.call(1);
        }
        quietly(|| drop(own));
    }

    /// Calls those first in line.
    fn call(&self, count: usize) {
        let called: Vec<Waker> = {
            let mut line = lock(&self.line);
            let called = std::iter::from_fn(|| line.wakers.pop_first()).take(count).map(|(_, waker)| waker).collect();
            self.waiting.store(line.wakers.len(), Ordering::Relaxed);
            called
        };
        for waker in called {
            quietly(|| waker.wake());
        }
    }

    /// Step 5.
    pub(crate) fn call_all(&self) {
        self.call(usize::MAX);
    }
}

#[cfg(all(test, loom))]
mod loom_models;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_permits_are_given_than_the_bound_says() {
        let room = Room::new(2, Overflow::Wait);
        assert!(room.take() && room.take() && !room.take());
        room.give_back(1);
        assert!(room.take() && !room.take());
    }

    #[test]
    fn a_bound_is_at_least_one() {
        assert!(Room::new(0, Overflow::Wait).take());
    }
}
