//! Messaging: sends, calls and broadcasts, to a pool or to a part of it.
//!
//! The layer promises: when a send returns `Ok`, its message was accepted; when it is refused, the message comes back
//! in the error; a wait for a reply is checked against the call depth before it begins; a call always ends, with its
//! reply or with the reason why none can come.
//!
//! It imports its own folder and the layers below: route, thread, mailbox, reply, trace, sys, and the plain data.

pub(crate) mod awaited_room;
pub(crate) mod backpressure;
pub(crate) mod binding;
pub(crate) mod broadcast;
pub(crate) mod call;
pub(crate) mod first;
pub(crate) mod in_flight;
pub(crate) mod pending;
pub(crate) mod request;
pub(crate) mod send;
pub(crate) mod send_all;
pub(crate) mod target;
mod undeclared;

pub(crate) use broadcast::{broadcast, broadcast_with, call_all_with, request_all, stop_all};
pub(crate) use call::{call, call_in_pool};
pub(crate) use request::request;
#[cfg(feature = "remote")]
pub(crate) use request::request_when_room;
pub(crate) use send::send;
pub(crate) use send_all::send_all;
#[cfg(feature = "remote")]
pub(crate) use send_all::try_send_all;
