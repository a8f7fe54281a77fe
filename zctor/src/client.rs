//! The layer of the typed handles.
//!
//! This layer promises that a handle, a request and its reply are typed by one message type, and that a refused message
//! comes back as it was. `client.rs` and `client/message.rs` are the one circle of imports that is meant: a message
//! names its client, and a client is typed by its message.
//!
//! It may import its own folder and the layers below it: messaging, route, thread, mailbox, reply, trace, sys, and the
//! plain data (id, event, report, error, type_map).

pub(crate) mod message;
pub(crate) mod name;
pub(crate) mod recipient;
pub(crate) mod watch;

use std::fmt;
use std::future::poll_fn;
use std::hash::Hash;
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::client::message::{Blocking, ClientView, IntoRequest, Message, NonBlocking, Request, Waits};
use crate::client::watch::{PanicWatch, Watch, Watched};
use crate::error::{CallError, SendError, StopError, WatchError};
use crate::id::InstanceId;
use crate::messaging;
use crate::messaging::awaited_room::{Calling, Sending};
use crate::messaging::binding::{Binding, Limit, Patience};
use crate::messaging::broadcast::{Pendings, Replies};
use crate::messaging::pending::Pending;
use crate::messaging::target::Target;
use crate::route::endpoint::Endpoint;
use crate::route::keyed::{KeyOf, key_hash};
#[cfg(feature = "remote")]
use crate::route::link_route::KeyRoute;
use crate::route::location::Way;
use crate::route::payload::{Kind, ToPort};
use crate::route::pool::Pool;
use crate::sys::runtime::assert_may_block;
use crate::trace::watched_or_not;

/// A typed handle to the instances of a message type; the client that `#[actor]` generates dereferences to it.
///
/// It is cheap to clone, and threads can share it. It keeps no instance alive, and dropping it ends none. When all
/// instances have ended, its operations are refused.
///
/// ```
/// use zctor::{ActorEngine, Client, actor};
///
/// #[actor]
/// pub enum CounterMessage {
///     Add(u64),
///     #[reply(u64)]
///     Total,
/// }
/// #[derive(Default)]
/// struct Counter(u64);
/// impl CounterHandler for Counter {
///     fn add(&mut self, value: u64) {
///         self.0 += value;
///     }
///     fn total(&mut self) -> u64 {
///         self.0
///     }
/// }
///
/// fn generic(client: &Client<CounterMessage>) -> Result<u64, zctor::CallError> {
///     client.call(CounterMessage::total())
/// }
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let engine = ActorEngine::new();
/// let counter: CounterClient = engine.pool(1, CounterMessage::actor(Counter::default))?;
/// counter.send(CounterMessage::Add(40))?;
/// counter.add(2)?;
/// assert_eq!(generic(&counter)?, 42);
/// # Ok(())
/// # }
/// ```
pub struct Client<M: Message, V = Blocking> {
    pool: Option<Arc<Pool<M>>>,
    binding: Binding<M>,
    patience: Patience,
    of: PhantomData<fn() -> V>,
}

impl<M: Message> Client<M> {
    pub(crate) fn of_pool(pool: Arc<Pool<M>>) -> Self {
        let binding = Binding::Turn(pool.snapshot());
        Self { binding, pool: Some(pool), patience: Patience::default(), of: PhantomData }
    }

    pub(crate) fn of_one(pool: Option<Arc<Pool<M>>>, endpoint: Arc<Endpoint<M>>) -> Self {
        Self { pool, binding: Binding::One(endpoint), patience: Patience::default(), of: PhantomData }
    }

    /// Sends a request to every instance of the pool, then waits for all replies, which come in registry order.
    ///
    /// # Errors
    /// - [`CallError::NotRegistered`], [`CallError::Stopped`]: as for [`broadcast`](Client::broadcast).
    /// - [`CallError::Undeclared`]: this handler may not wait for that type; nothing was sent.
    ///
    /// The outcome of each call is in the list, as for [`call`](Client::call).
    ///
    /// # Blocking
    /// Waits until all replies are there, under one deadline if the client has one. It does not wait for room: an
    /// instance whose bounded mailbox has none has [`CallError::Full`] as its outcome.
    ///
    /// ```
    /// # use zctor::{ActorEngine, actor};
    /// # #[actor]
    /// # #[derive(Clone)]
    /// # pub enum AdderMessage { #[reply(u32)] Add(u32, u32) }
    /// # struct Adder;
    /// # impl AdderHandler for Adder { fn add(&mut self, a: u32, b: u32) -> u32 { a + b } }
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let engine = ActorEngine::new();
    /// let adder: AdderClient = engine.pool(2, AdderMessage::actor(|| Adder))?;
    /// let sums: Vec<u32> = adder.call_all(AdderMessage::add(2, 3))?.into_iter().map(|(_, sum)| sum).collect::<Result<_, _>>()?;
    /// assert_eq!(sums, [5, 5]);
    /// # Ok(())
    /// # }
    /// ```
    #[cfg_attr(feature = "tokio", track_caller)]
    pub fn call_all<Q>(&self, request: Q) -> Result<Replies<Q::Reply>, CallError>
    where
        Q: IntoRequest<Message = M>,
        M: Clone,
    {
        assert_may_block();
        let request = request.__into();
        call_all_with(&self.target(), |_| request.clone())
    }

