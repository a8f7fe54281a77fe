//! Runs a future on the calling thread. A thread of a simulation parks by the order and the time of its simulation.

use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};

use crate::sys::sync::{Thread, current, park};

/// Wakes the thread that polls.
struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// Polls the future until it is ready; `None` if it `is_dropped` before.
pub(crate) fn run_future<F: Future>(future: F, is_dropped: impl Fn() -> bool) -> Option<F::Output> {
    let waker = Waker::from(Arc::new(Unpark(current())));
    let (mut future, mut context) = (pin!(future), Context::from_waker(&waker));
    loop {
        match future.as_mut().poll(&mut context) {
            Poll::Ready(output) => return Some(output),
            Poll::Pending if is_dropped() => return None,
            Poll::Pending => park(),
        }
    }
}
