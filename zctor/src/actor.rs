//! Actors: what can be registered, pooled and started, and how an instance lives on its thread.
//!
//! The layer promises: a state is built by its factory on its own thread and never leaves it; it handles one message at
//! a time; a panic of the user's code is caught, ends the call that it happened in, and is followed by a rebuild or by
//! the end of the instance, as its [`Restart`] says; user code runs under no lock, and under no borrow but that of the
//! state it runs on.
//!
//! This file has the public traits and types that describe an actor, with the compile errors for what is none. The
//! layer imports its own folder and the layers below: client, messaging, route, thread, mailbox, reply, trace, sys, and
//! the plain data.

mod attachments;
pub(crate) mod by_id;
pub(crate) mod carried;
pub(crate) mod cell;
pub(crate) mod context;
pub(crate) mod dispatch;
#[cfg(feature = "testing")]
pub(crate) mod double;
#[cfg(not(feature = "testing"))]
#[path = "actor/double/off.rs"]
pub(crate) mod double;
pub(crate) mod factory;
pub(crate) mod handling;
pub(crate) mod install;
pub(crate) mod instance;
#[cfg(feature = "remote")]
pub(crate) mod link;
#[cfg(not(feature = "remote"))]
#[path = "actor/link/off.rs"]
pub(crate) mod link;
pub(crate) mod pipe;
#[cfg(feature = "testing")]
pub(crate) mod recorder;
#[cfg(not(feature = "testing"))]
#[path = "actor/recorder/off.rs"]
pub(crate) mod recorder;
pub(crate) mod recovery;
pub(crate) mod restart;
mod simulated;
pub(crate) mod state;
pub(crate) mod timer;
mod to_itself;

use std::fmt;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use sealed::{Install, Installed, LocalHandle};

use crate::actor::context::Context;
use crate::actor::dispatch::Dispatch;
use crate::actor::factory::{Blueprint, Rebuild, StateFactory, build_once};
use crate::actor::install::{Options, UndeliveredHook, install};
use crate::actor::restart::Restart;
use crate::client::Client;
use crate::client::message::Message;
use crate::error::{BoxError, SpawnError};
use crate::event::Undelivered;
use crate::route::endpoint::Endpoint;
use crate::route::recorded::note_start;
use crate::sys::unwind::UserClosure;
use crate::thread::local::Local;

impl<M: Message> Context<M> {
    /// Starts an instance on this thread, and gives a client bound to it. The instance is in no pool.
    ///
    /// `actor` is made by `T::actor(..)`, `T::try_actor(..)` or `T::actor_once(..)`; or it is a closure that builds the
    /// state and need not be `Send`: `ctx.start::<T>(|| state)`. Such a closure runs once, so a panic ends the
    /// instance.
    ///
    /// # Errors
    /// - [`SpawnError::Factory`], [`SpawnError::FactoryPanicked`]: the factory failed.
    /// - [`SpawnError::Stopped`]: the engine stops.
    ///
    /// # Blocking
    /// Runs the factory on this thread, and waits for nothing else.
    ///
    /// ```
    /// use std::rc::Rc;
    /// use zctor::{ActorEngine, Context, actor};
    ///
    /// #[actor]
    /// pub enum ChildMessage {
    ///     #[reply(usize)]
    ///     Length,
    /// }
    /// struct Child(Rc<str>);
    /// impl ChildHandler for Child {
    ///     fn length(&mut self) -> usize {
    ///         self.0.len()
    ///     }
    /// }
    ///
    /// #[actor(ctx)]
    /// pub enum ParentMessage {
    ///     #[reply(ChildClient)]
    ///     Raise,
    /// }
    /// struct Parent(Rc<str>);
    /// impl ParentHandler for Parent {
    ///     fn raise(&mut self, ctx: &mut Context<ParentMessage>) -> ChildClient {
    ///         let shared = Rc::clone(&self.0);
    ///         ctx.start::<ChildMessage>(move || Child(shared)).expect("its factory cannot fail")
    ///     }
    /// }
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let engine = ActorEngine::new();
    /// let parent: ParentClient = engine.pool(1, ParentMessage::actor(|| Parent("shared".into())))?;
    /// assert_eq!(parent.raise()?.length()?, 6);
    /// # Ok(())
    /// # }
    /// ```
    pub fn start<T: Message>(&self, actor: impl LocalRegistration<T>) -> Result<T::Client, SpawnError> {
        if self.local.mailbox.parker.is_closed() || self.local.mailbox.engine.edge.is_sealed() {
            return Err(SpawnError::Stopped);
        }
        let endpoint = install_alone::<T>(&self.local, actor)?;
        note_start(&self.local.mailbox.engine, T::name);
        Ok(Client::of_one(None, endpoint).into())
    }
}

