//! What the machine gives, and all that a simulation would replace.

pub(crate) mod frame;
pub(crate) mod lock;
pub(crate) mod park;
pub(crate) mod sync;
