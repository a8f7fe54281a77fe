//! A feeder: a thread that puts one packet after the other into its mailbox.
//!
//! Each pool that is served has a feeder for packets from outside, where work may wait for room. Packets from handlers
//! may not wait behind that, and go through one feeder of its end.

use std::collections::VecDeque;
use std::io;
use std::mem::take;
use std::sync::Arc;

use crate::sys::monitor::Monitor;
use crate::sys::operation::Operation;
use crate::sys::simulated::point_anywhere;
use crate::sys::spawn::start_thread;
use crate::sys::unwind::catch;

type Work = Box<dyn FnOnce() + Send>;

/// The way to the thread, which ends when no feeder knows it any more and all its work is done.
#[derive(Clone)]
pub(super) struct Feeder(Arc<Due>);

/// Tells the thread to end when it is dropped.
struct Due(Arc<Monitor<Queue>>);

#[derive(Default)]
struct Queue {
    work: VecDeque<Work>,
    /// The thread does something just now.
    is_busy: bool,
    /// The thread waits for work. A notification costs a system call even if nobody waits for it.
    is_waiting: bool,
    is_closed: bool,
}

impl Feeder {
    pub(super) fn start(name: &str) -> io::Result<Self> {
        let queue = Arc::new(Monitor::<Queue>::default());
        let due = Self(Arc::new(Due(Arc::clone(&queue))));
        start_thread(name, None, move || {
            while let Some(work) = next(&queue) {
                // A panic is that of a drop of the user's. No frame of user code stands around this, since a wait for
                // room would be refused in it.
                drop(catch(work));
            }
        })?;
        Ok(due)
    }

    /// Has the thread do this, after what was given to it before.
    pub(super) fn give(&self, work: impl FnOnce() + Send + 'static) {
        point_anywhere(|| Operation::Plain("give work to a feeder"));
        let mut queue = self.0.0.lock();
        queue.work.push_back(Box::new(work));
        let is_waiting = take(&mut queue.is_waiting);
        drop(queue);
        if is_waiting {
            self.0.0.notify();
        }
    }

    /// Whether all that was given to it is done.
    pub(super) fn is_idle(&self) -> bool {
        let queue = self.0.0.lock();
        queue.work.is_empty() && !queue.is_busy
    }
}

/// Waits for work; `None` if none can come any more.
fn next(queue: &Monitor<Queue>) -> Option<Work> {
    let mut state = queue.lock();
    state.is_busy = false;
    loop {
        if let Some(work) = state.work.pop_front() {
            state.is_busy = true;
            return Some(work);
        }
        if state.is_closed {
            return None;
        }
        state.is_waiting = true;
        state = queue.wait(state, None);
    }
}

impl Drop for Due {
    fn drop(&mut self) {
        self.0.lock().is_closed = true;
        self.0.notify();
    }
}
