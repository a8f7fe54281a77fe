//! Where the current code runs: on which actor thread of which engine, in which frame, and whether as part of a hook.
//!
//! A frame is one run of user code by the runtime (`unwind.rs`). It says for which call depths that code may wait, and
//! until when.

use std::cell::Cell;
use std::time::Instant;

/// For which call depths the current code may wait, and until when.
#[derive(Clone, Copy)]
pub(crate) struct Frame {
    /// The current code may wait for call depths below this one. Negative for code of other kinds, so that the check
    /// for a handler, which is made on each call, fails for them and goes no further: `WAKER`, and carried code, whose
    /// depth is the complement.
    below: i32,
    /// The deadline that the current code has from its caller, if it has one.
    pub(crate) deadline: Option<Instant>,
}

/// A depth above that of any handler, so that none may wait for it, and below the outside, which may.
pub(crate) const ABOVE_HANDLERS: u32 = i32::MAX as u32 - 1;

/// Of a waker that the runtime wakes.
const WAKER: i32 = i32::MIN;

impl Frame {
    const OUTSIDE: Self = Self { below: i32::MAX, deadline: None };

    /// Of a handler, or of other user code that the runtime runs.
    #[inline]
    pub(super) fn of_user_code(depth: u16, deadline: Option<Instant>) -> Self {
        Self { below: i32::from(depth), deadline }
    }

    /// The same frame, for code that runs on another thread as a part of a handler.
    pub(crate) fn carried(self) -> Self {
        Self { below: !(self.serves_below() as i32), ..self }
    }

    /// This frame of user code, for code that runs inside an outer one: that limits it too.
    pub(crate) fn within(self, outer: Self) -> Self {
        let below = self.serves_below().min(outer.serves_below()) as i32;
        Self { below, deadline: [self.deadline, outer.deadline].into_iter().flatten().min() }
    }

    /// Runs code in this frame, which is left again if the code panics.
    pub(crate) fn run<R>(self, code: impl FnOnce() -> R) -> R {
        struct Back(Frame);

        impl Drop for Back {
            fn drop(&mut self) {
                self.0.enter();
            }
        }

        let _back = Back(Self::current());
        self.enter();
        code()
    }

    pub(super) fn of_waker() -> Self {
        Self { below: WAKER, deadline: None }
    }

    #[inline]
    pub(crate) fn current() -> Self {
        let mut frame = Self::OUTSIDE;
        // Each part by itself: a processor that reads a whole just after its parts were written waits until these have
        // left its store buffer.
        CURRENT.with(|current| {
            frame.below = current.below.get();
            frame.deadline = current.deadline.get();
        });
        frame
    }

    /// Makes this the current frame.
    #[inline]
    pub(super) fn enter(self) {
        CURRENT.with(|current| {
            current.below.set(self.below);
            current.deadline.set(self.deadline);
        });
    }

    /// Whether this is the frame of user code that the runtime runs: a handler, a factory, a hook, a closure.
    pub(crate) fn is_user_code(&self) -> bool {
        self.below != Self::OUTSIDE.below
    }

    /// Whether this is the frame of a waker. An executor may poll there; a poll need not wait, and so it does not.
    pub(crate) fn is_waker(&self) -> bool {
        self.below == WAKER
    }

    /// Whether this is the frame of carried code: see `thread/carried.rs`.
    pub(crate) fn is_carried(&self) -> bool {
        self.below < 0 && !self.is_waker()
    }

    /// The depth below which mail is served while the current code waits: all of it for code outside.
    pub(crate) fn serves_below(&self) -> u32 {
        match self.below {
            i32::MAX => u32::MAX,
            WAKER => 0,
            handler @ 0.. => handler as u32,
            carried => !carried as u32,
        }
    }

    /// The code that runs here may wait for an instance of this call depth.
    #[inline]
    pub(crate) fn may_wait_for(&self, depth: u32) -> bool {
        (depth as i32) < self.below
    }
}

/// Where the current code runs. It has no destructor, so that it can be read until the very end of a thread.
struct Current {
    /// Addresses in memory that name this actor thread and its engine. 0 on threads outside.
    thread: Cell<usize>,
    engine: Cell<usize>,
    /// Whether an engine has started this thread, and joins it. Still true when the thread has left the engine.
    is_engines_own: Cell<bool>,
    /// The parts of the frame.
    below: Cell<i32>,
    deadline: Cell<Option<Instant>>,
    /// Whether a hook runs: messages that it loses are counted, and no hook is called for them.
    in_hook: Cell<bool>,
    /// Somebody is told of an event: what that does is no event.
    in_event: Cell<bool>,
    /// A task is polled inside a waker.
    in_task: Cell<bool>,
}

/// Makes the current thread this actor thread of this engine. Neither number is 0.
pub(crate) fn enter(thread: usize, engine: usize) {
    CURRENT.with(|current| {
        current.thread.set(thread);
        current.engine.set(engine);
    });
}

