//! An instance as its context, its timers and its pipes know it.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Waker;
use std::time::{Duration, Instant};

use crate::actor::restart::Panics;
use crate::client::message::Message;
use crate::id::Slot;
use crate::mailbox::counters::{Account, Block};
use crate::route::endpoint::Endpoint;
use crate::thread::local::Common;

/// What a timer will send.
pub(crate) struct TimerMessage<M> {
    pub(crate) due: Instant,
    pub(super) cancelled: Rc<Cell<bool>>,
    pub(super) what: Ring<M>,
}

pub(super) enum Ring<M> {
    Once(M),
    Every(Duration, Box<dyn FnMut() -> M>),
}

/// One state and all that it takes to serve it, in one allocation. `O` is what depends on the state's type.
pub(crate) struct InstanceCell<M: Message, O: ?Sized> {
    pub(crate) common: Common,
    pub(crate) endpoint: Arc<Endpoint<M>>,
    /// With its account.
    pub(super) block: Arc<Block>,
    pub(super) typed: O,
}

/// An instance as the contexts, timers and pipes of its handlers know it.
pub(crate) type SharedCell<M> = InstanceCell<M, dyn HasExtras<M>>;

/// Where an instance's extras are, whatever the type of its state.
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
}

impl<M: Message, O: HasExtras<M> + ?Sized> InstanceCell<M, O> {
    /// Looks at what most instances have not, or changes it; runs none of the user's code.
    pub(crate) fn with_extras<R>(&self, f: impl FnOnce(&mut Extras<M>) -> R) -> R {
        let mut extras = self.typed.take().unwrap_or_default();
        let result = f(&mut extras);
        self.typed.put(extras);
        result
    }

    /// As `with_extras`, if it has them.
    pub(crate) fn if_extras<R: Default>(&self, f: impl FnOnce(&mut Extras<M>) -> R) -> R {
        let Some(mut extras) = self.typed.take() else { return R::default() };
        let result = f(&mut extras);
        self.typed.put(extras);
        result
    }
}

/// What an instance has under way beside its messages, and what it keeps if it has panicked.
pub(crate) struct Extras<M> {
    pub(crate) timers: BTreeMap<u64, TimerMessage<M>>,
    /// The timer whose closure runs just now.
    pub(crate) firing: Option<u64>,
    /// Each with the waker that brings it back here.
    pub(crate) pipes: BTreeMap<u64, WakingPipe<M>>,
    pub(super) panics: Panics,
    /// The timer that ends its rest.
    pub(super) backoff_timer: u64,
}

impl<M> Default for Extras<M> {
    fn default() -> Self {
        Self {
            timers: BTreeMap::new(),
            firing: None,
            pipes: BTreeMap::new(),
            panics: Panics::default(),
            backoff_timer: 0,
        }
    }
}

type WakingPipe<M> = (Waker, Box<dyn PipeTask<M>>);

/// A pipe: something awaited, and what turns its outcome into a message.
pub(crate) trait PipeTask<M> {
    /// Looks whether the outcome is there; `waker` is woken when to look again.
    fn poll(&mut self, waker: &Waker) -> bool;
    /// Runs the user's closure.
    fn finish(self: Box<Self>) -> Piped<M>;
}

/// What came of a pipe.
pub(crate) enum Piped<M> {
    Last(M),
    /// The pipe goes on, and is woken for what comes next.
    More(M, Box<dyn PipeTask<M>>),
    /// Nothing comes any more.
    Over,
}
