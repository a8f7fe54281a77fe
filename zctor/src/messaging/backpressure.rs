//! No room in a bounded mailbox: the sender waits, its message is refused, or the newest is dropped.
//!
//! A thread waits here. A task waits by `messaging/awaited_room.rs`, with the same [`PermitWait`].

use std::sync::Arc;
use std::task::Waker;
use std::time::Instant;

use crate::error::Refusal;
use crate::id::Slot;
use crate::mailbox::Mailbox;
use crate::mailbox::engine_shared::EngineShared;
use crate::mailbox::permits::{Overflow, Permits, Ticket};
use crate::messaging::binding::Among;
use crate::messaging::target::Target;
use crate::route::chosen::Chosen;
use crate::route::location::Location;
use crate::route::payload::Payload;
use crate::sys::awaited::Awaited;
use crate::sys::frame::{as_task, is_inside_code, may_wait_for_room};
use crate::sys::runtime::assert_may_block;
use crate::sys::spin::Spin;
use crate::thread::wait::{WaitedFor, wait};
use crate::trace::CAN_BE_WATCHED;

/// Chooses an instance, as `Target::choose` does; if its mailbox has no room, does what the mailbox's [`Overflow`]
/// says. A choice that comes back full means that the message is to be dropped.
#[inline]
pub(super) fn enter<'a, const WATCHED: bool, M: Payload>(
    target: &Target<'a, M>,
    key: Option<u64>,
    until: &dyn Fn() -> Option<Instant>,
) -> Result<Chosen<'a, M>, Refusal> {
    let chosen = target.choose::<WATCHED>(key)?;
    if chosen.is_full() { overflow(target, key, chosen, until) } else { Ok(chosen) }
}

/// Does what the overflow of a mailbox without room says; see `enter`.
#[cold]
pub(super) fn overflow<'a, M: Payload>(
    target: &Target<'a, M>,
    key: Option<u64>,
    chosen: Chosen<'a, M>,
    until: &dyn Fn() -> Option<Instant>,
) -> Result<Chosen<'a, M>, Refusal> {
    let mut choosing = Choosing { target, key, chosen: Some(Ok(chosen)) };
    wait_for_room(&mut choosing, until)?;
    choosing.take()
}

fn wait_for_room(choice: &mut dyn Choice, until: &dyn Fn() -> Option<Instant>) -> Result<(), Refusal> {
    match policy(choice, may_wait_for_room()) {
        Overflow::DropNewest => Ok(()),
        Overflow::Wait if choice.waits() => {
            assert_may_block();
            let permits = PermitWait::new(choice);
            choice.let_go();
            wait(&mut ThreadWait { choice, permits }, until()).ok_or(Refusal::Full)
        }
        Overflow::Wait | Overflow::Refuse => Err(Refusal::Full),
    }
}

/// The policy if the chosen instance has no room. `may_wait`: the sender may wait for room where the policy is to wait.
pub(super) fn policy(choice: &dyn Choice, may_wait: bool) -> Overflow {
    if is_inside_code() {
        // There is an inner bound.
        return Overflow::Refuse;
    }
    let permits = choice.chosen().and_then(|location| location.mailbox.permits.as_ref());
    match permits.map_or(Overflow::Wait, |permits| permits.overflow) {
        Overflow::Wait if !may_wait => Overflow::Refuse,
        overflow => overflow,
    }
}

/// When the wait of a send for room ends; `None` if it has no limit.
pub(super) fn room_deadline<'a, M: Payload>(target: &Target<'a, M>) -> Option<Instant> {
    target.patience.limit().end()
}

/// The choice of an instance, as a wait for room makes it again and again, whatever the type of the messages.
pub(super) trait Choice {
    /// Chooses an instance, and keeps it, or the refusal. `false` if the instance has no room.
    fn choose(&mut self) -> bool;
    /// The location of the instance that was chosen last.
    fn chosen(&self) -> Option<&Location>;
    /// Lets the instance go: nothing is kept while the sender waits.
    fn let_go(&mut self);
    /// The bounded mailboxes of the pool, if any of its instances will do.
    fn of_pool(&self) -> Option<Vec<Arc<Mailbox>>>;
    fn engine(&self) -> Option<&EngineShared>;
    /// Whether the view is one that waits.
    fn waits(&self) -> bool;
}

/// The choice of an instance for one message.
pub(super) struct Choosing<'t, 'a, M: Payload> {
    target: &'t Target<'a, M>,
    key: Option<u64>,
    chosen: Option<Result<Chosen<'a, M>, Refusal>>,
}

