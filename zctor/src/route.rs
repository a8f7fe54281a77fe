//! Routes: from a message to the instance that gets it. Round robin, keyed, pinned, least loaded.

use std::any::{Any, TypeId};
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use arc_swap::{ArcSwap, Guard};

use crate::call::{Pending, Reply, ReplyTo, Terms};
use crate::error::{CallError, Refusal, SendError};
use crate::instance::{InstanceId, Status};
use crate::lock::lock;
use crate::mailbox::{Edge, Letter, Mail, Mailbox, Slot};
use crate::message::{Kind, Message, Request};
use crate::registry::{AnyPool, RegistryEntry};
use crate::thread::{Frame, is_at, is_inside, local};
use crate::timer::deadline;
use crate::trace;

/// What `call_all` gives: the reply of each instance, or why there is none, in registry order.
///
/// ```
/// let none: zctor::Replies<u64> = Vec::new();
/// assert!(none.is_empty());
/// ```
pub type Replies<R> = Vec<(InstanceId, Result<R, CallError>)>;

/// A call on its way: the message, where its reply goes, and its terms if it can be given up.
pub(crate) type Call<M> = (M, <M as Message>::Port, Option<Arc<Terms>>);

/// How messages for one kind of instance are put into envelopes, and taken out again by a sender who came too late.
/// Made where the state's type is known.
pub(crate) struct Seals<M: Message> {
    pub(crate) send: fn(M) -> Letter,
    pub(crate) call: fn(Call<M>) -> Letter,
    pub(crate) batch: fn(Vec<M>) -> Letter,
    pub(crate) open_send: fn(Letter) -> Option<M>,
    pub(crate) open_call: fn(Letter) -> Option<Call<M>>,
    pub(crate) open_batch: fn(Letter) -> Option<Vec<M>>,
}

/// Where one instance lives, and how to write to it.
pub(crate) struct Address<M: Message> {
    pub(crate) mailbox: Arc<Mailbox>,
    pub(crate) slot: Slot,
    pub(crate) status: Arc<Status>,
    pub(crate) seals: &'static Seals<M>,
}

impl<M: Message> Clone for Address<M> {
    fn clone(&self) -> Self {
        Self {
            mailbox: Arc::clone(&self.mailbox),
            slot: self.slot,
            status: Arc::clone(&self.status),
            seals: self.seals,
        }
    }
}

/// The way to an instance, found open.
#[derive(Clone, Copy)]
pub(crate) enum Way {
    /// It lives on this thread: into the thread's own queue.
    Here,
    /// Into its thread's mailbox.
    There,
}

impl<M: Message> Address<M> {
    pub(crate) fn id(&self) -> InstanceId {
        InstanceId { thread: self.mailbox.thread, slot: self.slot }
    }

    /// Whether the code that runs here may send to it just now. Asked before the message is sealed.
    #[inline]
    pub(crate) fn admit(&self) -> Result<Way, Refusal> {
        if self.status.has_ended() || self.mailbox.parker.is_closed() {
            return Err(Refusal::Stopped);
        }
        let edge = &self.mailbox.edge;
        if edge.is_open() || (is_inside(&self.mailbox) && !edge.is_sealed()) {
            Ok(if is_at(&self.mailbox) { Way::Here } else { Way::There })
        } else {
            Err(Refusal::Stopped)
        }
    }

    /// Sends a message that was admitted. It comes back if the receiver's thread ended meanwhile.
    #[inline]
    pub(crate) fn send(&self, way: Way, message: M, rotated: bool) -> Result<(), M> {
        let mail = Mail::letter(self.slot, (self.seals.send)(message), rotated);
        back(self.deliver(way, mail), self.seals.open_send)
    }

    /// Sends a call that was admitted, as [`send`](Self::send).
    pub(crate) fn call(&self, way: Way, call: Call<M>, rotated: bool) -> Result<(), Call<M>> {
        let mail = Mail::letter(self.slot, (self.seals.call)(call), rotated);
        back(self.deliver(way, mail), self.seals.open_call)
    }

    /// The same, for a caller that will wait: a callee on this very thread runs at once if nothing for it is queued.
    fn call_and_wait(&self, way: Way, call: Call<M>, rotated: bool) -> Result<(), Call<M>> {
        if let (Way::Here, Some(local)) = (way, local()) {
            if let Some(instance) = local.free_instance(self.slot) {
                local.run_at_once(&*instance, Mail::letter(self.slot, (self.seals.call)(call), rotated));
                return Ok(());
            }
        }
        self.call(way, call, rotated)
    }

