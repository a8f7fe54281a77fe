//! The next mail, to its instance.

use std::rc::Rc;

use crate::id::Slot;
use crate::mailbox::Arrivals;
use crate::mailbox::buffers::Buffers;
use crate::mailbox::envelope::{Envelope, Gathered, Serving};
use crate::mailbox::mail::{How, Mail, MailKind, ORDER, Order, What};
use crate::sys::clock::now;
use crate::sys::frame::in_hook;
use crate::thread::local::{Hosting, Instance, LOCAL, Local, Phase, local};
use crate::thread::undelivered::{divert_here, get_done, give_up_all, keep, pass};

/// Queues mail for an instance of the actor thread that this code runs on. It comes back if that is no more: while its
/// locals are going.
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

/// Queues a message for an instance of the actor thread that this code runs on, which takes mail: by `add` in the envelope that
/// was queued last, if that is for the same instance and came in the same way, so that what a handler sends to one neighbour
/// again and again travels as a batch; else as mail of its own, by `make`. Both take the message out of its place. `false` if
/// that thread is no more.
#[inline]
pub(crate) fn send_here<P>(
    place: &mut P,
    (slot, depth): (Slot, u16),
    how: How,
    add: impl FnOnce(&mut Envelope, &mut P) -> Gathered,
    make: impl FnOnce(&mut P) -> Mail,
) -> bool {
    let send = |local: &Local| {
        let Hosting { slots, queue } = &mut *local.hosting.borrow_mut();
        if let Some(account) = slots.account(slot) {
            account.take_in(1);
        }
        local.mailbox.meter.taken.add(1);
        let last = queue.last(depth).filter(|mail| mail.takes(slot, how, in_hook()));
        if last.is_some_and(|mail| mail.join(1, |envelope| add(envelope, place))) {
            return;
        }
        queue.push(depth, false, || make(place));
    };
    // Borrowed all the while: nothing but the runtime's own code runs.
    LOCAL.try_with(|local| local.borrow().as_deref().map(send)).is_ok_and(|sent| sent.is_some())
}

/// Moves mail from the mailbox to the queue; `true` if the mailbox was emptied.
pub(super) fn take_in(local: &Local) -> bool {
    let mailbox = &local.mailbox;
    let mut arrivals = mailbox.take();
    let (emptied, counted) = (arrivals.is_none(), arrivals.counted as u64);
    if !emptied {
        // For all of it at once: nothing but the runtime's own code runs meanwhile.
        let mut hosting = local.hosting.borrow_mut();
        let mut messages = 0;
        // It stays in this place if it joins a batch.
        let mut place = None;
        arrivals.next_into(&mut place);
        while let Some(mail) = &place {
            if let What::Order(Order::Shutdown) = mail.what {
                local.ending.set(true);
                arrivals.next_into(&mut place);
            } else {
                messages += hosting.take_in(&mut place, &mut arrivals, &mailbox.buffers);
            }
        }
        mailbox.meter.taken.add(messages.wrapping_sub(counted));
    }
    if local.ending.get() && !local.held.is_empty() && mailbox.edge.is_sealed() {
        give_up_all(local);
    }
    emptied
}

impl Hosting {
    /// Takes in mail that has come, which is in `place`: to the batch that it belongs to, with all that follows it and belongs
    /// there too, or to its place in the queue. Gives the number of messages; the next arrival is in `place` then.
    #[inline(always)]
    fn take_in(&mut self, place: &mut Option<Mail>, arrivals: &mut Arrivals<'_>, buffers: &Buffers) -> u64 {
        let Some(mail) = place else { return 0 };
        let (to, messages) = (mail.to, u64::from(mail.messages));
        let (depth, ahead) = self.note(mail);
        let mut last = self.queue.last(depth);
        let mut joins = |mail: &mut Mail| last.as_mut().is_some_and(|last| last.gather(mail, buffers));
        if !joins(mail) {
            if let Some(mail) = place.take() {
                self.queue.push(depth, ahead, || mail);
            }
            arrivals.next_into(place);
            return messages;
        }
        let mut more = 0;
        arrivals.next_into(place);
        while place.as_mut().is_some_and(&mut joins) {
            more += 1;
            arrivals.next_into(place);
        }
        if let Some((_, account)) = self.slots.occupant(to) {
            account.take_in(more);
        }
        messages + more
    }

