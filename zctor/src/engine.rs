//! The engine as a program sees it: its owner, its builder, and handles to it.

pub(crate) mod actor_thread;
pub(crate) mod core;
pub(crate) mod handle;
pub(crate) mod here;
mod reach;
pub(crate) mod registry;
pub(crate) mod settle;
pub(crate) mod shutdown;
pub(crate) mod spawn;
mod stats;

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
use crate::engine::registry::Registry;
use crate::error::{CallError, SendError, ShutdownError, SpawnError};
use crate::event::{DeadLetter, Ended, PanicEvent};
use crate::id::{InstanceId, ThreadId};
use crate::messaging;
use crate::messaging::broadcast::Replies;
use crate::report::{Report, Stats};
use crate::sys::frame::on_actor_thread;
use crate::thread::local::local;

/// How long dropping an engine waits for its threads.
const PATIENCE: Duration = Duration::from_secs(5);

/// The owner of actor threads, their registry and their routes.
///
/// It is not `Clone`: who shares the engine takes a [`handle`](ActorEngine::handle). Dropping it is
/// [`shutdown_timeout`](ActorEngine::shutdown_timeout) with five seconds, or on an actor thread only the beginning of
/// that.
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

/// Settings of an engine to be.
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
}

impl EngineBuilder {
    /// The first part of the names of its threads; `zctor` without it.
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// A deadline for every call that has none: neither a [`within`](Client::within) of its own, nor what is left of that
    /// of the handler it is made in. Without it such a call waits as long as it takes.
    ///
    /// A [`Pending`](crate::Pending) counts from its making; made in a handler that has a deadline of its own it has none.
    /// Piped requests and
    /// [`without_deadline`](crate::Context::without_deadline) stay without.
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

    /// Makes the engine. It has no threads yet.
    pub fn build(self) -> ActorEngine {
        ActorEngine { core: Core::new(self.name, self.default_deadline) }
    }
}

impl Default for ActorEngine {
    fn default() -> Self {
        Self::new()
    }
}

impl ActorEngine {
    /// An engine without threads.
    pub fn new() -> Self {
        Self::builder().build()
    }

    /// An engine with settings.
    pub fn builder() -> EngineBuilder {
        EngineBuilder { name: "zctor".into(), default_deadline: None }
    }

    /// Makes the calling thread an actor thread, for states that only this thread may touch. [`Here`] starts instances
    /// and serves them.
    ///
    /// # Errors
    /// - [`SpawnError::OnActorThread`]: it is one already, of this engine or another.
    /// - [`SpawnError::Stopped`]: the engine stops.
    pub fn here(&self) -> Result<Here, SpawnError> {
        spawn::here(&self.core)
    }