    /// Calls every instance as [`call_all`](Client::call_all) does, with the request that `make` returns for it.
    ///
    /// # Errors
    /// As [`call_all`](Client::call_all).
    ///
    /// # Blocking
    /// As [`call_all`](Client::call_all).
    ///
    /// ```
    /// # use zctor::{ActorEngine, actor};
    /// # #[actor]
    /// # pub enum AdderMessage { #[reply(usize)] Add(usize, usize) }
    /// # struct Adder;
    /// # impl AdderHandler for Adder { fn add(&mut self, a: usize, b: usize) -> usize { a + b } }
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let engine = ActorEngine::new();
    /// let adder: AdderClient = engine.pool(2, AdderMessage::actor(|| Adder))?;
    /// let sums = adder.call_all_with(|id| AdderMessage::add(10, id.thread().index()))?;
    /// assert_eq!(sums[1].1, Ok(11));
    /// # Ok(())
    /// # }
    /// ```
    #[cfg_attr(feature = "tokio", track_caller)]
    pub fn call_all_with<Q>(&self, mut make: impl FnMut(InstanceId) -> Q) -> Result<Replies<Q::Reply>, CallError>
    where
        Q: IntoRequest<Message = M>,
    {
        assert_may_block();
        call_all_with(&self.target(), |id| make(id).__into())
    }
}

impl<M: Message, V> Client<M, V> {
    pub(crate) fn with_limit(self, limit: Limit) -> Self {
        Self { patience: self.patience.with_limit(limit), ..self }
    }

    /// The same client as another view of it, which waits for room as before.
    pub(crate) fn seen<W>(self) -> Client<M, W> {
        Client { pool: self.pool, binding: self.binding, patience: self.patience, of: PhantomData }
    }

    /// Whether a sender from outside may find no room in the pool.
    #[cfg(feature = "remote")]
    pub(crate) fn is_bounded(&self) -> bool {
        self.pool.as_ref().is_none_or(|pool| pool.is_bounded())
    }

    /// The same client bound to a key that came from another engine.
    #[cfg(feature = "remote")]
    pub(crate) fn bound_to_key(&self, key: KeyRoute) -> Self {
        self.bound(Binding::Travelling(key))
    }

    fn bound(&self, binding: Binding<M>) -> Self {
        Self { pool: self.pool.clone(), binding, patience: self.patience, of: PhantomData }
    }