    /// Notes that mail was taken in for its instance, and gives its lane in the queue, and whether it goes ahead there.
    #[inline]
    fn note(&self, mail: &Mail) -> (u16, bool) {
        match self.slots.occupant(mail.to) {
            Some((depth, account)) => {
                let ahead = mail.is_call() && self.queue.lets_ahead(account);
                account.take_in(mail.weight());
                (depth, ahead)
            }
            // Mail for one that has ended waits in the lowest lane for its end as a dead letter.
            None => (0, false),
        }
    }
}

/// Queues mail for an instance of this thread.
#[inline]
pub(crate) fn enqueue(local: &Local, mail: Mail) {
    local.mailbox.meter.taken.add(u64::from(mail.messages));
    let mut hosting = local.hosting.borrow_mut();
    let (depth, ahead) = hosting.note(&mail);
    hosting.queue.push(depth, ahead, || mail);
}

/// Serves the next mail below a depth, of a batch at most `budget` messages; what is left of that goes back to where it was.
/// Gives how much was done: 0 if there is nothing to do.
pub(super) fn serve_one(local: &Rc<Local>, below: u32, budget: usize) -> usize {
    let mut hosting = local.hosting.borrow_mut();
    let Hosting { slots, queue } = &mut *hosting;
    let Some((depth, lane)) = queue.take_turn(below) else { return 0 };
    // It stays in this place, for each time that it is moved costs more than all else that is done with it.
    let mut place = lane.pop_front();
    let Some(mail) = &mut place else { return 0 };
    let instance = slots.instance(mail.to);
    // What a call lets pass is one message, not a batch.
    let budget = if queue.waiting > 0 { 1 } else { budget };
    drop(hosting);
    let messages = mail.messages;
    let serving = Serving { budget, permitted: mail.permitted, from_hook: mail.from_hook };
    let Some(instance) = instance else {
        pass(local, messages);
        place.into_iter().for_each(|mail| divert_here(local, mail));
        return messages.max(1) as usize;
    };
    let envelope = match &mut mail.what {
        What::Envelope(envelope) => envelope,
        What::Order(order) => {
            obey(local, instance, mail.to, *order);
            return 1;
        }
    };
    let comes_back = messages as usize > budget;
    if comes_back {
        local.hosting.borrow_mut().queue.in_hand += 1;
    }
    let content = envelope.content();
    let all_done = match mail.kind {
        MailKind::Message => instance.handle_message(local, serving, content),
        MailKind::Batch => instance.handle_batch(local, serving, content),
        MailKind::Call => instance.handle_call(local, serving, content, false),
        MailKind::CancellableCall => instance.handle_call(local, serving, content, true),
    };
    if comes_back {
        local.hosting.borrow_mut().queue.in_hand -= 1;
    }
    let mut done = messages;
    if !all_done {
        if let Some(left) = place.and_then(|mail| keep(local, mail)) {
            done -= left.messages;
            local.hosting.borrow_mut().queue.put_back(depth, left);
        }
    }
    done.max(1) as usize
}

/// Does what an order says.
fn obey(local: &Rc<Local>, instance: Rc<dyn Instance>, slot: Slot, order: Order) {
    match order {
        Order::Tick(id) => {
            start_new(local, &instance);
            instance.tick(local, id);
        }
        Order::Piped(id) => {
            start_new(local, &instance);
            instance.piped(local, id);
        }
        Order::Start => instance.start(local),
        Order::Shutdown => local.ending.set(true),
        // In its place: after what an instance that rests still has to handle.
        Order::End if instance.common().phase.get() == Phase::BackingOff && local.held.has(slot) => {
            return local.held.hold(Mail::order(slot, order));
        }
        Order::End => {
            Rc::clone(&instance).start(local);
            instance.end(local);
        }
    }
    get_done(local, slot, ORDER);
}

/// `on_start` comes before all else.
fn start_new(local: &Rc<Local>, instance: &Rc<dyn Instance>) {
    if instance.common().phase.get() == Phase::New {
        Rc::clone(instance).start(local);
    }
}

/// Queues a tick for each timer that is due.
pub(super) fn ring(local: &Local) {
    if local.timers.is_empty() {
        return;
    }
    let now = now();
    while let Some((id, slot)) = local.timers.take_due(now) {
        enqueue(local, Mail::order(slot, Order::Tick(id)));
    }
}
