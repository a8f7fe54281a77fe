//! The end of a load: its threads run until it is over, also where the test panics before.

use std::sync::atomic::{AtomicBool, Ordering};

/// Says that it is over when this is dropped. Without that a scope whose body panics waits for its threads for ever.
pub(crate) struct Ends<'a>(pub(crate) &'a AtomicBool);

impl Drop for Ends<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}
