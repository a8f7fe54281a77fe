//! The actor thread.

pub(crate) mod borrowed;
pub(crate) mod held;
pub(crate) mod local;
pub(crate) mod queue;
pub(crate) mod run;
pub(crate) mod serve;
pub(crate) mod slots;
pub(crate) mod timers;
pub(crate) mod undelivered;
pub(crate) mod wait;
