//! Starts and joins threads, which only this file does; and tells how many can run at once.

use std::io;
use std::sync::{Arc, Mutex};
use std::thread::{Builder, JoinHandle, current};
use std::time::Duration;

use crate::sys::lock::lock;
use crate::sys::simulated::{MemberRef, this_member};
use crate::sys::sync::yield_now;

/// A thread that was started, to be joined.
pub(crate) enum Started {
    Os(JoinHandle<()>),
    Simulated(MemberRef),
}

impl Started {
    /// Whether it has ended. The destructors of its thread-locals may still run.
    pub(crate) fn is_finished(&self) -> bool {
        match self {
            Self::Os(thread) => thread.is_finished(),
            Self::Simulated(member) => member.is_gone(),
        }
    }

    /// Waits until it is gone, with its thread-locals. It cannot be waited for on itself: there this returns at once.
    pub(crate) fn until_gone(self) {
        match self {
            Self::Os(thread) if thread.thread().id() == current().id() => {}
            // If zctor's own code has panicked there, the panic hook has reported that.
            Self::Os(thread) => drop(thread.join()),
            Self::Simulated(member) => member.until_gone(),
        }
    }
}

/// Starts a thread: of the same simulated world if this thread is of one, else of the system.
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
    match this_member() {
        Some(member) => member.start(builder, name, body).map(Started::Simulated),
        None => builder.spawn(body).map(Started::Os),
    }
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
/// outcome: an error is its panic. `None` if the system refuses that thread, or if this is one of a simulation; the
/// work is still in its place then.
pub(crate) fn run_beside<R: Send>(
    name: &str,
    place: &mut Option<impl FnOnce() -> R + Send>,
    meanwhile: impl FnOnce(),
) -> Option<std::thread::Result<R>> {
    if this_member().is_some() {
        return None;
    }
    std::thread::scope(|scope| {
        let builder = Builder::new().name(name.replace('\0', " "));
        let started = builder.spawn_scoped(scope, || place.take().map(|work| work())).ok()?;
        meanwhile();
        started.join().transpose()
    })
}

/// A thread, for its name.
#[derive(Clone)]
pub(crate) struct ThreadName(std::thread::Thread);

impl ThreadName {
    pub(crate) fn of_current() -> Self {
        Self(current())
    }

    pub(crate) fn get(&self) -> Option<&str> {
        self.0.name()
    }
}

/// Lets other threads run, if any are ready to.
pub(crate) fn let_others_run() {
    yield_now();
}

/// Lets this thread sleep, in the virtual time if it is one of a simulation.
///
/// # Blocking
/// A handler that sleeps holds its actor thread: nothing else is served there meanwhile.
///
/// ```
/// use std::time::Duration;
///
/// let before = zctor::now();
/// zctor::sleep(Duration::from_millis(1));
/// assert!(zctor::now() >= before + Duration::from_millis(1));
/// ```
#[expect(clippy::disallowed_methods, reason = "the seam that the ban points to")]
pub fn sleep(time: Duration) {
    match this_member() {
        Some(member) => member.sleep(time),
        None => std::thread::sleep(time),
    }
}

/// How many cores a simulation says that it has, on every machine.
const SIMULATED_CORES: usize = 4;

/// Tells how many threads can run at once on this machine. 1 if that cannot be found out; 4 in a simulation.
///
/// ```
/// assert!(zctor::available_threads() >= 1);
/// ```
pub fn available_threads() -> usize {
    if this_member().is_some() {
        return SIMULATED_CORES;
    }
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}