impl<'t, 'a, M: Payload> Choosing<'t, 'a, M> {
    pub(super) fn new(target: &'t Target<'a, M>, key: Option<u64>) -> Self {
        Self { target, key, chosen: None }
    }

    /// The instance that was chosen last; one without room means that the message is to be dropped.
    pub(super) fn take(self) -> Result<Chosen<'a, M>, Refusal> {
        self.chosen.unwrap_or(Err(Refusal::Full))
    }
}

impl<M: Payload> Choice for Choosing<'_, '_, M> {
    fn choose(&mut self) -> bool {
        let chosen = self.target.choose::<CAN_BE_WATCHED>(self.key);
        let has_room = match &chosen {
            Ok(chosen) => !chosen.is_full(),
            Err(_) => true,
        };
        self.chosen = Some(chosen);
        has_room
    }

    fn chosen(&self) -> Option<&Location> {
        match &self.chosen {
            Some(Ok(chosen)) => Some(&chosen.endpoint().location),
            _ => None,
        }
    }

    fn let_go(&mut self) {
        self.chosen = None;
    }

    fn of_pool(&self) -> Option<Vec<Arc<Mailbox>>> {
        match (self.target.among, self.key, self.target.pool) {
            (Among::Turn | Among::LeastLoaded, None, Some(pool)) => Some(pool.bounded()),
            _ => None,
        }
    }

    fn engine(&self) -> Option<&EngineShared> {
        self.target.engine()
    }

    fn waits(&self) -> bool {
        self.target.patience.waits()
    }
}

/// The wait of a thread for room.
struct ThreadWait<'t> {
    choice: &'t mut dyn Choice,
    permits: PermitWait,
}

impl Awaited for ThreadWait<'_> {
    type Output = ();

    fn is_ready(&self) -> bool {
        // A sender that spins has not joined the waiters that a stop wakes, and its spin may be long.
        self.permits.is_ready() || self.choice.engine().is_some_and(|engine| !engine.edge.is_open())
    }

    fn spin(&self) -> Spin {
        self.choice.engine().map_or_else(Spin::default, |engine| engine.spin)
    }

    fn poll(&mut self, waker: &Waker) -> Option<()> {
        self.permits.poll(self.choice, waker).then_some(())
    }
}

impl WaitedFor for ThreadWait<'_> {}

/// A sender's wait for room: in the mailbox that its message must go to, or in all mailboxes of a pool if any will do.
///
/// It borrows nothing, so that a task can keep it from one poll to the next. The protocol of the waiters stands in
/// `mailbox/permits.rs`.
pub(super) struct PermitWait {
    /// Each with the sender's ticket there, which names its place among the waiters.
    mailboxes: Vec<(Arc<Mailbox>, Ticket)>,
    /// The instance that it must go to, if no other will do, whose end it is told of: not all ends concern all senders.
    only: Option<EndWatch>,
}

/// An instance in its mailbox; and the number of the watcher, once that has joined.
struct EndWatch {
    mailbox: Arc<Mailbox>,
    slot: Slot,
    number: Option<u64>,
}

impl EndWatch {
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

impl Drop for EndWatch {
    fn drop(&mut self) {
        self.unwatch();
    }
}

impl PermitWait {
    pub(super) fn new(choice: &dyn Choice) -> Self {
        let mut permit_wait = Self { mailboxes: Vec::new(), only: None };
        permit_wait.find_mailboxes(choice);
        permit_wait
    }

    /// Adds the mailboxes that are not known yet: the pool may have changed since the last look.
    fn find_mailboxes(&mut self, choice: &dyn Choice) {
        let mailboxes = match (choice.of_pool(), choice.chosen()) {
            (Some(mailboxes), _) => mailboxes,
            (None, Some(Location { mailbox, slot, .. })) => {
                self.only = Some(EndWatch { mailbox: Arc::clone(mailbox), slot: *slot, number: None });
                vec![Arc::clone(mailbox)]
            }
            (None, None) => Vec::new(),
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
    pub(super) fn poll(&mut self, choice: &mut dyn Choice, waker: &Waker) -> bool {
        if as_task(|| choice.choose()) {
            return true;
        }
        self.find_mailboxes(choice);
        if waker.will_wake(Waker::noop()) {
            return false;
        }
        self.join(waker);
        if let Some(only) = &mut self.only {
            only.watch(waker);
        }
        // After the sender has joined the waiters, so that a permit given back in between is not missed.
        if as_task(|| choice.choose()) {
            return true;
        }
        choice.let_go();
        self.decline();
        false
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
