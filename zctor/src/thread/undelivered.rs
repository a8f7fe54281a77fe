//! Mail that its instance cannot take now: held, redirected, or dead.

use crate::event::Undelivered;
use crate::id::{InstanceId, Slot};
use crate::mailbox::Mailbox;
use crate::mailbox::envelope::Undeliverable;
use crate::mailbox::mail::{Mail, ORDER, Order, What};
use crate::sys::frame::as_hook;
use crate::thread::local::{Local, Parent, Phase};

/// The time is up: nobody waits any longer for instances that rest.
pub(super) fn give_up_all(local: &Local) {
    local.held.take_all().for_each(|mail| give_up_one(local, mail));
}

/// What is held for an instance that will not come back.
pub(crate) fn give_up(local: &Local, slot: Slot) {
    for mail in local.held.take(slot) {
        give_up_one(local, mail);
    }
}

fn give_up_one(local: &Local, mail: Mail) {
    get_done(local, mail.to, mail.weight());
    pass(local, mail.messages);
    divert_here(local, mail);
}

/// What is held for an instance that is back: to the place in the queue that it had.
pub(crate) fn requeue(local: &Local, slot: Slot, depth: u16) {
    let held = local.held.take(slot);
    local.hosting.borrow_mut().queue.push_front(depth, held.into_iter());
}

/// `on_start` of an instance that was built again: before all else that is queued for it.
pub(crate) fn start_first(local: &Local, slot: Slot, depth: u16) {
    let mut hosting = local.hosting.borrow_mut();
    if let Some(account) = hosting.slots.account(slot) {
        account.take_in(ORDER);
    }
    hosting.queue.push_front(depth, std::iter::once(Mail::order(slot, Order::Start)));
}

/// Mail that was not delivered, or not all of it: stays where it was, waits for its instance, or is given up.
#[cold]
pub(super) fn keep(local: &Local, mut mail: Mail) -> Option<Mail> {
    mail.recount();
    let sealed = local.mailbox.edge.is_sealed();
    let instance = local.instance(mail.to).filter(|_| !sealed);
    match instance.map(|instance| instance.common().phase.get()) {
        // The rest of a batch, or it was reset, and its `on_start` comes first.
        Some(Phase::Live | Phase::New) => return Some(mail),
        Some(Phase::BackingOff) => local.held.hold(mail),
        Some(Phase::Ended) | None => {
            write_off(local, mail.to, mail.messages);
            if sealed { discard(&local.mailbox, mail) } else { divert_here(local, mail) }
        }
    }
    None
}

/// What the thread had taken in and did not come to.
pub(super) fn clear_queue(local: &Local) {
    loop {
        let mail = local.hosting.borrow_mut().queue.pop(u32::MAX);
        let Some((_, mail)) = mail else { break };
        pass(local, mail.messages);
        divert_here(local, mail);
    }
}

/// What was taken in is given to others, or to nobody.
pub(super) fn pass(local: &Local, messages: u32) {
    local.mailbox.meter.passed.add(u64::from(messages));
}

/// What lay here for an instance was dealt with.
pub(super) fn get_done(local: &Local, slot: Slot, weight: u64) {
    if let Some(account) = local.hosting.borrow().slots.account(slot) {
        account.get_done(weight);
    }
}

/// So many messages of an instance of this thread are given to others, or to nobody.
pub(crate) fn write_off(local: &Local, slot: Slot, messages: u32) {
    get_done(local, slot, u64::from(messages));
    pass(local, messages);
}

/// Mail of this thread whose instance has ended.
pub(super) fn divert_here(local: &Local, mail: Mail) {
    divert(&local.mailbox, &*local.parent, mail);
}

/// Mail whose instance has ended: if rotation had chosen that, a sibling takes over; else it is a dead letter.
pub(crate) fn divert(mailbox: &Mailbox, parent: &dyn Parent, mail: Mail) {
    let mut mail = mailbox.release(mail);
    let from_hook = mail.from_hook;
    if let (true, What::Envelope(envelope)) = (mail.rotated, &mut mail.what) {
        // What a hook had sent stays known for that.
        as_hook(from_hook, || parent.redirect(envelope));
        mail.recount();
    }
    discard(mailbox, mail);
}

/// Nobody will handle it: what is left in it are dead letters, and calls end.
fn discard(mailbox: &Mailbox, mail: Mail) {
    let mut mail = mailbox.release(mail);
    let losses = &mailbox.edge.losses;
    let why = if mailbox.edge.is_sealed() { Undelivered::Stopped } else { Undelivered::Ended };
    let instance = InstanceId { thread: mailbox.thread, slot: mail.to };
    if let What::Envelope(envelope) = &mut mail.what {
        losses.count(envelope.len(), why);
        envelope.discard(Undeliverable { losses, instance, why, from_hook: mail.from_hook });
    }
}
