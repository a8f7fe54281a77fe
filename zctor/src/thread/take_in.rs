//! Queues mail for the instances of this thread.
//!
//! Mail comes into the queue in three ways. `take_in` moves it there from the mailbox, where it can by a shorter way
//! (`take_in_alone`, `take_in_apart`, `take_in_bundle`). `enqueue`, `send_here` and `order_here` put it there for
//! instances of the same thread, and `queue_start` the order to start one. `queue_due_timers` queues the timers that are
//! due. `serve.rs` takes it out.

use std::mem::{forget, replace};
use std::sync::atomic::Ordering;

use crate::id::Slot;
use crate::mailbox::Mailbox;
use crate::mailbox::account::Account;
use crate::mailbox::arrivals::Arrivals;
use crate::mailbox::buffers::Buffers;
use crate::mailbox::envelope::{Envelope, Gathered};
use crate::mailbox::mail::{Mail, MailContents, MailKind, ORDER, Order, SentAs};
use crate::sys::clock::now;
use crate::sys::frame::in_hook;
use crate::sys::operation::Operation;
use crate::sys::simulated::{in_world, point};
use crate::thread::local::{Hosting, LOCAL, Local, local};
use crate::thread::queue::{PlaceInLane, Turn};
use crate::thread::undelivered::give_up_all;

/// Queues mail for an instance of the actor thread that this code runs on. Gives the mail back if there is no such
/// thread any more, as while thread-locals are destroyed.
#[inline(never)]
pub(crate) fn enqueue_here(mail: Mail) -> Option<Mail> {
    match local() {
        Some(local) => {
            enqueue(&local, mail);
            None
        }
        None => Some(mail),
    }
}

/// Queues a message for an instance of the actor thread that this code runs on. The instance must take mail.
///
/// `add` puts the message into the envelope that was queued last, if that is for the same instance and came in the same
/// way: so the messages that a handler sends to one neighbour one after the other travel as a batch. Otherwise `make`
/// makes mail of its own. Both take the message out of `place`. `false` if there is no such thread any more.
#[inline]
pub(crate) fn send_here<P>(
    place: &mut P,
    (slot, depth): (Slot, u16),
    sent_as: SentAs,
    add: impl FnOnce(&mut Envelope, &mut P) -> Gathered,
    make: impl FnOnce(&mut P) -> Mail,
) -> bool {
    let send = |local: &Local| {
        let Hosting { slots, queue, .. } = &mut *local.hosting.borrow_mut();
        if let Some(account) = slots.account(slot) {
            account.add_load(1);
        }
        local.mailbox.meter.taken.add(1);
        let mut last = queue.last(depth).filter(|mail| mail.takes(slot, sent_as, in_hook()));
        if last.as_mut().is_some_and(|last| last.join(1, |envelope| add(envelope, place))) {
            return;
        }
        let start = last.filter(|last| last.is_start()).and_then(|start| Some((start, slots.account(slot)?)));
        let place_in_lane = match start {
            // The message is in the load already.
            Some((start, account)) => Some(place_of_start(account, start, 0)),
            None => queue.place(depth, Turn::InOrder),
        };
        if let Some(place_in_lane) = place_in_lane {
            place_in_lane.put(make(place));
        }
    };
    // Borrowed throughout: only the runtime's own code runs meanwhile.
    // It never fails; but by `with` a send takes 60 instructions more.
    LOCAL.try_with(|local| local.borrow().as_deref().map(send)).is_ok_and(|sent| sent.is_some())
}

/// Moves mail from the mailbox to the queue. `true` if there was none.
pub(super) fn take_in(local: &Local) -> bool {
    let mailbox = &local.mailbox;
    in_world(|| {
        point_if_mail(mailbox);
        Some(())
    });
    let mut arrivals = mailbox.take();
    let (emptied, counted) = (arrivals.is_empty(), arrivals.counted as u64);
    if !emptied {
        // Borrowed for all of it at once: only the runtime's own code runs meanwhile.
        let mut hosting = local.hosting.borrow_mut();
        // Mail that joins a batch is not moved out of this variable.
        let mut place = None;
        let mut messages = if counted == 1 { hosting.take_in_alone(&mut place, &mut arrivals) } else { 0 };
        if place.is_none() {
            arrivals.next_into(&mut place);
        }
        while let Some(mail) = &place {
            if let MailContents::Order(Order::Shutdown) = mail.contents {
                local.ending.set(true);
                arrivals.next_into(&mut place);
            } else if mail.kind == MailKind::Bundle {
                messages += hosting.take_in_bundle(&mut place, &mailbox.buffers);
                arrivals.next_into(&mut place);
            } else {
                messages += hosting.take_in(&mut place, &mut arrivals, &mailbox.buffers);
            }
        }
        mailbox.meter.taken.add(messages.wrapping_sub(counted));
    }
    if local.ending.get() && !local.held.is_empty() && mailbox.engine.edge.is_sealed() {
        give_up_all(local);
    }
    emptied
}

