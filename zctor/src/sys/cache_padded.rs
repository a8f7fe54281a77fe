//! Cache lines of their own for what one thread writes while another reads or writes something else beside it.

use std::ops::Deref;

/// A value with nothing else in its cache lines. A line that one core writes leaves the caches of all others, with all that
/// lies in it. 128 bytes, since processors fetch lines of 64 bytes in pairs.
#[repr(align(128))]
#[derive(Default)]
pub(crate) struct CachePadded<T>(pub(crate) T);

impl<T> Deref for CachePadded<T> {
    type Target = T;

    #[inline(always)]
    fn deref(&self) -> &T {
        &self.0
    }
}
