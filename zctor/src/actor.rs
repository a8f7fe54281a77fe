//! What can be registered, pooled and started: the traits that say so, and the errors for what cannot.

pub(crate) mod context;
pub(crate) mod instance;
pub(crate) mod restart;
pub(crate) mod timer;

use std::rc::Rc;
use std::sync::Arc;

use crate::actor::instance::{Blueprint, Factory, install};
use crate::client::message::{Actor, ActorOnce, Dispatch, Message};
use crate::error::SpawnError;
use crate::route::endpoint::Address;
use crate::thread::local::Local;

/// What can be registered on a thread or started: an [`Actor`] or an [`ActorOnce`].
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
    /// The enum of messages that it handles.
    type Message: Message;
}

impl<M: Dispatch<S, Port: Send> + Send, S: 'static> Registration for Actor<M, S> {
    type Message = M;
}

impl<M: Dispatch<S, Port: Send> + Send, S: 'static> Registration for ActorOnce<M, S> {
    type Message = M;
}

/// What [`ActorEngine::pool`](crate::ActorEngine::pool) takes: an [`Actor`], whose factory builds a state for each thread.
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

/// What [`Context::start`](crate::Context::start) takes: an [`Actor`], an [`ActorOnce`], or a closure that builds the
/// state on this thread and so need not be `Send`.
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
    use super::{Actor, Address, Arc, Local, Message, Rc, SpawnError};

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

    /// Keeps the runtime's own types out of the trait's signature.
    #[expect(missing_debug_implementations, reason = "sealed: nobody outside can name it")]
    pub struct LocalHandle<'a> {
        pub(crate) local: &'a Rc<Local>,
        pub(crate) pooled: bool,
    }
    #[expect(missing_debug_implementations, reason = "sealed: nobody outside can name it")]
    pub struct Installed<M: Message>(pub(crate) Arc<Address<M>>);
}

use sealed::{Install, Installed, LocalHandle};

impl<M: Dispatch<S, Port: Send> + Send, S: 'static> Install<M> for Actor<M, S> {
    fn __install(self, local: &LocalHandle<'_>) -> Result<Installed<M>, SpawnError> {
        install(
            local.local,
            local.pooled,
            Factory::Again(Blueprint { factory: self.factory, restart: self.restart }),
            self.undelivered,
        )
        .map(Installed)
    }
}

impl<M: Dispatch<S, Port: Send> + Send, S: 'static> Install<M> for ActorOnce<M, S> {
    fn __install(self, local: &LocalHandle<'_>) -> Result<Installed<M>, SpawnError> {
        install(local.local, local.pooled, Factory::Once(self.factory), self.undelivered).map(Installed)
    }
}

impl<M, S, F> Install<M> for F
where
    M: Dispatch<S, Port: Send> + Send,
    S: 'static,
    F: FnOnce() -> S + 'static,
{
    fn __install(self, local: &LocalHandle<'_>) -> Result<Installed<M>, SpawnError> {
        install(local.local, local.pooled, Factory::Once(Box::new(self)), None).map(Installed)
    }
}

pub(crate) fn install_on<M: Message>(
    local: &Rc<Local>,
    pooled: bool,
    actor: impl Install<M>,
) -> Result<Arc<Address<M>>, SpawnError> {
    actor.__install(&LocalHandle { local, pooled }).map(|installed| installed.0)
}
