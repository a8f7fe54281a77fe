//! Calls and requests; the depth check.

use std::any::Any;
use std::sync::Arc;
use std::time::Instant;

use crate::client::message::{Message, Request};
use crate::error::{CallError, Refusal};
use crate::event::Undelivered;
use crate::mailbox::envelope::Grave;
use crate::mailbox::permits::{Overflow, Room};
use crate::messaging::binding::Limit;
use crate::messaging::in_flight::Reply;
use crate::messaging::pending::Pending;
use crate::messaging::target::Aim;
use crate::reply::cancellation::Terms;
use crate::reply::reply_to::ReplyTo;
use crate::route::contents::{Call, lose};
use crate::route::endpoint::{Address, Entry, Way};
use crate::route::payload::{Kind, ToPort};
use crate::route::pool::Chosen;
use crate::sys::clock::{deadline, now};
use crate::sys::frame::Frame;
use crate::thread::local::{OnTheSpot, local};

impl<'a, M: Message> Aim<'a, M> {
    pub(crate) fn call<R: 'static, K: Kind>(&self, request: Request<M, R, K>) -> Result<R, CallError> {
        let Request { message, port, .. } = request;
        self.call_from::<R, K>(&mut Some(message), port)
    }

    /// Calls with what is in `place`, where its caller has made it; see `send`.
    #[inline]
    pub(crate) fn call_from<R: 'static, K: Kind>(
        &self,
        place: &mut Option<M>,
        port: ToPort<M, R>,
    ) -> Result<R, CallError> {
        let frame = Frame::current();
        if !frame.may_wait_for(K::depth(M::CALL_DEPTH)) {
            return Err(CallError::Undeclared { message: M::NAME });
        }
        let until = match self.view.limit() {
            Limit::Inherited => frame.deadline.or_else(|| self.default_deadline()),
            Limit::Within(limit) => [frame.deadline, deadline(limit)].into_iter().flatten().min(),
            Limit::None => None,
        };
        let key = place.as_ref().and_then(M::__key);
        let mut reply = None;
        let replied = |reply: Option<R>| reply.ok_or(CallError::NoReply { message: M::NAME });
        // What is handled here leaves here: one way out for both costs 30 instructions of 400.
        let chosen = match self.straight(key) {
            Some((address, way, how)) => {
                if is_here::<K>(way) && call_here(address, place, &mut reply, until)? {
                    return replied(reply);
                }
                Chosen::straight(address, way, how)
            }
            None => match self.call_by_choice::<K>(key, place, &mut reply, until)? {
                Some(chosen) => chosen,
                None => return replied(reply),
            },
        };
        match place.take() {
            Some(message) => self.call_there(chosen, message, port, until),
            None => replied(reply), // not reached: only a call that was handled here is taken out of its place
        }
    }

    /// As `enter`, for a call; `None` if its callee has handled it on the spot.
    #[inline(never)]
    fn call_by_choice<K: Kind>(
        &self,
        key: Option<u64>,
        place: &mut Option<M>,
        reply: &mut dyn Any,
        until: Option<Instant>,
    ) -> Result<Option<Chosen<'a, M>>, CallError> {
        let chosen = self.find(key, until)?;
        let is_free = chosen.entry == Entry::Free && is_here::<K>(chosen.way);
        let handled = is_free && call_here(chosen.address(), place, reply, until)?;
        Ok((!handled).then_some(chosen))
    }

    fn find(&self, key: Option<u64>, until: Option<Instant>) -> Result<Chosen<'a, M>, CallError> {
        self.enter(key, || until).map_err(|refusal| self.call_error(refusal))
    }

    #[inline(never)]
    fn call_there<R: 'static>(
        &self,
        mut chosen: Chosen<'a, M>,
        message: M,
        port: ToPort<M, R>,
        until: Option<Instant>,
    ) -> Result<R, CallError> {
        // Without a deadline it is never given up.
        let terms = until.map_or_else(Terms::none, |until| Terms::new(Some(until)));
        let (reply_to, mut receiver) = ReplyTo::channel(terms);
        let mut call = Some(Call { message, port: port(reply_to) });
        loop {
            let address = chosen.address();
            match call.take() {
                Some(Call { message, .. }) if chosen.is_full() => return Err(self.drop_call(address, message)),
                fits => call = fits,
            }
            address.call(chosen.way, &mut call, chosen.how());
            let Some(Call { message, .. }) = &call else {
                return Reply::new(&mut receiver, &address.mailbox, M::NAME).wait(until);
            };
            chosen = self.find(message.__key(), until)?;
        }
    }

    /// Never waits, not for room either.
    pub(crate) fn request<R: 'static, K: Kind>(&self, request: Request<M, R, K>) -> Pending<R> {
        let Request { message, port, .. } = request;
        let (reply_to, receiver) = ReplyTo::channel(Terms::new(self.own_deadline()));
        let mut key = message.__key();
        let mut call = Some(Call { message, port: port(reply_to) });
        loop {
            let chosen = match self.choose(key) {
                Ok(chosen) => chosen,
                Err(refusal) => return Pending::refused::<M, K>(self.call_error(refusal)),
            };
            let address = chosen.address();
            match call.take() {
                Some(Call { message, .. }) if chosen.is_full() => {
                    return Pending::refused::<M, K>(self.turn_away(address, message));
                }
                fits => call = fits,
            }
            address.call(chosen.way, &mut call, chosen.how());
            let Some(Call { message, .. }) = &call else {
                let inherits = self.view.limit() != Limit::None;
                return Pending::sent::<M, K>(receiver, Arc::clone(&address.mailbox), inherits);
            };
            key = message.__key();
        }
    }

    /// A call that finds no room and will not wait for it.
    fn turn_away(&self, address: &Address<M>, message: M) -> CallError {
        match &address.mailbox.room {
            Some(Room { overflow: Overflow::DropNewest, .. }) => self.drop_call(address, message),
            _ => self.call_error(Refusal::Full),
        }
    }

    /// The call of a newcomer that is dropped.
    fn drop_call(&self, address: &Address<M>, message: M) -> CallError {
        match address.drop_newest(message) {
            Ok(()) => CallError::Full { message: M::NAME },
            Err(_) => self.call_error(Refusal::Stopped),
        }
    }

    /// When the client's own time limit ends. What is not waited for inherits no deadline.
    pub(super) fn own_deadline(&self) -> Option<Instant> {
        match self.view.limit() {
            Limit::Within(limit) => deadline(limit),
            // What a handler has left of its own is looked at by the waits.
            Limit::Inherited if Frame::current().deadline.is_some() => None,
            Limit::Inherited => self.default_deadline(),
            Limit::None => None,
        }
    }

    /// The engine's own for calls that say nothing else.
    fn default_deadline(&self) -> Option<Instant> {
        self.house()?.default_deadline.and_then(deadline)
    }

    /// A request to just this instance.
    pub(super) fn request_at<R: 'static, K: Kind>(
        &self,
        address: &Address<M>,
        way: Way,
        request: Request<M, R, K>,
        until: Option<Instant>,
    ) -> Pending<R> {
        let Request { message, port, .. } = request;
        let (reply_to, receiver) = ReplyTo::channel(Terms::new(until));
        let entry = address.enter(self.view.waits());
        if entry == Entry::Full {
            return Pending::refused::<M, K>(self.turn_away(address, message));
        }
        let mut call = Some(Call { message, port: port(reply_to) });
        address.call(way, &mut call, entry.how(false));
        match call {
            None => Pending::sent::<M, K>(receiver, Arc::clone(&address.mailbox), self.view.limit() != Limit::None),
            Some(_) => Pending::refused::<M, K>(CallError::Stopped { message: M::NAME }),
        }
    }
}