    fn target(&self) -> Target<'_, M> {
        match &self.pool {
            Some(pool) => Target::at_pool(Some(pool), &pool.engine).bound(&self.binding),
            None => Target::at_binding(&self.binding),
        }
        .with_patience(self.patience)
    }

    /// Sends a message to the instance that this client is bound to, otherwise to the instance of its `#[key]`,
    /// otherwise to the next instance in turn.
    ///
    /// When it returns, the message is in its receiver's mailbox. Messages of one sender to one instance are handled in
    /// the order in which they were sent, but for a value that takes the place of an older one
    /// ([`Inner::Conflate`](crate::Inner::Conflate)).
    ///
    /// # Errors
    /// - [`SendError::NotRegistered`]: the type has no live instance.
    /// - [`SendError::Full`]: a [bounded mailbox](crate::ActorThread::mailbox_bound) has no room. Its
    ///   [`Overflow`](crate::Overflow) and the view of this client say whether the send waits for room first. Or the
    ///   send is made in a handler, and there is no room under the [inner bound](crate::ActorThread::inner_bound).
    /// - [`SendError::Stopped`]: the engine stops, or the bound instance has ended.
    ///
    /// # Blocking
    /// Outside, waits for room in a bounded mailbox, as long as [`within`](Client::within) says. Inside a handler it
    /// never waits. A [`non_blocking`](Client::non_blocking) client never waits either.
    ///
    /// ```
    /// # use zctor::{ActorEngine, actor};
    /// # #[actor]
    /// # pub enum JobMessage { Run(u32) }
    /// # struct Job;
    /// # impl JobHandler for Job { fn run(&mut self, _value: u32) {} }
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let engine = ActorEngine::new();
    /// let jobs: JobClient = engine.pool(2, JobMessage::actor(|| Job))?;
    /// jobs.send(JobMessage::Run(1))?;
    /// engine.settle();
    /// assert_eq!(engine.stats().handled(), 1);
    /// # Ok(())
    /// # }
    /// ```
    #[inline]
    pub fn send(&self, message: M) -> Result<(), SendError<M>> {
        self.send_from(&mut Some(message))
    }

    #[inline(never)]
    fn send_from(&self, place: &mut Option<M>) -> Result<(), SendError<M>> {
        watched_or_not(
            (self, place),
            |(client, place)| messaging::send::<true, M>(client.target(), place),
            |(client, place)| messaging::send::<false, M>(client.target(), place),
        )
    }

    /// Sends many messages with one push for each receiver, and returns their number: the fast way for bulk.
    ///
    /// Each message takes its turn as if it were sent alone. So each receiver gets its messages in the order of the
    /// iterator.
    ///
    /// # Errors
    /// As [`send`](Client::send). The messages that were not sent are in the error, in order for each receiver.
    ///
    /// If the thread of an instance that was chosen by key ends meanwhile, its messages are in the error
    /// [`Full`](SendError::Full): later messages may have come to the key's next instance already, so to send them again is
    /// the caller's choice.
    ///
    /// # Blocking
    /// As [`send`](Client::send). The iterator is run to its end first.
    ///
    /// ```
    /// # use zctor::{ActorEngine, actor};
    /// # #[actor]
    /// # pub enum JobMessage { Run(u32) }
    /// # struct Job;
    /// # impl JobHandler for Job { fn run(&mut self, _value: u32) {} }
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let engine = ActorEngine::new();
    /// let jobs: JobClient = engine.pool(2, JobMessage::actor(|| Job))?;
    /// assert_eq!(jobs.send_all((0..1000).map(JobMessage::Run))?, 1000);
    /// engine.settle();
    /// assert_eq!(engine.stats().threads[0].handled, 500);
    /// # Ok(())
    /// # }
    /// ```
    pub fn send_all(&self, messages: impl IntoIterator<Item = M>) -> Result<usize, SendError<Vec<M>>> {
        messaging::send_all(&self.target(), messages.into_iter().collect())
    }

    /// As `send_all`, for messages that are sent once more if they come back: that they do is not counted as a refusal.
    #[cfg(feature = "remote")]
    pub(crate) fn try_send_all(&self, messages: Vec<M>) -> Vec<M> {
        messaging::try_send_all(&self.target(), messages).map_or_else(|(back, _)| back, |()| Vec::new())
    }

    /// Sends a request and waits for its reply.
    ///
    /// A call is a yield point of an actor thread: while it waits, the thread serves other instances. So hold no
    /// borrow, lock or transaction across it that another instance of the thread can reach.
    ///
    /// # Errors
    /// - [`CallError::NotRegistered`]: the type has no live instance; nothing was sent.
    /// - [`CallError::Full`]: a bounded mailbox has no room; the call was not handled.
    /// - [`CallError::Stopped`]: the engine or the instance stopped before the call was handled.
    /// - [`CallError::Panicked`]: the handler panicked; the message is spent.
    /// - [`CallError::Timeout`]: the deadline passed first; the error says whether the handler had begun.
    /// - [`CallError::Undeclared`]: this handler may not wait for that type; nothing was sent.
    /// - [`CallError::NoReply`]: the handler gave the reply up.
    ///
    /// # Blocking
    /// Waits until the reply is there. Outside, waits for room in a bounded mailbox first. Inside a handler, the call
    /// depth is checked first, so that no two handlers can wait for each other. While a handler waits, its thread
    /// serves the instances of lower depth.
    ///
    /// ```
    /// # use zctor::{ActorEngine, actor};
    /// # #[actor]
    /// # pub enum AdderMessage { #[reply(u32)] Add(u32, u32) }
    /// # struct Adder;
    /// # impl AdderHandler for Adder { fn add(&mut self, a: u32, b: u32) -> u32 { a + b } }
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let engine = ActorEngine::new();
    /// let adder: AdderClient = engine.pool(1, AdderMessage::actor(|| Adder))?;
    /// assert_eq!(adder.call(AdderMessage::add(2, 3))?, 5);
    /// # Ok(())
    /// # }
    /// ```
    #[inline]
    #[cfg_attr(feature = "tokio", track_caller)]
    pub fn call<Q>(&self, request: Q) -> Result<Q::Reply, CallError>
    where
        Q: IntoRequest<Message = M>,
        V: Waits,
    {
        assert_may_block();
        let (message, port) = request.__into().into_parts();
        self.call_from::<Q::Reply, Q::Kind>(&mut Some(message), port)
    }

    #[inline(never)]
    fn call_from<R: 'static, K: Kind>(&self, place: &mut Option<M>, port: ToPort<M, R>) -> Result<R, CallError> {
        messaging::call::<M, R, K>(self.target(), place, port)
    }

    /// Sends a request, and returns a [`Pending`] for its reply.
    ///
    /// If the request is refused, the `Pending` gives the error.
    ///
    /// # Blocking
    /// Never.
    ///
    /// ```
    /// # use zctor::{ActorEngine, actor};
    /// # #[actor]
    /// # pub enum AdderMessage { #[reply(u32)] Add(u32, u32) }
    /// # struct Adder;
    /// # impl AdderHandler for Adder { fn add(&mut self, a: u32, b: u32) -> u32 { a + b } }
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let engine = ActorEngine::new();
    /// let adder: AdderClient = engine.pool(2, AdderMessage::actor(|| Adder))?;
    /// let (a, b) = (adder.request(AdderMessage::add(1, 2)), adder.request(AdderMessage::add(3, 4)));
    /// assert_eq!((a.wait()?, b.wait()?), (3, 7));
    /// # Ok(())
    /// # }
    /// ```
    pub fn request<Q: IntoRequest<Message = M>>(&self, request: Q) -> Pending<Q::Reply> {
        let (message, port) = request.__into().into_parts();
        messaging::request::<M, Q::Reply, Q::Kind>(&self.target(), message, port)
    }

    /// As `request`, but waits for room, as a call does.
    #[cfg(feature = "remote")]
    pub(crate) fn request_when_room<Q: IntoRequest<Message = M>>(&self, request: Q) -> Pending<Q::Reply> {
        let (message, port) = request.__into().into_parts();
        messaging::request_when_room::<M, Q::Reply, Q::Kind>(&self.target(), message, port)
    }

    /// Sends a copy to every instance of the pool, and returns the number of instances reached.
    ///
    /// It makes no difference which instance or key of the pool this client is bound to. An instance whose bounded
    /// mailbox has no room is passed over, and its copy is a dead letter.
    ///
    /// # Errors
    /// - [`SendError::NotRegistered`]: the pool has no live instance.
    /// - [`SendError::Stopped`]: the engine stops; or the client is pinned to an instance that was not in the pool, or
    ///   bound to one outside any pool that has ended.
    ///
    /// # Blocking
    /// Never.
    ///
    /// ```
    /// # use zctor::{ActorEngine, actor};
    /// # #[actor]
    /// # #[derive(Clone)]
    /// # pub enum JobMessage { Run(u32) }
    /// # struct Job;
    /// # impl JobHandler for Job { fn run(&mut self, _value: u32) {} }
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let engine = ActorEngine::new();
    /// let jobs: JobClient = engine.pool(3, JobMessage::actor(|| Job))?;
    /// assert_eq!(jobs.broadcast(JobMessage::Run(1))?, 3);
    /// # Ok(())
    /// # }
    /// ```
    pub fn broadcast(&self, message: M) -> Result<usize, SendError<M>>
    where
        M: Clone,
    {
        messaging::broadcast(&self.target(), message)
    }

    /// Sends every instance of the pool the message that `make` returns for it, and returns the number of instances
    /// reached.
    ///
    /// All messages are made before the first is sent, so if `make` panics, none is. An instance whose bounded mailbox has
    /// no room is passed over, and its message is a dead letter.
    ///
    /// # Errors
    /// - [`CallError::NotRegistered`], [`CallError::Stopped`]: as for [`broadcast`](Client::broadcast).
    ///
    /// # Blocking
    /// Never.
    ///
    /// ```
    /// # use zctor::{ActorEngine, actor};
    /// # #[actor]
    /// # pub enum JobMessage { Run(usize) }
    /// # struct Job;
    /// # impl JobHandler for Job { fn run(&mut self, _value: usize) {} }
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let engine = ActorEngine::new();
    /// let jobs: JobClient = engine.pool(3, JobMessage::actor(|| Job))?;
    /// assert_eq!(jobs.broadcast_with(|id| JobMessage::Run(id.thread().index()))?, 3);
    /// # Ok(())
    /// # }
    /// ```
    pub fn broadcast_with(&self, make: impl FnMut(InstanceId) -> M) -> Result<usize, CallError> {
        messaging::broadcast_with(&self.target(), make)
    }

    /// Returns a client bound to one instance.
    ///
    /// The id must come from this engine, since every engine counts its ids from the beginning. If the instance is not
    /// in the pool, or has ended, sends and calls of the client give `Stopped`.
    ///
    /// ```
    /// # use zctor::{ActorEngine, actor};
    /// # #[actor]
    /// # pub enum JobMessage { Run(u32) }
    /// # struct Job;
    /// # impl JobHandler for Job { fn run(&mut self, _value: u32) {} }
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let engine = ActorEngine::new();
    /// let jobs: JobClient = engine.pool(3, JobMessage::actor(|| Job))?;
    /// let second = jobs.pin(jobs.instances()[1]);
    /// assert_eq!(second.instance_id().map(|id| id.thread().index()), Some(1));
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn pin(&self, instance: InstanceId) -> V::Client<M>
    where
        V: ClientView,
    {
        self.__pin(instance).into()
    }

    #[doc(hidden)]
    pub fn __pin(&self, instance: InstanceId) -> Self {
        let found = match (&self.pool, &self.binding) {
            (_, Binding::One(endpoint)) if endpoint.id() == instance => Some(Arc::clone(endpoint)),
            (Some(pool), _) => pool.find(instance),
            (None, _) => None,
        };
        self.bound(found.map_or(Binding::NotFound(instance), Binding::One))
    }

    /// Returns a client whose messages all go to the instance of this key.
    ///
    /// That is always the same instance while it lives and the pool stays as it is. When the pool changes, about 1/n of
    /// the keys move to other instances. Their state does not move with them, so keep the size of such a pool fixed.
    ///
    /// The key has a type that the enum's `#[key]` fields borrow as, such as `str` for `String`. For an enum without
    /// `#[key]` it is anything that can be hashed. If the enum is `#[actor(remote)]`, the key must be serde's `Serialize`
    /// too, since a link sends it. Where keys have partitions, the borrowed form must serialize as the fields' own type
    /// does, as `str` and `String` do: the two sides find another partition otherwise. The key of such a client is written
    /// down when the client is made, which allocates, so keep the client for all messages of that key.
    ///
    /// ```
    /// # use zctor::{ActorEngine, actor};
    /// # #[actor]
    /// # pub enum AccountMessage { Deposit { #[key] owner: String, amount: u64 } }
    /// # struct Accounts;
    /// # impl AccountHandler for Accounts { fn deposit(&mut self, _owner: String, _amount: u64) {} }
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let engine = ActorEngine::new();
    /// let accounts: AccountClient = engine.pool(4, AccountMessage::actor(|| Accounts))?;
    /// assert_eq!(accounts.keyed("ada"), accounts.keyed("ada"));
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn keyed<Q: Hash + ?Sized>(&self, key: &Q) -> V::Client<M>
    where
        V: ClientView,
        M::Key: KeyOf<Q>,
    {
        self.__keyed(key).into()
    }

    #[doc(hidden)]
    pub fn __keyed<Q: Hash + ?Sized>(&self, key: &Q) -> Self
    where
        M::Key: KeyOf<Q>,
    {
        match &self.pool {
            Some(_) => {
                let hash = key_hash(key);
                let travelling = <M::Key as KeyOf<Q>>::__travelling(key, hash);
                self.bound(travelling.map_or(Binding::Key(hash), Binding::Travelling))
            }
            // A client without a pool has one instance, which has all keys.
            None => self.clone(),
        }
    }

    /// Returns a client that sends to the instance whose thread has the fewest messages waiting or being handled.
    ///
    /// ```
    /// # use zctor::{ActorEngine, actor};
    /// # #[actor]
    /// # pub enum JobMessage { Run(u32) }
    /// # struct Job;
    /// # impl JobHandler for Job { fn run(&mut self, _value: u32) {} }
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let engine = ActorEngine::new();
    /// let jobs: JobClient = engine.pool(3, JobMessage::actor(|| Job))?;
    /// jobs.least_loaded().run(7)?;
    /// engine.settle();
    /// assert_eq!(engine.stats().handled(), 1);
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn least_loaded(&self) -> V::Client<M>
    where
        V: ClientView,
    {
        self.__least_loaded().into()
    }

    #[doc(hidden)]
    pub fn __least_loaded(&self) -> Self {
        match &self.pool {
            Some(_) => self.bound(Binding::LeastLoaded),
            None => self.clone(),
        }
    }

    /// Returns the same client with a time limit for each call, and for each wait for room.
    ///
    /// ```
    /// # use std::time::{Duration, Instant};
    /// # use zctor::{ActorEngine, actor};
    /// # #[actor]
    /// # pub enum AdderMessage { #[reply(u32)] Add(u32, u32) }
    /// # struct Adder;
    /// # impl AdderHandler for Adder { fn add(&mut self, a: u32, b: u32) -> u32 { a + b } }
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let engine = ActorEngine::new();
    /// let adder: AdderClient = engine.pool(1, AdderMessage::actor(|| Adder))?;
    /// assert_eq!(adder.within(Duration::from_secs(60)).call(AdderMessage::add(2, 3))?, 5);
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn within(&self, limit: Duration) -> Self {
        self.clone().with_limit(Limit::Within(limit))
    }

    /// Gives the same client with a time at which each call and each wait for room ends: one deadline for several
    /// calls.
    ///
    /// ```
    /// # use std::time::{Duration, Instant};
    /// # use zctor::{ActorEngine, CallError, actor};
    /// # #[actor]
    /// # pub enum AdderMessage { #[reply(u32)] Add(u32, u32) }
    /// # struct Adder;
    /// # impl AdderHandler for Adder { fn add(&mut self, a: u32, b: u32) -> u32 { a + b } }
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let engine = ActorEngine::new();
    /// let adder: AdderClient = engine.pool(1, AdderMessage::actor(|| Adder))?;
    /// let adder = adder.until(Instant::now() + Duration::from_secs(60));
    /// assert_eq!(adder.call(AdderMessage::add(adder.call(AdderMessage::add(1, 2))?, 3))?, 6);
    /// let late = adder.until(Instant::now());
    /// assert_eq!(late.call(AdderMessage::add(1, 2)), Err(CallError::Timeout { message: "AdderMessage", begun: false }));
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn until(&self, time: Instant) -> Self {
        self.clone().with_limit(Limit::Until(time))
    }

    /// Returns the non-blocking view of the client, none of whose methods waits for a reply, or for room in a bounded
    /// mailbox.
    ///
    /// The generated methods of this view give a [`Pending`] for a call, as [`request`](Client::request) does. Its
    /// `call_all` gives all [`Pendings`](crate::Pendings), and there is no `call`. Async code can await room by
    /// [`send_async`](Client::send_async) and [`call_async`](Client::call_async).
    ///
    /// ```
    /// # use zctor::{ActorEngine, actor};
    /// # #[actor]
    /// # pub enum AdderMessage { #[reply(u32)] Add(u32, u32) }
    /// # struct Adder;
    /// # impl AdderHandler for Adder { fn add(&mut self, a: u32, b: u32) -> u32 { a + b } }
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let engine = ActorEngine::new();
    /// let adder: AdderClient = engine.pool(1, AdderMessage::actor(|| Adder))?;
    /// assert_eq!(adder.non_blocking().add(2, 3).wait()?, 5);
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn non_blocking(&self) -> Client<M, NonBlocking> {
        Client { patience: self.patience.non_blocking(), ..self.clone().seen() }
    }

    /// Returns the instance that this client is bound to, if it is bound to one.
    ///
    /// ```
    /// # use zctor::{ActorEngine, actor};
    /// # #[actor]
    /// # pub enum JobMessage { Run(u32) }
    /// # struct Job;
    /// # impl JobHandler for Job { fn run(&mut self, _value: u32) {} }
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let engine = ActorEngine::new();
    /// assert!(engine.start(JobMessage::actor(|| Job))?.instance_id().is_some());
    /// assert!(engine.pool(1, JobMessage::actor(|| Job))?.instance_id().is_none());
    /// # Ok(())
    /// # }
    /// ```
    pub fn instance_id(&self) -> Option<InstanceId> {
        match &self.binding {
            Binding::One(endpoint) => Some(endpoint.id()),
            _ => None,
        }
    }

    /// Returns the live instances of the pool, in spawn order; for a client without a pool, its one instance.
    ///
    /// ```
    /// # use zctor::{ActorEngine, actor};
    /// # #[actor]
    /// # pub enum JobMessage { Run(u32) }
    /// # struct Job;
    /// # impl JobHandler for Job { fn run(&mut self, _value: u32) {} }
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let engine = ActorEngine::new();
    /// assert_eq!(engine.pool(3, JobMessage::actor(|| Job))?.instances().len(), 3);
    /// # Ok(())
    /// # }
    /// ```
    pub fn instances(&self) -> Vec<InstanceId> {
        match (&self.pool, &self.binding) {
            (Some(pool), _) => pool.instances(),
            (None, Binding::One(endpoint)) if !endpoint.status.has_ended() => vec![endpoint.id()],
            (None, _) => Vec::new(),
        }
    }

    /// Ends the one instance that this client is bound to, when all messages that were sent to it before are handled.
    ///
    /// Its `on_stop` runs, then its state is dropped. Of the messages that are queued behind that, those sent in turn
    /// go to the other instances of its pool, and all others become dead letters.
    ///
    /// # Errors
    /// - [`StopError::Unbound`]: the client is not bound to one instance.
    /// - [`StopError::Stopped`]: it has ended already.
    ///
    /// # Blocking
    /// Never: it returns before the instance has ended.
    ///
    /// ```
    /// # use zctor::{ActorEngine, StopError, actor};
    /// # #[actor]
    /// # pub enum JobMessage { Run(u32) }
    /// # struct Job;
    /// # impl JobHandler for Job { fn run(&mut self, _value: u32) {} }
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let engine = ActorEngine::new();
    /// let job: JobClient = engine.start(JobMessage::actor(|| Job))?;
    /// job.stop()?;
    /// engine.settle();
    /// assert_eq!(job.stop(), Err(StopError::Stopped { message: "JobMessage" }));
    /// # Ok(())
    /// # }
    /// ```
    pub fn stop(&self) -> Result<(), StopError> {
        self.order(Endpoint::stop)
    }

    /// Has the one instance that this client is bound to build its state afresh, when all messages that were sent to it
    /// before are handled.
    ///
    /// Its `on_stop` runs, its state is dropped with its timers and pipes, and its factory builds a new one, whose
    /// `on_start` comes next. Messages that were sent behind the reset are handled with the new state. An instance
    /// whose factory runs once (`actor_once`) ends instead. An instance that backs off gets a fresh state anyway: if no
    /// message waits for it, the reset adds nothing. A reset is no panic, and counts for no limit.
    ///
    /// # Errors
    /// - [`StopError::Unbound`]: the client is not bound to one instance.
    /// - [`StopError::Stopped`]: it has ended already.
    ///
    /// # Blocking
    /// Never: it returns before the state is built.
    ///
    /// ```
    /// # use zctor::{ActorEngine, StopError, actor};
    /// # #[actor]
    /// # pub enum CounterMessage { #[reply(u32)] Next }
    /// # #[derive(Default)]
    /// # struct Counter(u32);
    /// # impl CounterHandler for Counter { fn next(&mut self) -> u32 { self.0 += 1; self.0 } }
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let engine = ActorEngine::new();
    /// let counter: CounterClient = engine.start(CounterMessage::actor(Counter::default))?;
    /// assert_eq!((counter.next()?, counter.next()?), (1, 2));
    /// counter.reset()?;
    /// assert_eq!(counter.next()?, 1);
    /// # Ok(())
    /// # }
    /// ```
    pub fn reset(&self) -> Result<(), StopError> {
        self.order(Endpoint::reset)
    }

    fn order(&self, give: fn(&Endpoint<M>, Way)) -> Result<(), StopError> {
        let stopped = StopError::Stopped { message: M::name() };
        match &self.binding {
            Binding::One(endpoint) => {
                let way = endpoint.admit().map_err(|_| stopped)?;
                give(endpoint, way);
                Ok(())
            }
            Binding::NotFound(_) => Err(stopped),
            _ => Err(StopError::Unbound { message: M::name() }),
        }
    }

    /// Ends every instance that this client can reach, and returns the number of instances told.
    ///
    /// These are all instances of its pool, or the one that it is bound to. Each ends when all messages that were sent
    /// to it before are handled.
    ///
    /// # Errors
    /// [`StopError::Stopped`]: there is no live instance.
    ///
    /// ```
    /// use zctor::{ActorEngine, CallError, actor};
    ///
    /// #[actor]
    /// pub enum JobMessage {
    ///     #[reply(())]
    ///     Run,
    /// }
    /// struct Job;
    /// impl JobHandler for Job {
    ///     fn run(&mut self) {}
    /// }
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let engine = ActorEngine::new();
    /// let jobs: JobClient = engine.pool(3, JobMessage::actor(|| Job))?;
    /// assert_eq!(jobs.stop_all()?, 3);
    /// engine.settle();
    /// assert_eq!(jobs.run(), Err(CallError::NotRegistered { message: "JobMessage" }));
    /// # Ok(())
    /// # }
    /// ```
    pub fn stop_all(&self) -> Result<usize, StopError> {
        messaging::stop_all(&self.target()).map_err(|_| StopError::Stopped { message: M::name() })
    }
}

