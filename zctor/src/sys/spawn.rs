//! Starts and joins threads, which only this file does; and tells how many can run at once.

use std::io;
use std::sync::{Arc, Mutex};
use std::thread::{Builder, JoinHandle, current};

use crate::sys::lock::lock;
use crate::sys::sync::yield_now;

/// A thread that was started, to be joined.
pub(crate) struct Started(JoinHandle<()>);

impl Started {
    /// Whether it has ended. The destructors of its thread-locals may still run.
    pub(crate) fn is_finished(&self) -> bool {
        self.0.is_finished()
    }

    /// Waits until it is gone, with its thread-locals. It cannot be waited for on itself: there this returns at once.
    pub(crate) fn until_gone(self) {
        if self.0.thread().id() == current().id() {
            return;
        }
        // If zctor's own code has panicked there, the panic hook has reported that.
        let _ = self.0.join();
    }
}

/// Starts a thread.
pub(crate) fn start_thread(
    name: &str,
    stack_size: Option<usize>,
    body: impl FnOnce() + Send + 'static,
) -> io::Result<Started> {
    // A name with a NUL in it would make `spawn` panic. That is replaced instead.
    let mut builder = Builder::new().name(name.replace('\0', " "));
    if let Some(bytes) = stack_size {
        builder = builder.stack_size(bytes);
    }
    builder.spawn(body).map(Started)
}

/// Has another thread wait until threads are gone, and run `then`. `false` if the system refuses that thread: then
/// those were waited for here.
pub(crate) fn join_aside(threads: Vec<Started>, then: impl FnOnce() + Send + 'static) -> bool {
    let threads = Arc::new(Mutex::new(threads));
    let join =
        |threads: &Mutex<Vec<Started>>| std::mem::take(&mut *lock(threads)).into_iter().for_each(Started::until_gone);
    let aside = Arc::clone(&threads);
    let joiner = start_thread("zctor-join", Some(64 * 1024), move || {
        join(&aside);
        then();
    });
    if joiner.is_err() {
        join(&threads);
    }
    joiner.is_ok()
}

/// Runs the work in `place` on a thread of its own, and `meanwhile` on this one; then waits for the work, and gives its
/// outcome: an error is its panic. `None` if the system refuses that thread; the work is still in its place then.
pub(crate) fn run_beside<R: Send>(
    name: &str,
    place: &mut Option<impl FnOnce() -> R + Send>,
    meanwhile: impl FnOnce(),
) -> Option<std::thread::Result<R>> {
    std::thread::scope(|scope| {
        let builder = Builder::new().name(name.replace('\0', " "));
        let started = builder.spawn_scoped(scope, || place.take().map(|work| work())).ok()?;
        meanwhile();
        started.join().transpose()
    })
}

/// Lets other threads run, if any are ready to.
pub(crate) fn let_others_run() {
    yield_now();
}

/// Tells how many threads can run at once on this machine. 1 if that cannot be found out.
///
/// ```
/// assert!(zctor::available_threads() >= 1);
/// ```
pub fn available_threads() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}
