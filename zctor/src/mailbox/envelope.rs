//! A message whose type is erased, inline if it is small.

use std::any::{Any, TypeId};

use smallbox::{SmallBox, smallbox};

use crate::event::Undelivered;
use crate::id::InstanceId;
use crate::mailbox::buffers::Buffers;
use crate::mailbox::dead_letters::Losses;

/// Words that an envelope holds inline: a message of four words with the port of its call.
const INLINE: usize = 7;

/// An envelope whose type of message is erased; nothing is allocated for small ones.
pub(crate) type Envelope = SmallBox<dyn ErasedContents + Send, [usize; INLINE]>;

/// A message, a call or a batch on its way to an instance that handles such messages.
pub(crate) trait ErasedContents {
    /// What is in it: an `Option` of the message or the call, or the batch. Its receiver knows which by `Mail::kind`.
    fn content(&mut self) -> &mut dyn Any;

    /// The type of its messages.
    fn message(&self) -> TypeId;

    /// Messages left in it.
    fn len(&self) -> usize;

    /// Adds the message in the one behind it, which is empty then, if they are for that.
    fn gather(&mut self, next: &mut Envelope, buffers: &Buffers) -> Gathered;

    /// Nobody will handle what is left, which is counted: tells of the dead letters, and ends the calls.
    fn discard(&mut self, undeliverable: Undeliverable<'_>);

    /// For its sender, who knows its type, to take back what was not accepted.
    fn as_any_mut(&mut self) -> &mut dyn Any;
}

/// What became of an envelope and the one behind it.
pub(crate) enum Gathered {
    /// They are not for that.
    Not,
    Joined,
    /// A batch of both, which takes its place.
    Batch(Envelope),
}

/// How an envelope is served.
#[derive(Clone, Copy)]
pub(crate) struct Serving {
    /// So many of its messages at most.
    pub(crate) budget: usize,
    /// Each gives a permit of the mailbox back when it is begun.
    pub(crate) permitted: bool,
    /// A hook had sent it.
    pub(crate) from_hook: bool,
}

/// Where mail that nobody will handle goes, and what is told of it.
#[derive(Clone, Copy)]
pub(crate) struct Undeliverable<'a> {
    pub(crate) losses: &'a Losses,
    pub(crate) instance: InstanceId,
    pub(crate) why: Undelivered,
    /// A hook had sent it.
    pub(crate) from_hook: bool,
}

/// Erases the type of an envelope.
pub(crate) fn erase<E: ErasedContents + Send + 'static>(envelope: E) -> Envelope {
    smallbox!(envelope)
}
