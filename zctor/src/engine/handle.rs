//! `EngineHandle`, a handle that keeps nothing alive; and `Context::engine`, which gives one.

use std::fmt;
use std::sync::{Arc, Weak};
use std::time::Duration;

use crate::actor::context::Context;
use crate::actor::dispatch::Dispatch;
use crate::actor::{PoolRegistration, Registration};
use crate::client::message::{IntoRequest, Message};
use crate::client::{Client, call_all_with};
use crate::engine::actor_thread::ActorThread;
use crate::engine::core::Core;
#[cfg(feature = "observe")]
use crate::engine::observer::Observer;
use crate::engine::registry::Registry;
use crate::engine::stopped::Stopped;
use crate::engine::{replace, shutdown, slow, spawn, stats, targets};
use crate::error::{CallError, Refusal, SendError, SpawnError};
use crate::id::{InstanceId, ThreadId};
use crate::messaging;
use crate::messaging::broadcast::Replies;
use crate::messaging::target::Target;
use crate::report::Stats;
use crate::report::instances::InstanceStats;
use crate::report::slow::Slow;
use crate::route::known_pool::with_known_pool;
use crate::route::payload::{Kind, ToPort};
use crate::sys::runtime::assert_may_block;
use crate::trace::CAN_BE_WATCHED;

/// A handle to an engine: `Clone`, `Send` and `Sync`.
///
/// It keeps nothing alive. When the engine is gone, its operations are refused as stopped.
///
/// ```
/// use zctor::{ActorEngine, CallError, actor};
///
/// #[actor]
/// pub enum JobMessage {
///     #[reply(u8)]
///     Run,
/// }
/// struct Job;
/// impl JobHandler for Job {
///     fn run(&mut self) -> u8 {
///         1
///     }
/// }
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let engine = ActorEngine::new();
/// let handle = engine.handle();
/// handle.pool(1, JobMessage::actor(|| Job))?;
/// assert_eq!(handle.call(JobMessage::run())?, 1);
/// drop(engine);
/// assert_eq!(handle.call(JobMessage::run()), Err(CallError::Stopped { message: "JobMessage" }));
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct EngineHandle {
    core: Weak<Core>,
}

impl EngineHandle {
    pub(crate) fn new(core: &Arc<Core>) -> Self {
        Self { core: Arc::downgrade(core) }
    }

    fn with<R>(&self, gone: R, f: impl FnOnce(&Arc<Core>) -> R) -> R {
        match self.core.upgrade() {
            Some(core) => f(&core),
            None => gone,
        }
    }

    /// Starts a thread, as [`ActorEngine::spawn`](crate::ActorEngine::spawn) does.
    ///
    /// # Errors
    /// As [`ActorEngine::spawn`](crate::ActorEngine::spawn).
    pub fn spawn(&self, thread: ActorThread) -> Result<ThreadId, SpawnError> {
        self.with(Err(SpawnError::Stopped), |core| spawn::spawn(core, thread))
    }

    /// Starts a pool, as [`ActorEngine::pool`](crate::ActorEngine::pool) does.
    ///
    /// # Errors
    /// As [`ActorEngine::pool`](crate::ActorEngine::pool).
    pub fn pool<M, S>(&self, n: usize, actor: impl PoolRegistration<M, S>) -> Result<M::Client, SpawnError>
    where
        M: Dispatch<S, Port: Send> + Send,
        S: 'static,
    {
        self.pool_on(n, |_| ActorThread::new(), actor)
    }

