//! One entry of a mailbox: for which instance, of what kind, and how it came.

use std::cell::Cell;
use std::sync::atomic::Ordering;

use crate::id::Slot;
use crate::mailbox::buffers::Buffers;
use crate::mailbox::envelope::{Envelope, Gathered};
use crate::sys::frame::in_hook;

/// How a message was sent: what its mail says beside its receiver.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct SentAs {
    /// Whether it was sent in turn, so that a sibling of its receiver may take it over.
    pub(crate) in_turn: bool,
    /// Whether it holds a permit of the mailbox.
    pub(crate) permitted: bool,
}

impl SentAs {
    /// For a sibling that takes over a message which was sent in turn to another instance.
    pub(crate) const SUBSTITUTE: Self = Self { in_turn: true, permitted: false };
}

/// One entry of a mailbox: an envelope, or an order.
pub(crate) struct Mail {
    pub(crate) to: Slot,
    /// Until its push into a mailbox is over, the number of the thread that pushes it: 0 for orders, which no sender
    /// takes back. From then on its number in the order of arrival, where `thread/queue.rs` needs that.
    pub(crate) number: u64,
    /// How many messages are in it, or wait elsewhere for it; 0 for other orders.
    pub(crate) messages: u32,
    /// Whether it was sent in turn, so that a sibling of its receiver may take it over.
    pub(crate) in_turn: bool,
    /// Whether each of its messages holds a permit of the mailbox, until its handler begins.
    pub(crate) permitted: bool,
    /// Whether a hook has sent it.
    pub(crate) from_hook: bool,
    pub(crate) kind: MailKind,
    pub(crate) contents: MailContents,
}

#[cfg(target_pointer_width = "64")]
const _: () = assert!(size_of::<Mail>() <= 96, "mail is moved often");

/// The kind of an envelope's contents.
///
/// It stands in the mail, so that the receiving thread knows it without a look into the envelope. And so the callee of
/// a call that cannot be given up need not touch the place of the reply before it replies: the caller looks there all
/// the time while it waits, and the two would contend for it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum MailKind {
    /// A message. Orders have this kind too.
    Message,
    /// Any number of messages.
    Batch,
    /// A call that is never given up: its caller waits until the reply is there.
    Call,
    /// A call that its caller may give up.
    CancellableCall,
    /// Mail for several instances, which is taken apart where the thread takes it in: see `bundle.rs`.
    Bundle,
}

/// Whether the caller of a call may give it up before its handler begins.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cancellable {
    Yes,
    No,
}

/// The contents of mail.
pub(crate) enum MailContents {
    Envelope(Envelope),
    Order(Order),
}

/// Work for an instance or its thread, apart from handling messages.
#[derive(Clone, Copy)]
pub(crate) enum Order {
    /// Run `on_start`.
    Start,
    /// End the instance.
    End,
    /// Build the state of the instance afresh.
    Reset,
    /// Fire the timer with this number: it is due.
    Tick(u64),
    /// Look at the pipe with this number: it may be able to go on.
    Piped(u64),
    /// Handle the next message that waits for the instance in the inner queue.
    TakeInner,
    /// End the thread when all that came before is done with.
    Shutdown,
}

impl Mail {
    /// How much it adds to the load of its instance (`Account::add_load`).
    pub(crate) fn weight(&self) -> u64 {
        if self.messages == 0 { ORDER } else { u64::from(self.messages) }
    }

    /// It must be `signed` before it goes into a mailbox.
    #[inline(always)]
    pub(crate) fn message(to: Slot, envelope: Envelope, sent_as: SentAs) -> Self {
        let SentAs { in_turn, permitted } = sent_as;
        let contents = MailContents::Envelope(envelope);
        let (from_hook, kind) = (in_hook(), MailKind::Message);
        Self { to, number: 0, messages: 1, in_turn, permitted, from_hook, kind, contents }
    }

    /// Signs it with the number of the current thread, which takes it back if the mailbox was closed.
    #[inline(always)]
    pub(crate) fn signed(self) -> Self {
        Self { number: pusher(), ..self }
    }

    #[inline]
    pub(crate) fn call(to: Slot, envelope: Envelope, can_be_given_up: bool, sent_as: SentAs) -> Self {
        let kind = if can_be_given_up { MailKind::CancellableCall } else { MailKind::Call };
        Self { kind, ..Self::message(to, envelope, sent_as).signed() }
    }

