//! What is sent, and how.

pub(crate) mod backpressure;
pub(crate) mod binding;
pub(crate) mod broadcast;
pub(crate) mod call;
pub(crate) mod in_flight;
pub(crate) mod pending;
pub(crate) mod send;
pub(crate) mod send_all;
pub(crate) mod target;
