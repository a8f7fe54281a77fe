//! The actor thread.

pub(crate) mod local;
pub(crate) mod queue;
pub(crate) mod slots;
