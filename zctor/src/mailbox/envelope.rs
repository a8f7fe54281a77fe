//! A message whose type is erased, inline if it is small.

use std::any::Any;
use std::rc::Rc;

use smallbox::{SmallBox, smallbox};

use crate::client::message::Message;
use crate::event::Undelivered;
use crate::id::InstanceId;
use crate::mailbox::buffers::Spares;
use crate::mailbox::dead_letters::Losses;
use crate::route::contents::OnUndelivered;
use crate::route::registry::Pools;
use crate::thread::local::{AnyInstance, Local};

/// Words that an envelope holds inline: a message of four words with the port of its call.
const INLINE: usize = 7;

/// An envelope whose type of message is erased; nothing is allocated for small ones.
pub(crate) type Letter = SmallBox<dyn Envelope + Send, [usize; INLINE]>;

/// A message, a call or a batch on its way to an instance that handles such messages.
pub(crate) trait Envelope {
    /// Has the instance handle what is in it, one message after the other, while it takes them and `serving` allows;
    /// `true` if nothing is left. A call whose caller has given up goes to the grave instead.
    fn deliver(&mut self, instance: Rc<dyn AnyInstance>, local: &Rc<Local>, serving: Serving) -> bool;

    /// Adds the message in the one behind it, which is empty then, if they are for that.
    fn gather(&mut self, next: &mut Letter, spares: &Spares) -> Gathered;

    /// Messages left in it.
    fn len(&self) -> usize;

    /// The receiver has ended: gives what is left to its siblings. What it could not place stays inside.
    fn forward(&mut self, pools: &Pools);

    /// Nobody will handle what is left, which is counted: tells of the dead letters, and ends the calls.
    fn bury(&mut self, grave: Grave<'_>);

    /// For its sender, who knows its type, to take back what was not accepted.
    fn as_any_mut(&mut self) -> &mut dyn Any;
}

/// What became of an envelope and the one behind it.
pub(crate) enum Gathered {
    /// They are not for that.
    Not,
    Joined,
    /// A batch of both, which takes its place.
    Batch(Letter),
}

impl Gathered {
    /// Puts a batch into its place; `false` if nothing was gathered.
    #[inline]
    pub(crate) fn apply(self, letter: &mut Letter) -> bool {
        match self {
            Self::Not => return false,
            Self::Joined => {}
            Self::Batch(batch) => *letter = batch,
        }
        true
    }
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
    /// It is a call that may be given up.
    pub(crate) on_terms: bool,
}

/// Where mail that nobody will handle goes, and what is told of it.
#[derive(Clone, Copy)]
pub(crate) struct Grave<'a> {
    pub(crate) losses: &'a Losses,
    pub(crate) instance: InstanceId,
    pub(crate) why: Undelivered,
    /// A hook had sent it.
    pub(crate) from_hook: bool,
}

impl Grave<'_> {
    /// A message that nobody will handle, and that is counted.
    pub(crate) fn lose<M: Message>(&self, message: M, hook: Option<&OnUndelivered<M>>) {
        self.losses.tell(message, self.instance, self.why, self.from_hook, hook);
    }
}

/// Erases the type of an envelope.
pub(crate) fn seal<E: Envelope + Send + 'static>(envelope: E) -> Letter {
    smallbox!(envelope)
}
