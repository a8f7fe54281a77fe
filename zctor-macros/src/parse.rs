//! Reads the enum and its attributes into types of the crate's own, which keep their tokens for the errors.

pub(crate) mod ast;
pub(crate) mod attr;
pub(crate) mod serde;
