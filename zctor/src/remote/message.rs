//! What `#[actor(remote)]` implements, and the functions that it calls.

use std::pin::Pin;

use crate::actor::dispatch::Dispatch;
use crate::actor::double::link::Remote;
use crate::client::Client;
use crate::error::CallError;
use crate::messaging::pending::Pending;
use crate::remote::value::RemoteValue;
use crate::remote::wire;
use crate::reply::reply_to::ReplyTo;

/// An enum whose messages go through bytes. The attribute `#[actor(remote)]` implements it; do not implement it by hand.
///
/// ```
/// use serde::{Deserialize, Serialize};
/// use zctor::actor;
/// use zctor::remote::RemoteMessage;
///
/// #[actor(remote)]
/// #[derive(Serialize, Deserialize)]
/// pub enum MeterMessage {
///     Add(u64),
/// }
///
/// #[actor(remote = "meter.v2")]
/// #[derive(Serialize, Deserialize)]
/// pub enum NewMeterMessage {
///     Add { amount: u64 },
/// }
///
/// assert_eq!(MeterMessage::WIRE, "MeterMessage");
/// assert_eq!(NewMeterMessage::WIRE, "meter.v2");
/// ```
#[diagnostic::on_unimplemented(
    message = "the messages of `{Self}` do not leave their process",
    note = "write `#[actor(remote)]` on the enum, and derive serde's `Serialize` and `Deserialize` below it"
)]
pub trait RemoteMessage: Dispatch<Remote<Self>, Port: RemotePort> + RemoteValue {
    /// The name by which the two sides find each other: `remote = ".."`, or else the enum's name.
    const WIRE: &'static str;

    /// Sends this message to the pool as a call; `None` if its variant has no reply.
    #[doc(hidden)]
    fn __serve(self, pool: &Client<Self>) -> Option<Answer>;
}

/// The ports of such an enum.
#[doc(hidden)]
pub trait RemotePort: Send {
    /// Ends the call that this port is for.
    fn __answered(self, message: &'static str, outcome: Result<Vec<u8>, CallError>);
}

/// The reply to a call, as bytes.
#[doc(hidden)]
pub type Answer = Pin<Box<dyn Future<Output = Result<Vec<u8>, CallError>> + Send>>;

#[doc(hidden)]
pub fn __answer<R: RemoteValue>(pending: Pending<R>, message: &'static str) -> Answer {
    Box::pin(async move {
        let reply = pending.await?;
        wire::encode(&reply).map_err(|text| CallError::Unfit { message, text: format!("its reply: {text}").into() })
    })
}

#[doc(hidden)]
pub fn __reply<R: RemoteValue>(to: ReplyTo<R>, message: &'static str, outcome: Result<Vec<u8>, CallError>) {
    let decoded = outcome.and_then(|bytes| {
        wire::decode(&bytes).map_err(|text| CallError::Unfit { message, text: format!("its reply: {text}").into() })
    });
    match decoded {
        Ok(reply) => to.send(reply),
        Err(error) => to.__fail(error),
    }
}
