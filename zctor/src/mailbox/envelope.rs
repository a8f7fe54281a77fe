//! A message, a call or a batch whose type is erased. Small contents lie inline, and larger ones in a box.

use std::any::{Any, TypeId};

use smallbox::{SmallBox, smallbox};

use crate::event::Undelivered;
use crate::id::InstanceId;
use crate::mailbox::buffers::Buffers;
use crate::mailbox::dead_letters::Incidents;
use crate::trace::spans::{InSpans, SentFrom};

/// How many words an envelope holds inline: enough for a message of four words with the port of its call.
const INLINE: usize = 7;

/// Contents whose type is erased. Nothing is allocated for small ones.
pub(crate) type Envelope = SmallBox<dyn ErasedContents + Send, [usize; INLINE]>;

/// The contents of an envelope: a message, a call or a batch, on its way to an instance that handles such messages.
pub(crate) trait ErasedContents {
    /// The contents: an `Option` of the message, an `Option` of the call, or the batch. `Mail::kind` tells the receiver
    /// which.
    fn content(&mut self) -> &mut dyn Any;

    fn message(&self) -> TypeId;

    fn name(&self) -> &'static str;

    /// How many messages are left.
    fn len(&self) -> usize;

    /// Takes over the message in the next envelope, if both hold what can be gathered. The next one is empty then.
    fn gather(&mut self, next: &mut Envelope, buffers: &Buffers) -> Gathered;

    /// Gives up what is left, which nobody will handle and which has been counted: reports the dead letters, and ends
    /// the calls.
    fn discard(&mut self, undeliverable: Undeliverable<'_>);

    /// Where the messages come from, if spans are asked for.
    fn sent_from(&self) -> Option<SentFrom>;

    /// For the sender, which knows the type, to take back what was not accepted.
    fn as_any_mut(&mut self) -> &mut dyn Any;
}

/// The outcome of gathering the next envelope into one.
pub(crate) enum Gathered {
    /// They cannot be gathered; both are as they were.
    Not,
    /// The message has joined the batch that the envelope held.
    Joined,
    /// A batch of both messages, which takes the place of the envelope.
    Batch(Envelope),
}

/// How mail is to be handled.
#[derive(Clone, Copy)]
pub(crate) struct Serving {
    /// How many of its messages to handle at most.
    pub(crate) budget: usize,
    /// Whether each of its messages gives a permit of the mailbox back when its handler begins.
    pub(crate) permitted: bool,
    /// Whether spans may be asked for around its handlers, and whether a hook has sent it.
    pub(crate) in_spans: InSpans,
}

impl Serving {
    /// Whether a hook has sent the mail.
    pub(crate) fn is_from_hook(self) -> bool {
        self.in_spans == InSpans::FromHook
    }
}

/// The facts to be reported of mail that no instance will handle, and the counts and hooks that they are reported to.
#[derive(Clone, Copy)]
pub(crate) struct Undeliverable<'a> {
    pub(crate) incidents: &'a Incidents,
    pub(crate) instance: InstanceId,
    pub(crate) why: Undelivered,
    /// Whether a hook has sent it.
    pub(crate) from_hook: bool,
}

/// Puts contents into an envelope, which erases their type.
pub(crate) fn erase<E: ErasedContents + Send + 'static>(envelope: E) -> Envelope {
    smallbox!(envelope)
}
