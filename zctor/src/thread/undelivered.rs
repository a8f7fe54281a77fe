//! Mail that its instance cannot take now is held, redirected, or becomes dead letters.
//!
//! - An instance that backs off takes its mail later: the mail is held until then (`held.rs`).
//! - An instance that has ended takes none. A sibling takes over mail that was sent in turn; other mail becomes dead
//!   letters.
//! - Once the edge is sealed, no mail is handled any more: all of it becomes dead letters.
//!
//! Two counts must go down when mail leaves the thread without being handled: the load of its instance
//! (`take_off_load`), and the messages that the thread has taken in (`pass`).

use crate::event::Undelivered;
use crate::id::{InstanceId, Slot};
use crate::mailbox::Mailbox;
use crate::mailbox::envelope::Undeliverable;
use crate::mailbox::mail::{Mail, MailContents, ORDER, Order};
use crate::sys::frame::as_hook_if;
use crate::thread::local::Local;
use crate::thread::owner::ThreadOwner;
use crate::thread::phase::Phase;

/// Gives up all that is held: the edge is sealed, and no instance comes back from its backoff.
pub(super) fn give_up_all(local: &Local) {
    local.held.take_all().for_each(|mail| give_up_one(local, mail));
}

/// Gives up the mail that is held for an instance that has ended.
#[inline]
pub(crate) fn give_up(local: &Local, slot: Slot) {
    if !local.held.is_empty() {
        give_up_those_of(local, slot);
    }
}

fn give_up_those_of(local: &Local, slot: Slot) {
    for mail in local.held.take(slot) {
        give_up_one(local, mail);
    }
}

fn give_up_one(local: &Local, mail: Mail) {
    take_off_load(local, mail.to, mail.weight());
    pass(local, mail.messages);
    divert_here(local, mail);
}

/// Puts the mail that was held for an instance back into the queue, before all that came later: its backoff is over.
pub(crate) fn requeue(local: &Local, slot: Slot, depth: u16) {
    let held = local.held.take(slot);
    local.hosting.borrow_mut().queue.push_front(depth, held.into_iter());
}

/// Queues `on_start` of an instance that was built again, before all else in its lane.
pub(crate) fn start_first(local: &Local, slot: Slot, depth: u16) {
    let mut hosting = local.hosting.borrow_mut();
    if let Some(account) = hosting.slots.account(slot) {
        account.add_load(ORDER);
    }
    hosting.queue.push_front(depth, std::iter::once(Mail::order(slot, Order::Start)));
}

/// Decides about mail that its instance has not taken, or only in part. Gives it back if it belongs where it was in the
/// queue; otherwise it is held, or given up.
#[cold]
pub(super) fn keep(local: &Local, mut mail: Mail) -> Option<Mail> {
    mail.recount();
    let sealed = local.mailbox.engine.edge.is_sealed();
    let instance = local.instance(mail.to).filter(|_| !sealed);
    match instance.map(|instance| instance.common().phase.get()) {
        // It is what is left of a batch; or the instance was built again, and its `on_start` comes first.
        Some(Phase::Live | Phase::New) => return Some(mail),
        Some(Phase::BackingOff) => local.held.hold(mail),
        Some(Phase::Ended) | None => {
            write_off(local, mail.to, mail.messages);
            if sealed { discard(&local.mailbox, mail) } else { divert_here(local, mail) }
        }
    }
    None
}

/// Gives up all that is left in the queue: the thread ends.
pub(super) fn clear_queue(local: &Local) {
    loop {
        let mail = local.hosting.borrow_mut().queue.pop(u32::MAX);
        let Some((_, mail)) = mail else { break };
        pass(local, mail.messages);
        divert_here(local, mail);
    }
}

/// Counts messages that were taken in and that another thread, or nobody, will handle.
pub(super) fn pass(local: &Local, messages: u32) {
    local.mailbox.meter.passed.add(u64::from(messages));
}

/// Takes mail off the load of its instance: it was dealt with.
pub(super) fn take_off_load(local: &Local, slot: Slot, weight: u64) {
    if let Some(account) = local.hosting.borrow().slots.account(slot) {
        account.take_off_load(weight);
    }
}

/// Counts messages that their instance, which is of this thread, will not handle: `take_off_load` and `pass` in one.
pub(crate) fn write_off(local: &Local, slot: Slot, messages: u32) {
    take_off_load(local, slot, u64::from(messages));
    pass(local, messages);
}

/// As `divert`, for mail of this thread.
pub(super) fn divert_here(local: &Local, mail: Mail) {
    divert(&local.mailbox, &*local.owner, mail);
}

/// Finds another receiver for mail whose instance has ended: a sibling, if the mail was sent in turn. Messages that no
/// sibling takes become dead letters.
pub(crate) fn divert(mailbox: &Mailbox, owner: &dyn ThreadOwner, mail: Mail) {
    let from_inner = mail.is_to_take();
    let Some(mail) = mailbox.resolve(mail) else { return };
    let mut mail = mailbox.give_back_permits_of(mail);
    let from_hook = mail.from_hook;
    if let (true, MailContents::Envelope(envelope)) = (mail.in_turn, &mut mail.contents) {
        // Messages of a hook stay marked as such.
        as_hook_if(from_hook, || owner.redirect(envelope, from_inner));
        mail.recount();
    }
    discard(mailbox, mail);
}

/// Makes dead letters of what is left in mail that nobody will handle, and ends its calls.
fn discard(mailbox: &Mailbox, mail: Mail) {
    let Some(mail) = mailbox.resolve(mail) else { return };
    let mut mail = mailbox.give_back_permits_of(mail);
    let incidents = &mailbox.engine.incidents;
    let why = if mailbox.engine.edge.is_sealed() { Undelivered::Stopped } else { Undelivered::Ended };
    let instance = InstanceId { thread: mailbox.thread, slot: mail.to };
    if let MailContents::Envelope(envelope) = &mut mail.contents {
        incidents.count(envelope.name(), envelope.len(), why);
        envelope.discard(Undeliverable { incidents, instance, why, from_hook: mail.from_hook });
    }
}
