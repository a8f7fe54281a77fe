//! `ActorEngine`, the owner of the actor threads, and `EngineBuilder`; dropping the owner stops the engine within five
//! seconds.
//!
//! This layer promises what the owner of an engine and its handles can do. All instances of a spawn are registered, or
//! none. `settle` returns when the inside is quiet. A shutdown follows the protocol at the head of
//! `engine/shutdown.rs`, and its report accounts for every accepted message.
//!
//! It may import its own folder and the layers below it: actor, client, messaging, route, thread, mailbox, reply,
//! trace, sys, and the plain data (id, event, report, error, type_map).

pub(crate) mod actor_thread;
mod ages;
pub(crate) mod core;
pub(crate) mod handle;
pub(crate) mod here;
#[cfg(feature = "observe")]
pub(crate) mod observer;
pub(crate) mod registry;
mod replace;
mod running_times;
pub(crate) mod settle;
pub(crate) mod shutdown;
mod slow;
mod slow_watcher;
pub(crate) mod spawn;
mod stats;
pub(crate) mod stopped;
mod targets;
mod thread_owner;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use once_cell::sync::Lazy;

use crate::actor::dispatch::Dispatch;
use crate::actor::{PoolRegistration, Registration};
use crate::client::message::{IntoRequest, Message};
use crate::client::{call, call_all_with};
use crate::engine::actor_thread::ActorThread;
use crate::engine::core::Core;
use crate::engine::handle::EngineHandle;
use crate::engine::here::Here;
#[cfg(feature = "observe")]
use crate::engine::observer::Observer;
use crate::engine::registry::Registry;
use crate::engine::stopped::{Shutdown, Stopped};
use crate::error::{CallError, SendError, ShutdownError, SpawnError};
use crate::event::{DeadLetter, Ended, PanicEvent, Restarted};
use crate::id::{InstanceId, ThreadId};
use crate::mailbox::engine_shared::EngineShared;
use crate::messaging;
use crate::messaging::broadcast::Replies;
use crate::report::instances::InstanceStats;
use crate::report::slow::Slow;
use crate::report::{Report, Stats};
use crate::sys::frame::{is_engines_own, is_inside};
use crate::sys::runtime::assert_may_block;
use crate::sys::simulated::refuse_what_outlives_a_run;
use crate::sys::spin::Spin;
use crate::thread::local::local;

/// How long the drop of an engine waits for its threads.
const PATIENCE: Duration = Duration::from_secs(5);

/// The owner of actor threads, their registry and their routes.
///
/// It is not `Clone`: a [`handle`](ActorEngine::handle) shares the engine with other code. Dropping the owner is
/// [`shutdown_timeout`](ActorEngine::shutdown_timeout) with five seconds. A drop on an actor thread only begins that
/// shutdown.
///
/// ```
/// use zctor::{ActorEngine, ActorThread, actor};
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
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let engine = ActorEngine::new();
/// engine.spawn(ActorThread::new().register(CounterMessage::actor(Counter::default)))?;
/// engine.send(CounterMessage::Add(2))?;
/// assert_eq!(engine.call(CounterMessage::total())?, 2);
/// engine.shutdown()?;
/// # Ok(())
/// # }
/// ```
pub struct ActorEngine {
    core: Arc<Core>,
}

/// The settings of an engine that is not built yet.
///
/// ```
/// use zctor::{ActorEngine, actor};
///
/// #[actor]
/// pub enum JobMessage {
///     Run,
/// }
/// struct Job;
/// impl JobHandler for Job {
///     fn run(&mut self) {}
/// }
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let engine = ActorEngine::builder().name("jobs").build();
/// engine.pool(2, JobMessage::actor(|| Job))?;
/// assert_eq!(engine.stats().threads[1].name, "jobs-1");
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct EngineBuilder {
    name: String,
    default_deadline: Option<Duration>,
    spin: Spin,
    record_sends: bool,
}

impl EngineBuilder {
    /// Sets its name, which is the first part of the names of its threads; the default is `zctor`.
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// Sets a deadline for every call that has no other.
    ///
    /// A call has another deadline if its client sets one by [`within`](crate::Client::within), or if a handler makes
    /// it that has a deadline itself: then what is left of that applies. Without a default, a call that has no deadline
    /// waits as long as it takes.
    ///
    /// The default deadline of a [`Pending`](crate::Pending) starts when the `Pending` is made. One that is made in a
    /// handler that itself has a deadline gets no default: a wait for it in that handler ends with the deadline of the
    /// handler. Piped requests, and calls made by [`without_deadline`](crate::Context::without_deadline), get no
    /// default either.
    ///
    /// ```
    /// use std::sync::mpsc;
    /// use std::time::Duration;
    /// use zctor::{ActorEngine, CallError, actor};
    ///
    /// #[actor]
    /// pub enum StuckMessage {
    ///     #[reply(())]
    ///     Wait,
    /// }
    /// struct Stuck(mpsc::Receiver<()>);
    /// impl StuckHandler for Stuck {
    ///     fn wait(&mut self) {
    ///         self.0.recv().unwrap_or_default();
    ///     }
    /// }
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let engine = ActorEngine::builder().default_deadline(Duration::from_millis(20)).build();
    /// let (go, gate) = mpsc::channel();
    /// let stuck: StuckClient = engine.start(StuckMessage::actor_once(|| Stuck(gate)))?;
    /// assert!(matches!(stuck.wait(), Err(CallError::Timeout { .. })));
    /// drop(go);
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn default_deadline(mut self, limit: Duration) -> Self {
        self.default_deadline = Some(limit);
        self
    }

