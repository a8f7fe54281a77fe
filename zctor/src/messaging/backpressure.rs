//! No room in a bounded mailbox: the sender waits, its message is refused, or the newest is dropped.
//!
//! A thread waits here. A task waits by `messaging/room.rs`, with the same [`PermitWait`].

use std::sync::Arc;
use std::task::Waker;
use std::time::Instant;

use crate::error::Refusal;
use crate::id::Slot;
use crate::mailbox::Mailbox;
use crate::mailbox::permits::{Overflow, Permits, Ticket};
use crate::messaging::binding::Among;
use crate::messaging::target::Target;
use crate::route::location::Location;
use crate::route::payload::Payload;
use crate::route::pool::Chosen;
use crate::sys::awaited::Awaited;
use crate::sys::frame::{as_task, is_inside_code, may_wait_for_room};
use crate::sys::runtime::assert_may_block;
use crate::sys::spin::Spin;
use crate::thread::wait::{Reply, wait};

/// Chooses an instance, as `Target::choose` does; if its mailbox has no room, does what the mailbox's [`Overflow`]
/// says. A choice that comes back full means that the message is to be dropped.
#[inline]
pub(super) fn enter<'a, M: Payload>(
    target: &Target<'a, M>,
    key: Option<u64>,
    until: impl FnOnce() -> Option<Instant>,
) -> Result<Chosen<'a, M>, Refusal> {
    let chosen = target.choose(key)?;
    if chosen.is_full() { overflow(target, key, chosen, until) } else { Ok(chosen) }
}

/// Does what the overflow of a mailbox without room says; see `enter`.
#[cold]
pub(super) fn overflow<'a, M: Payload>(
    target: &Target<'a, M>,
    key: Option<u64>,
    chosen: Chosen<'a, M>,
    until: impl FnOnce() -> Option<Instant>,
) -> Result<Chosen<'a, M>, Refusal> {
    match policy(&chosen, may_wait_for_room()) {
        Overflow::DropNewest => Ok(chosen),
        Overflow::Wait if target.view.waits() => {
            assert_may_block();
            let mut wait_for_room = ThreadWait { target, key, permits: PermitWait::new(target, key, &chosen) };
            drop(chosen);
            wait(&mut wait_for_room, until()).unwrap_or(Err(Refusal::Full))
        }
        Overflow::Wait | Overflow::Refuse => Err(Refusal::Full),
    }
}

/// What is to be done if this instance has no room, for a sender that may wait or not.
pub(super) fn policy<M: Payload>(chosen: &Chosen<'_, M>, may_wait: bool) -> Overflow {
    if is_inside_code() {
        // There is an inner bound.
        return Overflow::Refuse;
    }
    match chosen.endpoint().mailbox.permits.as_ref().map_or(Overflow::Wait, |permits| permits.overflow) {
        Overflow::Wait if !may_wait => Overflow::Refuse,
        overflow => overflow,
    }
}

/// When the wait of a send for room ends; `None` if it has no limit.
pub(super) fn room_deadline<'a, M: Payload>(target: &Target<'a, M>) -> Option<Instant> {
    target.view.limit().end()
}

/// The wait of a thread for room.
struct ThreadWait<'t, 'a, M: Payload> {
    target: &'t Target<'a, M>,
    key: Option<u64>,
    permits: PermitWait,
}

impl<'a, M: Payload> Awaited for ThreadWait<'_, 'a, M> {
    type Output = Result<Chosen<'a, M>, Refusal>;

    fn is_ready(&self) -> bool {
        // A sender that spins has not joined the waiters that a stop wakes, and its spin may be long.
        self.permits.is_ready() || self.target.engine_edge().is_some_and(|edge| !edge.is_open())
    }

    fn spin(&self) -> Spin {
        self.target.engine_edge().map_or_else(Spin::default, |edge| edge.spin)
    }

    fn poll(&mut self, waker: &Waker) -> Option<Self::Output> {
        self.permits.poll(self.target, self.key, waker)
    }
}

impl<M: Payload> Reply for ThreadWait<'_, '_, M> {}