/// The non-blocking view: no method of it waits, neither for a reply nor for room in a mailbox. A call is a
/// [`request`](Client::request) here.
impl<M: Message> Client<M, NonBlocking> {
    /// Asks every instance of the pool; gives a [`Pending`](crate::Pending) for each reply, in registry order. A
    /// refusal by one instance is found in its `Pending`.
    ///
    /// # Errors
    /// - [`CallError::NotRegistered`]: the pool has no live instance.
    /// - [`CallError::Stopped`]: the engine stops.
    ///
    /// # Blocking
    /// Never.
    ///
    /// ```
    /// # use zctor::{ActorEngine, actor};
    /// # #[actor]
    /// # #[derive(Clone)]
    /// # pub enum AdderMessage { #[reply(u32)] Add(u32, u32) }
    /// # struct Adder;
    /// # impl AdderHandler for Adder { fn add(&mut self, a: u32, b: u32) -> u32 { a + b } }
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let engine = ActorEngine::new();
    /// let adder: AdderClient = engine.pool(2, AdderMessage::actor(|| Adder))?;
    /// let sums = adder.non_blocking().call_all(AdderMessage::add(2, 3))?;
    /// assert_eq!(sums.iter().map(|(id, _)| *id).collect::<Vec<_>>(), adder.instances());
    /// for (_, sum) in sums {
    ///     assert_eq!(sum.wait()?, 5); // or `.await` it
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn call_all<Q>(&self, request: Q) -> Result<Pendings<Q::Reply>, CallError>
    where
        Q: IntoRequest<Message = M>,
        M: Clone,
    {
        let request = request.__into();
        messaging::request_all::<M, Q::Reply, Q::Kind>(&self.target(), |_| request.clone().into_parts())
    }