    /// Sets how threads spin before they park: those of the engine, and those outside that wait for it.
    ///
    /// The default is [`Spin::Adapt`]. [`Spin::Never`] suits a program whose cores have other work, or that pays for
    /// CPU time; [`Spin::UpTo`] suits one that has cores to spare and wants replies sooner.
    ///
    /// ```
    /// use std::time::Duration;
    /// use zctor::{ActorEngine, Spin, actor};
    ///
    /// #[actor]
    /// pub enum ClockMessage {
    ///     #[reply(u64)]
    ///     Read,
    /// }
    /// struct Clock;
    /// impl ClockHandler for Clock {
    ///     fn read(&mut self) -> u64 {
    ///         7
    ///     }
    /// }
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let engine = ActorEngine::builder().spin(Spin::UpTo(Duration::from_micros(50))).build();
    /// let clock: ClockClient = engine.start(ClockMessage::actor(|| Clock))?;
    /// assert_eq!(clock.read()?, 7);
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn spin(mut self, spin: Spin) -> Self {
        self.spin = spin;
        self
    }

    /// Has the engine note which types send to which, and start which: [`Stats::sends`], which a
    /// [`Map`](crate::map::Map::running) draws.
    ///
    /// Each send or call counts for the type of the handler that runs, whether it goes by the context, a client, a
    /// recipient or an engine; also one that is refused since there is no room. A timer is no send, and neither is a
    /// reply. Sends from outside have no type to come from.
    ///
    /// Each send takes two locks for it, and a longer way: some tenth of a microsecond. It is for tests, and for a look at
    /// a program; an engine without it pays nothing.
    ///
    /// An example is at [`SendStats`](crate::SendStats).
    #[must_use]
    pub fn record_sends(mut self) -> Self {
        self.record_sends = true;
        self
    }

    /// Makes the engine, which has no threads yet.
    pub fn build(self) -> ActorEngine {
        let shared = EngineShared::new(self.default_deadline, self.spin);
        let shared = if self.record_sends { shared.with_sends() } else { shared };
        ActorEngine { core: Core::new(self.name, shared) }
    }
}

impl Default for ActorEngine {
    fn default() -> Self {
        Self::new()
    }
}

impl ActorEngine {
    /// Makes an engine that has no threads yet.
    pub fn new() -> Self {
        Self::builder().build()
    }

    #[cfg(feature = "testing")]
    pub(crate) fn core(&self) -> &Arc<Core> {
        &self.core
    }

    /// Returns the settings of an engine, to change and to build.
    pub fn builder() -> EngineBuilder {
        EngineBuilder { name: "zctor".into(), default_deadline: None, spin: Spin::default(), record_sends: false }
    }

    /// Makes the calling thread an actor thread, for states that only this thread may touch.
    ///
    /// The [`Here`] that it returns starts instances on this thread and serves them.
    ///
    /// # Errors
    /// - [`SpawnError::OnActorThread`]: it is an actor thread already, of this engine or another.
    /// - [`SpawnError::Stopped`]: the engine stops.
    pub fn here(&self) -> Result<Here, SpawnError> {
        spawn::here(&self.core)
    }

