//! Where the current code runs: on which thread, in which frame; and the one way in which the user's code is run.

use std::cell::Cell;
use std::sync::Arc;
use std::time::Instant;

use crate::mailbox::Mailbox;

thread_local! {
    /// A hook runs on this thread: what it loses is counted, not told.
    static IN_HOOK: Cell<bool> = const { Cell::new(false) };
}

/// Whether the code that runs here was called for a dead letter or an end.
#[inline]
pub(crate) fn in_hook() -> bool {
    IN_HOOK.with(Cell::get)
}

/// Runs `f`, which must not unwind, as part of a hook if `hook` says so.
pub(crate) fn as_hook(hook: bool, f: impl FnOnce()) {
    let outer = IN_HOOK.with(|inside| inside.replace(inside.get() || hook));
    f();
    IN_HOOK.with(|inside| inside.set(outer));
}

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
    pub(super) fn enter(self) {
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