    /// As [`call_all`](Client::call_all), with the request that `make` gives for each instance.
    ///
    /// # Errors
    /// As [`call_all`](Client::call_all).
    ///
    /// # Blocking
    /// Never.
    ///
    /// ```
    /// # use zctor::{ActorEngine, actor};
    /// # #[actor]
    /// # pub enum AdderMessage { #[reply(usize)] Add(usize, usize) }
    /// # struct Adder;
    /// # impl AdderHandler for Adder { fn add(&mut self, a: usize, b: usize) -> usize { a + b } }
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let engine = ActorEngine::new();
    /// let adder: AdderClient = engine.pool(2, AdderMessage::actor(|| Adder))?;
    /// let sums = adder.non_blocking().call_all_with(|id| AdderMessage::add(10, id.thread().index()))?;
    /// assert_eq!(sums[1].1.wait()?, 11);
    /// # Ok(())
    /// # }
    /// ```
    pub fn call_all_with<Q>(&self, mut make: impl FnMut(InstanceId) -> Q) -> Result<Pendings<Q::Reply>, CallError>
    where
        Q: IntoRequest<Message = M>,
    {
        messaging::request_all::<M, Q::Reply, Q::Kind>(&self.target(), |id| make(id).__into().into_parts())
    }

    /// Sends a message when there is room for it: [`send`](Client::send) as a future.
    ///
    /// The message goes where `send` would send it, so its `#[key]` decides which mailbox must have room. It is sent in
    /// the poll that gives `Ok`. If the future is dropped before, the message is dropped with it, and its place in line
    /// goes to the next: whoever has waited longest for room is woken first, task or thread. A future that is neither
    /// polled nor dropped when it was woken leaves its room to others.
    ///
    /// A task's messages to one instance keep their order if it awaits each before it makes the next.
    ///
    /// # Errors
    /// As [`send`](Client::send). [`SendError::Full`] only where `within` or `until` sets a limit, which counts from
    /// this call on, where the mailbox refuses those that find it full ([`Overflow`](crate::Overflow)), or in a
    /// handler, where there is no room under the [inner bound](crate::ActorThread::inner_bound).
    ///
    /// # Blocking
    /// Never. Inside a handler it does not wait for room, as `send` does not: it is sent or refused at once.
    ///
    /// ```
    /// # use std::{pin::pin, sync::Arc, task::{Context, Poll, Wake, Waker}, thread};
    /// # struct Unpark(thread::Thread);
    /// # impl Wake for Unpark { fn wake(self: Arc<Self>) { self.0.unpark() } }
    /// # fn block_on<T>(future: impl Future<Output = T>) -> T {
    /// #     let (mut future, waker) = (pin!(future), Waker::from(Arc::new(Unpark(thread::current()))));
    /// #     loop {
    /// #         match future.as_mut().poll(&mut Context::from_waker(&waker)) {
    /// #             Poll::Ready(value) => return value,
    /// #             Poll::Pending => thread::park(),
    /// #         }
    /// #     }
    /// # }
    /// use std::sync::mpsc;
    /// use std::time::Duration;
    /// use zctor::{ActorEngine, ActorThread, actor};
    ///
    /// #[actor]
    /// pub enum DiskMessage {
    ///     Write(u32),
    /// }
    /// struct Disk {
    ///     begun: mpsc::Sender<()>,
    ///     go: mpsc::Receiver<()>,
    /// }
    /// impl DiskHandler for Disk {
    ///     fn write(&mut self, _value: u32) {
    ///         self.begun.send(()).unwrap_or_default();
    ///         self.go.recv().unwrap_or_default();
    ///     }
    /// }
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let engine = ActorEngine::new();
    /// let ((begun, began), (let_go, go)) = (mpsc::channel(), mpsc::channel());
    /// let thread = ActorThread::new().mailbox_bound(1);
    /// let disk = engine.start_on(thread, DiskMessage::actor_once(move || Disk { begun, go }))?.non_blocking();
    /// disk.write(1)?;
    /// began.recv()?; // the disk is at work
    /// disk.write(2)?; // and the mailbox is full
    ///
    /// let soon = disk.within(Duration::from_millis(5)).send_async(DiskMessage::Write(3));
    /// assert!(block_on(soon).unwrap_err().is_full());
    ///
    /// let write = disk.send_async(DiskMessage::Write(4));
    /// drop(let_go);
    /// block_on(write)?; // when there is room
    /// # Ok(())
    /// # }
    /// ```
    pub fn send_async(&self, message: M) -> impl Future<Output = Result<(), SendError<M>>> + use<M> {
        let client = self.clone();
        let mut sending = Sending::new(&client.target(), message);
        async move { poll_fn(|task| sending.poll(&client.target(), task.waker())).await }
    }