    /// Returns the one engine of the process, which is made on first use.
    ///
    /// It is for programs, not for libraries and tests. It is never dropped, so `main` should end with its
    /// [`shutdown`](ActorEngine::shutdown).
    ///
    /// # Panics
    /// In a simulation, each run of which has engines of its own.
    ///
    /// ```
    /// use zctor::ActorEngine;
    ///
    /// assert!(std::ptr::eq(ActorEngine::global(), ActorEngine::global()));
    /// ```
    #[track_caller]
    pub fn global() -> &'static Self {
        refuse_what_outlives_a_run("`ActorEngine::global()`", "make an engine in the body");
        static GLOBAL: Lazy<ActorEngine> = Lazy::new(ActorEngine::new);
        &GLOBAL
    }

    /// Returns a handle to share: it can send, call and start instances, but it cannot wait for the engine itself.
    pub fn handle(&self) -> EngineHandle {
        EngineHandle::new(&self.core)
    }

    /// Returns the name that it was built with: [`EngineBuilder::name`].
    ///
    /// ```
    /// use zctor::ActorEngine;
    ///
    /// assert_eq!(ActorEngine::builder().name("jobs").build().name(), "jobs");
    /// assert_eq!(ActorEngine::new().name(), "zctor");
    /// ```
    pub fn name(&self) -> &str {
        &self.core.name
    }

    /// Starts a thread, and returns its number when all its instances are built and registered.
    ///
    /// `on_start` runs after that, as the first message of each instance.
    ///
    /// # Errors
    /// - [`SpawnError::Empty`]: no actor is registered on the thread.
    /// - [`SpawnError::Factory`], [`SpawnError::FactoryPanicked`]: a factory failed; nothing is registered.
    /// - [`SpawnError::Thread`]: the operating system started no thread.
    /// - [`SpawnError::Stopped`]: the engine stops.
    ///
    /// # Blocking
    /// Waits until the factories have returned. In a handler, the thread serves its instances of lower call depth
    /// meanwhile.
    pub fn spawn(&self, thread: ActorThread) -> Result<ThreadId, SpawnError> {
        spawn::spawn(&self.core, thread)
    }

    /// Starts `n` threads with one instance each, and returns a client of their pool.
    ///
    /// The instances are registered all at once, or none of them.
    ///
    /// # Errors
    /// As [`spawn`](ActorEngine::spawn); `Empty` if `n` is 0.
    ///
    /// # Blocking
    /// As [`spawn`](ActorEngine::spawn).
    ///
    /// ```
    /// # use zctor::{ActorEngine, actor};
    /// # #[actor]
    /// # pub enum JobMessage { Run }
    /// # struct Job;
    /// # impl JobHandler for Job { fn run(&mut self) {} }
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let engine = ActorEngine::new();
    /// let jobs: JobClient = engine.pool(zctor::available_threads(), JobMessage::actor(|| Job))?;
    /// jobs.run()?;
    /// assert_eq!(engine.thread_count(), zctor::available_threads());
    /// # Ok(())
    /// # }
    /// ```
    pub fn pool<M, S>(&self, n: usize, actor: impl PoolRegistration<M, S>) -> Result<M::Client, SpawnError>
    where
        M: Dispatch<S, Port: Send> + Send,
        S: 'static,
    {
        spawn::pool_on(&self.core, n, |_| ActorThread::new(), &actor.__actor())
    }

    /// Starts a pool as [`pool`](ActorEngine::pool) does, on threads that `thread` describes.
    ///
    /// `thread` is called with each number below `n`. It can give a thread a name, options, and other instances beside.
    ///
    /// # Errors
    /// As [`pool`](ActorEngine::pool).
    ///
    /// # Blocking
    /// As [`spawn`](ActorEngine::spawn).
    ///
    /// ```
    /// # use zctor::{ActorEngine, ActorThread, actor};
    /// # #[actor]
    /// # pub enum JobMessage { Run }
    /// # struct Job;
    /// # impl JobHandler for Job { fn run(&mut self) {} }
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let engine = ActorEngine::new();
    /// engine.pool_on(2, |i| ActorThread::named(format!("job-{i}")), JobMessage::actor(|| Job))?;
    /// assert_eq!(engine.stats().threads[1].name, "job-1");
    /// # Ok(())
    /// # }
    /// ```
    pub fn pool_on<M, S>(
        &self,
        n: usize,
        thread: impl Fn(usize) -> ActorThread,
        actor: impl PoolRegistration<M, S>,
    ) -> Result<M::Client, SpawnError>
    where
        M: Dispatch<S, Port: Send> + Send,
        S: 'static,
    {
        spawn::pool_on(&self.core, n, thread, &actor.__actor())
    }

    /// Starts one instance on a thread of its own, and returns a client bound to it.
    ///
    /// The instance is in no pool: messages sent in turn or by key, broadcasts and the registry do not know it. It ends
    /// by `ctx.stop()`, by [`Client::stop`](crate::Client::stop) or with the engine. Its thread ends with it.
    ///
    /// # Errors
    /// As [`spawn`](ActorEngine::spawn).
    ///
    /// # Blocking
    /// As [`spawn`](ActorEngine::spawn).
    ///
    /// ```
    /// # use zctor::{ActorEngine, actor};
    /// # #[actor]
    /// # pub enum JobMessage { #[reply(u8)] Run }
    /// # struct Job;
    /// # impl JobHandler for Job { fn run(&mut self) -> u8 { 1 } }
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let engine = ActorEngine::new();
    /// let job: JobClient = engine.start(JobMessage::actor(|| Job))?;
    /// assert_eq!(job.run()?, 1);
    /// assert!(engine.client::<JobMessage>().is_err());
    /// # Ok(())
    /// # }
    /// ```
    pub fn start<A: Registration>(&self, actor: A) -> Result<<A::Message as Message>::Client, SpawnError> {
        self.start_on(ActorThread::new(), actor)
    }

    /// Starts one instance in no pool, as [`start`](ActorEngine::start) does, on a thread that you describe: named,
    /// with a bound, or with other instances that are registered on it.
    ///
    /// # Errors
    /// As [`spawn`](ActorEngine::spawn).
    ///
    /// # Blocking
    /// As [`spawn`](ActorEngine::spawn).
    ///
    /// ```
    /// # use zctor::{ActorEngine, ActorThread, actor};
    /// # #[actor]
    /// # pub enum JobMessage { #[reply(u8)] Run }
    /// # struct Job;
    /// # impl JobHandler for Job { fn run(&mut self) -> u8 { 1 } }
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let engine = ActorEngine::new();
    /// let job: JobClient = engine.start_on(ActorThread::named("job").mailbox_bound(8), JobMessage::actor(|| Job))?;
    /// assert_eq!(job.run()?, 1);
    /// assert_eq!(engine.stats().threads[0].name, "job");
    /// # Ok(())
    /// # }
    /// ```
    pub fn start_on<A: Registration>(
        &self,
        thread: ActorThread,
        actor: A,
    ) -> Result<<A::Message as Message>::Client, SpawnError> {
        spawn::start_on(&self.core, thread, actor).map(Into::into)
    }

    /// Puts a new instance into the place that another has, or had, in the pool of its type; gives a client bound to
    /// the new one.
    ///
    /// Keys belong to the places of a pool. So the new instance gets exactly the keys of the one before, and no other
    /// key moves; nor does anybody's turn. (A [`spawn`](ActorEngine::spawn) makes a new place, to which about 1/n of
    /// all keys move.) It runs on a thread of its own.
    ///
    /// If the instance before is alive, it is stopped: from now on the new one gets the messages for the place, and
    /// begins when the one before has handled what it had got and has ended. A pinned message or one by key that comes
    /// too late for it is a dead letter. The factory runs before that end, and if it fails, all is as it was; what the
    /// new instance needs from the end of the one before, it reads in `on_start`.
    ///
    /// A pool remembers the last places whose instances have ended: a thousand, or as many as it has instances.
    ///
    /// # Errors
    /// - [`SpawnError::NoPlace`]: the pool knows no place of `instance`; or another has replaced it, or is doing so.
    /// - As [`spawn`](ActorEngine::spawn).
    ///
    /// # Blocking
    /// As [`spawn`](ActorEngine::spawn). It does not wait for the end of the instance before.
    ///
    /// ```
    /// use std::collections::HashMap;
    /// use zctor::{ActorEngine, Restart, actor};
    ///
    /// #[actor]
    /// pub enum AccountMessage {
    ///     #[reply(u64)]
    ///     Deposit(#[key] u64, u64),
    /// }
    /// #[derive(Default)]
    /// struct Accounts(HashMap<u64, u64>);
    /// impl AccountHandler for Accounts {
    ///     fn deposit(&mut self, account: u64, amount: u64) -> u64 {
    ///         assert_ne!(amount, 0, "nothing to deposit");
    ///         let balance = self.0.entry(account).or_default();
    ///         *balance += amount;
    ///         *balance
    ///     }
    /// }
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # std::panic::set_hook(Box::new(|_| {}));
    /// let engine = ActorEngine::new();
    /// let actor = || AccountMessage::actor(Accounts::default).restart(Restart::never());
    /// let accounts = engine.pool(3, actor())?;
    /// let members = accounts.instances();
    /// for account in 0..100 {
    ///     accounts.deposit(account, 1)?;
    /// }
    /// assert!(accounts.deposit(7, 0).is_err()); // ends the instance that has account 7
    /// let ended = *members.iter().find(|id| !accounts.instances().contains(id)).expect("one has ended");
    ///
    /// let new = engine.replace(ended, actor())?;
    /// assert_eq!(accounts.deposit(7, 1)?, 1); // by the new one, whose state is fresh
    /// let kept = (0..100).filter(|account| accounts.deposit(*account, 1) == Ok(2)).count();
    /// assert!(kept > 34, "the accounts of the other two are where they were");
    /// assert_eq!(accounts.instances().len(), 3);
    /// assert!(accounts.instances().contains(&new.instance_id().expect("it is bound")));
    /// # Ok(())
    /// # }
    /// ```
    pub fn replace<A: Registration>(
        &self,
        instance: InstanceId,
        actor: A,
    ) -> Result<<A::Message as Message>::Client, SpawnError> {
        self.replace_on(instance, ActorThread::new(), actor)
    }

    /// Replaces an instance, as [`replace`](ActorEngine::replace) does, by one on a thread that you describe.
    ///
    /// # Errors
    /// As [`replace`](ActorEngine::replace).
    ///
    /// # Blocking
    /// As [`replace`](ActorEngine::replace).
    ///
    /// ```
    /// # use zctor::{ActorEngine, ActorThread, actor};
    /// # #[actor]
    /// # pub enum JobMessage { Run }
    /// # struct Job;
    /// # impl JobHandler for Job { fn run(&mut self) {} }
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let engine = ActorEngine::new();
    /// let jobs: JobClient = engine.pool(2, JobMessage::actor(|| Job))?;
    /// let first = jobs.instances()[0];
    /// let new = engine.replace_on(first, ActorThread::named("job").mailbox_bound(8), JobMessage::actor(|| Job))?;
    /// assert_eq!(jobs.instances()[0], new.instance_id().expect("it is bound")); // in the same place
    /// # Ok(())
    /// # }
    /// ```
    pub fn replace_on<A: Registration>(
        &self,
        instance: InstanceId,
        thread: ActorThread,
        actor: A,
    ) -> Result<<A::Message as Message>::Client, SpawnError> {
        replace::replace_on(&self.core, instance, thread, actor).map(Into::into)
    }

    /// Returns a client of all instances of a type.
    ///
    /// # Errors
    /// - [`CallError::NotRegistered`]: the type has no live instance.
    /// - [`CallError::Stopped`]: the type has no live instance any more, because the engine stops or has stopped.
    pub fn client<M: Message>(&self) -> Result<M::Client, CallError> {
        targets::client_of::<M>(&self.core).map(Into::into)
    }

    /// Sends a message to the next instance of its type, in turn; or, if it has a `#[key]`, to the instance of its key.
    ///
    /// # Errors
    /// As [`Client::send`](crate::Client::send).
    ///
    /// # Blocking
    /// As [`Client::send`](crate::Client::send).
    pub fn send<M: Message>(&self, message: M) -> Result<(), SendError<M>> {
        targets::send(&self.core, &mut Some(message))
    }

    /// Sends a request to the instance that [`send`](ActorEngine::send) would choose, and waits for the reply.
    ///
    /// # Errors
    /// As [`Client::call`](crate::Client::call).
    ///
    /// # Blocking
    /// As [`Client::call`](crate::Client::call).
    #[cfg_attr(feature = "tokio", track_caller)]
    pub fn call<Q: IntoRequest>(&self, request: Q) -> Result<Q::Reply, CallError> {
        assert_may_block();
        targets::target(&self.core, |target| call(target, request))
    }

    /// Sends a copy to every instance of the type, and returns the number of instances reached.
    ///
    /// # Errors
    /// As [`Client::broadcast`](crate::Client::broadcast).
    ///
    /// # Blocking
    /// Never.
    pub fn broadcast<M: Message + Clone>(&self, message: M) -> Result<usize, SendError<M>> {
        targets::target(&self.core, |target| messaging::broadcast(&target, message))
    }

    /// Sends every instance of the type the message that `make` returns for it, and returns the number of instances
    /// reached.
    ///
    /// # Errors
    /// As [`Client::broadcast_with`](crate::Client::broadcast_with).
    ///
    /// # Blocking
    /// Never.
    pub fn broadcast_with<M: Message>(&self, make: impl FnMut(InstanceId) -> M) -> Result<usize, CallError> {
        targets::target(&self.core, |target| messaging::broadcast_with(&target, make))
    }

    /// Sends a request to every instance of the type, then waits for all replies, which come in registry order.
    ///
    /// # Errors
    /// As [`Client::call_all`](crate::Client::call_all).
    ///
    /// # Blocking
    /// As [`Client::call_all`](crate::Client::call_all).
    #[cfg_attr(feature = "tokio", track_caller)]
    pub fn call_all<Q>(&self, request: Q) -> Result<Replies<Q::Reply>, CallError>
    where
        Q: IntoRequest,
        Q::Message: Clone,
    {
        assert_may_block();
        let request = request.__into();
        targets::target(&self.core, |target| call_all_with(&target, |_| request.clone()))
    }

    /// Calls every instance as [`call_all`](ActorEngine::call_all) does, with the request that `make` returns for it.
    ///
    /// # Errors
    /// As [`Client::call_all`](crate::Client::call_all).
    ///
    /// # Blocking
    /// As [`Client::call_all`](crate::Client::call_all).
    #[cfg_attr(feature = "tokio", track_caller)]
    pub fn call_all_with<Q: IntoRequest>(
        &self,
        mut make: impl FnMut(InstanceId) -> Q,
    ) -> Result<Replies<Q::Reply>, CallError> {
        assert_may_block();
        targets::target(&self.core, |target| call_all_with(&target, |id| make(id).__into()))
    }

    /// Returns which types are handled by which instances just now.
    pub fn registry(&self) -> Registry {
        Registry::new(self.core.pools.entries())
    }

    /// Returns what the threads are doing just now.
    pub fn stats(&self) -> Stats {
        stats::stats(&self.core)
    }

    /// Returns what each instance has done, and how much waits for it, in the order of their ids.
    ///
    /// It stops no thread: the thread that asks reads the counts. A list of 100,000 instances is made in some
    /// milliseconds.
    ///
    /// An example is at [`InstanceStats`].
    pub fn instances(&self) -> Vec<InstanceStats> {
        stats::instances(&self.core)
    }

    /// Has handlers measured, by variant, until the observer is dropped.
    ///
    /// Handlers of messages are measured: of sends, calls, timers and pipes. A handler's time is from its beginning to its
    /// end, whether it returns or panics; what it waits for counts, and so does what its thread serves meanwhile. A handler
    /// that began before the first observer came is not measured. While somebody observes, a message costs two looks at
    /// the clock more, or one in a batch.
    ///
    /// The numbers are kept by variant for as long as the engine lives, in some 250 bytes each.
    ///
    /// Examples are at [`Observer`] and [`HandlingTimes`](crate::HandlingTimes).
    #[cfg(feature = "observe")]
    #[cfg_attr(docsrs, doc(cfg(feature = "observe")))]
    pub fn observe(&self) -> Observer {
        Observer::new(Some(Arc::clone(&self.core.engine)))
    }

    /// Returns the number of actor threads that run.
    pub fn thread_count(&self) -> usize {
        self.core.thread_count()
    }

    /// Calls `hook` for every dead letter from now on: an accepted message that no handler will get.
    ///
    /// An engine has one such hook: a later one replaces it. The hook runs on the thread that finds the dead letter,
    /// so it may run on several threads at once. It may send, but not wait. If a message that it sends becomes a dead
    /// letter itself, that one is counted, but no hook is called for it. The hook is dropped when the engine has
    /// stopped, so it may hold clients of the same engine.
    ///
    /// Without a hook, at most one dead letter a second is a line on standard error, and none that is a call which its
    /// caller has given up. The hook `|_| {}` silences the lines. With the feature `tracing`, each dead letter is an
    /// event, with a hook or without, and there are no lines.
    ///
    /// An example is at [`DeadLetter`].
    pub fn on_dead_letter(&self, hook: impl Fn(&DeadLetter) + Send + Sync + 'static) {
        self.core.engine.incidents.on_dead_letter(Box::new(hook));
    }

    /// Calls `hook` for the end of every instance from now on.
    ///
    /// An engine has one such hook: a later one replaces it. The hook runs on the thread of the ended instance; for an
    /// instance that was abandoned, on the thread that drives the shutdown. It may send, but not wait. It is dropped
    /// when the engine has stopped. [`Context::watch`](crate::Context::watch) tells an actor of the end of one
    /// instance.
    ///
    /// An example is at [`Ended`].
    pub fn on_end(&self, hook: impl Fn(&Ended) + Send + Sync + 'static) {
        self.core.engine.incidents.on_end(Box::new(hook));
    }

    /// Calls `hook` for every panic in the code of an instance from now on, of a message that was sent as of one that
    /// was called. To tell an actor of the panics of one instance, see
    /// [`Context::watch_panics`](crate::Context::watch_panics).
    ///
    /// An engine has one such hook: a later one replaces it. The hook runs on the thread of the instance, before the
    /// caller of the message gets its error. It may send, but not wait. If it sends to an instance that panics on the
    /// message, it is told of that too. The hook is dropped when the engine has stopped, so it may hold clients of the
    /// same engine.
    ///
    /// Without a hook, at most one panic a second is a line on standard error. With the feature `tracing`, each panic
    /// is an event, with a hook or without, and there are no lines.
    ///
    /// An example is at [`PanicEvent`].
    pub fn on_panic(&self, hook: impl Fn(&PanicEvent) + Send + Sync + 'static) {
        self.core.engine.incidents.on_panic(Box::new(hook));
    }

    /// Calls `hook` from now on each time that the state of an instance was built again: after a panic, when its backoff
    /// is over, and after a reset. [`on_panic`](ActorEngine::on_panic) tells of the panic itself, before the rebuild.
    ///
    /// An engine has one such hook: a later one replaces it. The hook runs on the thread of the instance, before the
    /// `on_start` of the new state. It may send, but not wait. The hook is dropped when the engine has stopped, so it
    /// may hold clients of the same engine.
    ///
    /// An example is at [`Restarted`].
    pub fn on_restart(&self, hook: impl Fn(&Restarted) + Send + Sync + 'static) {
        self.core.engine.incidents.on_restart(Box::new(hook));
    }

    /// Returns the handlers that have run for longer than `limit`, in the order of their threads. Empty: the engine is
    /// healthy.
    ///
    /// A handler that waits for a reply is none of them. The times are those of [`RunningInstance`]: looks at the
    /// statistics make them exact, so call it regularly. An actor that is slow by right has a limit of its own
    /// ([`Actor::slow`](crate::Actor::slow)). From the first call on, each handler notes its variant when it begins, which
    /// costs some 110 instructions a message.
    ///
    /// [`RunningInstance`]: crate::RunningInstance
    ///
    /// ```
    /// use std::time::Duration;
    /// use zctor::ActorEngine;
    ///
    /// let engine = ActorEngine::new();
    /// assert!(engine.slow(Duration::from_secs(1)).is_empty());
    /// ```
    pub fn slow(&self, limit: Duration) -> Vec<Slow> {
        slow::slow(&self.core, limit)
    }

    /// Calls `hook` from now on for each handler that runs for longer than `limit`: once, and again when it has run for
    /// ten times as long, and so on.
    ///
    /// A handler that waits for a reply is not told, but the one that it waits for. An actor that is slow by right has a
    /// limit of its own ([`Actor::slow`](crate::Actor::slow)). The hook comes between `limit` and one and a half times that;
    /// it may miss a handler that runs for less. With the feature `tracing`, each is an event too. From now on, each
    /// handler notes its variant when it begins, which costs some 110 instructions a message.
    ///
    /// An engine has one such hook: a later one replaces it with its limit, and is told of what the one before was
    /// told of, if that still runs. The hook runs on a thread of its own, which looks four times within the shortest
    /// limit that holds for any instance, and at least once a second; while all threads are at rest it looks once a
    /// second. It may send, but not wait. It is dropped when the engine has stopped, so it may hold clients of the
    /// same engine. In a simulation it is never called.
    ///
    /// # Errors
    /// - [`SpawnError::Stopped`]: the engine has stopped.
    /// - [`SpawnError::Thread`]: the operating system started no thread to look.
    ///
    /// An example is at [`Slow`].
    pub fn on_slow(&self, limit: Duration, hook: impl Fn(&Slow) + Send + Sync + 'static) -> Result<(), SpawnError> {
        slow::on_slow(&self.core, limit, Box::new(hook))
    }

    /// Waits until the inside is quiet: until no message is queued and no handler runs, on any thread.
    ///
    /// A timer that has not fired yet does not count. So tests need no sleeps. The calling thread of
    /// [`here`](ActorEngine::here) serves its instances meanwhile.
    ///
    /// # Panics
    /// If an actor thread calls it: the inside is not quiet while that thread waits.
    ///
    /// # Blocking
    /// Waits until the inside is quiet; that may be long while other code keeps sending.
    #[track_caller]
    pub fn settle(&self) {
        assert_may_block();
        assert!(!is_inside(), "`settle` on an actor thread would wait for itself");
        settle::settle(&self.core);
    }

    /// Waits until the engine has stopped: by [`EngineHandle::stop`], or by a shutdown on another thread.
    ///
    /// # Panics
    /// If an actor thread calls it, or a thread that has a [`Here`]: the stop waits for the end of that thread.
    ///
    /// # Blocking
    /// Waits until the engine has stopped.
    ///
    /// ```
    /// # use zctor::{ActorEngine, Context, actor};
    /// # #[actor(ctx)]
    /// # pub enum QuitMessage { Quit }
    /// # struct Quit;
    /// # impl QuitHandler for Quit { fn quit(&mut self, ctx: &mut Context<QuitMessage>) { ctx.engine().stop() } }
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let engine = ActorEngine::new();
    /// engine.pool(1, QuitMessage::actor(|| Quit))?.quit()?; // its handler calls `ctx.engine().stop()`
    /// engine.wait();
    /// assert_eq!(engine.thread_count(), 0);
    /// # Ok(())
    /// # }
    /// ```
    #[track_caller]
    pub fn wait(&self) {
        assert_may_block();
        assert!(
            local().is_none() && !is_inside() && !is_engines_own(),
            "`wait` on an actor thread would wait for itself; `run` what `here` gave"
        );
        // The report is for callers of `shutdown`.
        let _ = shutdown::wait_stopped(&self.core);
    }

    /// As [`wait`](ActorEngine::wait), as a future: ready when somebody has stopped the engine.
    ///
    /// It does not stop the engine itself. A handler that blocks on it waits for ever, since the engine's end waits for
    /// the handler.
    ///
    /// # Blocking
    /// Never.
    ///
    /// ```
    /// # use zctor::ActorEngine;
    /// # fn block_on<F: std::future::Future>(future: F) -> F::Output {
    /// #     struct Unpark(std::thread::Thread);
    /// #     impl std::task::Wake for Unpark { fn wake(self: std::sync::Arc<Self>) { self.0.unpark() } }
    /// #     let waker = std::sync::Arc::new(Unpark(std::thread::current())).into();
    /// #     let (mut future, mut cx) = (std::pin::pin!(future), std::task::Context::from_waker(&waker));
    /// #     loop { match future.as_mut().poll(&mut cx) { std::task::Poll::Ready(out) => return out, _ => std::thread::park() } }
    /// # }
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let engine = ActorEngine::new();
    /// engine.handle().stop(); // by a handler, or on a signal
    /// block_on(engine.stopped());
    /// assert_eq!(engine.thread_count(), 0);
    /// # Ok(())
    /// # }
    /// ```
    pub fn stopped(&self) -> Stopped {
        Stopped::new(Some(&self.core))
    }

    /// Stops the engine: the edge closes, the inside runs until it is quiet, then the threads end in reverse order of
    /// their start.
    ///
    /// A second call, and a call at the same time on another thread, return the same report.
    ///
    /// # Errors
    /// - [`ShutdownError::OnActorThread`]: the shutdown has begun, but an actor thread cannot wait for it.
    /// - [`ShutdownError::Abandoned`]: another caller set a deadline, and a handler had not returned by then.
    ///
    /// # Blocking
    /// Waits until all threads have ended; without limit if handlers go on sending to each other.
    #[cfg_attr(feature = "tokio", track_caller)]
    pub fn shutdown(&self) -> Result<Report, ShutdownError> {
        assert_may_block();
        shutdown::shutdown(&self.core, None)
    }

    /// Stops the engine as [`shutdown`](ActorEngine::shutdown) does, but ends when `limit` is up.
    ///
    /// Shortly before that (a quarter of the limit, at most half a second), sends from inside are refused too, and
    /// queued messages become dead letters. If a handler has not returned at the end, its thread is abandoned, and
    /// every caller that waits for that thread is answered [`CallError::Stopped`].
    ///
    /// # Errors
    /// - [`ShutdownError::OnActorThread`]: the shutdown has begun, but an actor thread cannot wait for it.
    /// - [`ShutdownError::Abandoned`]: it names the abandoned threads.
    ///
    /// # Blocking
    /// Waits at most as long as `limit`.
    ///
    /// ```
    /// use std::time::Duration;
    /// use zctor::ActorEngine;
    ///
    /// let engine = ActorEngine::new();
    /// assert!(engine.shutdown_timeout(Duration::from_secs(1)).is_ok());
    /// ```
    #[cfg_attr(feature = "tokio", track_caller)]
    pub fn shutdown_timeout(&self, limit: Duration) -> Result<Report, ShutdownError> {
        assert_may_block();
        shutdown::shutdown(&self.core, Some(limit))
    }

    /// Begins a [`shutdown`](ActorEngine::shutdown) and gives it as a future, for code that must not block, such as a
    /// task on an executor.
    ///
    /// The shutdown has begun when this returns, and goes on whether the future is awaited or not. Once it is ready,
    /// the engine can be dropped without a wait.
    ///
    /// A drop of the engine before the shutdown has ended waits for up to 5 seconds, on the thread that drops it. To give
    /// up after a time, use [`shutdown_timeout_async`](ActorEngine::shutdown_timeout_async), and no timeout around this.
    ///
    /// # Errors
    /// In the future, as [`shutdown`](ActorEngine::shutdown). A handler that polls it gets
    /// [`ShutdownError::OnActorThread`], since the shutdown waits for that handler.
    ///
    /// # Blocking
    /// Never, unless the operating system starts no thread: then the poll itself ends the engine.
    ///
    /// ```
    /// # use zctor::{ActorEngine, actor};
    /// # #[actor]
    /// # pub enum JobMessage { Run }
    /// # struct Job;
    /// # impl JobHandler for Job { fn run(&mut self) {} }
    /// # fn block_on<F: std::future::Future>(future: F) -> F::Output {
    /// #     struct Unpark(std::thread::Thread);
    /// #     impl std::task::Wake for Unpark { fn wake(self: std::sync::Arc<Self>) { self.0.unpark() } }
    /// #     let waker = std::sync::Arc::new(Unpark(std::thread::current())).into();
    /// #     let (mut future, mut cx) = (std::pin::pin!(future), std::task::Context::from_waker(&waker));
    /// #     loop { match future.as_mut().poll(&mut cx) { std::task::Poll::Ready(out) => return out, _ => std::thread::park() } }
    /// # }
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// block_on(async {
    ///     let engine = ActorEngine::new();
    ///     engine.pool(1, JobMessage::actor(|| Job))?.run()?;
    ///     assert_eq!(engine.shutdown_async().await?.handled(), 1);
    ///     Ok(())
    /// })
    /// # }
    /// ```
    pub fn shutdown_async(&self) -> Shutdown {
        shutdown::stop(&self.core, None);
        Shutdown::new(&self.core)
    }

    /// As [`shutdown_async`](ActorEngine::shutdown_async), but ends by the time given, as
    /// [`shutdown_timeout`](ActorEngine::shutdown_timeout) does.
    ///
    /// # Errors
    /// In the future, as [`shutdown_timeout`](ActorEngine::shutdown_timeout).
    ///
    /// # Blocking
    /// As [`shutdown_async`](ActorEngine::shutdown_async).
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use zctor::ActorEngine;
    /// # fn block_on<F: std::future::Future>(future: F) -> F::Output {
    /// #     struct Unpark(std::thread::Thread);
    /// #     impl std::task::Wake for Unpark { fn wake(self: std::sync::Arc<Self>) { self.0.unpark() } }
    /// #     let waker = std::sync::Arc::new(Unpark(std::thread::current())).into();
    /// #     let (mut future, mut cx) = (std::pin::pin!(future), std::task::Context::from_waker(&waker));
    /// #     loop { match future.as_mut().poll(&mut cx) { std::task::Poll::Ready(out) => return out, _ => std::thread::park() } }
    /// # }
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let engine = ActorEngine::new();
    /// assert!(block_on(engine.shutdown_timeout_async(Duration::from_secs(10))).is_ok());
    /// # Ok(())
    /// # }
    /// ```
    pub fn shutdown_timeout_async(&self, limit: Duration) -> Shutdown {
        shutdown::stop(&self.core, Some(limit));
        Shutdown::new(&self.core)
    }
}

/// Implemented for nothing: rustc names it where a program clones an engine, and says what to do instead. Where the
/// clone is a derived one, the name is all that rustc says.
#[diagnostic::on_unimplemented(
    message = "an `ActorEngine` has one owner and cannot be cloned",
    label = "take `engine.handle()`",
    note = "`engine.handle()` gives an `EngineHandle`, which can be cloned and sent"
)]
trait CloneItsHandle {}

#[doc(hidden)]
impl Clone for ActorEngine
where
    for<'never> Self: CloneItsHandle,
{
    fn clone(&self) -> Self {
        unreachable!("an engine has one owner")
    }
}

impl Drop for ActorEngine {
    fn drop(&mut self) {
        shutdown::shutdown_by_drop(&self.core, PATIENCE);
    }
}

impl fmt::Debug for ActorEngine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ActorEngine({}, {} threads)", self.core.name, self.thread_count())
    }
}
