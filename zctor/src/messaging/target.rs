//! Routes: the one way that sends and calls take, from a message to the instance that gets it.

use std::any::Any;
use std::collections::HashMap;
use std::sync::Arc;
use std::task::Waker;
use std::time::{Duration, Instant};

use arc_swap::Guard;

use crate::actor::instance::{InstanceId, OnTheSpot};
use crate::actor::timer::{deadline, now};
use crate::client::message::{Kind, Message, Request, ToPort};
use crate::error::{CallError, Refusal, SendError};
use crate::mailbox::dead_letters::Undelivered;
use crate::mailbox::permits::{Overflow, Room, Ticket};
use crate::mailbox::{Edge, Mailbox};
use crate::messaging::pending::{Awaited, Pending, Reply, ReplyTo, wait};
use crate::reply::cancellation::Terms;
use crate::route::endpoint::{Address, Call, Entry, How, Way};
use crate::route::pool::{Place, Places, Pool, Snapshot};
use crate::sys::frame::{Frame, may_wait_for_room};
use crate::thread::local::local;
use crate::trace;

/// What `call_all` gives: the reply of each instance, or why there is none, in registry order.
///
/// ```
/// let none: zctor::Replies<u64> = Vec::new();
/// assert!(none.is_empty());
/// ```
pub type Replies<R> = Vec<(InstanceId, Result<R, CallError>)>;

/// The instance that a message goes to.
pub(crate) struct Chosen<'a, M: Message> {
    found: Found<'a, M>,
    way: Way,
    entry: Entry,
    rotated: bool,
}

enum Found<'a, M: Message> {
    Place(Guard<Arc<Places<M>>>, usize),
    Bound(&'a Address<M>),
}

impl<'a, M: Message> Chosen<'a, M> {
    pub(crate) fn place(places: Guard<Arc<Places<M>>>, index: usize, way: Way, entry: Entry, rotated: bool) -> Self {
        if entry != Entry::Full {
            trace::routed(M::NAME, places[index].address.id(), index + 1, places.len());
        }
        Self { found: Found::Place(places, index), way, entry, rotated }
    }

    fn straight(address: &'a Address<M>, way: Way, how: How) -> Self {
        Self { found: Found::Bound(address), way, entry: Entry::Free, rotated: how.rotated }
    }

    fn is_full(&self) -> bool {
        self.entry == Entry::Full
    }

    fn how(&self) -> How {
        self.entry.how(self.rotated)
    }

    #[inline]
    fn address(&self) -> &Address<M> {
        match &self.found {
            Found::Place(places, index) => &places[*index].address,
            Found::Bound(address) => address,
        }
    }
}

/// Which of a pool's instances a client sends to.
pub(crate) enum Binding<M: Message> {
    /// Each in turn, of the places as they were when the client was made.
    Turn(Snapshot<M>),
    Key(u64),
    LeastLoaded,
    One(Arc<Address<M>>),
    /// Pinned to one that was not there.
    Gone(InstanceId),
}

impl<M: Message> Clone for Binding<M> {
    fn clone(&self) -> Self {
        match self {
            Self::Turn(snapshot) => Self::Turn(snapshot.clone()),
            Self::Key(key) => Self::Key(*key),
            Self::LeastLoaded => Self::LeastLoaded,
            Self::One(address) => Self::One(Arc::clone(address)),
            Self::Gone(instance) => Self::Gone(*instance),
        }
    }
}

/// Those that a broadcast is for.
enum Members<'a, M: Message> {
    Known(&'a Places<M>),
    Loaded(Arc<Places<M>>),
    One(&'a Address<M>),
    Nobody,
}

/// How long a call may take.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub(crate) enum Limit {
    /// What is left of the caller's own deadline, if it has one.
    #[default]
    Inherited,
    /// That, or this, whichever ends first.
    Within(Duration),
    /// None, whatever the caller's.
    None,
}