/// The scheduling point of mail that is taken in, if there is any.
fn point_if_mail(mailbox: &Mailbox) {
    if !mailbox.queue.is_empty() {
        point(&mailbox.engine.world, mailbox.thread.index(), || Operation::Plain("take mail"));
    }
}

impl Hosting {
    /// Takes in the mail in `place`. If it can join the last batch of its lane, it does, and so do the arrivals behind
    /// it that can; otherwise it is queued by itself. Gives the number of messages taken in. `place` then holds the
    /// next arrival.
    #[inline(always)]
    fn take_in(&mut self, place: &mut Option<Mail>, arrivals: &mut Arrivals<'_>, buffers: &Buffers) -> u64 {
        let Some(mail) = place else { return 0 };
        let (to, messages) = (mail.to, u64::from(mail.messages));
        let (depth, turn) = self.note(mail);
        let mut last = self.queue.last(depth);
        let mut joins = |mail: &mut Mail| last.as_mut().is_some_and(|last| last.gather(mail, buffers));
        if !joins(mail) {
            // Messages for one instance that cannot be gathered, since they are large.
            let is_alike = last.is_some_and(|last| last.to == to);
            if let Some(mail) = place.take() {
                self.queue.push(depth, turn, || mail);
            }
            if is_alike {
                arrivals.next_into(place);
                return messages;
            }
            return messages + self.take_in_apart(to, place, arrivals);
        }
        let mut more = 0;
        arrivals.next_into(place);
        while place.as_mut().is_some_and(&mut joins) {
            more += 1;
            arrivals.next_into(place);
        }
        if let Some((_, account)) = self.slots.occupant(to) {
            account.add_load(more);
        }
        messages + more
    }

    /// Takes in the mail of a bundle: all of it at once, if it belongs into the only lane. Gives the number of messages
    /// taken in.
    #[inline(never)]
    fn take_in_bundle(&mut self, place: &mut Option<Mail>, buffers: &Buffers) -> u64 {
        let mut bundle = place.take().map(Mail::unbundled).unwrap_or_default();
        let messages = bundle.len() as u64;
        let Self { slots, queue, .. } = self;
        if let Some((lane_depth, lane)) = queue.only_lane() {
            let fits = |mail: &Mail| slots.occupant(mail.to).filter(|(depth, _)| *depth == lane_depth);
            let ends = bundle.iter().position(|mail| fits(mail).map(|(_, account)| account.add_load(1)).is_none());
            match ends {
                None => lane.append(&mut bundle),
                Some(ends) => lane.extend(bundle.drain(..ends)),
            }
        }
        while let Some(mail) = bundle.pop_front() {
            let (depth, turn) = self.note(&mail);
            self.queue.push(depth, turn, || mail);
        }
        buffers.keep(&mut bundle);
        messages
    }

    /// Takes in the only arrival while nothing is queued: mail that ends the rest of a thread. It is moved from the mailbox
    /// to its lane at once, as in `take_in_apart`. Gives the number of messages taken in; 0 if the arrival is still to be
    /// taken in, from `place` or from where it lies.
    #[inline(never)]
    fn take_in_alone(&mut self, place: &mut Option<Mail>, arrivals: &mut Arrivals<'_>) -> u64 {
        let Self { slots, queue, .. } = self;
        if queue.in_hand > 0 {
            return 0;
        }
        let Some((lane_depth, lane)) = queue.only_lane().filter(|(_, lane)| lane.is_empty()) else { return 0 };
        if !arrivals.next_onto(lane) {
            return 0;
        }
        let messages = lane.back().filter(|mail| matches!(mail.contents, MailContents::Envelope(_))).and_then(|mail| {
            let (_, account) = slots.occupant(mail.to).filter(|(depth, _)| *depth == lane_depth)?;
            account.add_load(mail.weight());
            Some(u64::from(mail.messages))
        });
        if messages.is_none() {
            forget(replace(place, lane.pop_back())); // the place is empty
        }
        messages.unwrap_or_default()
    }

