//! From a message to the instance that gets it.

pub(crate) mod contents;
pub(crate) mod endpoint;
pub(crate) mod keyed;
pub(crate) mod least_loaded;
pub(crate) mod payload;
pub(crate) mod pool;
pub(crate) mod registry;
pub(crate) mod round_robin;
