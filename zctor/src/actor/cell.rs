//! The cell of an instance: the instance as its context, its timers and its pipes know it.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Waker;
use std::time::{Duration, Instant};

use crate::actor::by_id::ById;
use crate::actor::restart::History;
use crate::client::message::Message;
use crate::id::Slot;
use crate::mailbox::counters::{Account, Block};
use crate::route::contents::OnUndelivered;
use crate::route::endpoint::Endpoint;
use crate::thread::local::{Common, Local, Requested};

/// A timer of an instance, with the message that it will send or the closure that makes it.
pub(crate) struct TimerEntry<M> {
    pub(crate) due: Instant,
    pub(super) cancelled: Rc<Cell<bool>>,
    pub(super) schedule: Schedule<M>,
}

pub(super) enum Schedule<M> {
    Once(M),
    Every(Duration, Box<dyn FnMut() -> M>),
}

/// One instance: its state and all that serving it takes, in one allocation. `O` is the part that depends on the
/// state's type.
pub(crate) struct InstanceCell<M: Message, O: ?Sized> {
    pub(crate) common: Common,
    pub(crate) endpoint: Arc<Endpoint<M>>,
    /// The block of accounts that has this instance's.
    pub(super) block: Arc<Block>,
    pub(super) typed: O,
}

/// An instance whose state's type is erased: as its contexts, timers and pipes know it.
pub(crate) type SharedCell<M> = InstanceCell<M, dyn HasExtras<M>>;

/// The place of an instance's extras, whatever the type of its state.
pub(crate) trait HasExtras<M> {
    fn take(&self) -> Option<Box<Extras<M>>>;
    fn put(&self, extras: Box<Extras<M>>);
}

impl<M: Message, O: ?Sized> InstanceCell<M, O> {
    pub(crate) fn slot(&self) -> Slot {
        self.endpoint.slot
    }

    pub(super) fn account(&self) -> &Account {
        self.block.account(self.slot())
    }

    /// Does what is to be done before a message is handled, since the edge says that something is. Whether the message may
    /// be handled: what the handler before it has asked for comes first.
    #[cold]
    #[inline(never)]
    pub(super) fn may_begin(&self, local: &Local, message: Option<&M>) -> bool {
        let names = message.map(|message| (M::name(), message.variant()));
        self.common.requested.get() == Requested::None && local.may_begin(self.slot(), self.account(), names)
    }
}

impl<M: Message, O: HasExtras<M> + ?Sized> InstanceCell<M, O> {
    /// Runs `f`, which must run none of the user's code, on the extras; makes them if there are none.
    pub(crate) fn with_extras<R>(&self, f: impl FnOnce(&mut Extras<M>) -> R) -> R {
        let mut extras = self.typed.take().unwrap_or_default();
        let result = f(&mut extras);
        self.typed.put(extras);
        result
    }

    /// As `with_extras`, but only if the instance has extras.
    pub(crate) fn if_extras<R: Default>(&self, f: impl FnOnce(&mut Extras<M>) -> R) -> R {
        let Some(mut extras) = self.typed.take() else { return R::default() };
        let result = f(&mut extras);
        self.typed.put(extras);
        result
    }
}

/// What most instances do not have: timers, pipes, and a history.
pub(crate) struct Extras<M> {
    pub(crate) timers: ById<TimerEntry<M>>,
    /// The timer whose closure runs now.
    pub(crate) firing: Option<u64>,
    /// Each with its waker, by which the instance polls it again.
    pub(crate) pipes: ById<WakingPipe<M>>,
    pub(super) history: History,
    /// The actor's hook for undelivered messages, until the end.
    pub(super) undelivered: Option<Arc<OnUndelivered<M>>>,
}

impl<M> Default for Extras<M> {
    fn default() -> Self {
        Self {
            timers: ById::default(),
            firing: None,
            pipes: ById::default(),
            history: History::default(),
            undelivered: None,
        }
    }
}

type WakingPipe<M> = (Waker, Box<dyn PipeTask<M>>);

/// A pipe: something awaited, and what turns its outcome into a message.
pub(crate) trait PipeTask<M> {
    /// Whether the outcome is there; if not, has `waker` woken when it is time to look again.
    fn poll(&mut self, waker: &Waker) -> bool;
    /// Runs the user's closure on the outcome.
    fn finish(self: Box<Self>) -> Finished<M>;
}

/// What came of a pipe.
pub(crate) enum Finished<M> {
    /// The message that the closure made.
    Last(M),
    /// The same, and the pipe, which goes on: it is woken for the next outcome.
    More(M, Box<dyn PipeTask<M>>),
    /// No outcome will come any more.
    Nothing,
}
