//! The way back of a call.

pub(crate) mod cancellation;
pub(crate) mod oneshot;