    /// Starts a pool on described threads, as [`ActorEngine::pool_on`](crate::ActorEngine::pool_on) does.
    ///
    /// # Errors
    /// As [`ActorEngine::pool_on`](crate::ActorEngine::pool_on).
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
        self.with(Err(SpawnError::Stopped), |core| spawn::pool_on(core, n, thread, &actor.__actor()))
    }

    /// Starts one instance, as [`ActorEngine::start`](crate::ActorEngine::start) does.
    ///
    /// # Errors
    /// As [`ActorEngine::start`](crate::ActorEngine::start).
    pub fn start<A: Registration>(&self, actor: A) -> Result<<A::Message as Message>::Client, SpawnError> {
        self.start_on(ActorThread::new(), actor)
    }

    /// Starts one instance in no pool on a described thread, as [`ActorEngine::start_on`](crate::ActorEngine::start_on)
    /// does.
    ///
    /// # Errors
    /// As [`ActorEngine::start_on`](crate::ActorEngine::start_on).
    pub fn start_on<A: Registration>(
        &self,
        thread: ActorThread,
        actor: A,
    ) -> Result<<A::Message as Message>::Client, SpawnError> {
        self.with(Err(SpawnError::Stopped), |core| spawn::start_on(core, thread, actor).map(Into::into))
    }

    /// Puts a new instance into the place of another, as [`ActorEngine::replace`](crate::ActorEngine::replace) does.
    ///
    /// # Errors
    /// As [`ActorEngine::replace`](crate::ActorEngine::replace).
    pub fn replace<A: Registration>(
        &self,
        instance: InstanceId,
        actor: A,
    ) -> Result<<A::Message as Message>::Client, SpawnError> {
        self.replace_on(instance, ActorThread::new(), actor)
    }

    /// Replaces an instance by one on a described thread, as
    /// [`ActorEngine::replace_on`](crate::ActorEngine::replace_on) does.
    ///
    /// # Errors
    /// As [`ActorEngine::replace_on`](crate::ActorEngine::replace_on).
    pub fn replace_on<A: Registration>(
        &self,
        instance: InstanceId,
        thread: ActorThread,
        actor: A,
    ) -> Result<<A::Message as Message>::Client, SpawnError> {
        self.with(Err(SpawnError::Stopped), |core| replace::replace_on(core, instance, thread, actor).map(Into::into))
    }

    pub(crate) fn client_of<M: Message>(&self) -> Result<Client<M>, CallError> {
        self.with(Err(CallError::Stopped { message: M::name() }), |core| targets::client_of::<M>(core))
    }

    /// Returns a client of all instances of a type, as [`ActorEngine::client`](crate::ActorEngine::client) does.
    ///
    /// # Errors
    /// As [`ActorEngine::client`](crate::ActorEngine::client).
    pub fn client<M: Message>(&self) -> Result<M::Client, CallError> {
        self.client_of::<M>().map(Into::into)
    }

    /// Sends a message, as [`ActorEngine::send`](crate::ActorEngine::send) does.
    ///
    /// # Errors
    /// As [`ActorEngine::send`](crate::ActorEngine::send).
    #[inline]
    pub fn send<M: Message>(&self, message: M) -> Result<(), SendError<M>> {
        self.send_from(&mut Some(message))
    }

    // A function of its own, which is given the place of the message (see `route/contents.rs`); the same for
    // `call_from`.
    #[inline(never)]
    fn send_from<M: Message>(&self, place: &mut Option<M>) -> Result<(), SendError<M>> {
        match targets::own_thread(&self.core) {
            Some(local) => Target::with(&local, |target| messaging::send::<CAN_BE_WATCHED, M>(target, place)),
            None => self.send_from_outside(place),
        }
    }

    #[inline(never)]
    fn send_from_outside<M: Message>(&self, place: &mut Option<M>) -> Result<(), SendError<M>> {
        match self.core.upgrade() {
            Some(core) => targets::send(&core, place),
            None => place.take().map_or(Ok(()), |message| Err(SendError::new(M::name(), message, Refusal::Stopped))),
        }
    }

    /// Calls an instance, as [`ActorEngine::call`](crate::ActorEngine::call) does.
    ///
    /// # Errors
    /// As [`ActorEngine::call`](crate::ActorEngine::call).
    ///
    /// # Blocking
    /// As [`ActorEngine::call`](crate::ActorEngine::call).
    #[cfg_attr(feature = "tokio", track_caller)]
    #[inline]
    pub fn call<Q: IntoRequest>(&self, request: Q) -> Result<Q::Reply, CallError> {
        assert_may_block();
        let (message, port) = request.__into().into_parts();
        self.call_from::<_, _, Q::Kind>(&mut Some(message), port)
    }

    #[inline(never)]
    fn call_from<M: Message, R: 'static, K: Kind>(
        &self,
        place: &mut Option<M>,
        port: ToPort<M, R>,
    ) -> Result<R, CallError> {
        match targets::own_thread(&self.core) {
            Some(local) => {
                with_known_pool::<M, _>(&local, |known| messaging::call_in_pool::<M, R, K>(&local, known, place, port))
            }
            None => self.call_from_outside::<M, R, K>(place, port),
        }
    }

    #[inline(never)]
    fn call_from_outside<M: Message, R: 'static, K: Kind>(
        &self,
        place: &mut Option<M>,
        port: ToPort<M, R>,
    ) -> Result<R, CallError> {
        self.with(Err(CallError::Stopped { message: M::name() }), |core| {
            targets::target(core, |target| messaging::call::<M, R, K>(target, place, port))
        })
    }

    /// Sends a copy to every instance of a type, as [`ActorEngine::broadcast`](crate::ActorEngine::broadcast) does.
    ///
    /// # Errors
    /// As [`ActorEngine::broadcast`](crate::ActorEngine::broadcast).
    pub fn broadcast<M: Message + Clone>(&self, message: M) -> Result<usize, SendError<M>> {
        match self.core.upgrade() {
            Some(core) => targets::target(&core, |target| messaging::broadcast(&target, message)),
            None => Err(SendError::new(M::name(), message, Refusal::Stopped)),
        }
    }

    /// Sends a message to every instance of a type, as
    /// [`ActorEngine::broadcast_with`](crate::ActorEngine::broadcast_with) does.
    ///
    /// # Errors
    /// As [`ActorEngine::broadcast_with`](crate::ActorEngine::broadcast_with).
    pub fn broadcast_with<M: Message>(&self, make: impl FnMut(InstanceId) -> M) -> Result<usize, CallError> {
        self.with(Err(CallError::Stopped { message: M::name() }), |core| {
            targets::target(core, |target| messaging::broadcast_with(&target, make))
        })
    }

    /// Calls every instance of a type, as [`ActorEngine::call_all`](crate::ActorEngine::call_all) does.
    ///
    /// # Errors
    /// As [`ActorEngine::call_all`](crate::ActorEngine::call_all).
    ///
    /// # Blocking
    /// As [`ActorEngine::call_all`](crate::ActorEngine::call_all).
    #[cfg_attr(feature = "tokio", track_caller)]
    pub fn call_all<Q>(&self, request: Q) -> Result<Replies<Q::Reply>, CallError>
    where
        Q: IntoRequest,
        Q::Message: Clone,
    {
        assert_may_block();
        let request = request.__into();
        self.call_all_with(|_| request.clone())
    }

    /// Calls every instance of a type, as [`ActorEngine::call_all_with`](crate::ActorEngine::call_all_with) does.
    ///
    /// # Errors
    /// As [`ActorEngine::call_all_with`](crate::ActorEngine::call_all_with).
    ///
    /// # Blocking
    /// As [`ActorEngine::call_all_with`](crate::ActorEngine::call_all_with).
    #[cfg_attr(feature = "tokio", track_caller)]
    pub fn call_all_with<Q: IntoRequest>(
        &self,
        mut make: impl FnMut(InstanceId) -> Q,
    ) -> Result<Replies<Q::Reply>, CallError> {
        assert_may_block();
        let message = <Q::Message as Message>::name();
        self.with(Err(CallError::Stopped { message }), |core| {
            targets::target(core, |target| call_all_with(&target, |id| make(id).__into()))
        })
    }

    /// Returns the registry, as [`ActorEngine::registry`](crate::ActorEngine::registry) does; an empty one when the
    /// engine is gone.
    pub fn registry(&self) -> Registry {
        match self.core.upgrade() {
            Some(core) => Registry::new(core.pools.entries()),
            None => Registry::new(Vec::new()),
        }
    }

    /// Returns what the threads are doing, as [`ActorEngine::stats`](crate::ActorEngine::stats) does; all zero when the
    /// engine is gone.
    pub fn stats(&self) -> Stats {
        self.core.upgrade().map(|core| stats::stats(&core)).unwrap_or_default()
    }

    /// Returns what each instance has done, as [`ActorEngine::instances`](crate::ActorEngine::instances) does; nothing
    /// when the engine is gone.
    pub fn instances(&self) -> Vec<InstanceStats> {
        self.core.upgrade().map(|core| stats::instances(&core)).unwrap_or_default()
    }

    /// Returns the handlers that have run for longer than `limit`, as
    /// [`ActorEngine::slow`](crate::ActorEngine::slow) does.
    pub fn slow(&self, limit: Duration) -> Vec<Slow> {
        self.with(Vec::new(), |core| slow::slow(core, limit))
    }

    /// Has handlers measured, as [`ActorEngine::observe`](crate::ActorEngine::observe) does; the observer of an engine that
    /// is gone sees nothing.
    #[cfg(feature = "observe")]
    #[cfg_attr(docsrs, doc(cfg(feature = "observe")))]
    pub fn observe(&self) -> Observer {
        Observer::new(self.core.upgrade().map(|core| Arc::clone(&core.engine)))
    }

    /// Returns the number of actor threads that run; 0 when the engine is gone.
    pub fn thread_count(&self) -> usize {
        self.with(0, |core| core.thread_count())
    }

    /// Begins the shutdown and returns at once: for code that may not wait, such as handlers.
    ///
    /// The shutdown has no deadline; the engine's owner may set one by
    /// [`ActorEngine::shutdown_timeout`](crate::ActorEngine::shutdown_timeout).
    ///
    /// # Blocking
    /// Never.
    pub fn stop(&self) {
        if let Some(core) = self.core.upgrade() {
            shutdown::stop(&core, None);
        }
    }

    /// Gives a future that is ready when the engine has stopped, as
    /// [`ActorEngine::stopped`](crate::ActorEngine::stopped) does; at once if the engine is gone.
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
    /// let handle = engine.handle();
    /// handle.stop();
    /// block_on(handle.stopped());
    /// assert_eq!(engine.thread_count(), 0);
    /// # Ok(())
    /// # }
    /// ```
    pub fn stopped(&self) -> Stopped {
        Stopped::new(self.core.upgrade().as_ref())
    }
}

impl fmt::Debug for EngineHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.core.upgrade() {
            Some(core) => write!(f, "EngineHandle({})", core.name),
            None => f.write_str("EngineHandle(gone)"),
        }
    }
}

impl<M: Message> Context<M> {
    /// Returns a handle to the engine.
    pub fn engine(&self) -> EngineHandle {
        EngineHandle { core: self.local.kept.get().unwrap_or_default() }
    }
}