    pub(crate) fn batch(to: Slot, envelope: Envelope, sent_as: SentAs) -> Self {
        let mut mail = Self { kind: MailKind::Batch, ..Self::message(to, envelope, sent_as).signed() };
        mail.recount();
        mail
    }

    #[inline(always)]
    pub(crate) fn order(to: Slot, order: Order) -> Self {
        let contents = MailContents::Order(order);
        let (in_turn, permitted, from_hook, kind) = (false, false, false, MailKind::Message);
        Self { to, number: 0, messages: 0, in_turn, permitted, from_hook, kind, contents }
    }

    /// Gives it a number in the order of arrival, if there is one.
    #[inline(always)]
    pub(crate) fn numbered(self, number: Option<u64>) -> Self {
        Self { number: number.unwrap_or(self.number), ..self }
    }

    /// Whether it is the order to run `on_start`.
    #[inline]
    pub(crate) fn is_start(&self) -> bool {
        matches!(self.contents, MailContents::Order(Order::Start))
    }

    /// Whether it stands for mail that waits in the inner queue.
    pub(crate) fn is_to_take(&self) -> bool {
        matches!(self.contents, MailContents::Order(Order::TakeInner))
    }

    /// The name of the type of the messages that it holds.
    pub(crate) fn name(&self) -> &'static str {
        match &self.contents {
            MailContents::Envelope(envelope) => envelope.name(),
            MailContents::Order(_) => "?",
        }
    }

    pub(crate) fn into_envelope(self) -> Option<Envelope> {
        match self.contents {
            MailContents::Envelope(envelope) => Some(envelope),
            MailContents::Order(_) => None,
        }
    }

    /// Whether a message for `to` that is sent in this way may be added to it: it came in the same way, and is not
    /// full.
    #[inline]
    pub(crate) fn takes(&self, to: Slot, sent_as: SentAs, from_hook: bool) -> bool {
        let in_same_way =
            (self.in_turn, self.permitted, self.from_hook) == (sent_as.in_turn, sent_as.permitted, from_hook);
        self.to == to && in_same_way && self.messages < GATHERED
    }

    /// Adds the message in `next` to it, if that is a single message for the same instance that came in the same way,
    /// and the batch is not full. So messages that come for one instance one after the other are handled as a batch.
    // Always: by a call each message of a batch costs 18 instructions more, and the compiler changes its mind about it
    // with what else is in the crate.
    #[inline(always)]
    pub(crate) fn gather(&mut self, next: &mut Self, buffers: &Buffers) -> bool {
        let sent_as = SentAs { in_turn: next.in_turn, permitted: next.permitted };
        if !self.takes(next.to, sent_as, next.from_hook) {
            return false;
        }
        let MailContents::Envelope(other) = &mut next.contents else { return false };
        self.join(next.messages, |envelope| envelope.gather(other, buffers))
    }

    /// Has `gather` add messages to its envelope, and counts them if they could be added.
    #[inline]
    pub(crate) fn join(&mut self, messages: u32, gather: impl FnOnce(&mut Envelope) -> Gathered) -> bool {
        let MailContents::Envelope(envelope) = &mut self.contents else { return false };
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

    /// Whether it is one message, sent without a call and in no batch.
    #[inline]
    pub(crate) fn is_one_message(&self) -> bool {
        self.kind == MailKind::Message && self.messages == 1 && matches!(self.contents, MailContents::Envelope(_))
    }

    #[inline]
    pub(crate) fn is_call(&self) -> bool {
        matches!(self.kind, MailKind::Call | MailKind::CancellableCall)
    }

    /// Corrects its number of messages, after some were taken out of the envelope.
    pub(crate) fn recount(&mut self) {
        if let MailContents::Envelope(envelope) = &self.contents {
            self.messages = u32::try_from(envelope.len()).unwrap_or(u32::MAX);
        }
    }
}

/// How many messages are gathered to a batch at most. With so many, the cost of the batch itself does not matter.
const GATHERED: u32 = 1_024;

/// The weight of an order. A load counts messages in its low half and orders in its high half.
pub(crate) const ORDER: u64 = 1 << 32;

/// The number of the current thread as a sender of mail: never 0, and never that of another thread.
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