    /// Sends a batch that was admitted, as [`send`](Self::send).
    fn send_batch(&self, way: Way, messages: Vec<M>, rotated: bool) -> Result<(), Vec<M>> {
        let mail = Mail::batch(self.slot, (self.seals.batch)(messages), rotated);
        let refused = match way {
            Way::There => self.mailbox.push_batch(mail),
            Way::Here => self.deliver(way, mail),
        };
        back(refused, self.seals.open_batch)
    }

    /// From here on mail is handled, or becomes a dead letter, or is given back.
    #[inline]
    pub(crate) fn deliver(&self, way: Way, mail: Mail) -> Option<Mail> {
        match way {
            Way::There => self.mailbox.push(mail),
            Way::Here => match local() {
                Some(local) => {
                    local.enqueue(mail);
                    None
                }
                // Not reached: `Here` is found on the thread of this mailbox, while that runs.
                None => self.mailbox.push(mail),
            },
        }
    }
}

/// What a sender gets back of mail that came too late.
#[inline]
fn back<T>(refused: Option<Mail>, open: fn(Letter) -> Option<T>) -> Result<(), T> {
    match refused {
        None => Ok(()),
        Some(mail) => mail.into_letter().and_then(open).map_or(Ok(()), Err),
    }
}

/// An instance in its pool.
struct Place<M: Message> {
    /// Made of thread and slot: grows in spawn order, is never 0, and is never given again.
    number: u64,
    address: Address<M>,
}

impl<M: Message> Clone for Place<M> {
    fn clone(&self) -> Self {
        Self { number: self.number, address: self.address.clone() }
    }
}

/// All registered instances of one message type.
pub(crate) struct Pool<M: Message> {
    places: ArcSwap<Vec<Place<M>>>,
    /// The number of the place last used; 0 before the first.
    turn: AtomicU64,
    /// The same among those who took over mail of an instance that ended.
    stand_ins: AtomicU64,
    /// Those who join when the pool is published. Its lock serializes all changes of `places`.
    draft: Mutex<Draft<M>>,
    pub(crate) edge: Arc<Edge>,
}

struct Draft<M: Message> {
    newcomers: Vec<Place<M>>,
    /// Places whose instance has ended since the last compaction.
    ended: usize,
}

impl<M: Message> Pool<M> {
    pub(crate) fn new(edge: Arc<Edge>) -> Self {
        Self {
            places: ArcSwap::default(),
            turn: AtomicU64::new(0),
            stand_ins: AtomicU64::new(0),
            draft: Mutex::new(Draft { newcomers: Vec::new(), ended: 0 }),
            edge,
        }
    }

    /// Adds an instance, to be seen when the pool is published.
    pub(crate) fn add(&self, address: Address<M>) {
        let number = (u64::from(address.mailbox.thread.0) + 1) << 32 | u64::from(address.slot.index);
        lock(&self.draft).newcomers.push(Place { number, address });
    }

    /// One of the pool's instances has ended: nothing is routed to it any more. A large pool is only compacted when half
    /// of its places are empty, so that ending all of them costs no more than a look at each.
    pub(crate) fn remove_one(&self) {
        let mut draft = lock(&self.draft);
        draft.ended += 1;
        let places = self.places.load();
        if places.len() < 64 || draft.ended * 2 >= places.len() {
            draft.ended = 0;
            let live = places.iter().filter(|place| !place.address.status.has_ended()).cloned().collect();
            self.places.store(Arc::new(live));
        }
    }

    /// Why nobody was found.
    fn nobody(&self) -> Refusal {
        if self.edge.is_open() { Refusal::NotRegistered } else { Refusal::Stopped }
    }

