//! What the machine gives, and all that a simulation replaces.

pub(crate) mod alarm;
pub(crate) mod awaited;
pub(crate) mod chance;
pub(crate) mod clock;
pub(crate) mod counter;
pub(crate) mod frame;
pub(crate) mod lock;
pub(crate) mod monitor;
pub(crate) mod park;
pub(crate) mod spawn;
pub(crate) mod sync;
pub(crate) mod unwind;
pub(crate) mod waiters;