/// A thing that can be registered on a thread or started: an [`Actor`] or an [`ActorOnce`].
///
/// ```
/// use zctor::{ActorThread, Registration, actor};
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
/// fn beside(thread: ActorThread, other: impl Registration) -> ActorThread {
///     thread.register(other)
/// }
/// let thread = beside(ActorThread::new(), JobMessage::actor_once(|| Job));
/// assert_eq!(format!("{thread:?}"), "ActorThread { name: None, instances: 1 }");
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not describe an actor",
    label = "expected what an enum of messages makes of a factory",
    note = "pass `JobMessage::actor(..)`, `JobMessage::try_actor(..)` or `JobMessage::actor_once(..)`, with the enum's \
            own name and a closure that returns the state"
)]
pub trait Registration: Send + Install<<Self as Registration>::Message> + 'static {
    /// The enum of messages that the actor handles.
    type Message: Message;
}

impl<M: Dispatch<S, Port: Send> + Send, S: 'static> Registration for Actor<M, S> {
    type Message = M;
}

impl<M: Dispatch<S, Port: Send> + Send, S: 'static> Registration for ActorOnce<M, S> {
    type Message = M;
}

/// The argument of [`ActorEngine::pool`](crate::ActorEngine::pool): an [`Actor`], whose factory builds a state for each
/// thread.
///
/// ```
/// use zctor::{ActorEngine, PoolRegistration, SpawnError, actor};
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
/// fn two(engine: &ActorEngine, actor: impl PoolRegistration<JobMessage, Job>) -> Result<JobClient, SpawnError> {
///     engine.pool(2, actor)
/// }
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// two(&ActorEngine::new(), JobMessage::actor(|| Job))?.run()?;
/// # Ok(())
/// # }
/// ```
#[diagnostic::on_unimplemented(
    message = "a pool cannot be made of `{Self}`",
    label = "expected an actor whose factory can run more than once",
    note = "a pool builds a state for each of its threads, and builds it again after a panic: pass `JobMessage::actor(..)` or \
            `JobMessage::try_actor(..)`, with the enum's own name",
    note = "what `actor_once(..)` gives has one state, for `engine.start(..)` or `ActorThread::register(..)`"
)]
pub trait PoolRegistration<M: Message, S>: sealed::Pool<M, S> {}

impl<M: Dispatch<S, Port: Send> + Send, S: 'static> PoolRegistration<M, S> for Actor<M, S> {}

/// The argument of [`Context::start`](crate::Context::start): an [`Actor`], an [`ActorOnce`], or a closure that builds
/// the state on this thread and so need not be `Send`.
///
/// ```
/// use std::rc::Rc;
/// use zctor::{Context, LocalRegistration, SpawnError, actor};
///
/// #[actor]
/// pub enum JobMessage {
///     Run,
/// }
/// struct Job(Rc<str>);
/// impl JobHandler for Job {
///     fn run(&mut self) {}
/// }
///
/// fn is_local<M: zctor::Message>(_: impl LocalRegistration<M>) -> bool {
///     true
/// }
/// let name: Rc<str> = "not Send".into();
/// assert!(is_local::<JobMessage>(move || Job(name)));
/// assert!(is_local(JobMessage::actor(|| Job("made there".into()))));
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not describe an actor of `{M}`",
    note = "pass `{M}::actor(..)`, `{M}::actor_once(..)`, or a closure that returns the state, as in \
            `ctx.start::<{M}>(|| State::new())`"
)]
pub trait LocalRegistration<M: Message>: Install<M> {}

impl<M: Dispatch<S, Port: Send> + Send, S: 'static> LocalRegistration<M> for Actor<M, S> {}

impl<M: Dispatch<S, Port: Send> + Send, S: 'static> LocalRegistration<M> for ActorOnce<M, S> {}

impl<M, S, F> LocalRegistration<M> for F
where
    M: Dispatch<S, Port: Send> + Send,
    S: 'static,
    F: FnOnce() -> S + 'static,
{
}

pub(crate) mod sealed {
    use super::{Actor, Arc, Endpoint, Local, Message, Rc, SpawnError};

