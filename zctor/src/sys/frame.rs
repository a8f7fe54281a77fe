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
        CURRENT.with(|current| {
            frame.below = current.below.get();
            frame.deadline = current.deadline.get();
        });
        frame
    }

    /// What runs from now on runs in this one.
    #[inline]
    pub(super) fn enter(self) {
        CURRENT.with(|current| {
            current.below.set(self.below);
            current.deadline.set(self.deadline);
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
struct Current {
    /// What names this actor thread and its engine: addresses of theirs. 0 outside.
    thread: Cell<usize>,
    engine: Cell<usize>,
    /// The parts of the frame.
    below: Cell<u32>,
    deadline: Cell<Option<Instant>>,
    /// A hook runs: what it loses is counted, not told.
    in_hook: Cell<bool>,
    /// Somebody is told of an event: what that does is no event.
    in_event: Cell<bool>,
}

/// The current thread is this actor thread of this engine from now on. Neither is 0.
pub(crate) fn enter(thread: usize, engine: usize) {
    CURRENT.with(|current| {
        current.thread.set(thread);
        current.engine.set(engine);
    });
}

/// The current thread is no actor thread any more.
pub(crate) fn leave() {
    CURRENT.with(|current| {
        current.thread.set(0);
        current.engine.set(0);
    });
}

thread_local! {
    static CURRENT: Current = const {
        let Frame { below, deadline } = Frame::OUTSIDE;
        let (thread, engine) = (Cell::new(0), Cell::new(0));
        let (below, deadline) = (Cell::new(below), Cell::new(deadline));
        Current { thread, engine, below, deadline, in_hook: Cell::new(false), in_event: Cell::new(false) }
    };
}

/// Whether the current thread is the one that was entered as `thread`.
#[inline]
pub(crate) fn is_on_thread(thread: usize) -> bool {
    CURRENT.with(|current| current.thread.get()) == thread
}

/// Whether the current thread was entered as one of `engine`.
#[inline]
pub(crate) fn is_in_engine(engine: usize) -> bool {
    CURRENT.with(|current| current.engine.get()) == engine
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
    CURRENT.with(|current| current.thread.get()) != 0
}

/// Whether the code that runs here was called for a dead letter or an end.
#[inline]
pub(crate) fn in_hook() -> bool {
    CURRENT.with(|current| current.in_hook.get())
}

/// Runs `f`, which must not unwind, as part of a hook if `hook` says so.
pub(crate) fn as_hook(hook: bool, f: impl FnOnce()) {
    let outer = CURRENT.with(|current| current.in_hook.replace(current.in_hook.get() || hook));
    f();
    CURRENT.with(|current| current.in_hook.set(outer));
}

/// Runs `f`, which must not unwind, as the telling of an event, unless this is one already.
#[cfg_attr(not(feature = "tracing"), expect(dead_code, reason = "without a facade there are no events"))]
pub(crate) fn as_event(f: impl FnOnce()) {
    if !CURRENT.with(|current| current.in_event.replace(true)) {
        as_hook(true, f);
        CURRENT.with(|current| current.in_event.set(false));
    }
}
