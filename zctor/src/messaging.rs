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

pub(crate) use broadcast::{broadcast, broadcast_with, call_all_with, stop_all};
pub(crate) use call::{call, request};
pub(crate) use send::send;
pub(crate) use send_all::send_all;
