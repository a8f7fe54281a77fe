//! Endpoints: where one instance lives, and how mail of its type gets there.

use std::collections::VecDeque;
use std::ops::Deref;
use std::sync::Arc;

use crate::error::Refusal;
use crate::event::Undelivered;
use crate::mailbox::envelope::{Envelope, Undeliverable};
use crate::mailbox::inner_bound::{ConflationKey, Inner};
use crate::mailbox::mail::{Mail, Order, SentAs};
use crate::reply::cancellation::Cancellation;
use crate::route::contents::{
    AnyHook, Call, Content, Hook, NoHook, WeakHook, bare, enclose, enclose_traced, join, lose_at_edge, open, typed,
};
use crate::route::link_route::{LINKS, StatedRoute};
use crate::route::location::{Location, Way};
use crate::route::payload::{Payload, Port};
use crate::sys::operation::Operation;
use crate::sys::simulated::{either, point};
use crate::thread::local::running_here;
use crate::thread::take_in::{order_here, send_here};
use crate::trace::spans::{SPANS, may_trace_calls, may_trace_sends};

impl<M: Payload<Port: Send> + Send> Delivery<M> {
    /// The table of all instances but links and those with a hook.
    pub(crate) const PLAIN: Self = Self::table::<NoHook>();
    /// The table of an instance with a hook for undelivered messages. It is code of its own, which a type of messages
    /// without such a hook is spared.
    pub(crate) const HOOKED: Self = Self::table::<AnyHook>();

    const fn table<H: Hook<M>>() -> Self {
        Self {
            link: None,
            send: |place, endpoint, way, sent_as| {
                if way == Way::Here && queue_here::<M, H>(place, endpoint, sent_as) {
                    return;
                }
                match enclose::<_, H>(place, endpoint.undelivered.as_ref()) {
                    Some(envelope) => {
                        let mail = Mail::message(endpoint.slot, envelope, sent_as).signed();
                        take_back(place, endpoint.mailbox.push(mail));
                    }
                    None => endpoint.give_back_permits(1, sent_as),
                }
            },
            enclose: Some(|place, endpoint, sent_as| {
                let envelope = enclose::<_, H>(place, endpoint.undelivered.as_ref())?;
                Some(Mail::message(endpoint.slot, envelope, sent_as).signed())
            }),
            enclose_traced: Some(|place, endpoint, sent_as| {
                let envelope = enclose_traced::<_, H>(place, endpoint.undelivered.as_ref())?;
                Some(Mail::message(endpoint.slot, envelope, sent_as).signed())
            }),
            call: |place, endpoint, way, sent_as| {
                if SPANS && may_trace_calls() {
                    return call_traced::<M, H>(place, endpoint, way, sent_as);
                }
                let can_be_given_up = can_be_given_up(place);
                match enclose::<_, H>(place, endpoint.undelivered.as_ref()) {
                    Some(envelope) => {
                        let mail = Mail::call(endpoint.slot, envelope, can_be_given_up, sent_as);
                        take_back(place, endpoint.deliver(way, mail));
                    }
                    None => endpoint.give_back_permits(1, sent_as),
                }
            },
            inner: deliver_inner::<M, H>,
            inner_call: deliver_inner_call::<M, H>,
            batch: deliver_batch::<M, H>,
        }
    }
}

/// Whether the caller of this call may give it up before it is begun.
#[inline]
pub(super) fn can_be_given_up<M: Payload>(call: &Option<Call<M>>) -> bool {
    let cancellation = call.as_ref().and_then(|call| call.port.cancellation());
    cancellation.is_some_and(Cancellation::can_be_given_up)
}

/// The variant of a call, and what names the call in a simulation: no other that is under way lies at this address.
fn named<M: Payload>(call: &Option<Call<M>>) -> (Option<&'static str>, usize) {
    let variant = call.as_ref().map(|call| call.message.variant());
    let place = call.as_ref().and_then(|call| call.port.cancellation()).map(std::ptr::from_ref);
    (variant, place.map_or(0, |place| place as usize))
}

