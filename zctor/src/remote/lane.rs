//! A lane: a thread that does one piece of work after the other.
//!
//! Each pool that is served has a lane for what comes from outside, where work may wait for room. What may not wait
//! goes through one lane of its end: what handlers have sent, and the replies on their way back. They are futures, which
//! that thread alone polls, so that no code of a user's runs in a waker.

use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Wake, Waker};

use crate::sys::lock::lock;
use crate::sys::monitor::Monitor;
use crate::sys::operation::Operation;
use crate::sys::simulated::point_anywhere;
use crate::sys::spawn::start_thread;
use crate::sys::unwind::catch;

type Work = Pin<Box<dyn Future<Output = ()> + Send>>;

/// The way to the thread, which ends when neither a lane nor a task knows it any more.
#[derive(Clone)]
pub(super) struct Lane(Arc<Due>);

/// Tells the thread to end when it is dropped.
struct Due(Arc<Monitor<Queue>>);

#[derive(Default)]
struct Queue {
    tasks: VecDeque<Arc<Task>>,
    closed: bool,
}

struct Task {
    /// Taken out while it is polled.
    work: Mutex<Option<Work>>,
    lane: Arc<Due>,
}

impl Lane {
    pub(super) fn start(name: &str) -> io::Result<Self> {
        let queue = Arc::new(Monitor::<Queue>::default());
        let due = Self(Arc::new(Due(Arc::clone(&queue))));
        start_thread(name, None, move || {
            while let Some(task) = next(&queue) {
                task.poll();
            }
        })?;
        Ok(due)
    }

    /// Has the thread do this, after what was given to it before.
    pub(super) fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        Arc::new(Task { work: Mutex::new(Some(Box::pin(work))), lane: Arc::clone(&self.0) }).wake();
    }
}

/// Waits for a task; `None` if none can come any more.
fn next(queue: &Monitor<Queue>) -> Option<Arc<Task>> {
    let mut state = queue.lock();
    loop {
        if let Some(task) = state.tasks.pop_front() {
            return Some(task);
        }
        if state.closed {
            return None;
        }
        state = queue.wait(state, None);
    }
}

impl Drop for Due {
    fn drop(&mut self) {
        self.0.lock().closed = true;
        self.0.notify();
    }
}

impl Task {
    /// A wake-up meanwhile puts the task into the queue once more, and the one thread polls it after this.
    fn poll(self: Arc<Self>) {
        let Some(mut work) = lock(&self.work).take() else { return };
        let waker = Waker::from(Arc::clone(&self));
        // A panic is that of a drop of the user's. No frame of user code stands around this, since a wait for a reply
        // would be refused in it.
        let polled = catch(|| {
            if work.as_mut().poll(&mut Context::from_waker(&waker)).is_pending() {
                *lock(&self.work) = Some(work);
            }
        });
        drop(polled);
    }
}

impl Wake for Task {
    fn wake(self: Arc<Self>) {
        point_anywhere(|| Operation::Plain("give work to a lane"));
        let lane = Arc::clone(&self.lane);
        lane.0.lock().tasks.push_back(self);
        lane.0.notify();
    }
}
