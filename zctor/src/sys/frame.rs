//! Where the current code runs: on which thread, in which frame; and the one way in which the user's code is run.

use std::any::Any;
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Instant;

use crate::mailbox::Mailbox;
use crate::messaging::pending::{answer_orphans, count_orphans};

/// What the current code may wait for, and how long.
#[derive(Clone, Copy)]
pub(crate) struct Frame {
    /// It may wait for call depths below this one.
    pub(crate) below: u32,
    /// What is left of the caller's deadline.
    pub(crate) deadline: Option<Instant>,
}

impl Frame {
    const OUTSIDE: Self = Self { below: u32::MAX, deadline: None };

    #[inline]
    pub(crate) fn current() -> Self {
        let mut frame = Self::OUTSIDE;
        // Each part by itself: what is written in parts and read as a whole at once is waited for.
        HERE.with(|here| {
            frame.below = here.below.get();
            frame.deadline = here.deadline.get();
        });
        frame
    }

    /// What runs from now on runs in this one.
    #[inline]
    fn enter(self) {
        HERE.with(|here| {
            here.below.set(self.below);
            here.deadline.set(self.deadline);
        });
    }

    /// This is a handler, or other code of the user's that the runtime runs.
    pub(crate) fn is_user_code(&self) -> bool {
        self.below != Self::OUTSIDE.below
    }

    /// The code that runs here may wait for an instance of this call depth.
    #[inline]
    pub(crate) fn may_wait_for(&self, depth: u32) -> bool {
        depth < self.below
    }
}

/// Where the current code runs. Without a destructor, so that it can be asked to the very end of a thread.
struct Here {
    /// Address of this thread's mailbox, and of its engine's edge; 0 outside.
    mailbox: Cell<usize>,
    edge: Cell<usize>,
    /// The parts of the frame.
    below: Cell<u32>,
    deadline: Cell<Option<Instant>>,
}

/// The current thread is that of `mailbox` from now on.
pub(crate) fn enter(mailbox: &Arc<Mailbox>) {
    HERE.with(|here| {
        here.mailbox.set(Arc::as_ptr(mailbox) as usize);
        here.edge.set(Arc::as_ptr(&mailbox.edge) as usize);
    });
}

/// It is none of an engine's any more.
pub(crate) fn leave() {
    HERE.with(|here| {
        here.mailbox.set(0);
        here.edge.set(0);
    });
}

thread_local! {
    static HERE: Here = const {
        let Frame { below, deadline } = Frame::OUTSIDE;
        let (mailbox, edge) = (Cell::new(0), Cell::new(0));
        Here { mailbox, edge, below: Cell::new(below), deadline: Cell::new(deadline) }
    };
}

/// Whether this is the thread of `mailbox`.
#[inline]
pub(crate) fn is_at(mailbox: &Arc<Mailbox>) -> bool {
    HERE.with(|here| here.mailbox.get()) == Arc::as_ptr(mailbox) as usize
}

/// Whether this is a thread of the engine that `mailbox` belongs to.
#[inline]
pub(crate) fn is_inside(mailbox: &Mailbox) -> bool {
    HERE.with(|here| here.edge.get()) == Arc::as_ptr(&mailbox.edge) as usize
}

/// Whether this is code of an instance, which goes past the bounds of mailboxes: others may wait for what it does. The
/// loop around what `here` gave is none.
#[inline]
pub(crate) fn is_needed() -> bool {
    on_actor_thread() && Frame::current().is_user_code()
}

/// Whether the code that runs here may wait for room: not that of an instance, nor what the runtime calls elsewhere.
pub(crate) fn may_wait_for_room() -> bool {
    !Frame::current().is_user_code()
}

/// Whether this is an actor thread of any engine.
#[inline]
pub(crate) fn on_actor_thread() -> bool {
    HERE.with(|here| here.mailbox.get()) != 0
}

/// Runs the user's code: the one place that does. A panic comes back as its text.
#[inline(always)]
pub(crate) fn run_user<R>(depth: u16, deadline: Option<Instant>, f: impl FnOnce() -> R) -> Result<R, Arc<str>> {
    let orphans = count_orphans();
    let before = Frame::current();
    Frame { below: u32::from(depth), deadline }.enter();
    let outcome = catch(f);
    before.enter();
    answer_orphans(orphans, outcome.as_ref().err());
    outcome
}

/// Runs a drop or a waker of the user's, which may not wait and whose panic ends nothing.
pub(crate) fn quietly(f: impl FnOnce()) {
    let _ = run_user(0, None, f);
}

/// A closure of the user's that may be dropped anywhere: its drop is run as all code of the user's is.
pub(crate) struct Quiet<F: ?Sized>(Option<Box<F>>);

impl<F: ?Sized> Quiet<F> {
    pub(crate) fn new(closure: Box<F>) -> Self {
        Self(Some(closure))
    }

    /// `None` only while it is dropped.
    pub(crate) fn get(&self) -> Option<&F> {
        self.0.as_deref()
    }
}

impl<F: ?Sized> Drop for Quiet<F> {
    fn drop(&mut self) {
        let closure = self.0.take();
        quietly(|| drop(closure));
    }
}

/// Catches a panic and gives its text.
#[inline]
pub(crate) fn catch<R>(f: impl FnOnce() -> R) -> Result<R, Arc<str>> {
    catch_unwind(AssertUnwindSafe(f)).map_err(into_text)
}

/// Once for all that is caught: what runs user code is there for each type of message.
#[cold]
#[inline(never)]
fn into_text(payload: Box<dyn Any + Send>) -> Arc<str> {
    let text = match (payload.downcast_ref::<&str>(), payload.downcast_ref::<String>()) {
        (Some(text), _) => Arc::from(*text),
        (_, Some(text)) => Arc::from(text.as_str()),
        _ => Arc::from("a panic whose payload is no text"),
    };
    drop_payload(payload);
    text
}

/// A payload is the user's, and its drop may panic in turn.
fn drop_payload(payload: Box<dyn Any + Send>) {
    if let Err(second) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
        std::mem::forget(second);
    }
}
