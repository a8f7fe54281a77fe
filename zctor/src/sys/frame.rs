//! Where the current code runs: on which thread, in which frame; and the one way in which the user's code is run.

use std::cell::Cell;
use std::time::Instant;

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
    /// What names this actor thread and its engine: addresses of theirs. 0 outside.
    thread: Cell<usize>,
    engine: Cell<usize>,
    /// The parts of the frame.
    below: Cell<u32>,
    deadline: Cell<Option<Instant>>,
    /// A hook runs: what it loses is counted, not told.
    in_hook: Cell<bool>,
}

/// The current thread is this actor thread of this engine from now on. Neither is 0.
pub(crate) fn enter(thread: usize, engine: usize) {
    HERE.with(|here| {
        here.thread.set(thread);
        here.engine.set(engine);
    });
}

/// The current thread is no actor thread any more.
pub(crate) fn leave() {
    HERE.with(|here| {
        here.thread.set(0);
        here.engine.set(0);
    });
}

thread_local! {
    static HERE: Here = const {
        let Frame { below, deadline } = Frame::OUTSIDE;
        let (thread, engine) = (Cell::new(0), Cell::new(0));
        Here { thread, engine, below: Cell::new(below), deadline: Cell::new(deadline), in_hook: Cell::new(false) }
    };
}

/// Whether the current thread is the one that was entered as `thread`.
#[inline]
pub(crate) fn is_on_thread(thread: usize) -> bool {
    HERE.with(|here| here.thread.get()) == thread
}

/// Whether the current thread was entered as one of `engine`.
#[inline]
pub(crate) fn is_in_engine(engine: usize) -> bool {
    HERE.with(|here| here.engine.get()) == engine
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
    HERE.with(|here| here.thread.get()) != 0
}

/// Whether the code that runs here was called for a dead letter or an end.
#[inline]
pub(crate) fn in_hook() -> bool {
    HERE.with(|here| here.in_hook.get())
}

/// Runs `f`, which must not unwind, as part of a hook if `hook` says so.
pub(crate) fn as_hook(hook: bool, f: impl FnOnce()) {
    let outer = HERE.with(|here| here.in_hook.replace(here.in_hook.get() || hook));
    f();
    HERE.with(|here| here.in_hook.set(outer));
}
