//! The parts of an instance beside its state: its factory, timers, pipes, a history of panics.
//!
//! No part depends on a type. So the code for them is compiled once, and not for each type of messages. A kept
//! message is an `Option<M>` behind `Any`, which its instance downcasts.

use std::any::Any;
use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Waker;
use std::time::{Duration, Instant};

use crate::actor::by_id::ById;
use crate::actor::restart::{History, Restart};
use crate::route::contents::AnyHook;

/// The attachments of an instance. Taken out while they are looked at; most instances have none.
#[derive(Default)]
pub(crate) struct Attachments(Cell<Option<Box<Attached>>>);

#[derive(Default)]
struct Attached {
    /// Dropped at the end of the instance, since it holds what the user moved into it. `None` for one that is built
    /// once.
    blueprint: Option<AnyBlueprint>,
    /// Allocated with the first timer, pipe or panic.
    extras: Option<Box<Extras>>,
}

/// How a state is built again, and how often. The factory is a [`Rebuild`](crate::actor::factory::Rebuild).
#[derive(Clone)]
pub(super) struct AnyBlueprint {
    pub(super) factory: Arc<dyn Any + Send + Sync>,
    pub(super) restart: Restart,
}

impl Attachments {
    /// Whether there are none.
    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        let attached = self.0.take();
        let is_empty = attached.is_none();
        self.0.set(attached);
        is_empty
    }

    /// Keeps how the state is built again.
    pub(super) fn keep_blueprint(&self, blueprint: AnyBlueprint) {
        let mut attached = self.0.take().unwrap_or_default();
        attached.blueprint = Some(blueprint);
        self.0.set(Some(attached));
    }

    /// How the state is built again; `None` for a state that is built once.
    pub(super) fn blueprint(&self) -> Option<AnyBlueprint> {
        self.if_attached(|attached| attached.blueprint.clone())
    }

    pub(super) fn restart(&self) -> Option<Restart> {
        self.if_attached(|attached| attached.blueprint.as_ref().map(|blueprint| blueprint.restart))
    }

    pub(super) fn take_blueprint(&self) -> Option<AnyBlueprint> {
        self.if_attached(|attached| attached.blueprint.take())
    }

    /// Keeps the actor's hook for undelivered messages, until the end.
    pub(super) fn keep_hook(&self, hook: AnyHook) {
        self.with_extras(|extras| extras.undelivered = Some(hook));
    }

    /// Drops the extras of an instance that has ended, and its hook with them: its timers and pipes are gone by then.
    pub(super) fn forget_extras(&self) {
        if let Some(extras) = self.if_attached(|attached| attached.extras.take()) {
            drop(extras);
        }
    }

    /// Runs `f`, which must run none of the user's code, on the extras; makes them if there are none.
    pub(crate) fn with_extras<R>(&self, f: impl FnOnce(&mut Extras) -> R) -> R {
        let mut attached = self.0.take().unwrap_or_default();
        let result = f(attached.extras.get_or_insert_default());
        self.0.set(Some(attached));
        result
    }

    /// As `with_extras`, but only if the instance has extras.
    pub(crate) fn if_extras<R: Default>(&self, f: impl FnOnce(&mut Extras) -> R) -> R {
        self.if_attached(|attached| attached.extras.as_mut().map(|extras| f(extras))).unwrap_or_default()
    }

    fn if_attached<R>(&self, f: impl FnOnce(&mut Attached) -> Option<R>) -> Option<R> {
        let mut attached = self.0.take()?;
        let result = f(&mut attached);
        self.0.set(Some(attached));
        result
    }
}

/// Parts that most instances do not have: timers, pipes, and a history.
#[derive(Default)]
pub(crate) struct Extras {
    pub(crate) timers: ById<TimerEntry>,
    /// The timer whose closure runs now.
    pub(super) firing: Option<u64>,
    /// Each with its waker, by which the instance polls it again.
    pub(super) pipes: ById<(Waker, Box<dyn PipeTask>)>,
    pub(super) history: History,
    /// Upgraded by endpoints, and dropped at the end.
    pub(super) undelivered: Option<AnyHook>,
}

/// A message of an instance to itself: an `Option` of the message.
pub(crate) type OwnMessage = Box<dyn Any>;

/// A timer of an instance, with the message that it will send or the closure that makes it.
pub(crate) struct TimerEntry {
    pub(crate) due: Instant,
    pub(super) cancelled: Rc<Cell<bool>>,
    pub(super) schedule: Schedule,
}

pub(super) enum Schedule {
    Once(OwnMessage),
    Every(Duration, Box<dyn FnMut() -> OwnMessage>),
}

/// A pipe: something awaited, and what turns its outcome into a message.
pub(crate) trait PipeTask {
    /// Whether the outcome is there; if not, has `waker` woken when it is time to look again.
    fn poll(&mut self, waker: &Waker) -> bool;
    /// Runs the user's closure on the outcome.
    fn finish(self: Box<Self>) -> Finished;
}

/// The outcome of a pipe.
pub(crate) enum Finished {
    /// The message that the closure made.
    Last(OwnMessage),
    /// The same, and the pipe, which goes on: it is woken for the next outcome.
    More(OwnMessage, Box<dyn PipeTask>),
    /// No outcome will come any more.
    Nothing,
}
