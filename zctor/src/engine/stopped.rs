//! The end of an engine as a future.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll, Waker};

use crate::engine::core::{Core, EnginePhase, State};
use crate::engine::shutdown::drive_shutdown;
use crate::error::ShutdownError;
use crate::report::Report;
use crate::sys::frame::{Frame, is_user_code_here};
use crate::sys::unwind::ignoring_panic;

/// One that awaits the end of an engine. It keeps no thread and no instance alive.
struct Awaiting {
    core: Arc<Core>,
    /// Its number among those who are told of the end.
    number: Option<u64>,
}

impl Awaiting {
    fn new(core: &Arc<Core>) -> Self {
        Self { core: Arc::clone(core), number: None }
    }

    /// The outcome, if the engine has stopped; otherwise `waker` is woken then.
    fn poll(&mut self, waker: &Waker) -> Option<Result<Report, ShutdownError>> {
        loop {
            // Cloned, and the one before dropped, outside of the lock: both run the user's code.
            let waker = waker.clone();
            let mut state = self.core.state.lock();
            match &mut state.phase {
                EnginePhase::Stopped(outcome) => {
                    let outcome = outcome.clone();
                    drop(state);
                    ignoring_panic(|| drop(waker));
                    return Some(outcome);
                }
                EnginePhase::Stopping { has_driver, .. } if !*has_driver && !Frame::current().is_user_code() => {
                    *has_driver = true;
                    drop(state);
                    ignoring_panic(|| drop(waker));
                    drive_shutdown(&self.core);
                }
                _ => {
                    let State { awaiting, .. } = &mut *state;
                    let before = match self.number {
                        Some(number) => awaiting.join_again(number, waker),
                        None => {
                            self.number = Some(awaiting.join(waker));
                            None
                        }
                    };
                    drop(state);
                    ignoring_panic(|| drop(before));
                    return None;
                }
            }
        }
    }
}

impl Drop for Awaiting {
    fn drop(&mut self) {
        if let Some(number) = self.number {
            let waker = self.core.state.lock().awaiting.leave(number);
            ignoring_panic(|| drop(waker));
        }
    }
}

/// A future that is ready when the engine has stopped: see [`ActorEngine::stopped`](crate::ActorEngine::stopped).
///
/// ```
/// use zctor::{ActorEngine, Stopped};
///
/// let engine = ActorEngine::new();
/// let stopped: Stopped = engine.handle().stopped();
/// assert_eq!(format!("{stopped:?}"), "Stopped(zctor)");
/// ```
#[must_use = "it does nothing unless it is awaited"]
pub struct Stopped {
    /// `None` for the handle of an engine that is gone.
    awaiting: Option<Awaiting>,
}

impl Stopped {
    pub(super) fn new(core: Option<&Arc<Core>>) -> Self {
        Self { awaiting: core.map(Awaiting::new) }
    }
}

impl Future for Stopped {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<()> {
        let Some(awaiting) = &mut self.awaiting else { return Poll::Ready(()) };
        // The outcome is for the caller of a shutdown.
        match awaiting.poll(cx.waker()) {
            Some(_) => Poll::Ready(()),
            None => Poll::Pending,
        }
    }
}

impl fmt::Debug for Stopped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.awaiting {
            Some(awaiting) => write!(f, "Stopped({})", awaiting.core.name),
            None => f.write_str("Stopped(gone)"),
        }
    }
}

/// A shutdown that has begun, and its report when it is over: see
/// [`ActorEngine::shutdown_async`](crate::ActorEngine::shutdown_async).
///
/// Dropping it changes nothing: the shutdown goes on.
///
/// ```
/// use zctor::{ActorEngine, Shutdown};
///
/// let engine = ActorEngine::new();
/// let shutdown: Shutdown = engine.shutdown_async();
/// assert_eq!(format!("{shutdown:?}"), "Shutdown(zctor)");
/// ```
#[must_use = "the shutdown goes on without it, but its report is lost unless it is awaited"]
pub struct Shutdown {
    awaiting: Awaiting,
}

impl Shutdown {
    pub(super) fn new(core: &Arc<Core>) -> Self {
        Self { awaiting: Awaiting::new(core) }
    }
}

impl Future for Shutdown {
    type Output = Result<Report, ShutdownError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Self::Output> {
        match self.awaiting.poll(cx.waker()) {
            Some(outcome) => Poll::Ready(outcome),
            // The shutdown waits for the handler that would wait here for the shutdown. A task in a waker waits for nothing.
            None if is_user_code_here() => Poll::Ready(Err(ShutdownError::OnActorThread)),
            None => Poll::Pending,
        }
    }
}

impl fmt::Debug for Shutdown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Shutdown({})", self.awaiting.core.name)
    }
}
