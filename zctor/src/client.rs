//! The typed handle to the instances of a message type, which the generated clients deref to.

pub(crate) mod message;
pub(crate) mod recipient;
pub(crate) mod watch;

use std::fmt;
use std::hash::Hash;
use std::sync::Arc;
use std::time::Duration;

use crate::client::message::{IntoRequest, Message, Request};
use crate::client::watch::{PanicWatch, Watch, Watched};
use crate::error::{CallError, SendError, StopError, WatchError};
use crate::id::InstanceId;
use crate::messaging;
use crate::messaging::binding::{Binding, Limit, View};
use crate::messaging::broadcast::Replies;
use crate::messaging::pending::Pending;
use crate::messaging::target::Target;
use crate::route::endpoint::Endpoint;
use crate::route::keyed::{KeyOf, key_hash};
use crate::route::payload::{Kind, ToPort};
use crate::route::pool::Pool;

/// A typed handle to the instances of a message type; the client that `#[actor]` generates derefs to it.
///
/// It is cheap to clone, and fit to be shared among threads. It keeps no instance alive, and dropping it ends none: when
/// all have ended, its operations are refused.
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
pub struct Client<M: Message> {
    pool: Option<Arc<Pool<M>>>,
    binding: Binding<M>,
    view: View,
}

impl<M: Message> Client<M> {
    pub(crate) fn of_pool(pool: Arc<Pool<M>>) -> Self {
        Self { binding: Binding::Turn(pool.snapshot()), pool: Some(pool), view: View::default() }
    }

    pub(crate) fn of_one(pool: Option<Arc<Pool<M>>>, endpoint: Arc<Endpoint<M>>) -> Self {
        Self { pool, binding: Binding::One(endpoint), view: View::default() }
    }

    pub(crate) fn with_limit(self, limit: Limit) -> Self {
        Self { view: self.view.with_limit(limit), ..self }
    }

    fn bound(&self, binding: Binding<M>) -> Self {
        Self { pool: self.pool.clone(), binding, view: self.view }
    }