    /// Calls when there is room for the request, and gives the reply: [`request`](Client::request) that awaits both.
    ///
    /// Nothing is sent before the first poll. From then on it is as [`send_async`](Client::send_async) until the request
    /// is sent, and then as a [`Pending`](crate::Pending): dropping the future gives the call up. A limit of the client
    /// counts from this call on, for room and reply together.
    ///
    /// # Errors
    /// As [`Pending::wait`](crate::Pending::wait). [`CallError::Full`] only as [`send_async`](Client::send_async) says.
    ///
    /// # Blocking
    /// Never; but a poll inside a handler waits for the reply, as that of a `Pending` does.
    ///
    /// ```
    /// # use std::{pin::pin, sync::Arc, task::{Context, Poll, Wake, Waker}, thread};
    /// # struct Unpark(thread::Thread);
    /// # impl Wake for Unpark { fn wake(self: Arc<Self>) { self.0.unpark() } }
    /// # fn block_on<T>(future: impl Future<Output = T>) -> T {
    /// #     let (mut future, waker) = (pin!(future), Waker::from(Arc::new(Unpark(thread::current()))));
    /// #     loop {
    /// #         match future.as_mut().poll(&mut Context::from_waker(&waker)) {
    /// #             Poll::Ready(value) => return value,
    /// #             Poll::Pending => thread::park(),
    /// #         }
    /// #     }
    /// # }
    /// use zctor::{ActorEngine, ActorThread, actor};
    ///
    /// #[actor]
    /// pub enum AdderMessage {
    ///     #[reply(u32)]
    ///     Add(u32, u32),
    /// }
    /// # struct Adder;
    /// # impl AdderHandler for Adder { fn add(&mut self, a: u32, b: u32) -> u32 { a + b } }
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let engine = ActorEngine::new();
    /// let adders = engine.pool_on(2, |_| ActorThread::new().mailbox_bound(8), AdderMessage::actor(|| Adder))?;
    /// let adders = adders.non_blocking();
    /// let sum = async {
    ///     let mut sum = 0;
    ///     for value in 1..=100 {
    ///         sum = adders.call_async(AdderMessage::add(sum, value)).await?;
    ///     }
    ///     Ok::<_, zctor::CallError>(sum)
    /// };
    /// assert_eq!(block_on(sum)?, 5_050);
    /// # Ok(())
    /// # }
    /// ```
    pub fn call_async<Q>(&self, request: Q) -> impl Future<Output = Result<Q::Reply, CallError>> + use<M, Q>
    where
        Q: IntoRequest<Message = M>,
    {
        let client = self.clone();
        let (message, port) = request.__into().into_parts();
        let mut calling = Calling::new(&client.target(), message, port);
        async move {
            let sent = poll_fn(|task| calling.poll::<Q::Kind>(&client.target(), task.waker())).await;
            sent?.await
        }
    }
}

