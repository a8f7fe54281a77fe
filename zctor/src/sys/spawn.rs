//! Threads start and are joined here alone.

use std::io;
use std::sync::mpsc;
use std::thread::{Builder, JoinHandle};
use std::time::Instant;

use crate::sys::clock::now;
use crate::sys::sync::yield_now;

/// A thread that was started.
pub(crate) struct Started(JoinHandle<()>);

impl Started {
    /// Whether it has ended, but perhaps for the destructors of its thread-locals.
    pub(crate) fn is_finished(&self) -> bool {
        self.0.is_finished()
    }

    /// Waits until it is gone, its thread-locals too.
    pub(crate) fn until_gone(self) {
        // zctor's own panic, if there was one, was reported by the panic hook.
        let _ = self.0.join();
    }
}

/// Starts a thread of zctor's.
pub(crate) fn start_thread(
    name: &str,
    stack_size: Option<usize>,
    body: impl FnOnce() + Send + 'static,
) -> io::Result<Started> {
    // A name with a NUL in it is not the caller's fault to panic for.
    let mut builder = Builder::new().name(name.replace('\0', " "));
    if let Some(bytes) = stack_size {
        builder = builder.stack_size(bytes);
    }
    builder.spawn(body).map(Started)
}

/// Waits until threads are gone, or until the time is up.
pub(crate) fn join_all(threads: Vec<Started>, until: Option<Instant>) {
    if threads.is_empty() {
        return;
    }
    let join = move || threads.into_iter().for_each(Started::until_gone);
    let Some(until) = until else { return join() };
    let (joined, told) = mpsc::channel();
    let joiner = start_thread("zctor-join", Some(64 * 1024), move || {
        join();
        let _ = joined.send(());
    });
    if joiner.is_ok() {
        let _ = told.recv_timeout(until.saturating_duration_since(now()));
    }
}

/// Lets other threads run that want to.
pub(crate) fn let_others_run() {
    yield_now();
}

/// The machine's parallelism: how many threads can run at once. 1 where it cannot be found out.
///
/// ```
/// assert!(zctor::available_threads() >= 1);
/// ```
pub fn available_threads() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}
