//! Mail that its instance cannot take now: held, redirected, or dead.

use std::collections::VecDeque;

use crate::event::Undelivered;
use crate::id::{InstanceId, Slot};
use crate::mailbox::Mailbox;
use crate::mailbox::envelope::Grave;
use crate::mailbox::mail::{Mail, ORDER, Order, What};
use crate::sys::frame::as_hook;
use crate::thread::local::{AnyInstance, Local, Parent, Phase};

impl Local {
    /// The time is up: nobody waits any longer for instances that rest.
    pub(super) fn give_up_all(&self) {
        let instances = self.floor.borrow().instances();
        for instance in instances {
            self.give_up(instance.slot(), instance.take_held());
        }
    }

    /// Held mail of an instance that is back: to the place in the queue that it had.
    pub(crate) fn requeue(&self, depth: u16, held: VecDeque<Mail>) {
        self.held.set(self.held.get() - held.len());
        self.floor.borrow_mut().queue.push_front(depth, held.into_iter());
    }

    /// Held mail of an instance that will not come back.
    pub(crate) fn give_up(&self, slot: Slot, held: VecDeque<Mail>) {
        self.held.set(self.held.get() - held.len());
        for mail in held {
            self.get_done(slot, mail.weight());
            self.pass(mail.messages);
            self.divert(mail);
        }
    }

    /// What was taken in is given to others, or to nobody.
    pub(super) fn pass(&self, messages: u32) {
        self.mailbox.meter.passed.add(u64::from(messages));
    }

    // What lies here for an instance.

    pub(super) fn get_done(&self, slot: Slot, weight: u64) {
        if let Some(account) = self.floor.borrow().account(slot) {
            account.get_done(weight);
        }
    }

    /// So many messages of an instance of this thread are given to others, or to nobody.
    pub(crate) fn settle_account(&self, slot: Slot, messages: u32) {
        self.get_done(slot, u64::from(messages));
        self.pass(messages);
    }

    /// `on_start` of an instance that was built again: before all else that is queued for it.
    pub(crate) fn start_first(&self, slot: Slot, depth: u16) {
        let mut floor = self.floor.borrow_mut();
        if let Some(account) = floor.account(slot) {
            account.take_in(ORDER);
        }
        floor.queue.push_front(depth, std::iter::once(Mail::order(slot, Order::Start)));
    }

    /// Mail that was not delivered, or not all of it: stays where it was, waits for its instance, or is given up.
    #[cold]
    pub(super) fn keep(&self, mut mail: Mail) -> Option<Mail> {
        mail.recount();
        let sealed = self.mailbox.edge.is_sealed();
        let instance = self.instance(mail.to).filter(|_| !sealed);
        match instance.as_ref().map(|instance| (instance, instance.common().phase.get())) {
            // The rest of a batch, or it was reset, and its `on_start` comes first.
            Some((_, Phase::Live | Phase::New)) => return Some(mail),
            Some((instance, Phase::Resting)) => self.hold(&**instance, mail),
            Some((_, Phase::Ended)) | None => {
                self.settle_account(mail.to, mail.messages);
                if sealed { bury(&self.mailbox, mail) } else { self.divert(mail) }
            }
        }
        None
    }

    /// Keeps mail for an instance that rests.
    pub(super) fn hold(&self, instance: &dyn AnyInstance, mail: Mail) {
        self.held.set(self.held.get() + 1);
        instance.hold(mail);
    }

    /// What the thread had taken in and did not come to.
    pub(super) fn clear_queue(&self) {
        loop {
            let mail = self.floor.borrow_mut().queue.pop(u32::MAX);
            match mail {
                Some((_, mail)) => {
                    self.pass(mail.messages);
                    self.divert(mail);
                }
                None => break,
            }
        }
    }
}

impl Local {
    /// Mail whose instance has ended.
    pub(super) fn divert(&self, mail: Mail) {
        divert(&self.mailbox, &*self.parent, mail);
    }
}

/// Mail whose instance has ended: if rotation had chosen that, a sibling takes over; else it is a dead letter.
pub(crate) fn divert(mailbox: &Mailbox, parent: &dyn Parent, mail: Mail) {
    let mut mail = mailbox.release(mail);
    let from_hook = mail.from_hook;
    if let (true, What::Letter(letter)) = (mail.rotated, &mut mail.what) {
        // What a hook had sent stays known for that.
        as_hook(from_hook, || parent.redirect(letter));
        mail.recount();
    }
    bury(mailbox, mail);
}

/// Nobody will handle it: what is left in it are dead letters, and calls end.
fn bury(mailbox: &Mailbox, mail: Mail) {
    let mut mail = mailbox.release(mail);
    let losses = &mailbox.edge.losses;
    let why = if mailbox.edge.is_sealed() { Undelivered::Stopped } else { Undelivered::Ended };
    let instance = InstanceId { thread: mailbox.thread, slot: mail.to };
    if let What::Letter(letter) = &mut mail.what {
        losses.count(letter.len(), why);
        letter.bury(Grave { losses, instance, why, from_hook: mail.from_hook });
    }
}