    /// The instance whose turn it is; the turn moves on to it.
    ///
    /// Round robin by place numbers rather than by a running count: the next place after the one last used, so that
    /// neither a newcomer nor one that left moves anybody else's turn.
    fn next(&self) -> Result<Chosen<'_, M>, Refusal> {
        let places = self.places.load();
        loop {
            let turn = self.turn.load(Ordering::Relaxed);
            let Some((index, way)) = next_open(&places, turn) else {
                return Err(self.nobody());
            };
            let number = places[index].number;
            // Relaxed: the counter orders nothing but itself. A pool of one leaves it alone.
            if number == turn
                || self.turn.compare_exchange_weak(turn, number, Ordering::Relaxed, Ordering::Relaxed).is_ok()
            {
                return Ok(Chosen::place(places, index, way, true));
            }
        }
    }

    /// Who takes over a rotated message of one that ended: each in turn. The message's own turn was counted before.
    pub(crate) fn stand_in(&self) -> Option<(Address<M>, Way)> {
        let places = self.places.load();
        let (index, way) = next_open(&places, self.stand_ins.load(Ordering::Relaxed))?;
        self.stand_ins.store(places[index].number, Ordering::Relaxed);
        Some((places[index].address.clone(), way))
    }

    /// The instance of a key: the one whose hash with the key is highest (rendezvous hashing, Thaler and Ravishankar
    /// 1998), so that about 1/n of the keys move when the pool changes, all of them to or from what changed.
    fn of_key(&self, key: u64) -> Result<Chosen<'_, M>, Refusal> {
        let places = self.places.load();
        // Restarting and backing off keep the keys: only those that have ended are passed over.
        let open =
            places.iter().enumerate().filter_map(|(index, place)| Some((index, place, place.address.admit().ok()?)));
        let best = open.max_by_key(|(_, place, _)| mix(key ^ mix(place.number)));
        let (index, _, way) = best.ok_or_else(|| self.nobody())?;
        Ok(Chosen::place(places, index, way, false))
    }

    /// The instance with the least to do on its thread, `more` added to each; those that back off only if all do.
    fn least_loaded(&self, more: impl Fn(InstanceId) -> usize) -> Result<Chosen<'_, M>, Refusal> {
        let places = self.places.load();
        let open =
            places.iter().enumerate().filter_map(|(index, place)| Some((index, place, place.address.admit().ok()?)));
        let best = open.min_by_key(|(_, place, _)| {
            let address = &place.address;
            (!address.status.is_ready(), address.mailbox.load() + more(address.id()))
        });
        let (index, _, way) = best.ok_or_else(|| self.nobody())?;
        Ok(Chosen::place(places, index, way, false))
    }

    pub(crate) fn find(&self, id: InstanceId) -> Option<Address<M>> {
        self.places.load().iter().find(|place| place.address.id() == id).map(|place| place.address.clone())
    }

    pub(crate) fn has_instances(&self) -> bool {
        self.places.load().iter().any(|place| !place.address.status.has_ended())
    }

    pub(crate) fn instances(&self) -> Vec<InstanceId> {
        let places = self.places.load();
        places.iter().filter(|place| !place.address.status.has_ended()).map(|place| place.address.id()).collect()
    }

    /// All that can be sent to now.
    fn everybody(&self) -> Vec<(Address<M>, Way)> {
        let places = self.places.load();
        places.iter().filter_map(|place| Some((place.address.clone(), place.address.admit().ok()?))).collect()
    }

    /// This thread's own instances in the pool, in turn.
    pub(crate) fn next_local(&self) -> Result<Address<M>, Refusal> {
        let local = local().ok_or(Refusal::NotRegistered)?;
        let places = self.places.load();
        let here: Vec<&Place<M>> =
            places.iter().filter(|place| place.address.mailbox.thread == local.mailbox.thread).collect();
        let turn = local.local_turn(TypeId::of::<M>());
        let start = here.partition_point(|place| place.number <= turn);
        let in_turn = (0..here.len()).map(|i| here[(start + i) % here.len()]);
        let open: Vec<_> = in_turn.filter(|place| place.address.admit().is_ok()).collect();
        let ready = open.iter().find(|place| place.address.status.is_ready());
        let place = ready.or(open.first()).ok_or_else(|| self.nobody())?;
        local.set_local_turn(TypeId::of::<M>(), place.number);
        Ok(place.address.clone())
    }
}

/// The next place after `turn` that takes mail; those that back off only if all do.
fn next_open<M: Message>(places: &[Place<M>], turn: u64) -> Option<(usize, Way)> {
    if places.is_empty() {
        return None;
    }
    let n = places.len();
    let start = places.partition_point(|place| place.number <= turn);
    let open = |index: usize| places[index].address.admit().ok().map(|way| (index, way));
    let is_ready = |index: &usize| places[*index].address.status.is_ready();
    let start = if start < n { start } else { 0 };
    // As good as always it is the very next.
    if is_ready(&start) {
        if let Some(found) = open(start) {
            return Some(found);
        }
    }
    let in_turn = || (start..n).chain(0..start);
    in_turn().filter(is_ready).find_map(open).or_else(|| in_turn().find_map(open))
}

