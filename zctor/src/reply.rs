//! The way back of a call.

pub(crate) mod cancellation;
pub(crate) mod oneshot;
pub(crate) mod reply_to;
