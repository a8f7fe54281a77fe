//! The free list of a thread: instances that have ended, whose memory the next ones take.
//!
//! A thread that starts and stops instances all the time would otherwise allocate and free two pieces of memory for
//! each, which took a quarter of the instructions of its life. Nothing of the user's is in the list: an instance drops
//! its state, its factory, its timers and its pipes when it ends.

use std::mem::size_of_val;
use std::rc::Rc;

/// The instances of a thread that have ended, the last of them on top.
pub(super) struct FreeList<T: ?Sized> {
    ended: Vec<Rc<T>>,
    /// How much memory they take, about.
    bytes: usize,
}

/// So much memory a free list keeps: as much as the stack of a thread has by default.
const KEPT: usize = 2 << 20;

/// And so much while the thread is at rest: a burst of instances may have been the only one.
const KEPT_AT_REST: usize = KEPT / 16;

/// The memory of an instance beside its own size, about: its endpoint, and its factory.
const BESIDE: usize = 192;

impl<T: ?Sized> Default for FreeList<T> {
    fn default() -> Self {
        Self { ended: Vec::new(), bytes: 0 }
    }
}

impl<T: ?Sized> FreeList<T> {
    /// Keeps an instance that has ended, or gives it back if there is no room. Others may still hold it.
    pub(super) fn keep(&mut self, ended: Rc<T>) -> Option<Rc<T>> {
        let bytes = bytes(&*ended);
        if self.bytes + bytes > KEPT {
            return Some(ended);
        }
        self.bytes += bytes;
        self.ended.push(ended);
        None
    }

    /// The instance that ended last. It may be of other types than the one that is to take its memory.
    pub(super) fn take(&mut self) -> Option<Rc<T>> {
        let ended = self.ended.pop()?;
        self.bytes -= bytes(&*ended);
        Some(ended)
    }

    /// One that is too much for a thread at rest.
    pub(super) fn take_surplus(&mut self) -> Option<Rc<T>> {
        if self.bytes > KEPT_AT_REST { self.take() } else { None }
    }
}

fn bytes<T: ?Sized>(ended: &T) -> usize {
    size_of_val(ended) + BESIDE
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_that_ended_comes_first_and_no_more_are_kept_than_fit() {
        let mut list = FreeList::<[u8]>::default();
        let halves = [1, 2].map(|value| Rc::<[u8]>::from(vec![value; KEPT / 2 - BESIDE]));
        assert!(halves.into_iter().all(|half| list.keep(half).is_none()));
        let refused = list.keep(Rc::from([3]));
        assert_eq!(refused.as_deref(), Some(&[3][..]));
        let first = |taken: Option<Rc<[u8]>>| taken.map(|taken| taken[0]);
        assert_eq!(first(list.take()), Some(2));
        assert!(list.keep(Rc::from([4])).is_none());
        assert_eq!((first(list.take()), first(list.take()), first(list.take())), (Some(4), Some(1), None));
    }

    #[test]
    fn at_rest_a_burst_of_ended_instances_is_freed_but_for_a_few() {
        let mut list = FreeList::<u64>::default();
        let burst = (0..).take_while(|number| list.keep(Rc::new(*number)).is_none()).count();
        let freed = std::iter::from_fn(|| list.take_surplus()).count();
        let left = std::iter::from_fn(|| list.take()).count();
        assert!(freed + left == burst && left > 100 && left < burst / 10, "{left} of {burst}");
        assert_eq!(list.bytes, 0);
    }
}