/// A callee on this very thread runs at once if nothing for it is queued.
fn is_here<K: Kind>(way: Way) -> bool {
    K::IS_PROMPT && way == Way::Here
}

/// Calls an instance of this thread, which handles it on the spot and puts its reply into `reply`, an `Option` of that;
/// `false` if it is not free to.
#[inline(always)]
fn call_here<M: Message>(
    address: &Address<M>,
    place: &mut Option<M>,
    reply: &mut dyn Any,
    until: Option<Instant>,
) -> Result<bool, CallError> {
    let Some(local) = local() else { return Ok(false) };
    let Some(callee) = local.instance(address.slot) else { return Ok(false) };
    if until.is_some_and(|until| until <= now()) {
        let (losses, why) = (&local.mailbox.edge.losses, Undelivered::GivenUp);
        losses.count(1, why);
        let grave = Grave { losses, instance: address.id(), why, from_hook: false };
        place.take().into_iter().for_each(|message| lose(message, address.undelivered.as_deref(), grave));
        return Err(CallError::Timeout { message: M::NAME, begun: false });
    }
    let panic = match callee.handle_here(&local, place, reply, until) {
        OnTheSpot::Handled => None,
        OnTheSpot::Busy => return Ok(false),
        OnTheSpot::Unsettled(unsettled) => unsettled.settle(&local),
    };
    match panic {
        None => Ok(true),
        Some(text) => Err(CallError::Panicked { message: M::NAME, text }),
    }
}
