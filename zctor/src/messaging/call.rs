//! Calls, and the check by call depth that keeps them from deadlocks.
//!
//! 1. A call may only wait for a lower call depth than that of the handler it is made in; else it is `Undeclared`, and
//!    nothing is sent.
//! 2. A callee on the caller's own thread handles the call on the spot, if nothing stands before it.
//! 3. Any other call is queued for its callee with a port for the reply, and the caller waits.
//! 4. If the callee's thread ends before the call is queued, the choice of a callee is made again.

use std::any::Any;
use std::rc::Rc;
use std::time::Instant;

use crate::error::{CallError, Refusal};
use crate::event::Undelivered;
use crate::mailbox::engine_shared::EngineShared;
use crate::mailbox::envelope::Undeliverable;
use crate::mailbox::permits::{Overflow, Permits};
use crate::messaging::backpressure::enter;
use crate::messaging::binding::Limit;
use crate::messaging::in_flight::{CalledAt, InFlight};
use crate::messaging::target::Target;
use crate::messaging::undeclared::undeclared;
use crate::reply::cancellation::Cancellation;
use crate::reply::oneshot::Receiver;
use crate::reply::reply_to::{Outcome, ReplyTo};
use crate::route::chosen::Chosen;
use crate::route::contents::{Call, lose, typed};
use crate::route::endpoint::Endpoint;
use crate::route::known_pool::KnownPool;
use crate::route::location::{Entry, Location, Way};
use crate::route::payload::{Kind, Payload, ToPort};
use crate::sys::clock::{deadline, now};
use crate::sys::frame::{Frame, is_inside_code};
use crate::thread::carried;
use crate::thread::local::{Local, OnTheSpot, local};
use crate::trace::CAN_BE_WATCHED;

/// Calls with the message in `place`, where its caller has made it (see `route/contents.rs`), and waits for the reply.
///
/// In line, this finds out which instance is called, which differs among the forms of a call; then all of them go the
/// same ways, which are functions. Those get the target by value: for a reference to it, all of it would have to be
/// written to memory.
#[cfg_attr(not(debug_assertions), inline(always))]
pub(crate) fn call<M: Payload, R: 'static, K: Kind>(
    target: Target<'_, M>,
    place: &mut Option<M>,
    port: ToPort<M, R>,
) -> Result<R, CallError> {
    let frame = Frame::current();
    check_depth::<M, K>(target, frame)?;
    let until = call_deadline(&target, frame);
    let key = place.as_ref().and_then(M::key);
    let Some((endpoint, way, sent_as)) = target.straight::<CAN_BE_WATCHED>(key) else {
        return call_by_choice::<M, R, K>(target, key, place, port, until);
    };
    let mut reply = None;
    if is_here::<K>(way) && call_here(target.local, endpoint, place, &mut reply, until)? {
        return replied::<M, R>(reply);
    }
    call_there(target, Chosen::straight(endpoint, way, sent_as), place, port, until)
}

/// Calls an instance of the pool of the type, as this actor thread knows that: for its handlers.
// Given the pool by each form of a call, and not with a search for it here: two forms would share the code behind that
// search, so it would be in line in neither.
#[cfg_attr(not(debug_assertions), inline(always))]
pub(crate) fn call_in_pool<M: Payload, R: 'static, K: Kind>(
    local: &Rc<Local>,
    known: Option<&KnownPool<M>>,
    place: &mut Option<M>,
    port: ToPort<M, R>,
) -> Result<R, CallError> {
    match known {
        Some(known) => call::<M, R, K>(Target::at_known_pool(known).on(local), place, port),
        None => call_without_pool::<M, R, K>(local, place, port),
    }
}

/// Fails as `call` does for a type that was never registered. Apart, so that `call` knows above that there is a pool: a
/// target that may have none lies in memory, and each step of a call waits for it there.
#[cold]
#[inline(never)]
fn call_without_pool<M: Payload, R: 'static, K: Kind>(
    local: &Rc<Local>,
    place: &mut Option<M>,
    port: ToPort<M, R>,
) -> Result<R, CallError> {
    call::<M, R, K>(Target::at_pool(None, &local.mailbox.engine).on(local), place, port)
}

/// The outcome of a call that was handled on the spot.
#[cfg_attr(not(debug_assertions), inline(always))]
fn replied<M: Payload, R>(reply: Option<R>) -> Result<R, CallError> {
    reply.ok_or_else(|| CallError::NoReply { message: M::name() })
}

