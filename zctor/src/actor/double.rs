//! Test doubles in place of handlers (feature `testing`).

use std::any::Any;
use std::fmt;
use std::sync::Arc;

use crate::actor::context::Context;
use crate::actor::dispatch::Dispatch;
use crate::client::message::Message;
use crate::reply::reply_to::ReplySlot;
use crate::sys::unwind::Unwound;

/// The state of a test double. [`Probe::actor`](crate::testing::Probe::actor) and
/// [`Mock::actor`](crate::testing::Mock::actor) make it; it is of no use by itself.
///
/// ```
/// use zctor::testing::{Double, Probe};
/// use zctor::Actor;
///
/// #[zctor::actor]
/// pub enum ClockMessage {
///     Wind,
/// }
///
/// let double: Actor<ClockMessage, Double<ClockMessage>> = Probe::new().actor();
/// assert_eq!(format!("{double:?}"), "Actor(ClockMessage)");
/// ```
pub struct Double<M: Message> {
    pub(crate) role: Arc<dyn Role<M>>,
}

/// Whether a state of this type is a double of `M`.
pub(crate) fn is_double<M: Message, S: 'static>() -> bool {
    std::any::TypeId::of::<S>() == std::any::TypeId::of::<Double<M>>()
}

impl<M: Message> fmt::Debug for Double<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Double({})", M::name())
    }
}

/// The behaviour of a double for a message. It leaves the port in its slot if a panic of its own is to end the call.
pub(crate) trait Role<M: Message>: Send + Sync {
    fn take(&self, message: M, slot: &mut ReplySlot<'_, M::Port>);
}

/// Gives a message to its handler, or to the double in its place.
pub(crate) fn dispatch<M: Dispatch<H>, H: 'static>(
    message: M,
    handler: &mut H,
    ctx: &mut Context<M>,
    slot: &mut ReplySlot<'_, M::Port>,
) {
    match (handler as &mut dyn Any).downcast_ref::<Double<M>>() {
        Some(double) => {
            let unwound = Unwound::names(message.variant());
            double.role.take(message, slot);
            unwound.returned();
        }
        None => message.__handle(handler, ctx, slot),
    }
}