    /// Takes in arrivals that can neither join a batch nor go ahead: single messages, each for another instance than the
    /// one before it, while the queue has one lane. `last` is the instance of the mail that was queued last. Gives the
    /// number of messages taken in. `place` then holds the next arrival.
    ///
    /// Senders that take turns among instances send such mail. It is moved from the mailbox to its lane at once, which
    /// takes 136 instructions a message less than the way of mail that may be gathered.
    #[inline(always)]
    fn take_in_apart(&mut self, mut last: Slot, place: &mut Option<Mail>, arrivals: &mut Arrivals<'_>) -> u64 {
        let mut taken = 0;
        let Self { slots, queue, .. } = self;
        if let Some((lane_depth, lane)) = queue.only_lane() {
            // Mail is moved to its lane first, and out of it again where it does not belong there: a copy less.
            while arrivals.next_onto(lane) {
                let Some(mail) = lane.back() else { break };
                let to = mail.to;
                let occupant = slots.occupant(to).filter(|(depth, _)| *depth == lane_depth);
                let Some((_, account)) = occupant.filter(|_| to != last && mail.is_one_message()) else {
                    *place = lane.pop_back();
                    return taken;
                };
                account.add_load(1);
                (last, taken) = (to, taken + 1);
            }
            *place = None;
            return taken;
        }
        arrivals.next_into(place);
        taken
    }

    /// Adds mail to the load of its instance. Gives the call depth of its lane in the queue, and its turn there.
    #[inline]
    fn note(&self, mail: &Mail) -> (u16, Turn) {
        match self.slots.occupant(mail.to) {
            Some((depth, account)) => {
                let goes_ahead = mail.is_call() && self.queue.may_go_ahead(account);
                account.add_load(mail.weight());
                (depth, if goes_ahead { Turn::Ahead } else { Turn::InOrder })
            }
            // The instance has ended. In the lowest lane its mail is served by any wait, and diverted.
            None => (0, Turn::InOrder),
        }
    }
}

/// Queues mail for an instance of this thread.
#[inline]
pub(crate) fn enqueue(local: &Local, mail: Mail) {
    local.mailbox.meter.taken.add(u64::from(mail.messages));
    let mut hosting = local.hosting.borrow_mut();
    let Hosting { slots, queue, .. } = &mut *hosting;
    if let Some((depth, account)) = slots.occupant(mail.to).filter(|(_, account)| account.has_one_order()) {
        if let Some(start) = queue.last(depth).filter(|last| last.is_start() && last.to == mail.to) {
            return place_of_start(account, start, mail.weight()).put(mail);
        }
    }
    let (depth, turn) = hosting.note(&mail);
    hosting.queue.push(depth, turn, || mail);
}

/// Queues an order for an instance of the actor thread that this code runs on. `false` if there is no such thread any
/// more.
pub(crate) fn order_here(slot: Slot, order: Order) -> bool {
    // Borrowed throughout: only the runtime's own code runs meanwhile.
    LOCAL
        .try_with(|local| local.borrow().as_deref().map(|local| queue_order(local, slot, order)))
        .is_ok_and(|queued| queued.is_some())
}

/// Queues an order for an instance of this thread. It takes the place of an order to start that instance, if that is
/// all that is queued for it.
#[cfg_attr(not(debug_assertions), inline(always))]
fn queue_order(local: &Local, slot: Slot, order: Order) {
    let Hosting { slots, queue, .. } = &mut *local.hosting.borrow_mut();
    let Some((depth, account)) = slots.occupant(slot) else {
        return queue.push_order(0, slot, order); // it has ended: see `note`
    };
    if account.has_one_order() {
        if let Some(start) = queue.last(depth).filter(|last| last.is_start() && last.to == slot) {
            forget(replace(&mut start.contents, MailContents::Order(order))); // an order needs no drop
            return;
        }
    }
    account.add_load(ORDER);
    queue.push_order(depth, slot, order);
}

/// Queues the order to start a new instance of this thread, behind what its factory has sent to it.
pub(crate) fn queue_start(local: &Local, slot: Slot, depth: u16, account: &Account) {
    account.add_load(ORDER);
    local.hosting.borrow_mut().queue.push_order(depth, slot, Order::Start);
}

/// The place of an order to start an instance, for mail of this weight to that instance: it starts before its first mail
/// anyway.
fn place_of_start<'q>(account: &Account, start: &'q mut Mail, weight: u64) -> PlaceInLane<'q> {
    account.take_off_load(ORDER);
    account.add_load(weight);
    PlaceInLane::of_order(start)
}

/// Queues a tick for each timer that is due.
#[inline]
pub(super) fn queue_due_timers(local: &Local) {
    if !local.timers.is_empty() {
        queue_those_due(local);
    }
}

fn queue_those_due(local: &Local) {
    let now = now();
    let Some(mut first) = local.timers.take_due(now) else { return };
    loop {
        let (id, slot) = first;
        queue_order(local, slot, Order::Tick(id));
        match local.timers.take_due(now) {
            Some(next) => first = next,
            None => break,
        }
    }
    publish_timers(local);
}

/// Says in the statistics how many timers are set.
pub(super) fn publish_timers(local: &Local) {
    local.mailbox.meter.timers.store(local.timers.len(), Ordering::Relaxed);
}
