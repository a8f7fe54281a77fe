//! Mail for a link to another engine: the usual contents, and their route if the sender says it.
//!
//! A link's endpoint has a delivery table of its own, so the mail of all other instances is as it would be without
//! links. The contents of such mail also say that it is handled by `actor/link.rs`.
//!
//! A message or a call from outside need not wait for the link's thread:
//!
//! 1. It goes out on the thread that sends it, if the link's thread is at rest and its mailbox is empty
//!    (`Mailbox::rest`): then all that this sender has sent before has gone out. So its messages keep their order.
//! 2. Else it goes through the mailbox. So does the first one, and the first one after a rebuild: the outlet is known when
//!    the link's thread has handled a message with it.
//! 3. Messages of handlers go through the mailbox, since the runtime holds a borrow where they send, and to encode a
//!    message is the user's code. Batches do too. A task that is polled in a waker is outside, on whichever thread: no
//!    borrow is held there.
//! 4. The end of the engine waits for no message that goes past the link's thread. One that was admitted just before it
//!    may go out behind it: then the report of the engine has neither the message nor its dead letter.

use std::any::Any;
use std::collections::VecDeque;
use std::mem::take;
use std::ptr;
use std::sync::{Arc, Weak};
use std::time::Instant;

use arc_swap::ArcSwap;

use crate::id::Slot;
use crate::mailbox::Mailbox;
use crate::mailbox::account::Block;
use crate::mailbox::buffers::Buffers;
use crate::mailbox::envelope::{Envelope, Gathered, Undeliverable};
use crate::mailbox::mail::{Mail, SentAs};
use crate::reply::cancellation::Cancellation;
use crate::route::contents::{AnyHook, Call, Content, Hook, NoHook, OnUndelivered, enclose_traced};
use crate::route::endpoint::{Delivery, Endpoint, LinkDelivery, can_be_given_up, take_back};
use crate::route::link_route::{LinkRoute, StatedRoute};
use crate::route::location::Way;
use crate::route::payload::{Payload, Port};
use crate::sys::frame::in_hook;

/// The way out of a link for its messages. It waits neither for room elsewhere nor for a reply.
pub(crate) trait Outlet<M: Payload>: Send + Sync {
    fn send(&self, message: M, how: How);
    /// `until`: the deadline of the call.
    fn call(&self, message: M, port: M::Port, how: How, until: Option<Instant>);
}

/// How a message came to a link.
pub(crate) struct How {
    pub(crate) permit: HeldPermit,
    /// Where it goes, if its sender says so.
    pub(crate) route: Option<Arc<LinkRoute>>,
    /// A hook has sent it: its loss is counted, and no hook is told.
    pub(crate) from_hook: bool,
}

/// The mailbox of a link that a message has come by, and the permit that the message holds there. It keeps that beyond the
/// mailbox, until it is in one on the other side: so that senders here wait while there is no room there. Dropping it gives
/// the permit back.
///
/// A message from inside has no permit, and no bound holds it back. Several messages may have theirs together.
pub(crate) struct HeldPermit {
    mailbox: Arc<Mailbox>,
    permits: usize,
}

impl HeldPermit {
    pub(crate) fn new(mailbox: Arc<Mailbox>, permits: usize) -> Self {
        Self { mailbox, permits }
    }

    pub(crate) fn mailbox(&self) -> &Mailbox {
        &self.mailbox
    }

    /// Whether the message is from outside, and still holds it.
    pub(crate) fn is_held(&self) -> bool {
        self.permits > 0
    }

    /// Lets go of what it holds, to be given back by another.
    pub(crate) fn pass_on(&mut self) -> Self {
        Self { mailbox: Arc::clone(&self.mailbox), permits: take(&mut self.permits) }
    }

