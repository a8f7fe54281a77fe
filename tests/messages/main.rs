//! Messages that are sent: in order, once each, to one, to many, or back.

mod batches;
mod broadcast;
mod exactly_once;
mod gathered;
mod message_sizes;
mod order;
mod recipient;
mod refused;
mod send_all;
