//! The next mail, to its instance.

use std::rc::Rc;

use crate::id::Slot;
use crate::mailbox::envelope::{Gathered, Letter, Serving};
use crate::mailbox::mail::{How, Kind, Mail, ORDER, Order, What};
use crate::sys::clock::now;
use crate::sys::frame::in_hook;
use crate::thread::local::{AnyInstance, LOCAL, Local, Phase, local};

/// Queues mail for an instance of the actor thread that this code runs on. It comes back if that is no more: while its
/// locals are going.
#[inline(never)]
pub(crate) fn enqueue_here(mail: Mail) -> Option<Mail> {
    match local() {
        Some(local) => {
            local.enqueue(mail);
            None
        }
        None => Some(mail),
    }
}

/// Queues a message for an instance of the actor thread that this code runs on, which takes mail: by `add` in the letter that
/// was queued last, if that is for the same instance and came in the same way, so that what a handler sends to one neighbour
/// again and again travels as a batch; else as mail of its own, by `make`. Both take the message out of its place. `false` if
/// that thread is no more.
#[inline]
pub(crate) fn send_here<P>(
    place: &mut P,
    (slot, depth): (Slot, u16),
    how: How,
    add: impl FnOnce(&mut Letter, &mut P) -> Gathered,
    make: impl FnOnce(&mut P) -> Mail,
) -> bool {
    let send = |local: &Local| {
        let mut floor = local.floor.borrow_mut();
        if let Some(account) = floor.account(slot) {
            account.take_in(1);
        }
        local.mailbox.meter.taken.add(1);
        let queue = &mut floor.queue;
        let last = queue.last(depth).filter(|mail| mail.takes(slot, how, in_hook()));
        if last.is_some_and(|mail| mail.join(1, |letter| add(letter, place))) {
            return;
        }
        queue.push(depth, false, || make(place));
    };
    // Borrowed all the while: nothing but the runtime's own code runs.
    LOCAL.try_with(|local| local.borrow().as_deref().map(send)).is_ok_and(|sent| sent.is_some())
}

impl Local {
    /// Moves mail from the mailbox to the queue; `true` if the mailbox was emptied.
    pub(super) fn take_in(&self) -> bool {
        let mut arrivals = self.mailbox.take();
        let (emptied, counted) = (arrivals.is_none(), arrivals.counted as u64);
        if !emptied {
            // For all of it at once: nothing but the runtime's own code runs meanwhile.
            let mut floor = self.floor.borrow_mut();
            let mut messages = 0;
            // It stays in this place if it joins a batch.
            let mut place = None;
            arrivals.next_into(&mut place);
            while let Some(mail) = &place {
                if let What::Order(Order::Shutdown) = mail.what {
                    self.ending.set(true);
                    arrivals.next_into(&mut place);
                } else {
                    messages += floor.take_in(&mut place, &mut arrivals, &self.mailbox.spares);
                }
            }
            self.mailbox.meter.taken.add(messages.wrapping_sub(counted));
        }
        if self.ending.get() && self.held.get() > 0 && self.mailbox.edge.is_sealed() {
            self.give_up_all();
        }
        emptied
    }

    /// Queues mail for an instance of this thread.
    #[inline]
    pub(crate) fn enqueue(&self, mail: Mail) {
        self.mailbox.meter.taken.add(u64::from(mail.messages));
        self.floor.borrow_mut().enqueue(mail);
    }

    /// Serves the next mail below a depth, of a batch at most `budget` messages; what is left of that goes back to
    /// where it was. Gives how much was done: 0 if there is nothing to do.
    pub(super) fn serve_one(self: &Rc<Self>, below: u32, budget: usize) -> usize {
        let mut floor = self.floor.borrow_mut();
        let Some((depth, lane)) = floor.queue.take_turn(below) else { return 0 };
        // It stays in this place, for each time that it is moved costs more than all else that is done with it.
        let mut place = lane.pop_front();
        let Some(mail) = &mut place else { return 0 };
        let instance = floor.instance(mail.to);
        // What a call lets pass is one message, not a batch.
        let budget = if floor.queue.waiting > 0 { 1 } else { budget };
        drop(floor);
        let messages = mail.messages;
        let serving = Serving { budget, permitted: mail.permitted, from_hook: mail.from_hook };
        let Some(instance) = instance else {
            self.pass(messages);
            place.into_iter().for_each(|mail| self.divert(mail));
            return messages.max(1) as usize;
        };
        let letter = match &mut mail.what {
            What::Letter(letter) => letter,
            What::Order(order) => {
                self.obey(instance, mail.to, *order);
                return 1;
            }
        };
        let comes_back = messages as usize > budget;
        if comes_back {
            self.floor.borrow_mut().queue.in_hand += 1;
        }
        let content = letter.content();
        let all_done = match mail.kind {
            Kind::Message => instance.handle_message(self, serving, content),
            Kind::Batch => instance.handle_batch(self, serving, content),
            Kind::Call => instance.handle_call(self, serving, content, false),
            Kind::CancellableCall => instance.handle_call(self, serving, content, true),
        };
        if comes_back {
            self.floor.borrow_mut().queue.in_hand -= 1;
        }
        let mut done = messages;
        if !all_done {
            if let Some(left) = place.and_then(|mail| self.keep(mail)) {
                done -= left.messages;
                self.floor.borrow_mut().queue.put_back(depth, left);
            }
        }
        done.max(1) as usize
    }

    /// Does what an order says.
    fn obey(self: &Rc<Self>, instance: Rc<dyn AnyInstance>, slot: Slot, order: Order) {
        match order {
            Order::Tick(id) => {
                self.start_new(&instance);
                instance.tick(self, id);
            }
            Order::Piped(id) => {
                self.start_new(&instance);
                instance.piped(self, id);
            }
            Order::Start => instance.start(self),
            Order::Shutdown => self.ending.set(true),
            // In its place: after what an instance that rests still has to handle.
            Order::End if instance.common().phase.get() == Phase::Resting && instance.holds_mail() => {
                return self.hold(&*instance, Mail::order(slot, order));
            }
            Order::End => {
                Rc::clone(&instance).start(self);
                instance.end(self);
            }
        }
        self.get_done(slot, ORDER);
    }

    /// `on_start` comes before all else.
    fn start_new(self: &Rc<Self>, instance: &Rc<dyn AnyInstance>) {
        if instance.common().phase.get() == Phase::New {
            Rc::clone(instance).start(self);
        }
    }

    /// Queues a tick for each timer that is due.
    pub(super) fn ring(&self) {
        if self.timers.borrow().is_empty() {
            return;
        }
        let now = now();
        loop {
            let due = {
                let mut timers = self.timers.borrow_mut();
                match timers.first_key_value() {
                    Some(((due, _), _)) if *due <= now => timers.pop_first(),
                    _ => None,
                }
            };
            let Some(((_, id), slot)) = due else { break };
            self.enqueue(Mail::order(slot, Order::Tick(id)));
        }
    }
}