    pub trait Pool<M: Message, S> {
        #[doc(hidden)]
        fn __actor(self) -> Actor<M, S>;
    }

    impl<M: Message, S> Pool<M, S> for Actor<M, S> {
        fn __actor(self) -> Self {
            self
        }
    }

    pub trait Install<M: Message> {
        #[doc(hidden)]
        fn __install(self, local: &LocalHandle<'_>) -> Result<Installed<M>, SpawnError>;
    }

    /// Keeps the runtime's own types out of the signature of `Install`.
    #[expect(missing_debug_implementations, reason = "sealed: nobody outside can name it")]
    pub struct LocalHandle<'a> {
        pub(crate) local: &'a Rc<Local>,
        pub(crate) pooled: bool,
    }
    #[expect(missing_debug_implementations, reason = "sealed: nobody outside can name it")]
    pub struct Installed<M: Message>(pub(crate) Arc<Endpoint<M>>);
}

impl<M: Dispatch<S, Port: Send> + Send, S: 'static> Install<M> for Actor<M, S> {
    fn __install(self, local: &LocalHandle<'_>) -> Result<Installed<M>, SpawnError> {
        install(
            local.local,
            local.pooled,
            StateFactory::Again(Blueprint { factory: self.factory, restart: self.restart }),
            self.options,
        )
        .map(Installed)
    }
}

impl<M: Dispatch<S, Port: Send> + Send, S: 'static> Install<M> for ActorOnce<M, S> {
    fn __install(self, local: &LocalHandle<'_>) -> Result<Installed<M>, SpawnError> {
        let factory = &mut build_once(self.factory);
        install(local.local, local.pooled, StateFactory::Once(factory), self.options).map(Installed)
    }
}

impl<M, S, F> Install<M> for F
where
    M: Dispatch<S, Port: Send> + Send,
    S: 'static,
    F: FnOnce() -> S + 'static,
{
    fn __install(self, local: &LocalHandle<'_>) -> Result<Installed<M>, SpawnError> {
        let factory = &mut build_once(self);
        install(local.local, local.pooled, StateFactory::Once(factory), Options::default()).map(Installed)
    }
}

/// Builds an instance on this thread, which its pool lists next.
pub(crate) fn install_pooled<M: Message>(
    local: &Rc<Local>,
    actor: impl Install<M>,
) -> Result<Arc<Endpoint<M>>, SpawnError> {
    actor.__install(&LocalHandle { local, pooled: true }).map(|installed| installed.0)
}

/// Builds an instance on this thread which is in no pool.
pub(crate) fn install_alone<M: Message>(
    local: &Rc<Local>,
    actor: impl Install<M>,
) -> Result<Arc<Endpoint<M>>, SpawnError> {
    actor.__install(&LocalHandle { local, pooled: false }).map(|installed| installed.0)
}

/// The description of an instance that `actor(..)` and `try_actor(..)` of an enum give: a factory that can build the
/// state again, with what is to happen after a panic.
///
/// ```
/// use zctor::{ActorEngine, ActorThread, actor};
///
/// #[actor]
/// pub enum CounterMessage {
///     #[reply(u64)]
///     Next,
/// }
/// #[derive(Default)]
/// struct Counter(u64);
/// impl CounterHandler for Counter {
///     fn next(&mut self) -> u64 {
///         self.0 += 1;
///         self.0
///     }
/// }
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let counter = CounterMessage::actor(Counter::default);
/// let engine = ActorEngine::new();
/// engine.spawn(ActorThread::new().register(counter.clone()).register(counter))?;
/// assert_eq!(engine.registry().to_string(), "CounterMessage -> [0, 0]");
/// # Ok(())
/// # }
/// ```
pub struct Actor<M: Message, S> {
    pub(crate) factory: Arc<Rebuild<M, S>>,
    pub(crate) restart: Restart,
    pub(crate) options: Options<M>,
}

impl<M: Dispatch<S>, S: 'static> Actor<M, S> {
    #[doc(hidden)]
    pub fn __new(factory: impl Fn() -> S + Send + Sync + 'static) -> Self {
        Self::new(Box::new(move |_| Ok(factory())))
    }

    #[doc(hidden)]
    pub fn __try_new(factory: impl Fn(&mut Context<M>) -> Result<S, BoxError> + Send + Sync + 'static) -> Self {
        Self::new(Box::new(factory))
    }
}