/// How a client waits, for replies and for room. In one word, so that clients stay small.
#[derive(Clone, Copy)]
pub(crate) struct View(u64);

impl Default for View {
    fn default() -> Self {
        Self(Self::INHERITED << 1)
    }
}

impl View {
    /// The lowest digit: a full mailbox is not waited for. Above it the limit in nanoseconds, of which the two largest
    /// numbers say something else.
    const NON_BLOCKING: u64 = 1;
    const INHERITED: u64 = u64::MAX >> 1;
    const UNLIMITED: u64 = Self::INHERITED - 1;

    pub(crate) fn limited(self, limit: Limit) -> Self {
        let limit = match limit {
            Limit::Inherited => Self::INHERITED,
            // What is longer than the centuries that fit is as long as those.
            Limit::Within(limit) => u64::try_from(limit.as_nanos()).unwrap_or(u64::MAX).min(Self::UNLIMITED - 1),
            Limit::None => Self::UNLIMITED,
        };
        Self(limit << 1 | self.0 & Self::NON_BLOCKING)
    }

    pub(crate) fn non_blocking(self) -> Self {
        Self(self.0 | Self::NON_BLOCKING)
    }

    #[inline]
    fn waits(self) -> bool {
        self.0 & Self::NON_BLOCKING == 0
    }

    #[inline]
    fn limit(self) -> Limit {
        match self.0 >> 1 {
            Self::INHERITED => Limit::Inherited,
            Self::UNLIMITED => Limit::None,
            nanoseconds => Limit::Within(Duration::from_nanos(nanoseconds)),
        }
    }
}

/// Everything that sending needs to know, borrowed: clients, engines and contexts all send through it.
#[derive(Clone, Copy)]
pub(crate) struct Aim<'a, M: Message> {
    pool: Option<&'a Pool<M>>,
    binding: &'a Binding<M>,
    edge: Option<&'a Edge>,
    view: View,
    /// The pool's places as they were when the client was made.
    snapshot: Option<&'a Places<M>>,
}

impl<'a, M: Message> Aim<'a, M> {
    /// At the instances of a pool in turn; `None` where the type was never registered.
    pub(crate) fn at_pool(pool: Option<&'a Pool<M>>, edge: &'a Edge) -> Self {
        Self { pool, binding: &Binding::Turn(None), edge: Some(edge), view: View::default(), snapshot: None }
    }

    pub(crate) fn at_one(binding: &'a Binding<M>) -> Self {
        Self { pool: None, binding, edge: None, view: View::default(), snapshot: None }
    }

    /// At those of a pool that a client is bound to.
    pub(crate) fn bound(self, binding: &'a Binding<M>) -> Self {
        match binding {
            Binding::Turn(snapshot) => self.seeing(snapshot.as_deref()),
            _ => Self { binding, ..self },
        }
    }

    pub(crate) fn limited(self, limit: Limit) -> Self {
        Self { view: self.view.limited(limit), ..self }
    }

    pub(crate) fn viewed(self, view: View) -> Self {
        Self { view, ..self }
    }

    pub(crate) fn seeing(self, snapshot: Option<&'a Places<M>>) -> Self {
        Self { snapshot, ..self }
    }

