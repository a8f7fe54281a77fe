//! One entry of a mailbox: for whom, of what kind, and how it came.

use std::cell::Cell;
use std::sync::atomic::Ordering;

use crate::id::Slot;
use crate::mailbox::buffers::Buffers;
use crate::mailbox::envelope::{Envelope, Gathered};
use crate::sys::frame::in_hook;

/// What an envelope says beside its message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct How {
    /// Rotation had chosen its receiver.
    pub(crate) rotated: bool,
    /// Its messages hold permits of the mailbox.
    pub(crate) permitted: bool,
}

impl How {
    /// To one that takes over what rotation had given to another.
    pub(crate) const TO_SUBSTITUTE: Self = Self { rotated: true, permitted: false };
}

/// What a mailbox holds.
pub(crate) struct Mail {
    pub(crate) to: Slot,
    /// Until its push into a mailbox is over, names the thread that pushes it: 0 for orders, which nobody takes back. Then
    /// it is its place in the order of arrival on its thread, where that needs to be known (`lanes.rs`).
    pub(crate) number: u64,
    /// Messages in it.
    pub(crate) messages: u32,
    /// Whether its instance was chosen by rotation, so that a sibling may take it over.
    pub(crate) rotated: bool,
    /// Each of its messages holds a permit of the mailbox, until it is begun.
    pub(crate) permitted: bool,
    /// A hook had sent it.
    pub(crate) from_hook: bool,
    pub(crate) kind: MailKind,
    pub(crate) what: What,
}

#[cfg(target_pointer_width = "64")]
const _: () = assert!(size_of::<Mail>() <= 96, "mail is moved often");

/// What is in an envelope. Here, so that its receiver knows without looking into it; and so that the callee of a call that nobody
/// gives up need not look where its reply will lie before that is there: the caller looks there all the while, and the two
/// would contend for it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum MailKind {
    /// A message; or an order.
    Message,
    /// Any number of messages.
    Batch,
    /// A call whose caller waits until the reply is there.
    Call,
    /// A call whose caller may give up.
    CancellableCall,
}

pub(crate) enum What {
    Envelope(Envelope),
    Order(Order),
}

/// What an instance or its thread is to do beside handling messages.
#[derive(Clone, Copy)]
pub(crate) enum Order {
    /// Run `on_start`.
    Start,
    /// End the instance.
    End,
    /// A timer is due.
    Tick(u64),
    /// A pipe's future can go on.
    Piped(u64),
    /// End the thread when all that came before is done.
    Shutdown,
}

impl Mail {
    /// What it counts for in `Account::take_in`.
    pub(crate) fn weight(&self) -> u64 {
        if self.messages == 0 { ORDER } else { u64::from(self.messages) }
    }

    /// An envelope with one message. It goes into no mailbox before it is `signed`.
    #[inline(always)]
    pub(crate) fn message(to: Slot, envelope: Envelope, how: How) -> Self {
        let How { rotated, permitted } = how;
        let what = What::Envelope(envelope);
        let (from_hook, kind) = (in_hook(), MailKind::Message);
        Self { to, number: 0, messages: 1, rotated, permitted, from_hook, kind, what }
    }

    /// For any mailbox: this thread takes it back if that has closed.
    #[inline(always)]
    pub(crate) fn signed(self) -> Self {
        Self { number: pusher(), ..self }
    }

    /// An envelope with a message that asks for a reply.
    #[inline]
    pub(crate) fn call(to: Slot, envelope: Envelope, can_be_given_up: bool, how: How) -> Self {
        let kind = if can_be_given_up { MailKind::CancellableCall } else { MailKind::Call };
        Self { kind, ..Self::message(to, envelope, how).signed() }
    }

    /// An envelope with any number of messages.
    pub(crate) fn batch(to: Slot, envelope: Envelope, how: How) -> Self {
        let mut mail = Self { kind: MailKind::Batch, ..Self::message(to, envelope, how).signed() };
        mail.recount();
        mail
    }

    /// Something that is no message.
    #[inline(always)]
    pub(crate) fn order(to: Slot, order: Order) -> Self {
        let what = What::Order(order);
        let (rotated, permitted, from_hook, kind) = (false, false, false, MailKind::Message);
        Self { to, number: 0, messages: 0, rotated, permitted, from_hook, kind, what }
    }

    /// With its place in the order of arrival, where that needs to be known.
    #[inline(always)]
    pub(crate) fn numbered(self, number: Option<u64>) -> Self {
        Self { number: number.unwrap_or(self.number), ..self }
    }

    pub(crate) fn into_envelope(self) -> Option<Envelope> {
        match self.what {
            What::Envelope(envelope) => Some(envelope),
            What::Order(_) => None,
        }
    }

    /// Whether a message for `to`, on its way in the way told, may be added to it.
    #[inline]
    pub(crate) fn takes(&self, to: Slot, how: How, from_hook: bool) -> bool {
        let in_same_way = (self.rotated, self.permitted, self.from_hook) == (how.rotated, how.permitted, from_hook);
        self.to == to && in_same_way && self.messages < GATHERED
    }

    /// Adds what is in `next` to it, if that is a single message to the same instance that came in the same way, and there is
    /// room: what comes one after another for one instance is handled as a batch.
    #[inline]
    pub(crate) fn gather(&mut self, next: &mut Self, buffers: &Buffers) -> bool {
        let how = How { rotated: next.rotated, permitted: next.permitted };
        if !self.takes(next.to, how, next.from_hook) {
            return false;
        }
        let What::Envelope(other) = &mut next.what else { return false };
        self.join(next.messages, |envelope| envelope.gather(other, buffers))
    }

    /// Adds messages to its envelope by `gather`, if they are for that.
    #[inline]
    pub(crate) fn join(&mut self, messages: u32, gather: impl FnOnce(&mut Envelope) -> Gathered) -> bool {
        let What::Envelope(envelope) = &mut self.what else { return false };
        match gather(envelope) {
            Gathered::Not => return false,
            Gathered::Joined => {}
            Gathered::Batch(batch) => {
                *envelope = batch;
                self.kind = MailKind::Batch;
            }
        }
        self.messages += messages;
        true
    }

    /// Whether somebody waits for its reply.
    #[inline]
    pub(crate) fn is_call(&self) -> bool {
        matches!(self.kind, MailKind::Call | MailKind::CancellableCall)
    }

    /// Some of its messages were delivered.
    pub(crate) fn recount(&mut self) {
        if let What::Envelope(envelope) = &self.what {
            self.messages = u32::try_from(envelope.len()).unwrap_or(u32::MAX);
        }
    }
}

/// Messages that are gathered to a batch at most: enough that what a batch costs does not count.
const GATHERED: u32 = 1_024;

/// The weight of an order: the low half of a load counts messages.
pub(crate) const ORDER: u64 = 1 << 32;

/// A number for the current thread, never 0 and never given to two.
#[inline]
pub(super) fn pusher() -> u64 {
    use std::sync::atomic::AtomicU64; // under loom too: it only counts
    static NEXT: AtomicU64 = AtomicU64::new(1);
    thread_local! {
        static NUMBER: Cell<u64> = const { Cell::new(0) };
    }
    NUMBER.with(|number| {
        if number.get() == 0 {
            number.set(NEXT.fetch_add(1, Ordering::Relaxed));
        }
        number.get()
    })
}