impl<M: Message, S> Actor<M, S> {
    fn new(factory: Rebuild<M, S>) -> Self {
        Self { factory: Arc::new(factory), restart: Restart::default(), options: Options::default() }
    }

    /// Says what happens after a panic of a handler; without this, [`Restart::always`] holds.
    ///
    /// ```
    /// use std::time::Duration;
    /// use zctor::{ActorEngine, CallError, Restart, actor};
    ///
    /// #[actor]
    /// pub enum FragileMessage {
    ///     #[reply(())]
    ///     Touch,
    /// }
    /// struct Fragile;
    /// impl FragileHandler for Fragile {
    ///     fn touch(&mut self) {
    ///         panic!("broken");
    ///     }
    /// }
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let engine = ActorEngine::new();
    /// let fragile: FragileClient =
    ///     engine.pool(1, FragileMessage::actor(|| Fragile).restart(Restart::at_most(1, Duration::from_secs(60))))?;
    /// assert!(matches!(fragile.touch(), Err(CallError::Panicked { .. }))); // built again
    /// assert!(matches!(fragile.touch(), Err(CallError::Panicked { .. }))); // once too often
    /// assert_eq!(fragile.touch(), Err(CallError::NotRegistered { message: "FragileMessage" }));
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn restart(mut self, restart: Restart) -> Self {
        self.restart = restart;
        self
    }

    /// Gives `hook` the messages that were accepted for this actor's instances but will not be handled, each with the
    /// reason: to keep them, count them, or send them elsewhere.
    ///
    /// An actor has one such hook: a later one replaces it. The hook runs on the thread that finds a message
    /// undeliverable, and may run on several threads at once. It may send, but not wait. If a message that it sends
    /// becomes a dead letter itself, that is counted, but no hook is called for it. The hook may hold clients, also of
    /// this actor: it is dropped when the actor's instances have ended and the last message for them is dealt with.
    ///
    /// ```
    /// use std::sync::mpsc;
    /// use zctor::{ActorEngine, Context, Undelivered, actor};
    ///
    /// #[actor(ctx)]
    /// #[derive(Debug, PartialEq)]
    /// pub enum MailMessage {
    ///     Deliver(String),
    ///     Close,
    /// }
    /// struct Mail;
    /// impl MailHandler for Mail {
    ///     fn deliver(&mut self, _ctx: &mut Context<MailMessage>, _text: String) {}
    ///     fn close(&mut self, ctx: &mut Context<MailMessage>) {
    ///         ctx.stop();
    ///     }
    /// }
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let (keep, kept) = mpsc::channel();
    /// let engine = ActorEngine::new();
    /// let mail: MailClient = engine.start(
    ///     MailMessage::actor(|| Mail).on_undelivered(move |message, why| keep.send((message, why)).unwrap_or_default()),
    /// )?;
    /// mail.send_all([MailMessage::Close, MailMessage::Deliver("too late".into())])?;
    /// assert_eq!(kept.recv()?, (MailMessage::Deliver("too late".into()), Undelivered::Ended));
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn on_undelivered(mut self, hook: impl Fn(M, Undelivered) + Send + Sync + 'static) -> Self
    where
        M: Message<Port: Send> + Send,
    {
        self.options.undelivered = Some(UndeliveredHook::new(UserClosure::new(Box::new(hook))));
        self
    }

    /// Says that handlers of this actor may run for as long as `limit`: it is slow by right, as one that computes or
    /// reads much. [`ActorEngine::slow`](crate::ActorEngine::slow) and
    /// [`on_slow`](crate::ActorEngine::on_slow) take this limit for it in place of their own.
    ///
    /// ```
    /// use std::time::Duration;
    /// use zctor::{ActorEngine, actor};
    ///
    /// #[actor]
    /// pub enum ReportMessage {
    ///     #[reply(u64)]
    ///     Sum(u64),
    /// }
    /// struct Report;
    /// impl ReportHandler for Report {
    ///     fn sum(&mut self, to: u64) -> u64 {
    ///         (0..to).sum() // it may take a while
    ///     }
    /// }
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let engine = ActorEngine::new();
    /// engine.on_slow(Duration::from_millis(100), |slow| eprintln!("{slow}"))?;
    /// let report: ReportClient = engine.start(ReportMessage::actor(|| Report).slow(Duration::from_secs(30)))?;
    /// assert_eq!(report.sum(1_000)?, 499_500);
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn slow(mut self, limit: Duration) -> Self {
        self.options.slow = Some(limit);
        self
    }
}

impl<M: Message, S> Clone for Actor<M, S> {
    fn clone(&self) -> Self {
        Self { factory: Arc::clone(&self.factory), restart: self.restart, options: self.options.clone() }
    }
}

impl<M: Message, S> fmt::Debug for Actor<M, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Actor({})", M::name())
    }
}

