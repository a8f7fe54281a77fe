//! The way back of a reply: a place for one value, and the waker of who waits for it.
//!
//! A lock orders the two sides. Who settles the place puts the value in and takes the waker out under it, then wakes; who
//! waits looks for the value and leaves a waker under it. So one of the two sees the other. A word beside the lock says
//! that the place is done, for who spins. No code of a user's (a value's drop, a waker) runs under the lock.
//!
//! It is our own because the crate that did this, `oneshot`, frees the channel under a sender when its async receiver is
//! dropped in the wrong moment (its issue 87), as every wait that times out may do.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::Waker;

use crate::reply::cancellation::Cancellation;
use crate::sys::awaited::Awaited;
use crate::sys::sync::{AtomicU8, Mutex, lock};
use crate::sys::unwind::quietly;

const WAITING: u8 = 0;

const DONE: u8 = 1;

struct Oneshot<T> {
    /// `DONE` when the sender is through: with a value, or without one.
    word: AtomicU8,
    /// Here, so that a call allocates once.
    cancellation: Cancellation,
    inner: Mutex<Inner<T>>,
}

struct Inner<T> {
    value: Option<T>,
    waker: Option<Waker>,
    /// The sender has sent, or is gone.
    done: bool,
    /// The receiver is gone.
    left: bool,
}

/// The end that a reply is sent from.
pub(crate) struct Sender<T> {
    place: Arc<Oneshot<T>>,
}

/// The end that waits.
pub(crate) struct Receiver<T> {
    place: Arc<Oneshot<T>>,
}

/// The sender is gone, and no value came, or it was taken before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Gone;

pub(crate) fn channel<T>(cancellation: Cancellation) -> (Sender<T>, Receiver<T>) {
    let inner = Inner { value: None, waker: None, done: false, left: false };
    let place = Arc::new(Oneshot { word: AtomicU8::new(WAITING), cancellation, inner: Mutex::new(inner) });
    (Sender { place: Arc::clone(&place) }, Receiver { place })
}

impl<T> Oneshot<T> {
    /// The sender is through; what the receiver will not take comes back.
    fn put(&self, value: Option<T>) -> Option<T> {
        let (refused, waker) = {
            let mut inner = lock(&self.inner);
            inner.done = true;
            let refused = if inner.left { value } else { std::mem::replace(&mut inner.value, value) };
            // Within the lock, so that who takes the value afterwards leaves nothing behind that spins.
            self.word.store(DONE, Ordering::Release);
            (refused, inner.waker.take())
        };
        if let Some(waker) = waker {
            quietly(|| waker.wake());
        }
        refused
    }
}

impl<T> Sender<T> {
    /// Sends the value, and wakes who waits for it. It comes back if nobody does any more.
    pub(crate) fn send(self, value: T) -> Result<(), T> {
        self.place.put(Some(value)).map_or(Ok(()), Err)
    }

    pub(crate) fn cancellation(&self) -> &Cancellation {
        &self.place.cancellation
    }

    /// Nobody waits any more.
    pub(crate) fn is_closed(&self) -> bool {
        lock(&self.place.inner).left
    }
}

impl<T> Drop for Sender<T> {
    fn drop(&mut self) {
        // Relaxed: this end alone settles it.
        if self.place.word.load(Ordering::Relaxed) == WAITING {
            self.place.put(None);
        }
    }
}

impl<T> Receiver<T> {
    pub(crate) fn cancellation(&self) -> &Cancellation {
        &self.place.cancellation
    }
}

impl<T> Awaited for Receiver<T> {
    type Output = Result<T, Gone>;

    fn is_ready(&self) -> bool {
        self.place.word.load(Ordering::Acquire) == DONE
    }

    fn poll(&mut self, waker: &Waker) -> Option<Result<T, Gone>> {
        if self.is_ready() {
            return Some(lock(&self.place.inner).value.take().ok_or(Gone));
        }
        if waker.will_wake(Waker::noop()) {
            return None;
        }
        let waker = waker.clone();
        let (outcome, spare) = {
            let mut inner = lock(&self.place.inner);
            match inner.done {
                true => (Some(inner.value.take().ok_or(Gone)), Some(waker)),
                false => (None, inner.waker.replace(waker)),
            }
        };
        drop_waker(spare);
        outcome
    }
}

impl<T> Drop for Receiver<T> {
    fn drop(&mut self) {
        let (value, waker) = {
            let mut inner = lock(&self.place.inner);
            inner.left = true;
            (inner.value.take(), inner.waker.take())
        };
        if value.is_some() {
            quietly(|| drop(value));
        }
        drop_waker(waker);
    }
}

fn drop_waker(waker: Option<Waker>) {
    if waker.is_some() {
        quietly(|| drop(waker));
    }
}

#[cfg(all(test, loom))]
mod loom_models;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_taken_once() {
        let (sender, mut receiver) = channel(Cancellation::none());
        assert_eq!(receiver.poll(Waker::noop()), None);
        sender.send(1).unwrap();
        assert_eq!(receiver.poll(Waker::noop()), Some(Ok(1)));
        assert_eq!(receiver.poll(Waker::noop()), Some(Err(Gone)));
    }

    #[test]
    fn either_end_sees_that_the_other_is_gone() {
        let (sender, mut receiver) = channel::<u8>(Cancellation::none());
        drop(sender);
        assert_eq!(receiver.poll(Waker::noop()), Some(Err(Gone)));
        let (sender, receiver) = channel::<u8>(Cancellation::none());
        assert!(!sender.is_closed());
        drop(receiver);
        assert!(sender.is_closed());
        assert_eq!(sender.send(1), Err(1));
    }
}
