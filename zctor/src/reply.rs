//! The way back of a call, from its handler to its caller.
//!
//! The layer promises: no reply is missed by a caller that waits for it, and none is dropped twice; a call begins or is
//! given up, never both; a call whose `ReplyTo` is dropped ends with the reason. It knows replies by their type alone,
//! and neither instances nor mailboxes.
//!
//! It may import only its own folder and the layers below it: trace, sys and the plain data.

pub(crate) mod cancellation;
pub(crate) mod oneshot;
pub(crate) mod reply_to;