/// A finalizer that spreads every bit over all (splitmix64, Steele, Lea and Flood 2014).
fn mix(mut x: u64) -> u64 {
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

impl<M: Message> AnyPool for Pool<M> {
    fn into_any(self: Arc<Self>) -> Arc<dyn Any + Send + Sync> {
        self
    }

    fn entry(&self) -> RegistryEntry {
        RegistryEntry { key: TypeId::of::<M>(), message: M::NAME, instances: self.instances() }
    }

    fn publish(&self) {
        let mut draft = lock(&self.draft);
        if !draft.newcomers.is_empty() {
            let mut places = Vec::clone(&self.places.load());
            places.append(&mut draft.newcomers);
            // Of two spawns at once, the one with the lower numbers may come second.
            places.sort_by_key(|place| place.number);
            self.places.store(Arc::new(places));
        }
    }
}

/// The instance that a message goes to.
struct Chosen<'a, M: Message> {
    found: Found<'a, M>,
    way: Way,
    rotated: bool,
}

enum Found<'a, M: Message> {
    Place(Guard<Arc<Vec<Place<M>>>>, usize),
    Bound(&'a Address<M>),
}

impl<'a, M: Message> Chosen<'a, M> {
    fn place(places: Guard<Arc<Vec<Place<M>>>>, index: usize, way: Way, rotated: bool) -> Self {
        trace::routed(M::NAME, places[index].address.id(), index + 1, places.len());
        Self { found: Found::Place(places, index), way, rotated }
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
    /// Each in turn.
    Turn,
    Key(u64),
    LeastLoaded,
    One(Address<M>),
    /// Pinned to one that was not there.
    Gone,
}

impl<M: Message> Clone for Binding<M> {
    fn clone(&self) -> Self {
        match self {
            Self::Turn => Self::Turn,
            Self::Key(key) => Self::Key(*key),
            Self::LeastLoaded => Self::LeastLoaded,
            Self::One(address) => Self::One(address.clone()),
            Self::Gone => Self::Gone,
        }
    }
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

/// Everything that sending needs to know, borrowed: clients, engines and contexts all send through it.
#[derive(Clone, Copy)]
pub(crate) struct Aim<'a, M: Message> {
    pool: Option<&'a Pool<M>>,
    binding: &'a Binding<M>,
    limit: Limit,
    edge: Option<&'a Edge>,
}

impl<'a, M: Message> Aim<'a, M> {
    /// At the instances of a pool in turn; `None` where the type was never registered.
    pub(crate) fn at_pool(pool: Option<&'a Pool<M>>, edge: &'a Edge) -> Self {
        Self { pool, binding: &Binding::Turn, limit: Limit::Inherited, edge: Some(edge) }
    }

    pub(crate) fn at_one(binding: &'a Binding<M>) -> Self {
        Self { pool: None, binding, limit: Limit::Inherited, edge: None }
    }

    /// At those of a pool that a client is bound to.
    pub(crate) fn bound(self, binding: &'a Binding<M>) -> Self {
        Self { binding, ..self }
    }

    pub(crate) fn limited(self, limit: Limit) -> Self {
        Self { limit, ..self }
    }

    fn pool(&self) -> Result<&'a Pool<M>, Refusal> {
        self.pool.ok_or_else(|| match self.edge {
            Some(edge) if edge.is_open() => Refusal::NotRegistered,
            _ => Refusal::Stopped,
        })
    }