/// Puts the content of refused mail back into its place.
#[inline]
pub(super) fn take_back<C: Default + 'static>(place: &mut C, refused: Option<Mail>) {
    if let Some(refused) = refused {
        *place = refused.into_envelope().and_then(open).unwrap_or_default();
    }
}

/// The message in mail that came too late.
pub(crate) fn taken_back<M: Payload>(late: Mail) -> Option<M> {
    let mut place = None;
    take_back(&mut place, Some(late));
    place
}

/// As `take_back`, for the inner queue; `false` if there was no room.
fn take_back_inner<C: Content>(place: &mut C, pushed: Result<Option<Mail>, Mail>) -> bool {
    let has_room = pushed.is_ok();
    take_back(place, pushed.unwrap_or_else(Some));
    has_room
}

/// Queues a message for an instance of this thread, by `thread::take_in::send_here`; `false` if the thread is no more,
/// or the instance has ended since it was asked.
#[cfg_attr(not(debug_assertions), inline(always))]
fn queue_here<M: Payload + Send, H: Hook<M>>(place: &mut Option<M>, endpoint: &Endpoint<M>, sent_as: SentAs) -> bool {
    if H::IS_ONE && endpoint.status.has_ended() {
        return false;
    }
    let buffers = &endpoint.mailbox.buffers;
    let add = |envelope: &mut Envelope, place: &mut Option<M>| join::<M, H>(envelope, place, buffers);
    send_here(place, (endpoint.slot, M::CALL_DEPTH), sent_as, add, |place| {
        // The hook of an instance of this thread is there as long as that has not ended.
        let envelope = match enclose::<_, H>(place, endpoint.undelivered.as_ref()) {
            Some(envelope) => envelope,
            None => bare(place),
        };
        Mail::message(endpoint.slot, envelope, sent_as)
    })
}

/// As `call` in the table, where spans may be asked for.
#[cold]
#[inline(never)]
fn call_traced<M: Payload<Port: Send> + Send, H: Hook<M>>(
    place: &mut Option<Call<M>>,
    endpoint: &Endpoint<M>,
    way: Way,
    sent_as: SentAs,
) {
    let can_be_given_up = can_be_given_up(place);
    match enclose_traced::<_, H>(place, endpoint.undelivered.as_ref()) {
        Some(envelope) => {
            let mail = Mail::call(endpoint.slot, envelope, can_be_given_up, sent_as);
            take_back(place, endpoint.deliver(way, mail));
        }
        None => endpoint.give_back_permits(1, sent_as),
    }
}

/// As `send` in the table, into the inner queue.
fn deliver_inner<M: Payload<Port: Send> + Send, H: Hook<M>>(
    place: &mut Option<M>,
    endpoint: &Endpoint<M>,
    sent_as: SentAs,
    take_turn: &dyn Fn() -> bool,
) -> bool {
    let Some(inner) = &endpoint.mailbox.inner else { return true };
    let same = match place {
        Some(message) if inner.policy == Inner::Conflate => {
            Some(ConflationKey { to: endpoint.slot, variant: message.variant(), key: message.key() })
        }
        _ => None,
    };
    // Without an envelope the instance has ended: the message stays in its place.
    let Some(envelope) = enclose_traced::<_, H>(place, endpoint.undelivered.as_ref()) else { return true };
    let mail = Mail::message(endpoint.slot, envelope, sent_as);
    take_back_inner(place, endpoint.mailbox.push_inner(inner, mail, same, take_turn))
}

/// As `call` in the table, into the inner queue.
fn deliver_inner_call<M: Payload<Port: Send> + Send, H: Hook<M>>(
    place: &mut Option<Call<M>>,
    endpoint: &Endpoint<M>,
    sent_as: SentAs,
    take_turn: &dyn Fn() -> bool,
) -> bool {
    let Some(inner) = &endpoint.mailbox.inner else { return true };
    let can_be_given_up = can_be_given_up(place);
    let Some(envelope) = enclose_traced::<_, H>(place, endpoint.undelivered.as_ref()) else { return true };
    let mail = Mail::call(endpoint.slot, envelope, can_be_given_up, sent_as);
    take_back_inner(place, endpoint.mailbox.push_inner(inner, mail, None, take_turn))
}

