//! Reads the enum and its attributes into types of our own, which keep their tokens for the errors.

pub(crate) mod ast;
pub(crate) mod attr;
