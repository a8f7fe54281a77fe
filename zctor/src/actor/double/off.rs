//! Test doubles without the feature `testing`: there are none, and every message goes to its handler.

use crate::actor::context::Context;
use crate::actor::dispatch::Dispatch;
use crate::client::message::Message;
use crate::reply::reply_to::ReplySlot;

#[inline]
pub(crate) fn dispatch<M: Dispatch<H>, H: 'static>(
    message: M,
    handler: &mut H,
    ctx: &mut Context<M>,
    slot: &mut ReplySlot<'_, M::Port>,
) {
    message.__handle(handler, ctx, slot);
}

/// Never: there are no doubles.
#[expect(clippy::extra_unused_type_parameters, reason = "those of its counterpart")]
pub(crate) fn is_double<M: Message, S: 'static>() -> bool {
    false
}

/// Makes nothing: no enum has a double.
#[doc(hidden)]
#[macro_export]
macro_rules! __double {
    ($($tokens:tt)*) => {};
}