/// When a call is given up that its caller waits for: at the client's own limit, or when the time of the handler that
/// calls is up.
#[cfg_attr(not(debug_assertions), inline(always))]
pub(super) fn call_deadline<M: Payload>(target: &Target<'_, M>, frame: Frame) -> Option<Instant> {
    match target.patience.limit() {
        Limit::Inherited => frame.deadline.or_else(|| default_deadline(target.engine())),
        Limit::None => None,
        limit => [frame.deadline, limit.end()].into_iter().flatten().min(),
    }
}

/// Whether the code that runs in this frame may wait for a reply.
#[inline]
pub(super) fn check_depth<M: Payload, K: Kind>(target: Target<'_, M>, frame: Frame) -> Result<(), CallError> {
    let depth = K::depth(M::CALL_DEPTH);
    let is_allowed =
        frame.may_wait_for(depth) || carried::may_wait_for(frame, depth, move |home| target.lives_on(home));
    if is_allowed { Ok(()) } else { Err(undeclared(M::name())) }
}

/// Calls an instance that is chosen as `enter` does.
#[inline(never)]
fn call_by_choice<M: Payload, R: 'static, K: Kind>(
    target: Target<'_, M>,
    key: Option<u64>,
    place: &mut Option<M>,
    port: ToPort<M, R>,
    until: Option<Instant>,
) -> Result<R, CallError> {
    let chosen = find(&target, key, until)?;
    let is_free = chosen.entry == Entry::Free && is_here::<K>(chosen.way);
    let mut reply = None;
    if is_free && call_here(target.local, chosen.endpoint(), place, &mut reply, until)? {
        return replied::<M, R>(reply);
    }
    call_there(target, chosen, place, port, until)
}

pub(super) fn find<'a, M: Payload>(
    target: &Target<'a, M>,
    key: Option<u64>,
    until: Option<Instant>,
) -> Result<Chosen<'a, M>, CallError> {
    enter::<CAN_BE_WATCHED, M>(target, key, &|| until).map_err(|refusal| target.call_error(refusal))
}

#[inline(never)]
fn call_there<'a, M: Payload, R: 'static>(
    target: Target<'a, M>,
    mut chosen: Chosen<'a, M>,
    place: &mut Option<M>,
    port: ToPort<M, R>,
    until: Option<Instant>,
) -> Result<R, CallError> {
    // Not reached without a message: only a call that was handled on the spot is taken out of its place.
    let Some(message) = place.take() else { return replied::<M, R>(None) };
    // Without a deadline the call is never given up.
    let cancellation = until.map_or_else(Cancellation::none, |until| Cancellation::new(Some(until)));
    let variant = message.variant();
    let again = |key| find(&target, key, until);
    let receiver = start(&target, &mut chosen, message, port, cancellation, again)?;
    let Location { mailbox, slot, .. } = &chosen.endpoint().location;
    InFlight::new(receiver, CalledAt { mailbox, variant, slot: *slot }, M::name).wait(until)
}

/// Sends a call to the instance that was chosen. If the thread of that has ended just now, `again` chooses another one,
/// which is `chosen` then. Gives the receiver of the reply.
#[inline]
pub(super) fn start<'a, M: Payload, R: 'static>(
    target: &Target<'a, M>,
    chosen: &mut Chosen<'a, M>,
    message: M,
    port: ToPort<M, R>,
    cancellation: Cancellation,
    mut again: impl FnMut(Option<u64>) -> Result<Chosen<'a, M>, CallError>,
) -> Result<Receiver<Outcome<R>>, CallError> {
    let (reply_to, receiver) = ReplyTo::channel(cancellation);
    let mut call = Some(Call { message, port: port(reply_to) });
    deliver(target, chosen, &mut call)?;
    if call.is_some() {
        *chosen = deliver_again(target, &mut call, &mut again)?;
    }
    Ok(receiver)
}

/// Sends a call that has come back to instances that `again` chooses, until one takes it. Gives that choice.
#[cold]
#[inline(never)]
fn deliver_again<'a, M: Payload>(
    target: &Target<'a, M>,
    call: &mut Option<Call<M>>,
    again: &mut dyn FnMut(Option<u64>) -> Result<Chosen<'a, M>, CallError>,
) -> Result<Chosen<'a, M>, CallError> {
    loop {
        let key = call.as_ref().and_then(|call| call.message.key());
        let chosen = again(key)?;
        deliver(target, &chosen, call)?;
        if call.is_none() {
            return Ok(chosen);
        }
    }
}

/// Sends a call to the instance that was chosen, or turns it away if there is no room. If the thread of that has ended
/// just now, the call is back in its place.
#[inline]
pub(super) fn deliver<M: Payload>(
    target: &Target<'_, M>,
    chosen: &Chosen<'_, M>,
    call: &mut Option<Call<M>>,
) -> Result<(), CallError> {
    if chosen.is_full() {
        if let Some(Call { message, .. }) = call.take() {
            return Err(turn_away(target, chosen.endpoint(), message));
        }
    }
    if chosen.entry != Entry::Inner {
        chosen.call(call);
        return Ok(());
    }
    chosen
        .endpoint()
        .call_inner(call, chosen.sent_as(), &|| chosen.move_turn())
        .map_err(|refusal| target.call_error(refusal))
}

