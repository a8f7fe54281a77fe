//! The traits that `#[actor(remote)]` implements, and the functions that it calls.

use std::pin::Pin;
use std::sync::Arc;

use crate::actor::dispatch::Dispatch;
use crate::actor::link::Remote;
use crate::client::Client;
use crate::client::message::IntoRequest;
use crate::error::CallError;
use crate::remote::durable::{Tells, outcome};
use crate::remote::key::FarKey;
use crate::remote::packet::Answer;
use crate::remote::value::Travels;
use crate::remote::wire::Format;
use crate::reply::reply_to::ReplyTo;
use crate::route::payload::Kind;
use crate::sys::frame::{ABOVE_HANDLERS, as_inside};

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
pub trait RemoteMessage: Dispatch<Remote<Self>, Port: RemotePort> + for<'a> Travels<'a> + Send {
    /// The name by which the two sides find each other: `remote = ".."`, or else the enum's name.
    const WIRE: &'static str;

    /// Calls the pool with this message; `None` if its variant has no reply.
    #[doc(hidden)]
    fn __serve(self, to: &Called<'_, Self>) -> Option<Answering>;

    /// The hash of its `#[key]`, by which its partition is found: another than that by which an instance is.
    #[doc(hidden)]
    fn __key_hash(&self) -> Option<u64>;

    /// The key with these bytes, to which a client is bound.
    #[doc(hidden)]
    fn __bound_key(bytes: &[u8]) -> Result<FarKey, Arc<str>>;

    /// The call depth that a wait for the reply to this message is checked against.
    #[doc(hidden)]
    fn __depth(&self) -> u32;

    /// Whether its variant is durable.
    #[doc(hidden)]
    fn __is_durable(&self) -> bool;
}

/// An enum with a variant whose messages a work queue can keep until they are handled: one with `#[msg(durable)]`. The
/// attribute `#[actor(remote)]` implements it; do not implement it by hand.
///
/// A crate that carries messages between processes keeps them, such as `zctor-nats`. Elsewhere, as through a
/// [`Loopback`](crate::remote::Loopback), a message of such a variant is sent like any other.
///
/// ```
/// use serde::{Deserialize, Serialize};
/// use zctor::actor;
/// use zctor::remote::DurableMessage;
///
/// #[derive(Debug, Serialize, Deserialize)]
/// pub struct Declined;
///
/// #[actor(remote)]
/// #[derive(Serialize, Deserialize)]
/// pub enum OrderMessage {
///     #[msg(durable)]
///     #[reply(Result<(), Declined>)]
///     Charge(u64),
///     #[reply(u64)]
///     Total,
/// }
///
/// fn can_be_kept<M: DurableMessage>() -> bool {
///     true
/// }
/// assert!(can_be_kept::<OrderMessage>());
/// ```
#[diagnostic::on_unimplemented(
    message = "no message of `{Self}` is durable",
    note = "write `#[msg(durable)]` on the variants that a work queue is to keep, and `#[actor(remote)]` on the enum"
)]
pub trait DurableMessage: RemoteMessage {}

/// The ports of such an enum.
#[doc(hidden)]
pub trait RemotePort: Send {
    /// Ends the call that this port is for.
    fn __answered(self, message: &'static str, outcome: Result<Vec<u8>, CallError>);
}

/// The depth of a call that no handler waits for.
#[doc(hidden)]
pub const __DEFERRED: u32 = ABOVE_HANDLERS;

/// A pool that a call from the other side is for.
#[doc(hidden)]
#[expect(missing_debug_implementations, reason = "only generated code sees it")]
pub struct Called<'a, M: RemoteMessage> {
    pub(super) pool: &'a Client<M>,
    /// A handler calls.
    pub(super) inside: bool,
    /// The call depth that the caller counts the callee at.
    pub(super) depth: u32,
    /// The message comes out of a work queue.
    pub(super) queued: bool,
    /// How the reply is written.
    pub(super) format: Format,
}

/// The reply that a call was sent for, or why it was not sent.
#[doc(hidden)]
#[expect(missing_debug_implementations, reason = "only generated code sees it")]
pub struct Answering(pub(super) Result<Reply, Answer>);

/// The reply to a call, as bytes.
pub(super) type Reply = Pin<Box<dyn Future<Output = Answer> + Send>>;

impl<M: RemoteMessage> Called<'_, M> {
    #[doc(hidden)]
    pub fn __call<Q>(&self, request: Q) -> Answering
    where
        Q: IntoRequest<Message = M>,
        Q::Reply: for<'a> Travels<'a> + Send,
    {
        // Its reply does not say whether it is handled.
        if self.queued {
            return Answering(Err(Answer::Unfit("its variant is not durable on the other side".into())));
        }
        self.call(request, answer)
    }

    /// Calls with a durable variant, which may come out of a queue.
    #[doc(hidden)]
    pub fn __call_durable<Q>(&self, request: Q) -> Answering
    where
        Q: IntoRequest<Message = M>,
        Q::Reply: for<'a> Travels<'a> + for<'a> Tells<'a> + Send,
    {
        self.call(request, if self.queued { outcome } else { answer })
    }

    fn call<Q>(&self, request: Q, answer: fn(Result<Q::Reply, CallError>, Format) -> Answer) -> Answering
    where
        Q: IntoRequest<Message = M>,
        Q::Reply: Send,
    {
        if Q::Kind::depth(M::CALL_DEPTH) > self.depth {
            return Answering(Err(Answer::Undeclared));
        }
        let pending =
            if self.inside { as_inside(|| self.pool.request(request)) } else { self.pool.request_when_room(request) };
        match pending.refusal() {
            Some(error) => Answering(Err(error.into())),
            None => {
                let format = self.format;
                Answering(Ok(Box::pin(async move { answer(pending.await, format) })))
            }
        }
    }
}

fn answer<R: for<'a> Travels<'a>>(outcome: Result<R, CallError>, format: Format) -> Answer {
    match outcome.map(|reply| reply.__encode(format)) {
        Ok(Ok(bytes)) => Answer::Reply(bytes),
        Ok(Err(text)) => Answer::Unfit(format!("its reply: {text}").into()),
        Err(error) => error.into(),
    }
}

#[doc(hidden)]
pub fn __reply<R: for<'a> Travels<'a> + 'static>(
    to: ReplyTo<R>,
    message: &'static str,
    outcome: Result<Vec<u8>, CallError>,
) {
    let decoded = outcome.and_then(|bytes| {
        R::__decode(&bytes, Format::MessagePack)
            .map_err(|text| CallError::Unfit { message, text: format!("its reply: {text}").into() })
    });
    match decoded {
        Ok(reply) => to.send(reply),
        Err(error) => to.__fail(error),
    }
}
