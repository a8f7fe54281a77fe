//! Something that a thread or a pipe can wait for.

use std::task::Waker;

use crate::id::ThreadId;

/// Something that a thread can wait for in the one way that all waits take.
pub(crate) trait Awaited {
    type Output;
    /// Whether `poll` would give something; cheap enough to be asked while spinning.
    fn is_ready(&self) -> bool;
    /// Gives the outcome, or has `waker` woken when to ask again.
    fn poll(&mut self, waker: &Waker) -> Option<Self::Output>;
    /// For the statistics: the message type that must reply, and on which thread.
    fn callee(&self) -> Option<(&'static str, ThreadId)> {
        None
    }
}

/// Something that is awaited by polling, and taken when it is there.
pub trait Running {
    type Outcome;
    #[doc(hidden)]
    fn __poll(&mut self, waker: &Waker) -> bool;
    #[doc(hidden)]
    fn __take(&mut self) -> Self::Outcome;
}