/// The error of a call for which there is no room: it is refused, or dropped as the newest.
#[cold]
fn turn_away<M: Payload>(target: &Target<'_, M>, endpoint: &Endpoint<M>, message: M) -> CallError {
    match &endpoint.mailbox.permits {
        Some(Permits { overflow: Overflow::DropNewest, .. }) if !is_inside_code() => {
            match endpoint.drop_newest(message) {
                Ok(()) => CallError::Full { message: M::name() },
                Err(_) => target.call_error(Refusal::Stopped),
            }
        }
        _ => target.call_error(Refusal::Full),
    }
}

/// The engine's default deadline, for calls that set no other.
#[inline]
pub(super) fn default_deadline(engine: Option<&EngineShared>) -> Option<Instant> {
    engine?.default_deadline.and_then(deadline)
}

/// Whether a call may be handled on the spot: its callee lives on this very thread, and answers when it returns.
#[inline(always)]
fn is_here<K: Kind>(way: Way) -> bool {
    K::IS_PROMPT && way == Way::Here
}

/// Calls an instance of this thread, which handles the call on the spot and puts its reply into `reply`, an `Option` of
/// the reply's type; `false` if the instance must handle something else first. `known` is this thread, if it is known.
#[cfg_attr(not(debug_assertions), inline(always))]
fn call_here<M: Payload>(
    known: Option<&Rc<Local>>,
    endpoint: &Endpoint<M>,
    place: &mut Option<M>,
    reply: &mut dyn Any,
    until: Option<Instant>,
) -> Result<bool, CallError> {
    let found = if known.is_none() { local() } else { None };
    let Some(local) = known.or(found.as_ref()) else { return Ok(false) };
    if local.measured.is_on() {
        return call_here_measured(local, endpoint, place, reply, until);
    }
    handle_here(local, endpoint, place, reply, until)
}

/// As `call_here`, on the thread that is known by now.
#[cfg_attr(not(debug_assertions), inline(always))]
fn handle_here<M: Payload>(
    local: &Rc<Local>,
    endpoint: &Endpoint<M>,
    place: &mut Option<M>,
    reply: &mut dyn Any,
    until: Option<Instant>,
) -> Result<bool, CallError> {
    let Some(callee) = local.instance(endpoint.slot) else { return Ok(false) };
    if until.is_some_and(|until| until <= now()) {
        return Err(come_too_late(endpoint, place));
    }
    let panic = match callee.handle_here(local, place, reply, until) {
        OnTheSpot::Handled => None,
        OnTheSpot::Busy => return Ok(false),
        OnTheSpot::FollowUp(follow_up) => {
            local.measured.end(endpoint.slot);
            follow_up.run(local)
        }
    };
    match panic {
        None => Ok(true),
        Some(text) => Err(CallError::Panicked { message: M::name(), text }),
    }
}

/// As `handle_here`, with the handler measured. `call_here` returns what this returns and does nothing behind it: else
/// `call_here` would keep more in registers, for the calls too that are not measured.
#[cold]
#[inline(never)]
fn call_here_measured<M: Payload>(
    local: &Rc<Local>,
    endpoint: &Endpoint<M>,
    place: &mut Option<M>,
    reply: &mut dyn Any,
    until: Option<Instant>,
) -> Result<bool, CallError> {
    if let Some(message) = place {
        local.measured.begin(endpoint.slot, M::name(), message.variant());
    }
    let outcome = handle_here(local, endpoint, place, reply, until);
    match outcome {
        Ok(true) => local.measured.end(endpoint.slot),
        // It has not begun; or it has panicked, and that was its end.
        Ok(false) | Err(_) => local.measured.forget(endpoint.slot),
    }
    outcome
}

/// The error of a call that was to be handled on the spot, and whose time was up before it began.
#[cold]
fn come_too_late<M: Payload>(endpoint: &Endpoint<M>, place: &mut Option<M>) -> CallError {
    let (incidents, why, begun) = (&endpoint.mailbox.engine.incidents, Undelivered::GivenUp, false);
    incidents.count(M::name(), 1, why);
    incidents.count_timeout(M::name(), begun);
    let undeliverable = Undeliverable { incidents, instance: endpoint.id(), why, from_hook: false };
    place.take().into_iter().for_each(|message| lose(message, endpoint.hook().as_ref().and_then(typed), undeliverable));
    CallError::Timeout { message: M::name(), begun }
}