/// A sender's wait for room: in the mailbox that its message must go to, or in all mailboxes of a pool if any will do.
///
/// It borrows nothing, so that a task can keep it from one poll to the next. The protocol of the waiters stands in
/// `mailbox/permits.rs`.
pub(super) struct PermitWait {
    /// Each with the sender's ticket there, which names its place among the waiters.
    mailboxes: Vec<(Arc<Mailbox>, Ticket)>,
    /// The instance that it must go to, if no other will do, whose end it is told of: not all ends concern all senders.
    only: Option<Watched>,
}

/// An instance in its mailbox; and the number of the watcher, once that has joined.
struct Watched {
    mailbox: Arc<Mailbox>,
    slot: Slot,
    number: Option<u64>,
}

impl Watched {
    /// Has `waker` woken at the end of the instance, in place of the waker before.
    fn watch(&mut self, waker: &Waker) {
        self.unwatch();
        // One that has ended is not chosen again.
        self.number = self.mailbox.roster.watch(self.slot, waker.clone()).ok();
    }

    fn unwatch(&mut self) {
        if let Some(number) = self.number.take() {
            self.mailbox.roster.unwatch(self.slot, number);
        }
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        self.unwatch();
    }
}

impl PermitWait {
    pub(super) fn new<M: Payload>(target: &Target<'_, M>, key: Option<u64>, chosen: &Chosen<'_, M>) -> Self {
        let mut permit_wait = Self { mailboxes: Vec::new(), only: None };
        permit_wait.find_mailboxes(target, key, chosen);
        permit_wait
    }

    /// Adds the mailboxes that are not known yet: the pool may have changed since the last look.
    fn find_mailboxes<M: Payload>(&mut self, target: &Target<'_, M>, key: Option<u64>, chosen: &Chosen<'_, M>) {
        let any_will_do = matches!((target.among, key), (Among::Turn | Among::LeastLoaded, None));
        let mailboxes = match target.pool {
            Some(pool) if any_will_do => pool.bounded(),
            _ => {
                let Location { mailbox, slot, .. } = &chosen.endpoint().location;
                self.only = Some(Watched { mailbox: Arc::clone(mailbox), slot: *slot, number: None });
                vec![Arc::clone(mailbox)]
            }
        };
        for mailbox in mailboxes {
            if !self.mailboxes.iter().any(|(known, _)| Arc::ptr_eq(known, &mailbox)) {
                self.mailboxes.push((mailbox, Ticket::default()));
            }
        }
    }

    fn is_ready(&self) -> bool {
        self.mailboxes.iter().any(|(mailbox, _)| mailbox.permits.as_ref().is_none_or(Permits::has_free))
    }

    /// Chooses an instance with room, or has `waker` woken when there may be one.
    pub(super) fn poll<'a, M: Payload>(
        &mut self,
        target: &Target<'a, M>,
        key: Option<u64>,
        waker: &Waker,
    ) -> Option<Result<Chosen<'a, M>, Refusal>> {
        match as_task(|| target.choose(key)) {
            Ok(chosen) if chosen.is_full() => self.find_mailboxes(target, key, &chosen),
            outcome => return Some(outcome),
        }
        if waker.will_wake(Waker::noop()) {
            return None;
        }
        self.join(waker);
        if let Some(only) = &mut self.only {
            only.watch(waker);
        }
        // After the sender has joined the waiters, so that a permit given back in between is not missed.
        match as_task(|| target.choose(key)) {
            Ok(chosen) if chosen.is_full() => {
                drop(chosen);
                self.decline();
                None
            }
            outcome => Some(outcome),
        }
    }

    fn join(&mut self, waker: &Waker) {
        for (mailbox, ticket) in &mut self.mailboxes {
            if let Some(permits) = &mailbox.permits {
                permits.join(ticket, waker);
            }
        }
    }

    /// Passes on the wakes that this sender got, if any: it has found no room that it can use.
    fn decline(&mut self) {
        for (mailbox, ticket) in &mut self.mailboxes {
            if let Some(permits) = &mailbox.permits {
                permits.decline(ticket);
            }
        }
    }
}

impl Drop for PermitWait {
    fn drop(&mut self) {
        for (mailbox, ticket) in &self.mailboxes {
            if let Some(permits) = &mailbox.permits {
                permits.leave(ticket);
            }
        }
    }
}