impl<M: Message, V> Client<M, V> {
    /// Returns a watch for the end of the instance that this client is bound to.
    pub(crate) fn end(&self) -> Result<Watch, WatchError> {
        match &self.binding {
            Binding::One(endpoint) => Ok(Watch::living(Arc::clone(endpoint) as Arc<dyn Watched>)),
            Binding::NotFound(instance) => Ok(Watch::gone(*instance, M::name())),
            Binding::Turn(_) | Binding::Key(_) | Binding::Travelling(_) | Binding::LeastLoaded => {
                Err(WatchError::Unbound { message: M::name() })
            }
        }
    }

    /// Returns a watch for the panics of the instance that this client is bound to.
    pub(crate) fn panics(&self) -> Result<PanicWatch, WatchError> {
        match &self.binding {
            Binding::One(endpoint) => Ok(PanicWatch::new(Some(Arc::clone(endpoint) as Arc<dyn Watched>))),
            Binding::NotFound(_) => Ok(PanicWatch::new(None)),
            Binding::Turn(_) | Binding::Key(_) | Binding::Travelling(_) | Binding::LeastLoaded => {
                Err(WatchError::Unbound { message: M::name() })
            }
        }
    }
}

/// The client inside a handle for some of the variants. It has none of a client's methods, so that rustc does not
/// suggest them.
#[derive(Clone, PartialEq, Eq)]
pub struct Part<C>(C);