    fn target(&self) -> Target<'_, M> {
        match &self.pool {
            Some(pool) => Target::at_pool(Some(pool), &pool.edge).bound(&self.binding),
            None => Target::at_one(&self.binding),
        }
        .with_view(self.view)
    }

    /// Sends a message to the next instance in turn, or to the one that this client is bound to.
    ///
    /// When it returns, the message is in its receiver's mailbox. Messages of one sender to one instance are handled
    /// in the order sent.
    ///
    /// # Errors
    /// - [`SendError::NotRegistered`]: the type has no live instance.
    /// - [`SendError::Full`]: a [bounded mailbox](crate::ActorThread::mailbox_bound) has no room, as its
    ///   [`Overflow`](crate::Overflow) and the view of this client say.
    /// - [`SendError::Stopped`]: the engine stops, or the bound instance has ended.
    ///
    /// # Blocking
    /// Never, but outside the engine for room in a bounded mailbox, as long as [`within`](Client::within) says. A
    /// [`non_blocking`](Client::non_blocking) client does not wait for that either.
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
        messaging::send(&self.target(), place)
    }

    /// Sends many messages, as many pushes as there are receivers: the fast way for bulk. Gives their number.
    ///
    /// Each message takes its turn as if sent alone, so the order for each receiver is that of the iterator.
    ///
    /// # Errors
    /// As [`send`](Client::send); the messages that were not sent are inside, in order.
    ///
    /// # Blocking
    /// As [`send`](Client::send); the iterator is run to its end first.
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

    /// Sends a request and waits for its reply.
    ///
    /// A call is a yield point of an actor thread: no borrow, lock or transaction that a neighbour on the thread can
    /// reach may be held across one.
    ///
    /// # Errors
    /// - [`CallError::NotRegistered`]: the type has no live instance; nothing was sent.
    /// - [`CallError::Full`]: a bounded mailbox has no room; nothing was sent.
    /// - [`CallError::Stopped`]: the engine or the instance stopped before it was handled.
    /// - [`CallError::Panicked`]: the handler panicked; the message is spent.
    /// - [`CallError::Timeout`]: the deadline passed first; it says whether the handler had begun.
    /// - [`CallError::Undeclared`]: this handler may not wait for that type; nothing was sent.
    /// - [`CallError::NoReply`]: the handler gave the reply up.
    ///
    /// # Blocking
    /// Until the reply is there; outside the engine, first until there is room in a bounded mailbox. Inside a handler the
    /// call depth is checked first, so that no two handlers can wait for each other, and instances of lower depth on its thread are served meanwhile.
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
    pub fn call<Q: IntoRequest<Message = M>>(&self, request: Q) -> Result<Q::Reply, CallError> {
        let (message, port) = request.__into().into_parts();
        self.call_from::<Q::Reply, Q::Kind>(&mut Some(message), port)
    }

    #[inline(never)]
    fn call_from<R: 'static, K: Kind>(&self, place: &mut Option<M>, port: ToPort<M, R>) -> Result<R, CallError> {
        messaging::call::<M, R, K>(&self.target(), place, port)
    }

    /// Sends a request and gives a [`Pending`] for its reply. A refusal is found in there.
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

    /// Sends a copy to every instance of the pool, whichever this client is bound to; gives the number reached. One whose
    /// bounded mailbox has no room is passed over, and its copy is a dead letter.
    ///
    /// # Errors
    /// - [`SendError::NotRegistered`]: there is none.
    /// - [`SendError::Stopped`]: the engine stops.
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

    /// Sends every instance of the pool the message that `make` gives for it; gives the number reached. One whose bounded
    /// mailbox has no room is passed over, and its message is a dead letter.
    ///
    /// # Errors
    /// - [`CallError::NotRegistered`]: there is none.
    /// - [`CallError::Stopped`]: the engine stops.
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

    /// Asks every instance of the pool, then waits for all replies, which come in registry order.
    ///
    /// # Errors
    /// - [`CallError::NotRegistered`]: there is none.
    /// - [`CallError::Stopped`]: the engine stops.
    /// - [`CallError::Undeclared`]: this handler may not wait for that type; nothing was sent.
    ///
    /// What became of each call is inside, as for [`call`](Client::call).
    ///
    /// # Blocking
    /// Until all replies are there, under one deadline if the client has one. Not for room in a bounded mailbox: that is
    /// [`CallError::Full`] for its instance.
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
    pub fn call_all<Q>(&self, request: Q) -> Result<Replies<Q::Reply>, CallError>
    where
        Q: IntoRequest<Message = M>,
        M: Clone,
    {
        let request = request.__into();
        call_all_with(&self.target(), |_| request.clone())
    }

    /// As [`call_all`](Client::call_all), with the request that `make` gives for each instance.
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
    pub fn call_all_with<Q>(&self, mut make: impl FnMut(InstanceId) -> Q) -> Result<Replies<Q::Reply>, CallError>
    where
        Q: IntoRequest<Message = M>,
    {
        call_all_with(&self.target(), |id| make(id).__into())
    }

    /// A client bound to this instance, which must be of this engine: ids are given anew in each. If it is not in the pool, or has ended, all operations give `Stopped`.
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
    pub fn pin(&self, instance: InstanceId) -> M::Client {
        self.__pin(instance).into()
    }

    #[doc(hidden)]
    pub fn __pin(&self, instance: InstanceId) -> Self {
        let found = match (&self.pool, &self.binding) {
            (_, Binding::One(endpoint)) if endpoint.id() == instance => Some(Arc::clone(endpoint)),
            (Some(pool), _) => pool.find(instance),
            (None, _) => None,
        };
        self.bound(found.map_or(Binding::Gone(instance), Binding::One))
    }

    /// A client whose messages all go to the instance of this key: always the same one while it lives. When the pool
    /// changes about 1/n of the keys move, and no state with them, so keep the size of such a pool fixed.
    ///
    /// The key is what the enum's `#[key]` fields borrow as; for an enum without any, whatever can be hashed.
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
    pub fn keyed<Q: Hash + ?Sized>(&self, key: &Q) -> M::Client
    where
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
            Some(_) => self.bound(Binding::Key(key_hash(key))),
            // One instance that is in no pool: it has all keys.
            None => self.clone(),
        }
    }

    /// A client that sends to the instance whose thread has the fewest messages waiting or in work.
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
    pub fn least_loaded(&self) -> M::Client {
        self.__least_loaded().into()
    }

    #[doc(hidden)]
    pub fn __least_loaded(&self) -> Self {
        match &self.pool {
            Some(_) => self.bound(Binding::LeastLoaded),
            None => self.clone(),
        }
    }

    /// The same client with a time limit for each call and each wait for room.
    ///
    /// ```
    /// # use std::time::Duration;
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

    /// The same client, for the generated view whose methods give a [`Pending`]: it never waits, not for room in a bounded
    /// mailbox either.
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
    pub fn non_blocking(&self) -> Self {
        Self { view: self.view.non_blocking(), ..self.clone() }
    }

    /// The instance that this client is bound to, if it is bound to one.
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

    /// The live instances of the pool, in spawn order; of a client without a pool, its one instance.
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

    /// Ends the one instance that this client is bound to, when all that was sent to it before is handled: `on_stop`,
    /// then its state is dropped. What comes later for it becomes dead letters.
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
        let stopped = StopError::Stopped { message: M::NAME };
        match &self.binding {
            Binding::One(endpoint) => {
                let way = endpoint.admit().map_err(|_| stopped)?;
                endpoint.stop(way);
                Ok(())
            }
            Binding::Gone(_) => Err(stopped),
            _ => Err(StopError::Unbound { message: M::NAME }),
        }
    }

    /// Ends every instance that this client can reach, each in its turn behind what was sent to it before: all of a
    /// pool, or the one that it is bound to. Gives the number of those told.
    ///
    /// # Errors
    /// [`StopError::Stopped`]: none was there.
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
        messaging::stop_all(&self.target()).map_err(|_| StopError::Stopped { message: M::NAME })
    }
}