/// The address that names the engine which the code that runs here belongs to; 0 outside.
#[inline]
pub(crate) fn engine() -> usize {
    CURRENT.with(|current| current.engine.get())
}

/// Sets what `engine` gives.
pub(crate) fn set_engine(engine: usize) {
    CURRENT.with(|current| current.engine.set(engine));
}

/// Says that an engine has started the current thread, and joins it.
pub(crate) fn be_engines_own() {
    CURRENT.with(|current| current.is_engines_own.set(true));
}

/// Whether an engine has started the current thread, and joins it. So this thread cannot wait for an engine's end, not
/// even in the destructors of its thread-locals, when it is no actor thread any more.
pub(crate) fn is_engines_own() -> bool {
    CURRENT.with(|current| current.is_engines_own.get())
}

/// Makes the current thread one outside: it is no actor thread any more.
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
        let (below, deadline, is_engines_own) = (Cell::new(below), Cell::new(deadline), Cell::new(false));
        let (in_hook, in_event, in_task) = (Cell::new(false), Cell::new(false), Cell::new(false));
        Current { thread, engine, is_engines_own, below, deadline, in_hook, in_event, in_task }
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

/// Whether this is user code on an actor thread, or carried code. Its messages go past every `mailbox_bound`, since
/// others may wait for what it does. The own code of a thread that is borrowed by `here` does not count, nor does that
/// of a task.
#[inline]
pub(crate) fn is_inside_code() -> bool {
    is_inside() && Frame::current().is_user_code() && !CURRENT.with(|current| current.in_task.get())
}

/// Whether this is the code of an instance, and none that runs while it panics, or in a waker.
pub(crate) fn is_in_handler() -> bool {
    let frame = Frame::current();
    on_actor_thread() && frame.is_user_code() && !frame.is_waker() && !std::thread::panicking()
}

/// Whether the code that polls here is the user's, on whichever thread, and not a task that is polled inside a waker.
pub(crate) fn is_user_code_here() -> bool {
    let frame = Frame::current();
    frame.is_user_code() && !frame.is_waker()
}

/// Whether this is an actor thread of any engine, or one that runs carried code.
#[inline]
pub(crate) fn is_inside() -> bool {
    engine() != 0
}

/// Whether the code that runs here may wait for room. User code that the runtime runs may not, on whichever thread.
pub(crate) fn may_wait_for_room() -> bool {
    !Frame::current().is_user_code()
}

/// Runs code that sends for a handler elsewhere, past every `mailbox_bound`. It may not wait.
#[cfg(feature = "remote")]
pub(crate) fn as_inside<R>(code: impl FnOnce() -> R) -> R {
    struct Back(usize);

    impl Drop for Back {
        fn drop(&mut self) {
            set_engine(self.0);
        }
    }

    let _back = Back(engine());
    // 1 is no engine's address, so the code is inside no engine: a closed edge refuses it.
    set_engine(1);
    Frame::of_user_code(0, None).run(code)
}

/// Runs code of a task that an executor polls. Inside a waker, on whichever thread, the task is none of the thread's: it
/// takes room as it does outside.
pub(crate) fn as_task<R>(code: impl FnOnce() -> R) -> R {
    struct Back(bool);

    impl Drop for Back {
        fn drop(&mut self) {
            CURRENT.with(|current| current.in_task.set(self.0));
        }
    }

    let is_in_waker = Frame::current().is_waker();
    let _back = Back(CURRENT.with(|current| current.in_task.replace(is_in_waker)));
    code()
}

/// Whether a task that is polled here may come again when there is room. A handler runs its executor for one task alone, so
/// that would wait there.
pub(crate) fn may_await_room() -> bool {
    may_wait_for_room() || Frame::current().is_waker()
}

/// Whether the current thread is an actor thread, of any engine.
#[inline]
pub(crate) fn on_actor_thread() -> bool {
    CURRENT.with(|current| current.thread.get()) != 0
}

/// Whether the code that runs here is part of a hook, for a dead letter or for the end of an instance.
#[inline]
pub(crate) fn in_hook() -> bool {
    CURRENT.with(|current| current.in_hook.get())
}

/// Runs `f`, which must not unwind, as part of a hook.
pub(crate) fn as_hook(f: impl FnOnce()) {
    let outer = CURRENT.with(|current| current.in_hook.replace(true));
    f();
    CURRENT.with(|current| current.in_hook.set(outer));
}

/// Runs `f`, which must not unwind: as part of a hook if `is_from_hook`, and else as the code around it.
pub(crate) fn as_hook_if(is_from_hook: bool, f: impl FnOnce()) {
    if is_from_hook { as_hook(f) } else { f() }
}

/// Runs `f`, which must not unwind, as the telling of an event, unless this is one already.
#[cfg_attr(not(feature = "tracing"), expect(dead_code, reason = "without a facade there are no events"))]
pub(crate) fn as_event(f: impl FnOnce()) {
    if !CURRENT.with(|current| current.in_event.replace(true)) {
        as_hook(f);
        CURRENT.with(|current| current.in_event.set(false));
    }
}
