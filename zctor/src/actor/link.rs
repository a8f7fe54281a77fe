//! The state of a link to a pool elsewhere, and how mail for it is handled: it goes out whole.

use std::any::{Any, TypeId};
use std::collections::VecDeque;
use std::fmt;
use std::rc::Rc;
use std::sync::Arc;

use crate::actor::dispatch::Dispatch;
use crate::actor::handling::{Beginning, of_another_type, skip_given_up};
use crate::actor::state::TypedCell;
use crate::client::message::Message;
use crate::mailbox::envelope::Serving;
use crate::mailbox::mail::Cancellable;
use crate::reply::cancellation::Cancellation;
use crate::reply::reply_to::ReplySlot;
use crate::route::contents::Call;
use crate::route::endpoint::Delivery;
use crate::route::link_route::LinkRoute;
use crate::route::linked::{HeldPermit, How, Linked, Outlet, make_known};
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
    pub(crate) outlet: Arc<dyn Outlet<M>>,
}

impl<M: Message> fmt::Debug for Remote<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Remote({})", M::name())
    }
}

/// How mail came to a link.
fn how(local: &Local, serving: Serving, route: Option<Arc<LinkRoute>>) -> How {
    let permit = HeldPermit::new(Arc::clone(&local.mailbox), usize::from(serving.permitted));
    How { permit, route, from_hook: serving.is_from_hook() }
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

/// Whether a link takes messages now, as `start_if_new` says.
fn begins<M, S>(cell: &Rc<TypedCell<M, S>>, local: &Rc<Local>, serving: Serving) -> bool
where
    M: Dispatch<S, Port: Send> + Send,
    S: 'static,
{
    // A link has no spans: the message goes on.
    forget();
    // No variant is given: the handlers of a link are never slow, and only reports of slow handlers would show it.
    cell.start_if_new(local, serving.in_spans, || None) != Beginning::None
}

/// Handles a message or a batch for a link, as `Instance::handle_message` and `handle_batch` do for others.
#[cold]
pub(crate) fn handle<M, S>(
    cell: Rc<TypedCell<M, S>>,
    local: &Rc<Local>,
    serving: Serving,
    content: &mut dyn Any,
) -> bool
where
    M: Dispatch<S, Port: Send> + Send,
    S: 'static,
{
    if !begins(&cell, local, serving) {
        return false;
    }
    if let Some(Linked { content, route }) = content.downcast_mut::<Linked<Option<M>>>() {
        let route = route.clone();
        send(cell, local, serving, route, || (content.take(), false));
        true
    } else if let Some(Linked { content, route }) = content.downcast_mut::<Linked<VecDeque<M>>>() {
        let (mut budget, route) = (serving.budget, route.clone());
        send(cell, local, serving, route, || {
            budget = budget.saturating_sub(1);
            let message = content.pop_front();
            (message, budget > 0 && !content.is_empty())
        });
        content.is_empty()
    } else {
        of_another_type()
    }
}

/// Handles a call for a link, as `Instance::handle_call` does for others.
#[cold]
pub(crate) fn handle_call<M, S>(
    cell: Rc<TypedCell<M, S>>,
    local: &Rc<Local>,
    serving: Serving,
    content: &mut dyn Any,
    cancellable: Cancellable,
) -> bool
where
    M: Dispatch<S, Port: Send> + Send,
    S: 'static,
{
    if !begins(&cell, local, serving) {
        return false;
    }
    let Some(Linked { content, route }) = content.downcast_mut::<Linked<Option<Call<M>>>>() else {
        return of_another_type();
    };
    if let Some(request) = content.take() {
        let request = (request, how(local, serving, route.take()));
        call(cell, local, serving, request, cancellable);
    }
    true
}

/// Sends messages out. `next` gives one, and whether another may follow.
fn send<M, S>(
    cell: Rc<TypedCell<M, S>>,
    local: &Rc<Local>,
    serving: Serving,
    route: Option<Arc<LinkRoute>>,
    mut next: impl FnMut() -> (Option<M>, bool),
) where
    M: Dispatch<S, Port: Send> + Send,
    S: 'static,
{
    let block = Arc::clone(&cell.block);
    cell.handle(local, &mut ReplySlot::Nobody, None, InSpans::NotAsked, |state, ctx, _| {
        let (message, goes_on) = next();
        if let (Some(message), Some(outlet)) = (message, outlet::<M>(state)) {
            make_known(&local.mailbox, outlet, &block);
            outlet.send(message, how(local, serving, route.clone()));
        }
        goes_on && ctx.admit_and_note(|| None)
    });
}

/// Sends a call out, unless its caller has given up.
fn call<M, S>(
    cell: Rc<TypedCell<M, S>>,
    local: &Rc<Local>,
    serving: Serving,
    (call, how): (Call<M>, How),
    cancellable: Cancellable,
) where
    M: Dispatch<S, Port: Send> + Send,
    S: 'static,
{
    let cancellation = call.port.cancellation().filter(|_| cancellable == Cancellable::Yes);
    if cancellation.is_some_and(|cancellation| !cancellation.begin()) {
        return skip_given_up(call, &cell.endpoint, local, serving.is_from_hook());
    }
    let until = cancellation.and_then(Cancellation::deadline);
    let (mut request, block) = (Some((call, how)), Arc::clone(&cell.block));
    cell.handle(local, &mut ReplySlot::Nobody, None, InSpans::NotAsked, |state, _, _| {
        if let (Some((Call { message, port }, how)), Some(outlet)) = (request.take(), outlet::<M>(state)) {
            make_known(&local.mailbox, outlet, &block);
            outlet.call(message, port, how, until);
        }
        false
    });
}

fn outlet<M: Message>(state: &dyn Any) -> Option<&Arc<dyn Outlet<M>>> {
    state.downcast_ref::<Remote<M>>().map(|state| &state.outlet)
}