impl<C> Part<C> {
    /// Makes a part of this client.
    pub fn new(whole: C) -> Self {
        Self(whole)
    }

    /// Returns the client that it is a part of.
    pub fn whole(&self) -> &C {
        &self.0
    }
}

impl<C: fmt::Debug> fmt::Debug for Part<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<M: Message, V> Clone for Client<M, V> {
    fn clone(&self) -> Self {
        let binding = match (&self.pool, &self.binding) {
            // A snapshot that is out of date is replaced by a new one.
            (Some(pool), Binding::Turn(Some(places))) if !pool.is_current(places) => Binding::Turn(pool.snapshot()),
            (_, binding) => binding.clone(),
        };
        self.bound(binding)
    }
}

/// Two clients are equal if they send to the same pool and are bound in the same way. Their views may differ.
impl<M: Message, V> PartialEq for Client<M, V> {
    fn eq(&self, other: &Self) -> bool {
        let same_pool = match (&self.pool, &other.pool) {
            (Some(a), Some(b)) => Arc::ptr_eq(a, b),
            (None, None) => true,
            _ => false,
        };
        match (&self.binding, &other.binding) {
            (Binding::One(a), Binding::One(b)) => Arc::ptr_eq(a, b),
            (Binding::Key(a), Binding::Key(b)) => same_pool && a == b,
            (Binding::Travelling(a), Binding::Travelling(b)) => same_pool && a.hash() == b.hash(),
            (Binding::Turn(_), Binding::Turn(_)) | (Binding::LeastLoaded, Binding::LeastLoaded) => same_pool,
            (Binding::NotFound(a), Binding::NotFound(b)) => same_pool && a == b,
            _ => false,
        }
    }
}

impl<M: Message, V> Eq for Client<M, V> {}

impl<M: Message, V> fmt::Debug for Client<M, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.binding {
            Binding::Turn(_) => write!(f, "Client({})", M::name()),
            Binding::Key(key) => write!(f, "Client({}, keyed {key:x})", M::name()),
            Binding::Travelling(key) => write!(f, "Client({}, keyed {:x})", M::name(), key.hash()),
            Binding::LeastLoaded => write!(f, "Client({}, least loaded)", M::name()),
            Binding::One(endpoint) => write!(f, "Client({}, {})", M::name(), endpoint.id()),
            Binding::NotFound(instance) => write!(f, "Client({}, {instance}, gone)", M::name()),
        }
    }
}

/// Sends a request and waits for its reply.
pub(crate) fn call<Q: IntoRequest>(target: Target<'_, Q::Message>, request: Q) -> Result<Q::Reply, CallError> {
    let (message, port) = request.__into().into_parts();
    messaging::call::<Q::Message, Q::Reply, Q::Kind>(target, &mut Some(message), port)
}

/// Calls every instance, each with the request that `make` returns for it.
pub(crate) fn call_all_with<M: Message, R: 'static, K: Kind>(
    target: &Target<'_, M>,
    mut make: impl FnMut(InstanceId) -> Request<M, R, K>,
) -> Result<Replies<R>, CallError> {
    messaging::call_all_with::<M, R, K>(target, |id| make(id).into_parts())
}
