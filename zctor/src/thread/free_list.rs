//! The free list of a thread: instances that have ended, whose memory the next ones take.
//!
//! A thread that starts and stops instances all the time would otherwise allocate and free two pieces of memory for
//! each, which took a quarter of the instructions of its life. Nothing of the user's is in the list: an instance drops
//! its state, its factory, its timers and its pipes when it ends.

use std::mem::size_of_val;
use std::rc::Rc;

use crate::thread::local::Instance;

/// The instances of a thread that have ended, the last of them on top.
#[derive(Default)]
pub(crate) struct FreeList {
    ended: Vec<Rc<dyn Instance>>,
    /// How much memory they take, beside their endpoints.
    bytes: usize,
}

/// So much memory a free list keeps: as much as the stack of a thread has by default.
const KEPT: usize = 2 << 20;

impl FreeList {
    /// Keeps an instance that has ended, or gives it back if there is no room. Others may still hold it.
    pub(super) fn keep(&mut self, ended: Rc<dyn Instance>) -> Option<Rc<dyn Instance>> {
        let bytes = size_of_val(&*ended);
        if self.bytes + bytes > KEPT {
            return Some(ended);
        }
        self.bytes += bytes;
        self.ended.push(ended);
        None
    }

    /// The instance that ended last. It may be of other types than the one that is to take its memory.
    pub(super) fn take(&mut self) -> Option<Rc<dyn Instance>> {
        let ended = self.ended.pop()?;
        self.bytes -= size_of_val(&*ended);
        Some(ended)
    }
}
