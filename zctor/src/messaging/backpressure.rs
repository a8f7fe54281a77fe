//! No room in a bounded mailbox: the sender waits, its message is refused, or the newest is dropped.

use std::sync::Arc;
use std::task::Waker;
use std::time::Instant;

use crate::error::Refusal;
use crate::id::Slot;
use crate::mailbox::Mailbox;
use crate::mailbox::permits::{Overflow, Permits, Ticket};
use crate::messaging::binding::Binding;
use crate::messaging::target::Target;
use crate::route::endpoint::Endpoint;
use crate::route::payload::Payload;
use crate::route::pool::Chosen;
use crate::sys::awaited::Awaited;
use crate::sys::frame::{is_inside_code, may_wait_for_room};
use crate::sys::runtime::assert_may_block;
use crate::sys::spin::Spin;
use crate::thread::wait::wait;

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
    if is_inside_code() {
        // There is an inner bound.
        return Err(Refusal::Full);
    }
    let overflow = chosen.endpoint().mailbox.permits.as_ref().map_or(Overflow::Wait, |permits| permits.overflow);
    match overflow {
        Overflow::DropNewest => Ok(chosen),
        Overflow::Wait if target.view.waits() && may_wait_for_room() => {
            assert_may_block();
            let mut permit_wait = PermitWait::new(target, key, &chosen);
            drop(chosen);
            wait(&mut permit_wait, until()).unwrap_or(Err(Refusal::Full))
        }
        Overflow::Wait | Overflow::Refuse => Err(Refusal::Full),
    }
}

/// When the wait of a send for room ends; `None` if it has no limit.
pub(super) fn room_deadline<'a, M: Payload>(target: &Target<'a, M>) -> Option<Instant> {
    target.view.limit().end()
}

/// A sender's wait for room: in the mailbox that its message must go to, or in all mailboxes of a pool if any will do.
///
/// The protocol of the waiters stands in `mailbox/permits.rs`.
struct PermitWait<'t, 'a, M: Payload> {
    target: &'t Target<'a, M>,
    key: Option<u64>,
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

impl<'t, 'a, M: Payload> PermitWait<'t, 'a, M> {
    fn new(target: &'t Target<'a, M>, key: Option<u64>, chosen: &Chosen<'a, M>) -> Self {
        let mut permit_wait = Self { target, key, mailboxes: Vec::new(), only: None };
        permit_wait.find_mailboxes(chosen);
        permit_wait
    }

    /// Adds the mailboxes that are not known yet: the pool may have changed since the last look.
    fn find_mailboxes(&mut self, chosen: &Chosen<'a, M>) {
        let any_will_do = matches!((self.target.binding, self.key), (Binding::Turn(_) | Binding::LeastLoaded, None));
        let mailboxes = match self.target.pool {
            Some(pool) if any_will_do => pool.bounded(),
            _ => {
                let Endpoint { mailbox, slot, .. } = chosen.endpoint();
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

impl<'a, M: Payload> Awaited for PermitWait<'_, 'a, M> {
    type Output = Result<Chosen<'a, M>, Refusal>;

    fn is_ready(&self) -> bool {
        self.mailboxes.iter().any(|(mailbox, _)| mailbox.permits.as_ref().is_none_or(Permits::has_free))
    }

    fn spin(&self) -> Spin {
        self.target.engine_edge().map_or_else(Spin::default, |edge| edge.spin)
    }

    fn poll(&mut self, waker: &Waker) -> Option<Self::Output> {
        match self.target.choose(self.key) {
            Ok(chosen) if chosen.is_full() => self.find_mailboxes(&chosen),
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
        match self.target.choose(self.key) {
            Ok(chosen) if chosen.is_full() => {
                drop(chosen);
                self.decline();
                None
            }
            outcome => Some(outcome),
        }
    }
}

impl<M: Payload> Drop for PermitWait<'_, '_, M> {
    fn drop(&mut self) {
        for (mailbox, ticket) in &self.mailboxes {
            if let Some(permits) = &mailbox.permits {
                permits.leave(ticket);
            }
        }
    }
}
