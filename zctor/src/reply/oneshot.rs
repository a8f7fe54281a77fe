//! A place for one value, with the thread or task that waits for it.
//!
//! A lock orders the two sides. The sender puts the value in and takes the waiter out under the lock, and wakes it
//! then. The receiver looks for the value and leaves its waiter under the lock. So one of the two sees the other. A word
//! beside the lock says that the sender is done, for a receiver that spins. No user code (the drop of a value, a waker)
//! runs under the lock.
//!
//! It is our own because the crate that did this, `oneshot`, frees the channel under a sender if its async receiver is
//! dropped just while a value is sent (its issue 87), as every wait that times out may do.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::Waker;

use crate::reply::cancellation::{Caller, Cancellation};
use crate::sys::awaited::Awaited;
use crate::sys::park::{Parker, Waiter};
use crate::sys::sync::{AtomicU8, Mutex, lock};
use crate::sys::unwind::ignoring_panic;

const WAITING: u8 = 0;

const DONE: u8 = 1;

struct Oneshot<T> {
    /// `DONE` when the sender has sent, or is gone.
    word: AtomicU8,
    /// It lies here so that a call allocates once.
    cancellation: Cancellation,
    inner: Mutex<Inner<T>>,
}

struct Inner<T> {
    value: Option<T>,
    waiter: Option<Waiter>,
    /// Whether the sender has sent, or is gone.
    done: bool,
    /// Whether the receiver is gone.
    left: bool,
}

/// The end that a reply is sent from.
pub(crate) struct Sender<T> {
    /// `None` once it has sent.
    place: Option<Arc<Oneshot<T>>>,
}

/// The end that waits.
pub(crate) struct Receiver<T> {
    place: Arc<Oneshot<T>>,
    /// Whether it has taken the outcome: neither a value nor a waiter lies in the place then, and no sender comes.
    has_taken: bool,
}

/// No value comes: the sender is gone and has sent none, or its value was taken before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Gone;

pub(crate) fn channel<T>(cancellation: Cancellation) -> (Sender<T>, Receiver<T>) {
    let inner = Inner { value: None, waiter: None, done: false, left: false };
    let place = Arc::new(Oneshot { word: AtomicU8::new(WAITING), cancellation, inner: Mutex::new(inner) });
    (Sender { place: Some(Arc::clone(&place)) }, Receiver { place, has_taken: false })
}

impl<T> Oneshot<T> {
    /// Puts the value in, or says that there is none, and wakes the receiver. Gives the value back if the receiver is
    /// gone.
    ///
    /// The sender's share in the place is given back first. So a receiver that had to be woken is the last to hold it,
    /// and its thread frees what that thread has allocated: allocators have that at hand for the next call.
    fn put(self: Arc<Self>, value: Option<T>) -> Option<T> {
        let (refused, waiter) = {
            let mut inner = lock(&self.inner);
            inner.done = true;
            let refused = if inner.left { value } else { std::mem::replace(&mut inner.value, value) };
            // Within the lock: when the receiver has taken the value under it, no store to this word is still to come.
            self.word.store(DONE, Ordering::Release);
            (refused, inner.waiter.take())
        };
        drop(self);
        if let Some(waiter) = waiter {
            waiter.wake();
        }
        refused
    }
}

impl<T> Caller for Oneshot<T> {
    fn has_left(&self) -> bool {
        self.cancellation.has_left()
    }
}

impl<T> Sender<T> {
    /// Sends the value, and wakes the receiver. The value comes back if the receiver is gone.
    pub(crate) fn send(mut self, value: T) -> Result<(), T> {
        match self.place.take() {
            Some(place) => place.put(Some(value)).map_or(Ok(()), Err),
            None => Err(value),
        }
    }

    pub(crate) fn cancellation(&self) -> Option<&Cancellation> {
        self.place.as_ref().map(|place| &place.cancellation)
    }

    /// The caller, so that the handler can ask whether it still waits.
    pub(crate) fn caller(&self) -> Option<Arc<dyn Caller>>
    where
        T: 'static,
    {
        self.place.clone().map(|place| place as Arc<dyn Caller>)
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.place.as_ref().is_none_or(|place| lock(&place.inner).left)
    }
}

impl<T> Drop for Sender<T> {
    fn drop(&mut self) {
        if let Some(place) = self.place.take() {
            place.put(None);
        }
    }
}

impl<T> Receiver<T> {
    pub(crate) fn cancellation(&self) -> &Cancellation {
        &self.place.cancellation
    }

    /// Takes the outcome, or leaves the waiter that `waiter` makes.
    fn take_or_leave(&mut self, waiter: impl FnOnce() -> Waiter) -> Option<Result<T, Gone>> {
        if self.is_ready() {
            self.has_taken = true;
            return Some(lock(&self.place.inner).value.take().ok_or(Gone));
        }
        let waiter = waiter();
        let (outcome, spare) = {
            let mut inner = lock(&self.place.inner);
            match inner.done {
                true => (Some(inner.value.take().ok_or(Gone)), Some(waiter)),
                false => (None, inner.waiter.replace(waiter)),
            }
        };
        if let Some(spare) = spare {
            spare.forget();
        }
        self.has_taken = outcome.is_some();
        outcome
    }
}

impl<T> Awaited for Receiver<T> {
    type Output = Result<T, Gone>;

    fn is_ready(&self) -> bool {
        self.place.word.load(Ordering::Acquire) == DONE
    }

    fn poll(&mut self, waker: &Waker) -> Option<Result<T, Gone>> {
        if waker.will_wake(Waker::noop()) && !self.is_ready() {
            return None;
        }
        self.take_or_leave(|| Waiter::Task(waker.clone()))
    }

    fn poll_listed(&mut self, parker: &Arc<Parker>, _: &Waker) -> Option<Result<T, Gone>> {
        self.take_or_leave(|| Waiter::Thread(Arc::clone(parker)))
    }
}

impl<T> Drop for Receiver<T> {
    fn drop(&mut self) {
        if self.has_taken {
            return;
        }
        let (value, waiter) = {
            let mut inner = lock(&self.place.inner);
            inner.left = true;
            (inner.value.take(), inner.waiter.take())
        };
        if value.is_some() {
            ignoring_panic(|| drop(value));
        }
        if let Some(waiter) = waiter {
            waiter.forget();
        }
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
