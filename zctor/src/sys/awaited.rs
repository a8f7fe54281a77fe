//! Two traits: `Awaited` for the waits of threads, and `Running` for those of pipes.

use std::sync::Arc;
use std::task::Waker;

use crate::sys::park::Parker;
use crate::sys::spin::Spin;

/// Something that a thread can wait for, by `wait` or `wait_outside`.
pub(crate) trait Awaited {
    type Output;
    /// Whether `poll` would give the outcome. Cheap enough to be asked while spinning.
    fn is_ready(&self) -> bool;
    /// Gives the outcome, or has `waker` woken when it is time to poll again.
    fn poll(&mut self, waker: &Waker) -> Option<Self::Output>;
    /// As `poll`, by a thread whose wait is listed (`thread/wait.rs`): if the outcome can never come, the thread is woken
    /// by that list. `waker` wakes the thread by its word, `parker`.
    fn poll_listed(&mut self, _parker: &Arc<Parker>, waker: &Waker) -> Option<Self::Output> {
        self.poll(waker)
    }
    /// How a thread outside spins while it waits for this: as its engine was told.
    fn spin(&self) -> Spin {
        Spin::default()
    }
}

/// Something that a pipe awaits: it is polled until the outcome is there, which is taken then.
pub trait Running {
    type Outcome;
    #[doc(hidden)]
    fn __poll(&mut self, waker: &Waker) -> bool;
    #[doc(hidden)]
    fn __take(&mut self) -> Self::Outcome;
}
