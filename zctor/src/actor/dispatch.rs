//! [`Dispatch`]: from a message to the method of its handler.

use crate::actor::context::Context;
use crate::client::message::Message;
use crate::reply::reply_to::ReplySlot;

/// Moves a message into the right method of its handler; implemented by `#[actor]` for every handler.
///
/// ```
/// use zctor::{Dispatch, actor};
///
/// #[actor]
/// pub enum EchoMessage {
///     #[reply(u8)]
///     Echo(u8),
/// }
/// struct Echo;
/// impl EchoHandler for Echo {
///     fn echo(&mut self, value: u8) -> u8 {
///         value
///     }
/// }
///
/// fn is_handled_by<M: Dispatch<S>, S>() -> bool {
///     true
/// }
/// assert!(is_handled_by::<EchoMessage, Echo>());
/// ```
#[diagnostic::on_unimplemented(
    message = "`{H}` does not handle `{Self}`",
    note = "implement the handler trait that `#[actor]` generated beside `{Self}` for `{H}`"
)]
pub trait Dispatch<H>: Message {
    /// Calls the method for this variant.
    #[doc(hidden)]
    fn __handle(self, handler: &mut H, ctx: &mut Context<Self>, slot: &mut ReplySlot<'_, Self::Port>);
    #[doc(hidden)]
    fn __on_start(handler: &mut H, ctx: &mut Context<Self>);
    #[doc(hidden)]
    fn __on_stop(handler: &mut H, ctx: &mut Context<Self>);
    #[doc(hidden)]
    fn __on_panic(handler: H, ctx: &mut Context<Self>, text: &str);
}

/// The body of the handler methods of a link or a double, which are never called: both take their messages before they
/// are dispatched.
#[cfg(any(feature = "remote", feature = "testing"))]
pub fn __never_dispatched(taker: &str) -> ! {
    unreachable!("{taker} is given its messages before they are dispatched")
}