    /// Takes over what another one of the same mailbox holds. `false` if it is of another mailbox.
    pub(crate) fn join(&mut self, other: &mut Self) -> bool {
        let is_same = Arc::ptr_eq(&self.mailbox, &other.mailbox);
        if is_same {
            self.permits += take(&mut other.permits);
        }
        is_same
    }
}

impl Drop for HeldPermit {
    fn drop(&mut self) {
        if self.permits > 0 {
            self.mailbox.give_back_permits(self.permits);
        }
    }
}

/// The outlet of a link, as its mailbox keeps it, and the block that holds the link's account. The link's state owns
/// the outlet.
struct KnownOutlet<M> {
    /// The outlet of the link's latest state: a link may be built again.
    outlet: ArcSwap<Weak<dyn Outlet<M>>>,
    block: Arc<Block>,
}

impl<M: Payload> KnownOutlet<M> {
    /// The outlet for a message that goes out on the thread that sends it: see step 1.
    fn at_once(endpoint: &Endpoint<M>, way: Way, sent_as: SentAs) -> Option<(&Self, Arc<dyn Outlet<M>>)> {
        if way != Way::There || !sent_as.permitted {
            return None;
        }
        let known = endpoint.mailbox.outlet.get()?.downcast_ref::<Self>()?;
        endpoint.mailbox.rest()?;
        Some((known, known.outlet.load().upgrade()?))
    }

    /// Counts a message that goes out, before anybody can hear of it.
    fn count(&self, endpoint: &Endpoint<M>) {
        endpoint.mailbox.meter.past.increment();
        self.block.account(endpoint.slot).count_past();
    }
}

/// Lets messages from outside go out on the threads that send them, by this outlet.
pub(crate) fn make_known<M: Payload>(mailbox: &Mailbox, outlet: &Arc<dyn Outlet<M>>, block: &Arc<Block>) {
    let current = || ArcSwap::from_pointee(Arc::downgrade(outlet));
    let known = mailbox.outlet.get_or_init(|| Box::new(KnownOutlet { outlet: current(), block: Arc::clone(block) }));
    let Some(known) = known.downcast_ref::<KnownOutlet<M>>() else { return };
    // A weak pointer keeps its address from being taken by another.
    if !ptr::addr_eq(known.outlet.load().as_ptr(), Arc::as_ptr(outlet)) {
        known.outlet.store(Arc::new(Arc::downgrade(outlet)));
    }
}

fn from_outside<M: Payload>(endpoint: &Endpoint<M>, route: Option<Arc<LinkRoute>>) -> How {
    How { permit: HeldPermit::new(Arc::clone(&endpoint.mailbox), 1), route, from_hook: in_hook() }
}

/// A message, a call or a batch for a link.
#[derive(Default)]
pub(crate) struct Linked<C> {
    pub(crate) content: C,
    // One word: with more, what is small enough for an envelope would not be so with its route.
    pub(crate) route: Option<Arc<LinkRoute>>,
}

impl<C: Content> Content for Linked<C> {
    type Message = C::Message;
    const IS_CALL: bool = C::IS_CALL;

    fn len(&self) -> usize {
        self.content.len()
    }

    fn gather<H: Hook<C::Message>>(&mut self, _: &mut Option<C::Message>, _: &H, _: &Buffers) -> Gathered {
        Gathered::Not
    }

    fn discard(&mut self, undeliverable: Undeliverable<'_>, hook: Option<&OnUndelivered<C::Message>>) {
        self.content.discard(undeliverable, hook);
    }
}

