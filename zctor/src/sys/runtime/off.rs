//! Without the feature `tokio` no runtime is known.

/// Does nothing.
#[inline(always)]
pub(crate) fn assert_may_block() {}