impl<M: Message> Client<M> {
    /// The end of the instance that this client is bound to.
    pub(crate) fn end(&self) -> Result<Watch, WatchError> {
        match &self.binding {
            Binding::One(endpoint) => Ok(Watch::there(Arc::clone(endpoint) as Arc<dyn Watched>)),
            Binding::Gone(instance) => Ok(Watch::gone(*instance, M::NAME)),
            Binding::Turn(_) | Binding::Key(_) | Binding::LeastLoaded => Err(WatchError::Unbound { message: M::NAME }),
        }
    }

    pub(crate) fn panics(&self) -> Result<PanicWatch, WatchError> {
        match &self.binding {
            Binding::One(endpoint) => Ok(PanicWatch::new(Some(Arc::clone(endpoint) as Arc<dyn Watched>))),
            Binding::Gone(_) => Ok(PanicWatch::new(None)),
            Binding::Turn(_) | Binding::Key(_) | Binding::LeastLoaded => Err(WatchError::Unbound { message: M::NAME }),
        }
    }
}

/// The client in a handle for some of the variants. It has none of a client's methods, so that rustc does not propose to
/// reach for them.
#[derive(Clone, PartialEq, Eq)]
pub struct Part<C>(C);

impl<C> Part<C> {
    /// A part of this client.
    pub fn new(whole: C) -> Self {
        Self(whole)
    }

    /// The client that it is a part of.
    pub fn whole(&self) -> &C {
        &self.0
    }
}

impl<C: fmt::Debug> fmt::Debug for Part<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<M: Message> Clone for Client<M> {
    fn clone(&self) -> Self {
        let binding = match (&self.pool, &self.binding) {
            // What is old by now is taken anew.
            (Some(pool), Binding::Turn(Some(places))) if !pool.is_current(places) => Binding::Turn(pool.snapshot()),
            (_, binding) => binding.clone(),
        };
        self.bound(binding)
    }
}

/// Two clients are equal if what they send goes the same way: the same pool, bound the same.
impl<M: Message> PartialEq for Client<M> {
    fn eq(&self, other: &Self) -> bool {
        let same_pool = match (&self.pool, &other.pool) {
            (Some(a), Some(b)) => Arc::ptr_eq(a, b),
            (None, None) => true,
            _ => false,
        };
        match (&self.binding, &other.binding) {
            (Binding::One(a), Binding::One(b)) => Arc::ptr_eq(a, b),
            (Binding::Key(a), Binding::Key(b)) => same_pool && a == b,
            (Binding::Turn(_), Binding::Turn(_)) | (Binding::LeastLoaded, Binding::LeastLoaded) => same_pool,
            (Binding::Gone(a), Binding::Gone(b)) => same_pool && a == b,
            _ => false,
        }
    }
}

impl<M: Message> Eq for Client<M> {}

impl<M: Message> fmt::Debug for Client<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.binding {
            Binding::Turn(_) => write!(f, "Client({})", M::NAME),
            Binding::Key(key) => write!(f, "Client({}, keyed {key:x})", M::NAME),
            Binding::LeastLoaded => write!(f, "Client({}, least loaded)", M::NAME),
            Binding::One(endpoint) => write!(f, "Client({}, {})", M::NAME, endpoint.id()),
            Binding::Gone(instance) => write!(f, "Client({}, {instance}, gone)", M::NAME),
        }
    }
}

/// Calls by a request.
pub(crate) fn call<Q: IntoRequest>(target: &Target<'_, Q::Message>, request: Q) -> Result<Q::Reply, CallError> {
    let (message, port) = request.__into().into_parts();
    messaging::call::<Q::Message, Q::Reply, Q::Kind>(target, &mut Some(message), port)
}

/// Calls all by a request each.
pub(crate) fn call_all_with<M: Message, R: 'static, K: Kind>(
    target: &Target<'_, M>,
    mut make: impl FnMut(InstanceId) -> Request<M, R, K>,
) -> Result<Replies<R>, CallError> {
    messaging::call_all_with::<M, R, K>(target, |id| make(id).into_parts())
}
