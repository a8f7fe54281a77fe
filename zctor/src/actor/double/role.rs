//! [`Role`]: what stands in the place of a handler.

use crate::client::message::Message;
use crate::reply::reply_to::ReplySlot;

/// What a double or a link does with a message. It leaves the port in its slot if a panic of its own is to end the call.
pub(crate) trait Role<M: Message>: Send + Sync {
    fn take(&self, message: M, slot: &mut ReplySlot<'_, M::Port>);
}
