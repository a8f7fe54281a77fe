//! From a message to the instance that gets it.

pub(crate) mod contents;
pub(crate) mod endpoint;
pub(crate) mod pool;
pub(crate) mod registry;