impl<M: Payload<Port: Send> + Send> Delivery<M> {
    /// The table of a link.
    pub(crate) const LINK: Self = Self {
        link: Some(LinkDelivery {
            send: deliver_message,
            call: deliver_call,
            batch: |place, endpoint, way, sent_as, route| deliver(place, endpoint, way, sent_as, route, Mail::batch),
        }),
        send: |place, endpoint, way, sent_as| deliver_message(place, endpoint, way, sent_as, StatedRoute::Own),
        enclose: None,
        enclose_traced: None,
        call: |place, endpoint, way, sent_as| deliver_call(place, endpoint, way, sent_as, StatedRoute::Own),
        batch: |place, endpoint, way, sent_as| deliver(place, endpoint, way, sent_as, StatedRoute::Own, Mail::batch),
        // The thread of a link has no inner bound.
        inner: |place, endpoint, sent_as, _| {
            deliver(place, endpoint, Way::There, sent_as, StatedRoute::Own, Mail::message);
            true
        },
        inner_call: |place, endpoint, sent_as, _| {
            deliver_call(place, endpoint, Way::There, sent_as, StatedRoute::Own);
            true
        },
    };
}

fn deliver_message<M: Payload<Port: Send> + Send>(
    place: &mut Option<M>,
    endpoint: &Endpoint<M>,
    way: Way,
    sent_as: SentAs,
    route: StatedRoute<'_>,
) {
    match KnownOutlet::at_once(endpoint, way, sent_as) {
        Some((known, outlet)) => {
            if let Some(message) = place.take() {
                known.count(endpoint);
                outlet.send(message, from_outside(endpoint, route.to_owned()));
            }
        }
        None => deliver(place, endpoint, way, sent_as, route, Mail::message),
    }
}

fn deliver_call<M: Payload<Port: Send> + Send>(
    place: &mut Option<Call<M>>,
    endpoint: &Endpoint<M>,
    way: Way,
    sent_as: SentAs,
    route: StatedRoute<'_>,
) {
    if let Some((known, outlet)) = KnownOutlet::at_once(endpoint, way, sent_as) {
        let cancellation = place.as_ref().and_then(|call| call.port.cancellation());
        // One whose time is up is told so by the link's thread.
        if cancellation.is_none_or(Cancellation::begin) {
            let until = cancellation.and_then(Cancellation::deadline);
            if let Some(Call { message, port }) = place.take() {
                known.count(endpoint);
                outlet.call(message, port, from_outside(endpoint, route.to_owned()), until);
            }
            return;
        }
    }
    let given_up = can_be_given_up(place);
    deliver(place, endpoint, way, sent_as, route, |to, envelope, sent_as| Mail::call(to, envelope, given_up, sent_as));
}

/// Moves a content from its place into an envelope for a link, and delivers that; puts it back if it is refused.
fn deliver<C: Content>(
    place: &mut C,
    endpoint: &Endpoint<C::Message>,
    way: Way,
    sent_as: SentAs,
    route: StatedRoute<'_>,
    mail: impl FnOnce(Slot, Envelope, SentAs) -> Mail,
) {
    let mut linked = Linked { content: take(place), route: route.to_owned() };
    let hook = endpoint.undelivered.as_ref();
    let envelope = match hook {
        None => enclose_traced::<_, NoHook>(&mut linked, None),
        Some(_) => enclose_traced::<_, AnyHook>(&mut linked, hook),
    };
    match envelope {
        Some(envelope) => {
            take_back(&mut linked, endpoint.deliver_batch(way, mail(endpoint.slot, envelope, sent_as).signed()));
        }
        None => endpoint.give_back_permits(linked.len(), sent_as),
    }
    *place = linked.content;
}

/// The content of mail of a link that has ended, without how it came: for its siblings.
pub(super) fn unlinked<M: Payload>(content: &mut dyn Any) -> Option<&mut dyn Any> {
    if content.is::<Linked<Option<M>>>() {
        return content.downcast_mut::<Linked<Option<M>>>().map(|linked| &mut linked.content as &mut dyn Any);
    }
    if content.is::<Linked<Option<Call<M>>>>() {
        return content.downcast_mut::<Linked<Option<Call<M>>>>().map(|linked| &mut linked.content as &mut dyn Any);
    }
    content.downcast_mut::<Linked<VecDeque<M>>>().map(|linked| &mut linked.content as &mut dyn Any)
}
