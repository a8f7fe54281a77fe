//! What is sent, and how.

pub(crate) mod pending;
pub(crate) mod target;
