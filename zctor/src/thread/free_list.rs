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
    /// How much memory they take, beside their endpoints.
    bytes: usize,
}

/// So much memory a free list keeps: as much as the stack of a thread has by default.
const KEPT: usize = 2 << 20;

impl<T: ?Sized> Default for FreeList<T> {
    fn default() -> Self {
        Self { ended: Vec::new(), bytes: 0 }
    }
}

impl<T: ?Sized> FreeList<T> {
    /// Keeps an instance that has ended, or gives it back if there is no room. Others may still hold it.
    pub(super) fn keep(&mut self, ended: Rc<T>) -> Option<Rc<T>> {
        let bytes = size_of_val(&*ended);
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
        self.bytes -= size_of_val(&*ended);
        Some(ended)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_that_ended_comes_first_and_no_more_are_kept_than_fit() {
        let mut list = FreeList::<[u8]>::default();
        let halves = [1, 2].map(|value| Rc::<[u8]>::from(vec![value; KEPT / 2]));
        assert!(halves.into_iter().all(|half| list.keep(half).is_none()));
        let refused = list.keep(Rc::from([3]));
        assert_eq!(refused.as_deref(), Some(&[3][..]));
        let first = |taken: Option<Rc<[u8]>>| taken.map(|taken| taken[0]);
        assert_eq!(first(list.take()), Some(2));
        assert!(list.keep(Rc::from([4])).is_none());
        assert_eq!((first(list.take()), first(list.take()), first(list.take())), (Some(4), Some(1), None));
    }
}
