//! A packet: a message on its way to another engine, and the receipt by which its sender is told of it.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Instant;

use crate::error::CallError;
use crate::event::Undelivered;
use crate::remote::ledger::TakenTogether;
use crate::remote::partition::Route;
use crate::remote::wire::Format;

/// A message as bytes, with all that the other side must know of it.
#[derive(Debug)]
pub struct Packet<'a> {
    /// The message. One that has arrived may lie where it was received, and is copied only if it has to wait.
    pub bytes: Cow<'a, [u8]>,
    /// How it is written. Its reply is written alike.
    pub format: Format,
    /// For a call.
    pub call: Option<CallHeader>,
    /// A handler has sent it: no bound refuses it, and it waits for no room.
    pub inside: bool,
    /// To which instances it goes.
    pub route: Route,
    /// The key that its client is bound to, in MessagePack: it beats that of the message.
    pub key: Option<Arc<[u8]>>,
}

impl Packet<'_> {
    pub(super) fn into_owned(self) -> Packet<'static> {
        Packet { bytes: Cow::Owned(self.bytes.into_owned()), ..self }
    }
}

/// The conditions of a call.
#[derive(Clone, Debug)]
pub struct CallHeader {
    /// The deadline.
    pub until: Option<Instant>,
    /// The call depth that the sender counts the callee at: that of its own version of the enum. A handler may wait for
    /// the reply, so the callee must be no deeper.
    pub depth: u32,
    /// The sender does not know whether the variant has a reply. If it has none, the message is sent, not called.
    pub or_send: bool,
    /// It comes out of a work queue, and nobody waits for the reply. The reply is empty if the message was handled,
    /// else the text that says why not.
    pub queued: bool,
}

/// Carries packets to the other side.
pub trait Carrier: Send + Sync {
    /// Sends a packet to the pool of this name. It waits for nothing.
    fn carry(&self, wire: &'static str, packet: Packet<'static>, receipt: Box<dyn Receipt>);
    /// Has a message of a durable variant, which was sent and not called, kept until it is handled. It waits for nothing.
    /// A carrier that keeps none sends it.
    fn store(&self, wire: &'static str, packet: Packet<'static>, receipt: Box<dyn Receipt>) {
        self.carry(wire, packet, receipt);
    }
}

/// The way back to the sender of a packet.
pub trait Receipt: Send {
    /// The message is in no mailbox yet: others are before it, or it waits for room.
    fn waits(&mut self) {}
    /// Gives the permit of a send back, which is not in a mailbox yet: its sender has more room than its link.
    fn lend_with(&mut self, _others: &mut TakenTogether) {}
    /// The message is in a mailbox. Of a send nothing more is told.
    fn taken(&mut self);
    /// The same, for one of several receipts that are told so at once.
    fn taken_with(&mut self, _others: &mut TakenTogether) {
        self.taken();
    }
    /// Tells the sender the outcome of a call, or why a send is in no mailbox.
    fn answer(self: Box<Self>, answer: Answer);
}

/// Sends of one sender that have come together, in MessagePack.
#[expect(missing_debug_implementations, reason = "only crates that carry packets see it")]
pub struct Pack<'a> {
    /// The messages.
    pub messages: Vec<&'a [u8]>,
    /// Handlers have sent them.
    pub inside: bool,
    /// To which instances each goes.
    pub route: Route,
}

/// The way back to the sender of a pack.
pub trait PackReceipt {
    /// That of the message at this place alone.
    fn of(&self, place: usize) -> Box<dyn Receipt>;
    /// All messages are in mailboxes. Nothing more is told.
    fn taken(&self);
}

/// The answer of the other side to a packet.
#[derive(Debug)]
pub enum Answer {
    /// The reply.
    Reply(Vec<u8>),
    /// Nobody serves the pool, or it has no instance.
    Unreachable,
    /// The engine of the pool has stopped.
    Stopped,
    /// There is no room.
    Full,
    /// It cannot go through bytes, or is not understood.
    Unfit(Arc<str>),
    /// A handler may not wait for it.
    Undeclared,
    /// Its handler has panicked, with this text.
    Panicked(Arc<str>),
    /// The reply was dropped.
    NoReply,
    /// The way to the other side broke while it was under way: it may have been handled, or not.
    Lost,
    /// Its time was up.
    Timeout {
        /// Its handler had begun.
        begun: bool,
    },
}

impl Answer {
    /// The outcome of a call to messages of this name.
    pub(super) fn of_call(self, message: &'static str) -> Result<Vec<u8>, CallError> {
        Err(match self {
            Self::Reply(bytes) => return Ok(bytes),
            Self::Unreachable => CallError::NotRegistered { message },
            Self::Stopped => CallError::Stopped { message },
            Self::Full => CallError::Full { message },
            Self::Unfit(text) => CallError::Unfit { message, text },
            Self::Undeclared => CallError::Undeclared { message, caller: None },
            Self::Panicked(text) => CallError::Panicked { message, text },
            Self::NoReply => CallError::NoReply { message },
            Self::Lost => CallError::Lost { message },
            Self::Timeout { begun } => CallError::Timeout { message, begun },
        })
    }

    /// Why a send is in no mailbox.
    pub(super) fn of_send(&self) -> Undelivered {
        match self {
            Self::Full => Undelivered::Full,
            Self::Unfit(_) => Undelivered::Unfit,
            Self::Lost => Undelivered::Lost,
            _ => Undelivered::Unreachable,
        }
    }
}

impl From<CallError> for Answer {
    fn from(error: CallError) -> Self {
        match error {
            CallError::NotRegistered { .. } => Self::Unreachable,
            CallError::Stopped { .. } => Self::Stopped,
            CallError::Full { .. } => Self::Full,
            CallError::Unfit { text, .. } => Self::Unfit(text),
            CallError::Undeclared { .. } => Self::Undeclared,
            CallError::Panicked { text, .. } => Self::Panicked(text),
            CallError::NoReply { .. } => Self::NoReply,
            CallError::Lost { .. } => Self::Lost,
            CallError::Timeout { begun, .. } => Self::Timeout { begun },
            // No handler waits for what is served.
            CallError::HandlerTimeout { .. } => Self::Timeout { begun: true },
        }
    }
}
