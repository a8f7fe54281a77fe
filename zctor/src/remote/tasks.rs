//! The thread that carries replies back. It alone polls them, so that no code of a user's runs in a waker.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Wake, Waker};

use crate::sys::lock::lock;
use crate::sys::spawn::start_thread;
use crate::sys::unwind::catch;

type Work = Pin<Box<dyn Future<Output = ()> + Send>>;

/// The way to the thread, which ends when no link and no task knows it any more.
#[derive(Clone)]
pub(super) struct Tasks {
    due: flume::Sender<Arc<Task>>,
}

struct Task {
    /// Taken out while it is polled.
    work: Mutex<Option<Work>>,
    due: flume::Sender<Arc<Self>>,
}

impl Tasks {
    pub(super) fn start() -> io::Result<Self> {
        let (due, tasks) = flume::unbounded::<Arc<Task>>();
        start_thread("zctor-loopback", None, move || tasks.iter().for_each(Task::poll))?;
        Ok(Self { due })
    }

    pub(super) fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        Arc::new(Task { work: Mutex::new(Some(Box::pin(work))), due: self.due.clone() }).wake();
    }
}

impl Task {
    /// A wake-up meanwhile puts the task into the queue once more, and the one thread polls it after this.
    fn poll(self: Arc<Self>) {
        let Some(mut work) = lock(&self.work).take() else { return };
        let waker = Waker::from(Arc::clone(&self));
        // A panic is that of a user's `Serialize` or `Deserialize`. It drops the port, which ends the call. No frame of
        // user code stands around this, since a wait for a reply would be refused in it.
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
        let due = self.due.clone();
        // The thread is there as long as this sender.
        let _ = due.send(self);
    }
}