/// Moves messages into the envelope of a batch, and delivers it. Messages that are refused are back in their place.
fn deliver_batch<M: Payload<Port: Send> + Send, H: Hook<M>>(
    messages: &mut VecDeque<M>,
    endpoint: &Endpoint<M>,
    way: Way,
    sent_as: SentAs,
) {
    let mut batch = endpoint.mailbox.buffers.fill(messages);
    match enclose_traced::<_, H>(&mut batch, endpoint.undelivered.as_ref()) {
        Some(envelope) => {
            take_back(messages, endpoint.deliver_batch(way, Mail::batch(endpoint.slot, envelope, sent_as)));
        }
        None => {
            endpoint.give_back_permits(batch.len(), sent_as);
            *messages = batch;
        }
    }
}

/// Moves a content from its place into an envelope and delivers that; puts it back if it is refused. All in one step,
/// so that it is moved once: see `contents.rs`.
type DeliverFn<M, C> = fn(&mut C, &Endpoint<M>, Way, SentAs);

/// Moves a message from its place into mail that is still to be delivered. `None` if the instance has ended: the message
/// stays in its place.
type EncloseFn<M> = fn(&mut Option<M>, &Endpoint<M>, SentAs) -> Option<Mail>;

/// Does what `DeliverFn` does, into the inner queue; `false` if there is no room.
type DeliverInnerFn<M, C> = fn(&mut C, &Endpoint<M>, SentAs, &dyn Fn() -> bool) -> bool;

/// The functions that put messages of one type into envelopes and deliver them.
///
/// The table is made where the messages are known to be `Send`. Clients do not ask for that, so a field that is not
/// `Send` is one compile error and not two.
pub(crate) struct Delivery<M: Payload> {
    pub(crate) send: DeliverFn<M, Option<M>>,
    /// Makes the mail that `send` would deliver. A link has none of this: its messages may go out past its mailbox.
    pub(crate) enclose: Option<EncloseFn<M>>,
    /// The same where spans may be asked for: if they are, the mail has the origin of the message.
    pub(crate) enclose_traced: Option<EncloseFn<M>>,
    /// Set for links alone, which are told of routes.
    pub(crate) link: Option<LinkDelivery<M>>,
    pub(crate) call: DeliverFn<M, Option<Call<M>>>,
    pub(crate) batch: DeliverFn<M, VecDeque<M>>,
    pub(crate) inner: DeliverInnerFn<M, Option<M>>,
    pub(crate) inner_call: DeliverInnerFn<M, Option<Call<M>>>,
}

