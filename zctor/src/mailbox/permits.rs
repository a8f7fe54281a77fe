//! The permits of a bounded mailbox: never more than its bound.
//!
//! A message from outside holds a permit from its acceptance until its handler begins. The mailbox has room while
//! permits are free.
//!
//! The protocol:
//!
//! 1. A sender takes a permit by compare-and-swap, while fewer are taken than the bound.
//! 2. A sender that finds no permit and may wait joins the waiters, and only then tries again.
//! 3. A thread that gives permits back does that first, and then looks at the waiters. It wakes as many as permits came
//!    back, those first that joined first.
//! 4. A sender that was woken joins again in its old place, and tries again. If it still gets nothing, the permit may
//!    have gone to another sender, or be of no use to this one: its instance on this thread backs off, or has ended.
//!    Then, if there is room, the sender passes the wake on to the next waiter *behind* it.
//! 5. A sender that leaves the waiters after it was woken passes the wake on in the same way: it may have got in
//!    elsewhere, or given up. A sender that was not woken just leaves.
//! 6. There are other changes that a sender waits for: an instance ends, comes, or is live again; the edge or the
//!    mailbox closes. Such a change is made first; then all waiters are woken.
//!
//! A sender is a thread, or a task that an executor polls. A task may be polled without a wake, or with another waker than
//! before: then it joins again in its old place, as in 4. It may be dropped at any time, which is 5.
//!
//! No wake is missed. A fence between joining and trying again, and one between giving back and looking at the waiters,
//! let one of the two sides see the other. In 6 the lock of the waiters does.
//!
//! A wake that is passed on in 4 and 5 need not go to the front. A sender that waited there when the permit came back
//! would have been woken instead; and one that has joined there since then tries after the permit came back, which the
//! lock of the waiters shows it. The wake must not go to the front either. Suppose that two senders wait at the same
//! two mailboxes, and the one can use room only in the first, the other only in the second: they would wake each other
//! for ever.

use std::sync::atomic::Ordering;
use std::task::Waker;

use crate::report::RoomStats;
use crate::sys::sync::{AtomicUsize, Mutex, fence, lock};
use crate::sys::unwind::{ignoring_panic, wake};
use crate::sys::waiters::Waiters;

/// Says what becomes of a message from outside for which a bounded mailbox has no room.
///
/// How long a sender waits for room depends on its view: a blocking client waits as long as it takes, or as long as
/// `within` says; a non-blocking client does not wait. A message of a handler takes no room here, by either view;
/// [`inner_bound`](crate::ActorThread::inner_bound) bounds it apart.
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
    /// The sender waits for room. If it may wait no longer, it gets [`SendError::Full`](crate::SendError::Full) or
    /// [`CallError::Full`](crate::CallError::Full).
    #[default]
    Wait,
    /// The sender gets that error at once.
    Refuse,
    /// The message becomes a dead letter, and the sender gets `Ok`. A call ends with
    /// [`CallError::Full`](crate::CallError::Full).
    DropNewest,
}

/// The permits of one mailbox.
pub(crate) struct Permits {
    bound: usize,
    pub(crate) overflow: Overflow,
    taken: AtomicUsize,
    /// How many senders wait to be woken.
    waiting: AtomicUsize,
    waiters: Mutex<Waiters>,
}

/// A sender's place among the waiters of one mailbox.
#[derive(Default)]
pub(crate) struct Ticket {
    /// 0 before it has joined.
    place: u64,
    /// It was woken, and has not passed the wake on.
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

    /// The room of the mailbox, for the statistics.
    pub(crate) fn room(&self) -> RoomStats {
        let (taken, waiting) = (self.taken.load(Ordering::Relaxed), self.waiting.load(Ordering::Relaxed));
        RoomStats { bound: self.bound, taken, waiting }
    }

    pub(crate) fn has_free(&self) -> bool {
        // Relaxed: a hint, or after the fence in `join`.
        self.taken.load(Ordering::Relaxed) < self.bound
    }

    /// Step 1: takes a permit. `false` if none is free.
    pub(crate) fn take(&self) -> bool {
        let mut taken = self.taken.load(Ordering::Relaxed);
        while taken < self.bound {
            // Relaxed: a permit only counts. The mailbox's lock orders the message that it is for.
            match self.taken.compare_exchange_weak(taken, taken + 1, Ordering::Relaxed, Ordering::Relaxed) {
                Ok(_) => return true,
                Err(seen) => taken = seen,
            }
        }
        false
    }

    /// Step 3: gives permits back, and wakes as many waiters.
    pub(crate) fn give_back(&self, permits: usize) {
        self.taken.fetch_sub(permits, Ordering::Relaxed);
        fence(Ordering::SeqCst); // pairs with the one in `join`
        if self.waiting.load(Ordering::Relaxed) > 0 {
            self.wake(permits);
        }
    }

    /// Step 2, before the second try: joins the waiters. Also step 4, for a sender that was woken or has another waker:
    /// joins again in its old place.
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
        ignoring_panic(|| drop(old));
        fence(Ordering::SeqCst); // pairs with the one in `give_back`
    }

    /// Step 4, after the second try has failed too: passes the wake on, if there was one.
    pub(crate) fn decline(&self, ticket: &mut Ticket) {
        if std::mem::take(&mut ticket.woken) {
            self.pass_on(ticket);
        }
    }

    /// Step 5: leaves the waiters.
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
        ignoring_panic(|| drop(own));
    }

    fn pass_on(&self, ticket: &Ticket) {
        if self.has_free() {
            self.wake_behind(ticket.place, 1);
        }
    }

    /// Wakes the first waiters.
    fn wake(&self, count: usize) {
        self.wake_behind(0, count);
    }

    /// Wakes the first waiters behind a place.
    fn wake_behind(&self, place: u64, count: usize) {
        let woken: Vec<Waker> = {
            let mut waiters = lock(&self.waiters);
            let woken = waiters.take(place, count);
            self.waiting.store(waiters.len(), Ordering::Relaxed);
            woken
        };
        for waker in woken {
            wake(waker);
        }
    }

    /// Step 6: wakes all waiters.
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
