//! Requests: calls that nothing waits for yet. A request is sent as a call to another thread is, and gives a [`Pending`].
//! The call depth is checked where that is waited for.

use std::sync::Arc;
use std::time::Instant;

use crate::error::{CallError, Refusal};
use crate::messaging::binding::Limit;
#[cfg(feature = "remote")]
use crate::messaging::call::find;
use crate::messaging::call::{default_deadline, start};
use crate::messaging::in_flight::InFlight;
use crate::messaging::pending::Pending;
use crate::messaging::target::Target;
use crate::reply::cancellation::Cancellation;
use crate::reply::oneshot::Receiver;
use crate::reply::reply_to::Outcome;
use crate::route::chosen::Chosen;
use crate::route::endpoint::Endpoint;
use crate::route::location::Way;
use crate::route::payload::{Kind, Payload, ToPort};
use crate::sys::frame::Frame;
use crate::trace::CAN_BE_WATCHED;

/// Sends a request, and gives its reply as a [`Pending`]. Never waits, not even for room.
pub(crate) fn request<M: Payload, R: 'static, K: Kind>(
    target: &Target<'_, M>,
    message: M,
    port: ToPort<M, R>,
) -> Pending<R> {
    let choose = |key| target.choose::<CAN_BE_WATCHED>(key).map_err(|refusal| target.call_error(refusal));
    request_by::<M, R, K>(target, (message, port), own_deadline(target), choose)
}

/// As `request`, but waits for room, as a call does.
#[cfg(feature = "remote")]
pub(crate) fn request_when_room<M: Payload, R: 'static, K: Kind>(
    target: &Target<'_, M>,
    message: M,
    port: ToPort<M, R>,
) -> Pending<R> {
    let until = own_deadline(target);
    request_by::<M, R, K>(target, (message, port), until, |key| find(target, key, until))
}

/// Sends a request to the instance that `choose` gives for its key.
fn request_by<'a, M: Payload, R: 'static, K: Kind>(
    target: &Target<'a, M>,
    (message, port): (M, ToPort<M, R>),
    until: Option<Instant>,
    choose: impl Fn(Option<u64>) -> Result<Chosen<'a, M>, CallError>,
) -> Pending<R> {
    request_from::<M, R, K>(target, choose(message.key()), (message, port), until, choose)
}

/// Sends a request to just this instance.
pub(super) fn request_at<M: Payload, R: 'static, K: Kind>(
    target: &Target<'_, M>,
    endpoint: &Endpoint<M>,
    way: Way,
    (message, port): (M, ToPort<M, R>),
    until: Option<Instant>,
) -> Pending<R> {
    let chosen = Chosen::bound(endpoint, way, endpoint.enter());
    let none = |_| Err(target.call_error(Refusal::Stopped));
    request_from::<M, R, K>(target, Ok(chosen), (message, port), until, none)
}

/// Sends a request to the instance that was chosen, or to another one as `start` does.
fn request_from<'a, M: Payload, R: 'static, K: Kind>(
    target: &Target<'a, M>,
    chosen: Result<Chosen<'a, M>, CallError>,
    (message, port): (M, ToPort<M, R>),
    until: Option<Instant>,
    again: impl FnMut(Option<u64>) -> Result<Chosen<'a, M>, CallError>,
) -> Pending<R> {
    let sent = chosen.and_then(|mut chosen| {
        let receiver = start(target, &mut chosen, message, port, Cancellation::new(until), again)?;
        Ok(under_way::<M, R, K>(target, receiver, &chosen))
    });
    sent.unwrap_or_else(|error| Pending::refused(error, M::name, K::depth(M::CALL_DEPTH)))
}

/// The `Pending` of a call that the chosen instance has.
pub(super) fn under_way<M: Payload, R: 'static, K: Kind>(
    target: &Target<'_, M>,
    receiver: Receiver<Outcome<R>>,
    chosen: &Chosen<'_, M>,
) -> Pending<R> {
    let in_flight = InFlight::new(receiver, Arc::clone(&chosen.endpoint().mailbox), M::name);
    Pending::sent(in_flight, M::name, K::depth(M::CALL_DEPTH), target.patience.limit())
}

/// The deadline of a request: the client's own limit, or else the engine's default. A request inherits no deadline from
/// the handler that it is made in.
pub(super) fn own_deadline<M: Payload>(target: &Target<'_, M>) -> Option<Instant> {
    match target.patience.limit() {
        // The handler's own deadline limits each of its waits for the reply instead: see `Pending::inherited`.
        Limit::Inherited if Frame::current().deadline.is_some() => None,
        Limit::Inherited => default_deadline(target.engine()),
        limit => limit.end(),
    }
}