    /// The one engine of the process, made on first use: for programs, not for libraries and tests.
    ///
    /// It is never dropped, so `main` should end with its [`shutdown`](ActorEngine::shutdown).
    ///
    /// ```
    /// use zctor::ActorEngine;
    ///
    /// assert!(std::ptr::eq(ActorEngine::global(), ActorEngine::global()));
    /// ```
    pub fn global() -> &'static Self {
        static GLOBAL: Lazy<ActorEngine> = Lazy::new(ActorEngine::new);
        &GLOBAL
    }

    /// A handle to share: all that sends and starts, nothing that waits for the engine itself.
    pub fn handle(&self) -> EngineHandle {
        EngineHandle::new(&self.core)
    }

    /// Starts a thread; returns its number when all its instances are built and registered.
    ///
    /// `on_start` runs after that, as each instance's first message.
    ///
    /// # Errors
    /// - [`SpawnError::Empty`]: no actor is registered on the thread.
    /// - [`SpawnError::Factory`], [`SpawnError::FactoryPanicked`]: a factory failed; nothing is registered.
    /// - [`SpawnError::Thread`]: the operating system refused.
    /// - [`SpawnError::Stopped`]: the engine stops.
    ///
    /// # Blocking
    /// Until the factories are through. Inside a handler, lower call depths of its thread are served meanwhile.
    pub fn spawn(&self, thread: ActorThread) -> Result<ThreadId, SpawnError> {
        spawn::spawn(&self.core, thread)
    }

    /// Starts `n` threads with one instance each, registered all at once or not at all; gives a client of the pool.
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

    /// As [`pool`](ActorEngine::pool), on threads of your making: named, or with other instances beside.
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

    /// Starts one instance on a thread of its own, in no pool; gives a client bound to it.
    ///
    /// Rotation, keys, broadcasts and the registry do not know it. It ends by `ctx.stop()`, by
    /// [`Client::stop`](crate::Client::stop) or with the engine, and its thread with it.
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
        spawn::start_one(&self.core, actor).map(Into::into)
    }

    /// A client of all instances of a type.
    ///
    /// # Errors
    /// - [`CallError::NotRegistered`]: there is none.
    /// - [`CallError::Stopped`]: the engine has stopped.
    pub fn client<M: Message>(&self) -> Result<M::Client, CallError> {
        reach::client_of::<M>(&self.core).map(Into::into)
    }

    /// Sends a message to the next instance of its type, in turn.
    ///
    /// # Errors
    /// As [`Client::send`](crate::Client::send).
    ///
    /// # Blocking
    /// As [`Client::send`](crate::Client::send).
    pub fn send<M: Message>(&self, message: M) -> Result<(), SendError<M>> {
        reach::target(&self.core, |target| messaging::send(&target, &mut Some(message)))
    }

    /// Sends a request to the next instance of its type, in turn, and waits for the reply.
    ///
    /// # Errors
    /// As [`Client::call`](crate::Client::call).
    ///
    /// # Blocking
    /// As [`Client::call`](crate::Client::call).
    pub fn call<Q: IntoRequest>(&self, request: Q) -> Result<Q::Reply, CallError> {
        reach::target(&self.core, |target| call(&target, request))
    }

    /// Sends a copy to every instance of the type; gives the number reached.
    ///
    /// # Errors
    /// As [`send`](ActorEngine::send).
    ///
    /// # Blocking
    /// Never.
    pub fn broadcast<M: Message + Clone>(&self, message: M) -> Result<usize, SendError<M>> {
        reach::target(&self.core, |target| messaging::broadcast(&target, message))
    }

    /// Sends every instance of the type the message that `make` gives for it; gives the number reached.
    ///
    /// # Errors
    /// As [`Client::broadcast_with`](crate::Client::broadcast_with).
    ///
    /// # Blocking
    /// Never.
    pub fn broadcast_with<M: Message>(&self, make: impl FnMut(InstanceId) -> M) -> Result<usize, CallError> {
        reach::target(&self.core, |target| messaging::broadcast_with(&target, make))
    }

    /// Asks every instance of the type, then waits for all replies, which come in registry order.
    ///
    /// # Errors
    /// As [`Client::call_all`](crate::Client::call_all).
    ///
    /// # Blocking
    /// As [`Client::call_all`](crate::Client::call_all).
    pub fn call_all<Q>(&self, request: Q) -> Result<Replies<Q::Reply>, CallError>
    where
        Q: IntoRequest,
        Q::Message: Clone,
    {
        let request = request.__into();
        reach::target(&self.core, |target| call_all_with(&target, |_| request.clone()))
    }

    /// As [`call_all`](ActorEngine::call_all), with the request that `make` gives for each instance.
    ///
    /// # Errors
    /// As [`Client::call_all`](crate::Client::call_all).
    ///
    /// # Blocking
    /// As [`Client::call_all`](crate::Client::call_all).
    pub fn call_all_with<Q: IntoRequest>(
        &self,
        mut make: impl FnMut(InstanceId) -> Q,
    ) -> Result<Replies<Q::Reply>, CallError> {
        reach::target(&self.core, |target| call_all_with(&target, |id| make(id).__into()))
    }

    /// Which types are handled by which instances, now.
    pub fn registry(&self) -> Registry {
        Registry::new(self.core.pools.entries())
    }

    /// What the threads are doing, now.
    pub fn stats(&self) -> Stats {
        stats::stats(&self.core)
    }

    /// The number of actor threads that run.
    pub fn thread_count(&self) -> usize {
        self.core.thread_count()
    }

    /// Tells `hook` of every accepted message that nobody will handle, from now on. The last hook given counts.
    ///
    /// It runs on whichever thread finds that out, several at once perhaps. It may send, not wait. What it loses in turn
    /// is counted, and told to nobody. Without a hook one dead letter a second is a line on standard error, but for calls
    /// that were given up; `|_| {}` silences that. With the feature `tracing` each is an event, hook or not, and there are no
    /// lines. It is dropped when the engine has stopped, so it may hold clients of the same engine.
    ///
    /// An example is at [`DeadLetter`].
    pub fn on_dead_letter(&self, hook: impl Fn(&DeadLetter) + Send + Sync + 'static) {
        self.core.edge.losses.on_dead_letter(Box::new(hook));
    }

    /// Tells `hook` of the end of every instance, from now on: as [`Context::watch`](crate::Context::watch) tells an
    /// actor of one. The last hook given counts.
    ///
    /// It runs on the ended instance's thread, for one that was abandoned on that of the shutdown. It may send, not wait.
    /// It is dropped when the engine has stopped.
    ///
    /// An example is at [`Ended`].
    pub fn on_end(&self, hook: impl Fn(&Ended) + Send + Sync + 'static) {
        self.core.edge.losses.on_end(Box::new(hook));
    }

    /// Tells `hook` of every panic in the code of an instance, from now on: as
    /// [`Context::watch_panics`](crate::Context::watch_panics) tells an actor of those of one. The last hook given counts.
    ///
    /// It runs on the instance's thread, before the caller of the message, if there is one, gets its error. It may send, not
    /// wait. A hook that sends to an instance that panics on it is told of that too. Without a hook one panic a second is a
    /// line on standard error; with the feature `tracing` each is an event, hook or not. It is dropped when the engine has
    /// stopped.
    ///
    /// An example is at [`PanicEvent`].
    pub fn on_panic(&self, hook: impl Fn(&PanicEvent) + Send + Sync + 'static) {
        self.core.edge.losses.on_panic(Box::new(hook));
    }

    /// Returns when the inside is quiet: nothing queued, nothing being handled, on any thread. Timers that are still
    /// to fire do not count. With this, tests need no sleeps. On the calling thread of [`here`](ActorEngine::here) its
    /// instances are served meanwhile.
    ///
    /// # Panics
    /// On an actor thread, which is not quiet while it waits.
    ///
    /// # Blocking
    /// Until the inside is quiet; while others keep sending, that may be long.
    #[track_caller]
    pub fn settle(&self) {
        assert!(!on_actor_thread(), "`settle` on an actor thread would wait for itself");
        settle::settle(&self.core);
    }

    /// Waits until somebody has stopped the engine: [`EngineHandle::stop`], or a shutdown on another thread.
    ///
    /// # Panics
    /// On an actor thread, for whose end the stop waits.
    ///
    /// # Blocking
    /// Until the engine has stopped.
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
        assert!(local().is_none(), "`wait` on an actor thread would wait for itself; `run` what `here` gave");
        // What became of it is for who calls `shutdown`.
        let _ = shutdown::wait_stopped(&self.core);
    }

    /// Stops the engine: the edge closes, the inside runs until it is quiet, then the threads end in reverse order.
    ///
    /// Again, or at the same time on another thread, it gives the same report.
    ///
    /// # Errors
    /// - [`ShutdownError::OnActorThread`]: it has begun, but an actor thread cannot wait for it.
    /// - [`ShutdownError::Abandoned`]: another caller set a deadline, and a handler outlasted it.
    ///
    /// # Blocking
    /// Until all threads have ended: without limit if handlers go on sending.
    pub fn shutdown(&self) -> Result<Report, ShutdownError> {
        shutdown::shutdown(&self.core, None)
    }

    /// As [`shutdown`](ActorEngine::shutdown), but ends by the time given.
    ///
    /// A quarter of the limit before that, at most half a second, the inside is refused too, and what is queued becomes
    /// dead letters. A thread still in a handler at the end is left to itself, and who waits for it is answered
    /// [`CallError::Stopped`].
    ///
    /// # Errors
    /// - [`ShutdownError::OnActorThread`]: it has begun, but an actor thread cannot wait for it.
    /// - [`ShutdownError::Abandoned`]: it names the threads left to themselves.
    ///
    /// # Blocking
    /// At most so long.
    ///
    /// ```
    /// use std::time::Duration;
    /// use zctor::ActorEngine;
    ///
    /// let engine = ActorEngine::new();
    /// assert!(engine.shutdown_timeout(Duration::from_secs(1)).is_ok());
    /// ```
    pub fn shutdown_timeout(&self, limit: Duration) -> Result<Report, ShutdownError> {
        shutdown::shutdown(&self.core, Some(limit))
    }
}

impl Drop for ActorEngine {
    fn drop(&mut self) {
        // Its outcome is for those who ask for it by `shutdown`.
        let _ = shutdown::shutdown(&self.core, Some(PATIENCE));
    }
}

impl fmt::Debug for ActorEngine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ActorEngine({}, {} threads)", self.core.name, self.thread_count())
    }
}
