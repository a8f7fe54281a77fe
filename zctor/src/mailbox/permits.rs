//! The room of a bounded mailbox: permits for what comes from outside, until it is begun.
//!
//! The protocol:
//!
//! 1. A permit is taken by compare-and-swap while fewer are taken than the bound.
//! 2. Who finds none and waits joins the line, and only then tries again.
//! 3. Whoever gives permits back does that first, and then looks at the line. As many senders are called as permits came
//!    back, the first first.
//! 4. A sender that was called joins again in its old place, and tries again. If it still finds nothing for it, the permit
//!    may have gone to another, or be of no use to it: its instance on this thread backs off, or has ended. Then, if there
//!    is room, it passes the call on to the next *behind* it.
//! 5. A sender that leaves the line after it was called passes the call on in the same way, since it may have got in
//!    elsewhere, or given up. One that was not called is forgotten.
//! 6. What changes whom a sender waits for (an end, a newcomer, the closing of the edge) is done first; then all are called.
//!
//! No call is missed: a fence between joining and trying again, and one between giving back and looking at the line, let
//! one of the two see the other. In 6 the lock of the line does. A call in 4 and 5 need not go to the front: a sender that
//! stood there when the permit came back would have been called instead, and one that has joined there since tries after
//! the permit came back, which the lock of the line shows it. And it must not go there: two senders in two mailboxes, neither of
//! which can use the room of the other's, would call each other for ever.

use std::sync::atomic::Ordering;
use std::task::Waker;

use crate::sys::sync::{AtomicUsize, Mutex, fence, lock};
use crate::sys::unwind::quietly;
use crate::sys::waiters::Waiters;

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
pub(crate) struct Permits {
    bound: usize,
    pub(crate) overflow: Overflow,
    taken: AtomicUsize,
    /// The length of the line.
    waiting: AtomicUsize,
    waiters: Mutex<Waiters>,
}

/// A sender's place in one line.
#[derive(Default)]
pub(crate) struct Ticket {
    /// 0 before it has joined.
    place: u64,
    /// It was called, and the call is not passed on yet.
    woken: bool,
}

impl Permits {
    pub(crate) fn new(bound: usize, overflow: Overflow) -> Self {
        Self {
            bound: bound.max(1),
            overflow,
            taken: AtomicUsize::new(0),
            waiting: AtomicUsize::new(0),
            waiters: Mutex::default(),
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
            self.wake(permits);
        }
    }

    /// Step 2, before the second try; and step 4, for a sender that was called or has another waker: in its old place.
    pub(crate) fn join(&self, ticket: &mut Ticket, waker: &Waker) {
        let waker = waker.clone();
        let old = {
            let mut waiters = lock(&self.waiters);
            let old = match ticket.place {
                0 => {
                    ticket.place = waiters.join(waker);
                    None
                }
                place => {
                    let old = waiters.join_again(place, waker);
                    ticket.woken |= old.is_none();
                    old
                }
            };
            self.waiting.store(waiters.len(), Ordering::Relaxed);
            old
        };
        quietly(|| drop(old));
        fence(Ordering::SeqCst); // pairs with that in `give_back`
    }

    /// Step 4: the second try was in vain too.
    pub(crate) fn decline(&self, ticket: &mut Ticket) {
        if std::mem::take(&mut ticket.woken) {
            self.pass_on(ticket);
        }
    }

    /// Step 5.
    pub(crate) fn leave(&self, ticket: &Ticket) {
        if ticket.place == 0 {
            return; // it has never joined
        }
        let own = {
            let mut waiters = lock(&self.waiters);
            let own = waiters.leave(ticket.place);
            self.waiting.store(waiters.len(), Ordering::Relaxed);
            own
        };
        if own.is_none() || ticket.woken {
            self.pass_on(ticket);
        }
        quietly(|| drop(own));
    }

    fn pass_on(&self, ticket: &Ticket) {
        if self.has_free() {
            self.wake_behind(ticket.place, 1);
        }
    }

    /// Calls those first in line.
    fn wake(&self, count: usize) {
        self.wake_behind(0, count);
    }

    /// Calls the first of those behind a place.
    fn wake_behind(&self, place: u64, count: usize) {
        let woken: Vec<Waker> = {
            let mut waiters = lock(&self.waiters);
            let woken = waiters.take(place, count);
            self.waiting.store(waiters.len(), Ordering::Relaxed);
            woken
        };
        for waker in woken {
            quietly(|| waker.wake());
        }
    }

    /// Step 6.
    pub(crate) fn wake_all(&self) {
        self.wake(usize::MAX);
    }
}

#[cfg(all(test, loom))]
mod loom_models;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_permits_are_given_than_the_bound_says() {
        let permits = Permits::new(2, Overflow::Wait);
        assert!(permits.take() && permits.take() && !permits.take());
        permits.give_back(1);
        assert!(permits.take() && !permits.take());
    }

    #[test]
    fn a_bound_is_at_least_one() {
        assert!(Permits::new(0, Overflow::Wait).take());
    }
}