    /// A bound client beats `#[key]`; `#[key]` beats least-loaded and rotation.
    fn choose(&self, key: Option<u64>) -> Result<Chosen<'a, M>, Refusal> {
        match (self.binding, key) {
            (Binding::One(address), _) => {
                let way = address.admit()?;
                Ok(Chosen { found: Found::Bound(address), way, rotated: false })
            }
            (Binding::Gone, _) => Err(Refusal::Stopped),
            (Binding::Key(key), _) => self.pool()?.of_key(*key),
            (_, Some(key)) => self.pool()?.of_key(key),
            (Binding::LeastLoaded, None) => self.pool()?.least_loaded(|_| 0),
            (Binding::Turn, None) => self.pool()?.next(),
        }
    }

    pub(crate) fn send(&self, mut message: M) -> Result<(), SendError<M>> {
        loop {
            let chosen = match self.choose(message.__key()) {
                Ok(chosen) => chosen,
                Err(refusal) => return Err(SendError::new(M::NAME, message, refusal)),
            };
            match chosen.address().send(chosen.way, message, chosen.rotated) {
                Ok(()) => return Ok(()),
                // Its thread ended this very moment, and will not be chosen again.
                Err(again) => message = again,
            }
        }
    }

    pub(crate) fn call<R: 'static, K: Kind>(&self, request: Request<M, R, K>) -> Result<R, CallError> {
        let frame = Frame::current();
        if !frame.may_wait_for(K::depth(M::CALL_DEPTH)) {
            return Err(CallError::Undeclared { message: M::NAME });
        }
        let Request { message, port, .. } = request;
        let until = match self.limit {
            Limit::Inherited => frame.deadline,
            Limit::Within(limit) => [frame.deadline, deadline(limit)].into_iter().flatten().min(),
            Limit::None => None,
        };
        // A call without a deadline is never given up, and needs no terms.
        let terms = until.map(|until| Terms::new(Some(until)));
        let (reply_to, mut receiver) = ReplyTo::channel();
        let mut call = (message, port(reply_to), terms.clone());
        loop {
            let chosen = self.choose(call.0.__key()).map_err(|refusal| CallError::refused(M::NAME, refusal))?;
            let address = chosen.address();
            match address.call_and_wait(chosen.way, call, chosen.rotated) {
                Ok(()) => return Reply::new(&mut receiver, &address.mailbox, M::NAME).wait(until, terms.as_deref()),
                Err(again) => call = again,
            }
        }
    }

    pub(crate) fn request<R: 'static, K: Kind>(&self, request: Request<M, R, K>) -> Pending<R> {
        let Request { message, port, .. } = request;
        let terms = Terms::new(self.own_deadline());
        let (reply_to, receiver) = ReplyTo::channel();
        let mut call = (message, port(reply_to), Some(Arc::clone(&terms)));
        loop {
            let chosen = match self.choose(call.0.__key()) {
                Ok(chosen) => chosen,
                Err(refusal) => return Pending::refused::<M, K>(CallError::refused(M::NAME, refusal)),
            };
            let address = chosen.address();
            match address.call(chosen.way, call, chosen.rotated) {
                Ok(()) => {
                    return Pending::sent::<M, K>(
                        receiver,
                        Arc::clone(&address.mailbox),
                        terms,
                        self.limit != Limit::None,
                    );
                }
                Err(again) => call = again,
            }
        }
    }

    /// When the client's own time limit ends. A request that is not waited for inherits no deadline.
    fn own_deadline(&self) -> Option<Instant> {
        match self.limit {
            Limit::Within(limit) => deadline(limit),
            Limit::Inherited | Limit::None => None,
        }
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
        let terms = Terms::new(until);
        let (reply_to, receiver) = ReplyTo::channel();
        match address.call(way, (message, port(reply_to), Some(Arc::clone(&terms))), false) {
            Ok(()) => Pending::sent::<M, K>(receiver, Arc::clone(&address.mailbox), terms, self.limit != Limit::None),
            Err(_) => Pending::refused::<M, K>(CallError::Stopped { message: M::NAME }),
        }
    }

    /// Everybody that a broadcast reaches: the pool, or the one instance of a client that has no pool.
    fn everybody(&self) -> Result<Vec<(Address<M>, Way)>, Refusal> {
        let everybody = match (self.pool, self.binding) {
            (Some(pool), _) => pool.everybody(),
            (None, Binding::One(address)) => vec![(address.clone(), address.admit()?)],
            (None, _) => Vec::new(),
        };
        if everybody.is_empty() {
            return Err(self.nobody());
        }
        Ok(everybody)
    }

    /// Why nobody was found.
    fn nobody(&self) -> Refusal {
        self.pool().map_or_else(|refusal| refusal, Pool::nobody)
    }

    pub(crate) fn broadcast(&self, message: M) -> Result<usize, SendError<M>>
    where
        M: Clone,
    {
        let everybody = match self.everybody() {
            Ok(everybody) => everybody,
            Err(refusal) => return Err(SendError::new(M::NAME, message, refusal)),
        };
        // All copies are made before the first is sent; the last instance gets the message itself.
        let mut copies: Vec<M> = everybody.iter().skip(1).map(|_| message.clone()).collect();
        copies.push(message);
        // One whose thread ended this very moment is not among those reached.
        let mut reached = 0;
        let mut missed = None;
        for ((address, way), copy) in everybody.iter().zip(copies) {
            match address.send(*way, copy, false) {
                Ok(()) => reached += 1,
                Err(copy) => missed = Some(copy),
            }
        }
        match missed {
            Some(message) if reached == 0 => Err(SendError::new(M::NAME, message, self.nobody())),
            _ => Ok(reached),
        }
    }

    pub(crate) fn broadcast_with(&self, mut make: impl FnMut(InstanceId) -> M) -> Result<usize, CallError> {
        let everybody = self.everybody().map_err(|refusal| CallError::refused(M::NAME, refusal))?;
        let sent = everybody.iter().map(|(address, way)| address.send(*way, make(address.id()), false));
        match sent.filter(Result::is_ok).count() {
            0 => Err(CallError::refused(M::NAME, self.nobody())),
            reached => Ok(reached),
        }
    }

    pub(crate) fn call_all_with<R: 'static, K: Kind>(
        &self,
        mut make: impl FnMut(InstanceId) -> Request<M, R, K>,
    ) -> Result<Replies<R>, CallError> {
        if !Frame::current().may_wait_for(K::depth(M::CALL_DEPTH)) {
            return Err(CallError::Undeclared { message: M::NAME });
        }
        let everybody = self.everybody().map_err(|refusal| CallError::refused(M::NAME, refusal))?;
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

    pub(crate) fn send_all(&self, messages: Vec<M>) -> Result<usize, SendError<Vec<M>>> {
        let count = messages.len();
        if count == 0 {
            return Ok(0);
        }
        // Each message takes its turn; what goes to one instance goes there in one push. Where messages in turn and
        // messages by key meet in one instance, each kind has its own batch: what becomes of them differs if it ends.
        let mut batches: Vec<(Chosen<'a, M>, Vec<M>)> = Vec::new();
        let mut latest: HashMap<InstanceId, usize> = HashMap::new();
        let mut given: HashMap<InstanceId, usize> = HashMap::new();
        let mut messages = messages.into_iter();
        let mut refused = None;
        for message in messages.by_ref() {
            let chosen = match (self.binding, message.__key()) {
                (Binding::LeastLoaded, None) => {
                    self.pool().and_then(|pool| pool.least_loaded(|id| given.get(&id).copied().unwrap_or(0)))
                }
                (_, key) => self.choose(key),
            };
            match chosen {
                Ok(chosen) => {
                    let id = chosen.address().id();
                    *given.entry(id).or_default() += 1;
                    match latest.get(&id).map(|place| &mut batches[*place]) {
                        Some((batch, messages)) if batch.rotated == chosen.rotated => messages.push(message),
                        _ => {
                            latest.insert(id, batches.len());
                            batches.push((chosen, vec![message]));
                        }
                    }
                }
                Err(refusal) => {
                    refused = Some((message, refusal));
                    break;
                }
            }
        }
        // What is given back was for a thread that ended this very moment: it finds another receiver, or none.
        let mut late = Vec::new();
        for (chosen, batch) in batches {
            if let Err(back) = chosen.address().send_batch(chosen.way, batch, chosen.rotated) {
                late.extend(back);
            }
        }
        let refusal = refused.as_ref().map_or(Refusal::Stopped, |(_, refusal)| *refusal);
        let mut rest = Vec::new();
        for message in late {
            if let Err(error) = self.send(message) {
                rest.push(error.into_inner());
            }
        }
        rest.extend(refused.map(|(first, _)| first));
        rest.extend(messages);
        if rest.is_empty() { Ok(count) } else { Err(SendError::new(M::NAME, rest, refusal)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_spread_evenly_over_places_and_few_move_when_one_joins() {
        let of = |key: u64, places: u64| (1..=places).max_by_key(|number| mix(key ^ mix(*number))).expect("some");
        let keys = 0..10_000_u64;
        for place in 1..=4 {
            let share = keys.clone().filter(|key| of(mix(*key), 4) == place).count();
            assert!((2_300..2_700).contains(&share), "place {place} has {share} of 10,000 keys");
        }
        let moved: Vec<u64> = keys.filter(|key| of(mix(*key), 4) != of(mix(*key), 5)).collect();
        assert!((1_800..2_200).contains(&moved.len()), "{} of 10,000 keys moved, about 1/5 is right", moved.len());
        assert!(moved.iter().all(|key| of(mix(*key), 5) == 5), "all that moved went to the newcomer");
    }
}