    fn pool(&self) -> Result<&'a Pool<M>, Refusal> {
        self.pool.ok_or_else(|| match self.edge {
            Some(edge) if edge.is_open() => Refusal::NotRegistered,
            _ => Refusal::Stopped,
        })
    }

    /// Counts a refusal.
    fn refused(&self, refusal: Refusal, messages: usize) -> Refusal {
        if let Some(edge) = self.house() {
            edge.losses.refuse(messages);
        }
        refusal
    }

    /// What all mailboxes of the engine aimed at share.
    fn house(&self) -> Option<&'a Edge> {
        self.edge.or(match self.binding {
            Binding::One(address) => Some(&*address.mailbox.edge),
            _ => None,
        })
    }

    fn send_error(&self, message: M, refusal: Refusal) -> SendError<M> {
        SendError::new(M::NAME, message, self.refused(refusal, 1))
    }

    fn call_error(&self, refusal: Refusal) -> CallError {
        CallError::refused(M::NAME, self.refused(refusal, 1))
    }

    /// A bound client beats `#[key]`; `#[key]` beats least-loaded and rotation.
    fn choose(&self, key: Option<u64>) -> Result<Chosen<'a, M>, Refusal> {
        if let Some((address, way, how)) = self.straight(key) {
            return Ok(Chosen::straight(address, way, how));
        }
        match (self.binding, key) {
            (Binding::One(address), _) => {
                let way = address.admit()?;
                Ok(Chosen {
                    found: Found::Bound(address),
                    way,
                    entry: address.enter(self.view.waits()),
                    rotated: false,
                })
            }
            (Binding::Gone(_), _) => Err(Refusal::Stopped),
            (Binding::Key(key), _) => self.pool()?.of_key(*key, self.view.waits()),
            (_, Some(key)) => self.pool()?.of_key(key, self.view.waits()),
            (Binding::LeastLoaded, None) => self.pool()?.least_loaded(self.view.waits(), |_| 0),
            (Binding::Turn(_), None) => self.pool()?.next(self.view.waits()),
        }
    }

    /// The way that as good as every message takes: to the instance that a client is bound to, or to the next in turn of a
    /// pool whose places are known, if nothing stands against it. `None`: `enter` looks closer.
    #[inline(always)]
    fn straight(&self, key: Option<u64>) -> Option<(&'a Address<M>, Way, How)> {
        let (address, way, rotated) = match (self.binding, key) {
            (Binding::One(address), _) => (address, address.admit_freely()?, false),
            (Binding::Turn(_), None) => {
                let (address, way) = self.pool?.step(self.snapshot?)?;
                (address, way, true)
            }
            _ => return None,
        };
        Some((address, way, How { rotated, permitted: false }))
    }

    /// As `choose`; where there is no room, what its mailbox's overflow says. What comes back full is a message to drop.
    #[inline]
    fn enter(&self, key: Option<u64>, until: impl FnOnce() -> Option<Instant>) -> Result<Chosen<'a, M>, Refusal> {
        let chosen = self.choose(key)?;
        if chosen.is_full() { self.overflow(key, chosen, until) } else { Ok(chosen) }
    }

    #[cold]
    fn overflow(
        &self,
        key: Option<u64>,
        chosen: Chosen<'a, M>,
        until: impl FnOnce() -> Option<Instant>,
    ) -> Result<Chosen<'a, M>, Refusal> {
        let overflow = chosen.address().mailbox.room.as_ref().map_or(Overflow::Wait, |room| room.overflow);
        match overflow {
            Overflow::DropNewest => Ok(chosen),
            Overflow::Wait if self.view.waits() && may_wait_for_room() => {
                let mut turnstile = Turnstile::new(self, key, &chosen);
                drop(chosen);
                wait(&mut turnstile, until()).unwrap_or(Err(Refusal::Full))
            }
            Overflow::Wait | Overflow::Refuse => Err(Refusal::Full),
        }
    }

    /// Sends what is in `place`, where its sender has made it: to move it there would cost more than all else that is done.
    #[inline]
    pub(crate) fn send(&self, place: &mut Option<M>) -> Result<(), SendError<M>> {
        self.try_send(place).or_else(|refusal| self.give_back(place, refusal))
    }

    #[cold]
    fn give_back(&self, place: &mut Option<M>, refusal: Refusal) -> Result<(), SendError<M>> {
        place.take().map_or(Ok(()), |message| Err(self.send_error(message, refusal)))
    }

    /// As `send`, without counting a refusal. A message that is refused is left in its place.
    #[inline]
    fn try_send(&self, place: &mut Option<M>) -> Result<(), Refusal> {
        while let Some(message) = place {
            let key = message.__key();
            if let Some((address, way, how)) = self.straight(key) {
                address.send(way, place, how);
            } else {
                self.send_by_choice(key, place)?;
            }
            // What is back is for a thread that ended this very moment, which will not be chosen again.
        }
        Ok(())
    }

    /// One attempt.
    #[inline(never)]
    fn send_by_choice(&self, key: Option<u64>, place: &mut Option<M>) -> Result<(), Refusal> {
        let chosen = self.enter(key, || self.room_deadline())?;
        if !chosen.is_full() {
            chosen.address().send(chosen.way, place, chosen.how());
            return Ok(());
        }
        *place = place.take().and_then(|message| chosen.address().drop_newest(message).err());
        if place.is_none() { Ok(()) } else { Err(Refusal::Stopped) }
    }

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
    fn own_deadline(&self) -> Option<Instant> {
        match self.view.limit() {
            Limit::Within(limit) => deadline(limit),
            // What a handler has left of its own is looked at by the waits.
            Limit::Inherited if Frame::current().deadline.is_some() => None,
            Limit::Inherited => self.default_deadline(),
            Limit::None => None,
        }
    }

    /// How long a send waits for room.
    fn room_deadline(&self) -> Option<Instant> {
        match self.view.limit() {
            Limit::Within(limit) => deadline(limit),
            Limit::Inherited | Limit::None => None,
        }
    }

    /// The engine's own for calls that say nothing else.
    fn default_deadline(&self) -> Option<Instant> {
        self.house()?.default_deadline.and_then(deadline)
    }

    /// A request to just this instance.
    fn request_at<R: 'static, K: Kind>(
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

    /// The pool as it is now, or the one instance of a client that has no pool.
    fn members(&self) -> Members<'a, M> {
        match (self.pool, self.binding) {
            (_, Binding::Gone(_)) => Members::Nobody,
            (Some(pool), _) => match self.snapshot.filter(|places| pool.is_current(places)) {
                Some(places) => Members::Known(places),
                None => Members::Loaded(pool.places.load_full()),
            },
            (None, Binding::One(address)) => Members::One(address),
            (None, _) => Members::Nobody,
        }
    }

    /// Those of them that can be sent to now.
    fn open<'m>(&self, members: &'m Members<'_, M>) -> Result<Vec<(&'m Address<M>, Way)>, Refusal> {
        let places: &[Place<M>] = match members {
            Members::Known(places) => places,
            Members::Loaded(places) => places,
            Members::One(address) => return Ok(vec![(address, address.admit()?)]),
            Members::Nobody => &[],
        };
        let mut open = Vec::with_capacity(places.len());
        open.extend(places.iter().filter_map(|place| Some((&*place.address, place.address.admit().ok()?))));
        match (open.is_empty(), self.binding) {
            (false, _) => Ok(open),
            (true, Binding::Gone(_)) => Err(Refusal::Stopped),
            (true, _) => Err(self.nobody()),
        }
    }

    /// Why nobody was found.
    pub(crate) fn nobody(&self) -> Refusal {
        self.pool().map_or_else(|refusal| refusal, Pool::nobody)
    }

    pub(crate) fn broadcast(&self, message: M) -> Result<usize, SendError<M>>
    where
        M: Clone,
    {
        let members = self.members();
        let everybody = match self.open(&members) {
            Ok(everybody) => everybody,
            Err(refusal) => return Err(self.send_error(message, refusal)),
        };
        // All copies are made before the first is sent; the last instance gets the message itself.
        let mut copies = Vec::with_capacity(everybody.len());
        copies.extend(everybody.iter().skip(1).map(|_| message.clone()));
        copies.push(message);
        // One whose thread ended this very moment is not among those reached.
        let mut reached = 0;
        let mut missed = None;
        for ((address, way), copy) in everybody.iter().zip(copies) {
            match self.send_copy(address, *way, copy) {
                Ok(true) => reached += 1,
                Ok(false) => {}
                Err(copy) => missed = Some(copy),
            }
        }
        match missed {
            Some(message) if reached == 0 => Err(self.send_error(message, self.nobody())),
            _ => Ok(reached),
        }
    }

    /// One copy of a broadcast, which passes over who has no room: `false`.
    fn send_copy(&self, address: &Address<M>, way: Way, copy: M) -> Result<bool, M> {
        let entry = address.enter(self.view.waits());
        if entry == Entry::Full {
            return address.drop_newest(copy).map(|()| false);
        }
        let mut place = Some(copy);
        address.send(way, &mut place, entry.how(false));
        place.map_or(Ok(true), Err)
    }

    pub(crate) fn broadcast_with(&self, mut make: impl FnMut(InstanceId) -> M) -> Result<usize, CallError> {
        let members = self.members();
        let everybody = self.open(&members).map_err(|refusal| self.call_error(refusal))?;
        let (mut reached, mut missed) = (0, 0);
        for (address, way) in &everybody {
            match self.send_copy(address, *way, make(address.id())) {
                Ok(here) => reached += usize::from(here),
                Err(_) => missed += 1,
            }
        }
        if missed == everybody.len() { Err(self.call_error(self.nobody())) } else { Ok(reached) }
    }

    pub(crate) fn call_all_with<R: 'static, K: Kind>(
        &self,
        mut make: impl FnMut(InstanceId) -> Request<M, R, K>,
    ) -> Result<Replies<R>, CallError> {
        if !Frame::current().may_wait_for(K::depth(M::CALL_DEPTH)) {
            return Err(CallError::Undeclared { message: M::NAME });
        }
        let members = self.members();
        let everybody = self.open(&members).map_err(|refusal| self.call_error(refusal))?;
        // One deadline for all, counted from here.
        let until = self.own_deadline();
        let pending: Vec<(InstanceId, Pending<R>)> = everybody
            .iter()
            .map(|(address, way)| {
                let request = make(address.id());
                (address.id(), self.request_at(address, *way, request, until))
            })
            .collect();
        Ok(pending.into_iter().map(|(id, reply)| (id, reply.wait())).collect())
    }

    pub(crate) fn stop_all(&self) -> Result<usize, Refusal> {
        let members = match self.binding {
            Binding::One(address) => Members::One(address),
            _ => self.members(),
        };
        let everybody = self.open(&members)?;
        for (address, way) in &everybody {
            address.stop(*way);
        }
        Ok(everybody.len())
    }

    pub(crate) fn send_all(&self, messages: Vec<M>) -> Result<usize, SendError<Vec<M>>> {
        let count = messages.len();
        if count == 0 {
            return Ok(0);
        }
        let mut late = Vec::new();
        let outcome = self.send_straight(messages, &mut late).or_else(|messages| self.send_each(messages, &mut late));
        // What is given back was for a thread that ended this very moment: it finds another receiver, or none.
        let mut rest = Vec::new();
        for message in late {
            let mut place = Some(message);
            let _ = self.try_send(&mut place); // what is refused stays in its place
            rest.extend(place);
        }
        let refusal = match outcome {
            Ok(()) => Refusal::Stopped,
            Err((messages, refusal)) => {
                rest.extend(messages);
                refusal
            }
        };
        if rest.is_empty() {
            return Ok(count);
        }
        let refusal = self.refused(refusal, rest.len());
        Err(SendError::new(M::NAME, rest, refusal))
    }

    /// The way that as good as every batch takes: whole to the instance that a client is bound to, or dealt out in turn, if
    /// nothing stands against it. Else it comes back untouched, and `send_each` looks closer.
    fn send_straight(&self, messages: Vec<M>, late: &mut Vec<M>) -> Result<(), Vec<M>> {
        match (self.binding, self.pool) {
            (Binding::One(address), _) => {
                let Some(way) = address.admit_freely() else { return Err(messages) };
                late.extend(address.send_batch(way, messages, How::default()));
                Ok(())
            }
            (Binding::Turn(_), Some(pool)) if messages.iter().all(|message| message.__key().is_none()) => {
                pool.deal(messages, late)
            }
            _ => Err(messages),
        }
    }

    /// Each message takes its turn; what goes to one instance goes there in one push. From the first that is refused on,
    /// they come back.
    fn send_each(&self, messages: Vec<M>, late: &mut Vec<M>) -> Result<(), (Vec<M>, Refusal)> {
        let mut batches = Batches::new(matches!(self.binding, Binding::LeastLoaded), late);
        let until = self.room_deadline();
        let mut messages = messages.into_iter();
        let mut refused = None;
        for message in messages.by_ref() {
            let key = message.__key();
            let chosen = match (self.binding, key) {
                (Binding::LeastLoaded, None) => {
                    self.pool().and_then(|pool| pool.least_loaded(self.view.waits(), |id| batches.given_to(id)))
                }
                (_, key) => self.choose(key),
            };
            let chosen = match chosen {
                Ok(chosen) if chosen.is_full() => {
                    // What was taken in so far makes room when it has been sent.
                    batches.send();
                    self.overflow(key, chosen, || until)
                }
                chosen => chosen,
            };
            let placed = match chosen {
                Ok(chosen) if chosen.is_full() => {
                    chosen.address().drop_newest(message).map_err(|message| (message, Refusal::Stopped))
                }
                Ok(chosen) => {
                    batches.add(chosen, message);
                    Ok(())
                }
                Err(refusal) => Err((message, refusal)),
            };
            if let Err(back) = placed {
                refused = Some(back);
                break;
            }
        }
        batches.send();
        match refused {
            None => Ok(()),
            Some((first, refusal)) => Err((std::iter::once(first).chain(messages).collect(), refusal)),
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
        let owner = address.undelivered.as_deref();
        place.take().into_iter().for_each(|message| losses.tell(message, address.id(), why, false, owner));
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

/// What `send_all` has gathered, a batch an instance. Where messages in turn and messages by key meet in one instance,
/// each kind has its own batch: what becomes of them differs if it ends.
struct Batches<'a, M: Message> {
    batches: Vec<(Chosen<'a, M>, Vec<M>)>,
    /// The place that was added to last.
    cursor: usize,
    /// All are of one kind, so that each instance has one.
    uniform: bool,
    latest: HashMap<InstanceId, usize>,
    /// How many each was given, where that is asked for.
    given: Option<HashMap<InstanceId, usize>>,
    /// Given back by threads that had just ended.
    late: &'a mut Vec<M>,
}

impl<'a, M: Message> Batches<'a, M> {
    /// `counts`: whether `given_to` will be asked.
    fn new(counts: bool, late: &'a mut Vec<M>) -> Self {
        let given = counts.then(HashMap::new);
        Self { batches: Vec::new(), cursor: 0, uniform: true, latest: HashMap::new(), given, late }
    }

    fn given_to(&self, instance: InstanceId) -> usize {
        self.given.as_ref().and_then(|given| given.get(&instance)).copied().unwrap_or(0)
    }

    fn add(&mut self, chosen: Chosen<'a, M>, message: M) {
        let id = chosen.address().id();
        if let Some(given) = &mut self.given {
            *given.entry(id).or_default() += 1;
        }
        let how = chosen.how();
        self.uniform &= self.batches.first().is_none_or(|(first, _)| first.how() == how);
        if self.uniform {
            // In turn it is the next one, or in a pool of one the same.
            for place in [self.cursor + 1, 0, self.cursor] {
                match self.batches.get_mut(place) {
                    Some((batch, messages)) if batch.address().id() == id => {
                        self.cursor = place;
                        return messages.push(message);
                    }
                    _ => {}
                }
            }
        }
        self.cursor = self.batches.len();
        match self.latest.get(&id).map(|place| &mut self.batches[*place]) {
            Some((batch, messages)) if batch.how() == how => messages.push(message),
            _ => {
                self.latest.insert(id, self.batches.len());
                self.batches.push((chosen, vec![message]));
            }
        }
    }

    /// Sends what was gathered.
    fn send(&mut self) {
        self.latest.clear();
        self.uniform = true;
        if let Some(given) = &mut self.given {
            given.clear();
        }
        for (chosen, batch) in self.batches.drain(..) {
            self.late.extend(chosen.address().send_batch(chosen.way, batch, chosen.how()));
        }
    }
}

impl<M: Message> Drop for Batches<'_, M> {
    /// A key's `Hash` has panicked: what was gathered was never sent.
    fn drop(&mut self) {
        for (chosen, batch) in &self.batches {
            if chosen.how().permitted {
                chosen.address().mailbox.give_back(batch.len());
            }
        }
    }
}

/// A sender that waits for room: at the mailbox it must go to, or where any of a pool will do, at all of them.
struct Turnstile<'t, 'a, M: Message> {
    aim: &'t Aim<'a, M>,
    key: Option<u64>,
    /// Each with the place in its line.
    lines: Vec<(Arc<Mailbox>, Ticket)>,
}

impl<'t, 'a, M: Message> Turnstile<'t, 'a, M> {
    fn new(aim: &'t Aim<'a, M>, key: Option<u64>, chosen: &Chosen<'a, M>) -> Self {
        let mut turnstile = Self { aim, key, lines: Vec::new() };
        turnstile.find_lines(chosen);
        turnstile
    }

    /// The pool may have changed since.
    fn find_lines(&mut self, chosen: &Chosen<'a, M>) {
        let any_will_do = matches!((self.aim.binding, self.key), (Binding::Turn(_) | Binding::LeastLoaded, None));
        let mailboxes = match self.aim.pool {
            Some(pool) if any_will_do => pool.bounded(),
            _ => vec![Arc::clone(&chosen.address().mailbox)],
        };
        for mailbox in mailboxes {
            if !self.lines.iter().any(|(known, _)| Arc::ptr_eq(known, &mailbox)) {
                self.lines.push((mailbox, Ticket::default()));
            }
        }
    }

    fn join(&mut self, waker: &Waker) {
        for (mailbox, ticket) in &mut self.lines {
            if let Some(room) = &mailbox.room {
                room.join(ticket, waker);
            }
        }
    }

    /// It was called perhaps, and has found no room that it can use.
    fn decline(&mut self) {
        for (mailbox, ticket) in &mut self.lines {
            if let Some(room) = &mailbox.room {
                room.decline(ticket);
            }
        }
    }
}

impl<'a, M: Message> Awaited for Turnstile<'_, 'a, M> {
    type Output = Result<Chosen<'a, M>, Refusal>;

    fn is_ready(&self) -> bool {
        self.lines.iter().any(|(mailbox, _)| mailbox.room.as_ref().is_none_or(Room::has_free))
    }

    fn poll(&mut self, waker: &Waker) -> Option<Self::Output> {
        match self.aim.choose(self.key) {
            Ok(chosen) if chosen.is_full() => self.find_lines(&chosen),
            outcome => return Some(outcome),
        }
        if waker.will_wake(Waker::noop()) {
            return None;
        }
        self.join(waker);
        // After joining, so that room that was made in between is not missed.
        match self.aim.choose(self.key) {
            Ok(chosen) if chosen.is_full() => {
                drop(chosen);
                self.decline();
                None
            }
            outcome => Some(outcome),
        }
    }
}

impl<M: Message> Drop for Turnstile<'_, '_, M> {
    fn drop(&mut self) {
        for (mailbox, ticket) in &self.lines {
            if let Some(room) = &mailbox.room {
                room.leave(ticket);
            }
        }
    }
}
