//! Gives the next mail to its instance: takes it out of the queue, and has the instance handle it.

use std::rc::Rc;

use crate::id::Slot;
use crate::mailbox::envelope::Serving;
use crate::mailbox::mail::{Cancellable, Mail, MailContents, MailKind, ORDER, Order};
use crate::sys::simulated::in_world;
use crate::thread::local::{Hosting, Instance, Local};
use crate::thread::phase::Phase;
use crate::thread::undelivered::{divert_here, keep, pass, take_off_load, write_off};
use crate::trace::spans;
use crate::trace::spans::InSpans;

/// Serves mail of call depths below `below`, at most `budget` messages, where an order counts as one. Gives the number
/// of messages that were dealt with; fewer than `budget` if there was no more to do.
pub(super) fn serve(local: &Rc<Local>, below: u32, budget: usize) -> usize {
    // In a simulation each message has a point of its own, which stands before a batch is handled.
    in_world(|| Some(serve_pieces(local, below, budget, 1)))
        .unwrap_or_else(|| serve_pieces(local, below, budget, usize::MAX))
}

/// As `serve`. Of a batch, at most `piece` messages are served before a look at the queue.
#[inline(always)]
fn serve_pieces(local: &Rc<Local>, below: u32, budget: usize, piece: usize) -> usize {
    let mut served = 0;
    while served < budget {
        match serve_next(local, below, piece.min(budget - served)) {
            0 => break,
            done => served += done,
        }
    }
    served
}

/// Serves the next mail: of a batch at most `budget` messages, and the part that is left goes back to its place in the
/// queue. Gives the number of messages that were dealt with; 0 if there was nothing to do.
#[inline(always)]
fn serve_next(local: &Rc<Local>, below: u32, budget: usize) -> usize {
    let mut hosting = local.hosting.borrow_mut();
    let Hosting { slots, queue, .. } = &mut *hosting;
    let Some((depth, lane)) = queue.choose_next(below) else { return 0 };
    // The mail stays in this variable: each move of it would cost more than all else that is done with it.
    let mut place = lane.pop_front();
    let Some(mail) = &mut place else { return 0 };
    let instance = slots.instance(mail.to);
    // A call that waits to go ahead lets one message pass, not a batch.
    let budget = if queue.waiting > 0 { 1 } else { budget };
    drop(hosting);
    let messages = mail.messages;
    let Some(instance) = instance else {
        pass(local, messages);
        place.into_iter().for_each(|mail| divert_here(local, mail));
        return messages.max(1) as usize;
    };
    let envelope = match &mut mail.contents {
        MailContents::Envelope(envelope) => envelope,
        MailContents::Order(order) => {
            let order = *order;
            obey(local, instance, mail, order, depth);
            return 1;
        }
    };
    let comes_back = messages as usize > budget;
    if comes_back {
        local.hosting.borrow_mut().queue.in_hand += 1;
    }
    let in_spans = InSpans::receive(mail.from_hook, || envelope.sent_from());
    let serving = Serving { budget, permitted: mail.permitted, in_spans };
    let content = envelope.content();
    let all_done = match mail.kind {
        // Of a single message the instance ends the measurement itself: here that would cost each message a look.
        MailKind::Message => instance.handle_message(local, serving, content),
        MailKind::Batch => measured(local, mail.to, || instance.handle_batch(local, serving, content)),
        MailKind::Call => measured(local, mail.to, || instance.handle_call(local, serving, content, Cancellable::No)),
        MailKind::CancellableCall => {
            measured(local, mail.to, || instance.handle_call(local, serving, content, Cancellable::Yes))
        }
        MailKind::Bundle => unreachable!("it is taken apart where it is taken in"),
    };
    if comes_back {
        local.hosting.borrow_mut().queue.in_hand -= 1;
    }
    let mut done = messages;
    if !all_done {
        spans::forget();
        if let Some(left) = place.and_then(|mail| keep(local, mail)) {
            done -= left.messages;
            local.hosting.borrow_mut().queue.put_back(depth, left);
        }
    }
    done.max(1) as usize
}

/// Has mail handled, and ends the measurement of its last handler, if that is measured.
#[inline(always)]
fn measured(local: &Local, slot: Slot, handle: impl FnOnce() -> bool) -> bool {
    let all_done = handle();
    local.measured.end(slot);
    all_done
}

/// Serves the message in the inner queue that an order stands for; or keeps the order, if its instance takes no
/// messages now.
#[inline(never)]
fn serve_inner(local: &Rc<Local>, instance: &Rc<dyn Instance>, order: Mail, depth: u16) {
    start_new(local, instance);
    // Read first: once the message is taken out, its place in the inner queue is lost.
    let takes_messages = instance.common().phase.get() == Phase::Live && !local.mailbox.engine.edge.is_sealed();
    if !takes_messages {
        if let Some(order) = keep(local, order) {
            local.hosting.borrow_mut().queue.put_back(depth, order);
        }
        return;
    }
    let slot = order.to;
    let Some(mut mail) = local.mailbox.resolve(order) else { return write_off(local, slot, 1) };
    let MailContents::Envelope(envelope) = &mut mail.contents else { return };
    let in_spans = InSpans::receive(mail.from_hook, || envelope.sent_from());
    let serving = Serving { budget: 1, permitted: false, in_spans };
    let (content, instance) = (envelope.content(), Rc::clone(instance));
    let is_done = match mail.kind {
        MailKind::Message | MailKind::Batch => instance.handle_message(local, serving, content),
        MailKind::Call => measured(local, slot, || instance.handle_call(local, serving, content, Cancellable::No)),
        MailKind::CancellableCall => {
            measured(local, slot, || instance.handle_call(local, serving, content, Cancellable::Yes))
        }
        MailKind::Bundle => unreachable!("the inner queue has none"),
    };
    // The edge was sealed this very moment.
    if !is_done {
        spans::forget();
        if let Some(left) = keep(local, mail) {
            local.hosting.borrow_mut().queue.put_back(depth, left);
        }
    }
}

fn obey(local: &Rc<Local>, instance: Rc<dyn Instance>, mail: &Mail, order: Order, depth: u16) {
    let slot = mail.to;
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
        Order::TakeInner => {
            let order = Mail { number: mail.number, ..Mail::to_take(slot, mail.kind) };
            return serve_inner(local, &instance, order, depth);
        }
        Order::Shutdown => local.ending.set(true),
        // They keep their place: behind the mail that is held for an instance that backs off.
        Order::End | Order::Reset if instance.common().phase.get() == Phase::BackingOff && local.held.has(slot) => {
            return local.held.hold(Mail::order(slot, order));
        }
        Order::Reset => {
            Rc::clone(&instance).start(local);
            instance.reset(local);
        }
        // It leaves with its account, which no order is taken off any more.
        Order::End => return instance.end(local),
    }
    take_off_load(local, slot, ORDER);
}

/// Runs `on_start` if it has not run yet: it comes before all else.
fn start_new(local: &Rc<Local>, instance: &Rc<dyn Instance>) {
    if instance.common().phase.get() == Phase::New {
        Rc::clone(instance).start(local);
    }
}
