//! Carried code: a handler has handed it to another thread, and it runs there as a part of the handler.
//!
//! The rule, for code that a handler of depth d on the thread T has handed to another thread:
//!
//! 1. The code may wait for depths below d, as the handler may, and it has the handler's deadline.
//! 2. While the handler waits for the code by means that are not zctor's, T serves nothing. So the code may not wait
//!    for an instance that lives on T, nor for a pool of which one instance does, whichever has its turn.
//! 3. While the handler waits for the code by `serve_while` (`serve_while.rs`), T serves the lanes below d, and 2 does not
//!    hold.
//!
//! Under 3 the code stands for one more frame of depth d, directly above the handler's. So the order of "Why calls end"
//! in ARCHITECTURE.md falls along its waits too. Under 2 only the direct wait is refused: a callee elsewhere may in its
//! turn wait for an instance on T, and no check on the way sees that.

use std::cell::RefCell;
use std::mem::ManuallyDrop;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::mailbox::Mailbox;
use crate::mailbox::waits::Waiter;
use crate::report::running::NamedInstance;
use crate::sys::frame::{self, Frame};
use crate::thread::local::Local;

/// The handler that carried code is a part of, as other threads know it.
pub(crate) struct Home {
    pub(super) mailbox: Arc<Mailbox>,
    pub(crate) handler: NamedInstance,
    /// The variant that the handler handles, if it is one that may wait.
    variant: Option<&'static str>,
    frame: Frame,
    /// Whether the handler's thread serves while the handler waits for the code.
    serves: AtomicBool,
}

impl Home {
    /// The home of code that is handed on by the code that runs here: a handler on this thread.
    pub(crate) fn new(local: &Local, handler: NamedInstance) -> Arc<Self> {
        let (mailbox, variant, frame) = (Arc::clone(&local.mailbox), local.variant.get(), Frame::current());
        Arc::new(Self { mailbox, handler, variant, frame, serves: AtomicBool::new(false) })
    }

    /// The handler, as one that waits.
    pub(super) fn waiter(&self, is_elsewhere: bool) -> Waiter {
        Waiter { slot: self.handler.instance.slot, variant: self.variant, is_elsewhere }
    }

    /// Says whether the handler's thread serves from now on.
    pub(super) fn set_serves(&self, serves: bool) {
        // Relaxed: the code has this from the thread that writes it, and that thread waits for the code.
        self.serves.store(serves, Ordering::Relaxed);
    }

    fn is_blocked(&self) -> bool {
        !self.serves.load(Ordering::Relaxed)
    }
}

/// A home that the current thread has entered, and those that it had entered before.
struct Entered {
    home: Arc<Home>,
    outer: Option<Box<Entered>>,
}

thread_local! {
    /// Without a destructor, as all that says where code runs. It is empty except while carried code runs.
    static ENTERED: ManuallyDrop<RefCell<Option<Box<Entered>>>> = const { ManuallyDrop::new(RefCell::new(None)) };
}

/// Leaves a home when it is dropped, also when the carried code panics.
struct Leave {
    engine_before: usize,
}

impl Leave {
    fn after_entering(home: &Arc<Home>) -> Self {
        ENTERED.with(|entered| {
            let mut entered = entered.borrow_mut();
            let outer = entered.take();
            *entered = Some(Box::new(Entered { home: Arc::clone(home), outer }));
        });
        let engine_before = frame::engine();
        if engine_before == 0 {
            // The code may do inside the engine all that its handler may.
            frame::set_engine(home.mailbox.engine.address());
        }
        Self { engine_before }
    }
}

impl Drop for Leave {
    fn drop(&mut self) {
        frame::set_engine(self.engine_before);
        let left = ENTERED.with(|entered| {
            let mut entered = entered.borrow_mut();
            let mut left = entered.take();
            *entered = left.as_mut().and_then(|left| left.outer.take());
            left
        });
        drop(left);
    }
}

/// Runs code as a part of the handler that `home` is of.
pub(crate) fn run<R>(home: &Arc<Home>, code: impl FnOnce() -> R) -> R {
    let frame = home.frame.within(Frame::current());
    if home.mailbox.is_current() {
        // The handler's own thread, which serves in each wait of this code.
        return frame.run(code);
    }
    let _leave = Leave::after_entering(home);
    frame.carried().run(code)
}

/// The home of the carried code that runs here.
pub(crate) fn home() -> Option<Arc<Home>> {
    if !Frame::current().is_carried() {
        return None;
    }
    ENTERED.with(|entered| entered.borrow().as_ref().map(|entered| Arc::clone(&entered.home)))
}

/// Whether the code of this frame is carried, and may wait for an instance of this depth. `lives_on` says whether that
/// lives on the thread of a mailbox.
#[cold]
pub(crate) fn may_wait_for(frame: Frame, depth: u32, lives_on: impl Fn(&Mailbox) -> bool) -> bool {
    frame.is_carried() && depth < frame.serves_below() && !needs_blocked_thread(&lives_on)
}

fn needs_blocked_thread(lives_on: &dyn Fn(&Mailbox) -> bool) -> bool {
    ENTERED.with(|entered| {
        let entered = entered.borrow();
        let mut all = std::iter::successors(entered.as_deref(), |entered| entered.outer.as_deref());
        all.any(|Entered { home, .. }| home.is_blocked() && lives_on(&home.mailbox))
    })
}