/// The description of an instance that `actor_once(..)` of an enum gives: a factory that runs once.
///
/// It is for a state that cannot be built again, since it holds what its factory was given, such as a socket or a
/// receiver. A panic or `reset` ends the instance, and a pool does not take it.
///
/// ```
/// use zctor::{ActorEngine, actor};
///
/// #[actor]
/// pub enum FeedMessage {
///     #[reply(Option<u8>)]
///     Next,
/// }
/// struct Feed(std::vec::IntoIter<u8>);
/// impl FeedHandler for Feed {
///     fn next(&mut self) -> Option<u8> {
///         self.0.next()
///     }
/// }
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let bytes = vec![7].into_iter();
/// let engine = ActorEngine::new();
/// let feed: FeedClient = engine.start(FeedMessage::actor_once(move || Feed(bytes)))?;
/// assert_eq!((feed.next()?, feed.next()?), (Some(7), None));
/// # Ok(())
/// # }
/// ```
pub struct ActorOnce<M: Message, S> {
    pub(crate) factory: Box<dyn FnOnce() -> S + Send>,
    pub(crate) options: Options<M>,
}

impl<M: Dispatch<S>, S: 'static> ActorOnce<M, S> {
    #[doc(hidden)]
    pub fn __new(factory: impl FnOnce() -> S + Send + 'static) -> Self {
        Self { factory: Box::new(factory), options: Options::default() }
    }

    /// Never compiles: an error that says why tells more than one about a missing method.
    #[doc(hidden)]
    #[must_use]
    pub fn restart(self, _restart: Restart) -> Self
    where
        Self: Restartable,
    {
        self
    }

    /// Sets the hook for undelivered messages, as [`Actor::on_undelivered`] does.
    #[must_use]
    pub fn on_undelivered(mut self, hook: impl Fn(M, Undelivered) + Send + Sync + 'static) -> Self
    where
        M: Message<Port: Send> + Send,
    {
        self.options.undelivered = Some(UndeliveredHook::new(UserClosure::new(Box::new(hook))));
        self
    }

    /// Sets the limit for slow handlers, as [`Actor::slow`] does.
    #[must_use]
    pub fn slow(mut self, limit: Duration) -> Self {
        self.options.slow = Some(limit);
        self
    }
}

impl<M: Message, S> fmt::Debug for ActorOnce<M, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ActorOnce({})", M::name())
    }
}

/// The bound of `restart` on an actor. An actor that `actor_once` makes has it not.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is never built again, so it has no `restart`",
    label = "its factory runs once",
    note = "a panic or `reset` ends what `actor_once(..)` made; `actor(..)` takes a factory that can run again: capture a \
            value to clone, or make it inside"
)]
pub trait Restartable {}

/// The bound of a factory that builds states again, on any of the threads that its instances live on.
#[diagnostic::on_unimplemented(
    message = "this factory cannot be shared among threads",
    label = "it captures something that is not `Send + Sync + 'static`, such as an `Rc` or a `Cell`",
    note = "a factory builds the state on the actor's own thread, and builds it again after a panic: make what it needs inside \
            it, or capture an `Arc` or a value to clone",
    note = "`actor_once` takes a factory that runs once and need not be `Sync`, `Context::start` and `Here::start` a closure that stays on its thread"
)]
pub trait Factory: Send + Sync + 'static {}

#[diagnostic::do_not_recommend]
impl<F: Send + Sync + 'static> Factory for F {}

/// The bound of a factory that builds one state, on another thread.
#[diagnostic::on_unimplemented(
    message = "this factory cannot be sent to another thread",
    label = "it captures something that is not `Send + 'static`, such as an `Rc`",
    note = "a factory builds the state on the actor's own thread: make what it needs inside it, or capture an `Arc`",
    note = "`Context::start` and `Here::start` take a closure that stays on its thread"
)]
pub trait FactoryOnce: Send + 'static {}

#[diagnostic::do_not_recommend]
impl<F: Send + 'static> FactoryOnce for F {}
