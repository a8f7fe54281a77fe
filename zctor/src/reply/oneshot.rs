//! A place for one value, with the thread or task that waits for it.
//!
//! A lock orders the two sides. The sender puts the value in and takes the waiter out under the lock, and wakes it
//! then. The receiver looks for the value and leaves its waiter under the lock. So one of the two sees the other. A word
//! beside the lock says that the sender is done, for a receiver that spins. No user code (the drop of a value, a waker)
//! runs under the lock.
//!
//! It is our own because the crate that did this, `oneshot`, frees the channel under a sender if its async receiver is
//! dropped just while a value is sent (its issue 87), as every wait that times out may do.

use std::mem::replace;
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
    /// `DONE` when the sender has sent, or is gone. It is written under the lock.
    word: AtomicU8,
    /// It lies here so that a call allocates once.
    cancellation: Cancellation,
    inner: Mutex<Inner<T>>,
}

struct Inner<T> {
    value: Option<T>,
    end: End,
}

/// The state of the receiver, and its waiter if it has one. In one field: two would take another 8 bytes, and allocators
/// hand out blocks of more than 120 bytes by a longer way.
enum End {
    /// It does not wait, or was woken.
    There,
    Waits(Waiter),
    Gone,
}

impl End {
    /// Changes it; gives the waiter that was there.
    fn change_to(&mut self, end: Self) -> Option<Waiter> {
        match replace(self, end) {
            Self::Waits(waiter) => Some(waiter),
            Self::There | Self::Gone => None,
        }
    }
}

/// The end that a reply is sent from.
pub(crate) struct Sender<T> {
    /// `None` once it is spent.
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
    let inner = Inner { value: None, end: End::There };
    let place = Arc::new(Oneshot { word: AtomicU8::new(WAITING), cancellation, inner: Mutex::new(inner) });
    (Sender { place: Some(Arc::clone(&place)) }, Receiver { place, has_taken: false })
}

impl<T> Oneshot<T> {
    /// Puts the value in, or says that there is none, and wakes the receiver. Gives the value back if the receiver is
    /// gone.
    ///
    /// The sender's share in the place is given back first. So a receiver that had to be woken is the last to hold it,
    /// and its thread frees what that thread has allocated: allocators have that at hand for the next call. A call that
    /// can be given up is another matter: the thread of its handler holds a share until the handler has ended.
    fn put(self: Arc<Self>, value: Option<T>) -> Option<T> {
        let (refused, waiter) = {
            let mut inner = lock(&self.inner);
            let refused = if let End::Gone = inner.end { value } else { replace(&mut inner.value, value) };
            // Within the lock: when the receiver has taken the value under it, no store to this word is still to come.
            self.word.store(DONE, Ordering::Release);
            (refused, inner.end.change_to(End::There))
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

    /// Takes the sender out of its place, where one is left that is spent. `None` if that was spent already.
    #[inline]
    pub(crate) fn take(&mut self) -> Option<Self> {
        self.place.take().map(|place| Self { place: Some(place) })
    }

    /// Whether it sends no more.
    #[inline]
    pub(crate) fn is_spent(&self) -> bool {
        self.place.is_none()
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
        self.place.as_ref().is_none_or(|place| matches!(lock(&place.inner).end, End::Gone))
    }
}

impl<T> Drop for Sender<T> {
    // In line, as the look of the receiver's drop is: nearly always the end has done what it is for.
    #[inline]
    fn drop(&mut self) {
        if !self.is_spent() {
            self.send_nothing();
        }
    }
}

impl<T> Sender<T> {
    #[cold]
    #[inline(never)]
    fn send_nothing(&mut self) {
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
            match self.is_ready() {
                true => (Some(inner.value.take().ok_or(Gone)), Some(waiter)),
                false => (None, inner.end.change_to(End::Waits(waiter))),
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
    #[inline]
    fn drop(&mut self) {
        if !self.has_taken {
            self.leave();
        }
    }
}

impl<T> Receiver<T> {
    /// Tells the sender that the receiver is gone.
    #[cold]
    #[inline(never)]
    fn leave(&self) {
        let (value, waiter) = {
            let mut inner = lock(&self.place.inner);
            (inner.value.take(), inner.end.change_to(End::Gone))
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
    #[cfg(target_pointer_width = "64")]
    fn a_sender_is_a_word_and_the_place_of_a_small_reply_a_small_block() {
        let counts = 2 * size_of::<usize>();
        assert_eq!(size_of::<Sender<u64>>(), size_of::<usize>());
        assert!(counts + size_of::<Oneshot<Result<u64, crate::error::CallError>>>() <= 120);
    }

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
