//! States that take their messages whole, in place of handlers: the doubles of tests (feature `testing`) and the links
//! to pools elsewhere (feature `remote`).

#[cfg(feature = "remote")]
pub(crate) mod link;
#[cfg(not(feature = "remote"))]
#[path = "double/none.rs"]
pub(crate) mod link;
pub(crate) mod role;
#[cfg(feature = "testing")]
pub(crate) mod test;
#[cfg(not(feature = "testing"))]
#[path = "double/none.rs"]
pub(crate) mod test;

use std::any::Any;

use crate::actor::context::Context;
use crate::actor::dispatch::Dispatch;
use crate::client::message::Message;
use crate::reply::reply_to::ReplySlot;
use crate::sys::unwind::Unwound;

/// Whether a state of this type takes its messages whole.
pub(crate) fn takes_whole<M: Message, S: 'static>() -> bool {
    test::is::<M, S>() || link::is::<M, S>()
}

/// Gives a message to its handler, or to the double or the link in its place.
pub(crate) fn dispatch<M: Dispatch<H>, H: 'static>(
    message: M,
    handler: &mut H,
    ctx: &mut Context<M>,
    slot: &mut ReplySlot<'_, M::Port>,
) {
    let state = &*handler as &dyn Any;
    match test::role(state).or_else(|| link::role(state)) {
        Some(role) => {
            let unwound = Unwound::names(message.variant());
            role.take(message, slot);
            unwound.returned();
        }
        None => message.__handle(handler, ctx, slot),
    }
}
