//! The state of a link to a pool elsewhere, and how mail for it is handled: it goes out whole.

use std::any::{Any, TypeId};
use std::collections::VecDeque;
use std::fmt;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use crate::actor::dispatch::Dispatch;
use crate::actor::handling::skip_given_up;
use crate::actor::state::TypedCell;
use crate::client::message::Message;
use crate::mailbox::Mailbox;
use crate::mailbox::envelope::Serving;
use crate::reply::cancellation::Cancellation;
use crate::reply::reply_to::ReplySlot;
use crate::route::contents::Call;
use crate::route::endpoint::Delivery;
use crate::route::linked::Linked;
use crate::route::payload::Port;
use crate::thread::local::Local;
use crate::trace::spans::{InSpans, forget};

/// The state of a link to a pool elsewhere. [`Loopback::attach`](crate::remote::Loopback::attach) makes it; it is of no
/// use by itself.
///
/// ```
/// # use serde::{Deserialize, Serialize};
/// use zctor::Dispatch;
/// use zctor::remote::Remote;
///
/// #[zctor::actor(remote)]
/// #[derive(Serialize, Deserialize)]
/// pub enum ClockMessage {
///     Wind,
/// }
///
/// fn is_handled_by<M: Dispatch<S>, S>() -> bool {
///     true
/// }
/// assert!(is_handled_by::<ClockMessage, Remote<ClockMessage>>());
/// ```
pub struct Remote<M: Message> {
    pub(crate) outlet: Box<dyn Outlet<M>>,
}

impl<M: Message> fmt::Debug for Remote<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Remote({})", M::name())
    }
}

/// Where the messages of a link go. It never waits: neither for room elsewhere nor for a reply.
pub(crate) trait Outlet<M: Message> {
    fn send(&self, message: M, how: How);
    /// `until`: the deadline of the call.
    fn call(&self, message: M, port: M::Port, how: How, until: Option<Instant>);
}

/// How a message came to a link.
pub(crate) struct How {
    /// The permit of a message from outside. A message from inside has none, and no bound holds it back.
    pub(crate) permit: Option<HeldPermit>,
    /// It is a copy of a broadcast.
    pub(crate) copy: bool,
    /// A hook has sent it: its loss is counted, and no hook is told.
    pub(crate) from_hook: bool,
}

/// The permit of a message in the mailbox of a link. The message keeps it beyond that mailbox, until it is in one on the
/// other side: so that senders here wait while there is no room there. Dropping it gives it back.
pub(crate) struct HeldPermit(Arc<Mailbox>);

impl Drop for HeldPermit {
    fn drop(&mut self) {
        self.0.give_back(1);
    }
}

impl How {
    fn of(local: &Local, serving: Serving, copy: bool) -> Self {
        let permit = serving.permitted.then(|| HeldPermit(Arc::clone(&local.mailbox)));
        Self { permit, copy, from_hook: serving.is_from_hook() }
    }
}

/// Whether a state of this type is a link.
pub(crate) fn is<M: Message, S: 'static>() -> bool {
    TypeId::of::<S>() == TypeId::of::<Remote<M>>()
}

/// The table by which mail gets to an instance with a state of this type, if that is a link.
pub(crate) fn delivery<M, S>() -> Option<&'static Delivery<M>>
where
    M: Dispatch<S, Port: Send> + Send,
    S: 'static,
{
    is::<M, S>().then_some(&Delivery::LINK)
}

/// Handles the contents of mail for a link, as `Instance::handle_message`, `handle_call` and `handle_batch` do for
/// others.
#[cold]
pub(crate) fn handle<M, S>(
    cell: Rc<TypedCell<M, S>>,
    local: &Rc<Local>,
    serving: Serving,
    content: &mut dyn Any,
    can_be_given_up: bool,
) -> bool
where
    M: Dispatch<S, Port: Send> + Send,
    S: 'static,
{
    // A link has no spans: the message goes on.
    forget();
    // What a link does is never long, so nobody need be told its variant.
    if !cell.start_if_new(local, || None) {
        return false;
    }
    if let Some(Linked { content, copy }) = content.downcast_mut::<Linked<Option<M>>>() {
        let copy = *copy;
        send(cell, local, serving, copy, || (content.take(), false));
        true
    } else if let Some(Linked { content, .. }) = content.downcast_mut::<Linked<VecDeque<M>>>() {
        let mut budget = serving.budget;
        send(cell, local, serving, false, || {
            budget = budget.saturating_sub(1);
            let message = content.pop_front();
            (message, budget > 0 && !content.is_empty())
        });
        content.is_empty()
    } else if let Some(Linked { content, .. }) = content.downcast_mut::<Linked<Option<Call<M>>>>() {
        if let Some(request) = content.take() {
            call(cell, local, serving, request, can_be_given_up);
        }
        true
    } else {
        debug_assert!(false, "a slot's generation names one instance, whose messages' type its senders know");
        true
    }
}

/// Sends messages out. `next` gives one, and whether another may follow.
fn send<M, S>(
    cell: Rc<TypedCell<M, S>>,
    local: &Rc<Local>,
    serving: Serving,
    copy: bool,
    mut next: impl FnMut() -> (Option<M>, bool),
) where
    M: Dispatch<S, Port: Send> + Send,
    S: 'static,
{
    cell.handle(local, &mut ReplySlot::Nobody, None, InSpans::NotAsked, |state, ctx, _| {
        let (message, goes_on) = next();
        if let (Some(message), Some(outlet)) = (message, outlet::<M>(state)) {
            outlet.send(message, How::of(local, serving, copy));
        }
        goes_on && ctx.may_begin(|| None)
    });
}

/// Sends a call out, unless its caller has given up.
fn call<M, S>(cell: Rc<TypedCell<M, S>>, local: &Rc<Local>, serving: Serving, call: Call<M>, can_be_given_up: bool)
where
    M: Dispatch<S, Port: Send> + Send,
    S: 'static,
{
    let how = How::of(local, serving, false);
    let cancellation = call.port.cancellation().filter(|_| can_be_given_up);
    if cancellation.is_some_and(|cancellation| !cancellation.begin()) {
        return skip_given_up(call, &cell.endpoint, local, serving.is_from_hook());
    }
    let until = cancellation.and_then(Cancellation::deadline);
    let mut request = Some((call, how));
    cell.handle(local, &mut ReplySlot::Nobody, None, InSpans::NotAsked, |state, _, _| {
        if let (Some((Call { message, port }, how)), Some(outlet)) = (request.take(), outlet::<M>(state)) {
            outlet.call(message, port, how, until);
        }
        false
    });
}

fn outlet<M: Message>(state: &dyn Any) -> Option<&dyn Outlet<M>> {
    state.downcast_ref::<Remote<M>>().map(|state| &*state.outlet)
}