/// As a [`DeliverFn`], by the route that the sender states.
type DeliverByFn<M, C> = fn(&mut C, &Endpoint<M>, Way, SentAs, StatedRoute<'_>);

/// Functions that the table of a link has beside those of all instances.
pub(crate) struct LinkDelivery<M: Payload> {
    pub(crate) send: DeliverByFn<M, Option<M>>,
    pub(crate) call: DeliverByFn<M, Option<Call<M>>>,
    pub(crate) batch: DeliverByFn<M, VecDeque<M>>,
}

/// Where one instance lives, and how mail gets there. All clients of the instance share one endpoint, so that a client
/// is small enough to travel in a message.
pub(crate) struct Endpoint<M: Payload> {
    pub(crate) location: Location,
    pub(crate) delivery: &'static Delivery<M>,
    /// The actor's hook for undelivered messages. The instance holds it, and each envelope that is under way, but no
    /// client: the hook may hold one, and both would be held for ever.
    pub(crate) undelivered: Option<WeakHook>,
}

impl<M: Payload> Deref for Endpoint<M> {
    type Target = Location;

    #[cfg_attr(not(debug_assertions), inline(always))]
    fn deref(&self) -> &Location {
        &self.location
    }
}

impl<M: Payload> Endpoint<M> {
    /// Drops a message for which there is no room, as a dead letter; gives it back if the engine has stopped meanwhile.
    pub(crate) fn drop_newest(&self, message: M) -> Result<(), M> {
        let incidents = &self.mailbox.engine.incidents;
        let undeliverable = Undeliverable { incidents, instance: self.id(), why: Undelivered::Full, from_hook: false };
        let hook = self.hook();
        if self.undelivered.is_some() && hook.is_none() {
            return Err(message); // it has ended meanwhile
        }
        lose_at_edge(message, hook.as_ref().and_then(typed), undeliverable)
    }

    /// The actor's hook for undelivered messages, if it has one and the instance has not ended.
    pub(crate) fn hook(&self) -> Option<AnyHook> {
        self.undelivered.as_ref()?.upgrade()
    }

    /// The scheduling point of what is put into the mailbox of another thread. It stands before the envelope is made:
    /// behind that it would have the mail moved once more.
    #[cfg_attr(not(debug_assertions), inline(always))]
    fn delivery_point(&self, verb: &'static str, way: Way, what: impl FnOnce() -> (Option<&'static str>, usize)) {
        if way == Way::There {
            point(&self.mailbox.engine.world, self.mailbox.thread.index(), || {
                let (variant, call) = what();
                let (message, variant) = (M::name(), variant.unwrap_or("_"));
                Operation::Deliver { verb, message, variant, from: running_here(), to: self.id(), call }
            });
        }
    }

    /// Sends a message that was admitted: takes it out of its place, and puts it back if the receiver's thread has
    /// ended meanwhile. See `contents.rs`.
    #[inline]
    pub(crate) fn send<const WATCHED: bool>(&self, way: Way, message: &mut Option<M>, sent_as: SentAs) {
        if WATCHED {
            self.delivery_point("send", way, || (message.as_ref().map(M::variant), 0));
            if SPANS && may_trace_sends() {
                return self.send_traced(way, message, sent_as);
            }
        }
        (self.delivery.send)(message, self, way, sent_as);
    }

    #[cold]
    #[inline(never)]
    fn send_traced(&self, way: Way, message: &mut Option<M>, sent_as: SentAs) {
        let Some(enclose) = self.delivery.enclose_traced else {
            return (self.delivery.send)(message, self, way, sent_as);
        };
        match enclose(message, self, sent_as) {
            Some(mail) => take_back(message, self.deliver(way, mail)),
            None => self.give_back_permits(1, sent_as),
        }
    }

    /// Whether copies of a broadcast for this instance and for the next can go out in one bundle, if this one is reached in
    /// this way: both live on one other thread, and need no permit there.
    pub(crate) fn shares_bundles(&self, next: &Self, way: Way) -> bool {
        let takes_bundles = way == Way::There && !self.mailbox.is_bounded;
        takes_bundles && Arc::ptr_eq(&self.mailbox, &next.mailbox) && !self.is_link() && !next.is_link()
    }

    /// Adds a copy of a broadcast to a bundle; gives it back if the instance has ended meanwhile. In a simulation each copy
    /// has its point here, so a trace shows the first ones as sent before the one push of the bundle.
    pub(crate) fn join_bundle<const WATCHED: bool>(&self, copy: M, bundle: &mut VecDeque<Mail>) -> Option<M> {
        if WATCHED {
            self.delivery_point("send", Way::There, || (Some(copy.variant()), 0));
        }
        // The head of the broadcast has asked already: a look here would have each copy moved once more.
        let is_traced = SPANS && WATCHED && may_trace_sends();
        let enclose = if is_traced { self.delivery.enclose_traced } else { self.delivery.enclose };
        let Some(enclose) = enclose else { unreachable!("a link shares no bundle") };
        let mut place = Some(copy);
        bundle.extend(enclose(&mut place, self, SentAs::default()));
        place
    }

    /// The table by which a message goes whose sender states its route: of a link.
    fn link(&self, route: StatedRoute<'_>) -> Option<&LinkDelivery<M>> {
        if LINKS && route.is_stated() { self.delivery.link.as_ref() } else { None }
    }

    /// As [`send`](Self::send), by the route that the sender states. A link alone looks at it.
    #[cfg_attr(not(debug_assertions), inline(always))]
    pub(crate) fn send_by<const WATCHED: bool>(
        &self,
        way: Way,
        message: &mut Option<M>,
        sent_as: SentAs,
        route: StatedRoute<'_>,
    ) {
        let Some(link) = self.link(route) else { return self.send::<WATCHED>(way, message, sent_as) };
        if WATCHED {
            self.delivery_point("send", way, || (message.as_ref().map(M::variant), 0));
        }
        (link.send)(message, self, way, sent_as, route);
    }

    /// Whether the instance stands for a pool elsewhere.
    pub(crate) fn is_link(&self) -> bool {
        LINKS && self.delivery.link.is_some()
    }

    /// Sends a call that was admitted, as [`send_by`](Self::send_by).
    pub(crate) fn call(&self, way: Way, call: &mut Option<Call<M>>, sent_as: SentAs, route: StatedRoute<'_>) {
        let deliver = |call: &mut Option<Call<M>>| match self.link(route) {
            None => (self.delivery.call)(call, self, way, sent_as),
            Some(link) => (link.call)(call, self, way, sent_as, route),
        };
        let with_point = |call: &mut Option<Call<M>>| {
            self.delivery_point("call", way, || named(call));
            deliver(call);
        };
        either(call, with_point, deliver);
    }

    /// Sends a message that was admitted into the inner queue, as [`send`](Self::send); it stays in its place too if
    /// there is no room, or if `take_turn` finds that the turn was another's. That is asked last, under a lock.
    pub(crate) fn send_inner(
        &self,
        message: &mut Option<M>,
        sent_as: SentAs,
        take_turn: &dyn Fn() -> bool,
    ) -> Result<(), Refusal> {
        self.delivery_point("send", Way::There, || (message.as_ref().map(M::variant), 0));
        if (self.delivery.inner)(message, self, sent_as, take_turn) { Ok(()) } else { Err(Refusal::Full) }
    }

    /// As [`send_inner`](Self::send_inner), for a call.
    pub(crate) fn call_inner(
        &self,
        call: &mut Option<Call<M>>,
        sent_as: SentAs,
        take_turn: &dyn Fn() -> bool,
    ) -> Result<(), Refusal> {
        self.delivery_point("call", Way::There, || named(call));
        if (self.delivery.inner_call)(call, self, sent_as, take_turn) { Ok(()) } else { Err(Refusal::Full) }
    }

    /// Sends a batch that was admitted, as [`send_by`](Self::send_by); gives its messages back if the receiver's thread has
    /// ended meanwhile.
    pub(crate) fn send_batch(&self, way: Way, messages: Vec<M>, sent_as: SentAs, route: StatedRoute<'_>) -> Vec<M> {
        self.delivery_point("send a batch with", way, || (messages.first().map(M::variant), 0));
        let mut messages = messages.into();
        match self.link(route) {
            None => (self.delivery.batch)(&mut messages, self, way, sent_as),
            Some(link) => (link.batch)(&mut messages, self, way, sent_as, route),
        }
        messages.into()
    }

    /// Tells the instance to end, after the mail that came before.
    pub(crate) fn stop(&self, way: Way) {
        self.order(way, Order::End);
    }

    /// Tells the instance to build its state afresh, after the mail that came before.
    pub(crate) fn reset(&self, way: Way) {
        self.order(way, Order::Reset);
    }

    fn order(&self, way: Way, order: Order) {
        self.delivery_point("order", way, || (None, 0));
        // An order is never given back. If it comes too late, the instance has ended, and its state with it.
        // The orders for the inner queue lie in the mailbox, and this comes behind them.
        let is_here = way == Way::Here && self.mailbox.inner.is_none();
        if !is_here || !order_here(self.slot, order) {
            let _ = self.mailbox.push(Mail::order(self.slot, order));
        }
    }
}
