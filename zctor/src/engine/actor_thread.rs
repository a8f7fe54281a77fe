//! An actor thread to be: its name, its options, and the instances that will live on it.

use std::fmt;

use crate::actor::{Registration, install_on};
use crate::mailbox::permits::Overflow;
use crate::route::registry::Enlist;
use crate::thread::run::Build;

/// An actor thread to be: a name, options, and the instances that will live on it.
///
/// ```
/// use zctor::{ActorEngine, ActorThread, actor};
///
/// #[actor]
/// pub enum JobMessage {
///     #[reply(Option<String>)]
///     Where,
/// }
/// struct Job;
/// impl JobHandler for Job {
///     fn r#where(&mut self) -> Option<String> {
///         std::thread::current().name().map(String::from)
///     }
/// }
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let engine = ActorEngine::new();
/// engine.spawn(ActorThread::named("jobs").stack_size(256 * 1024).register(JobMessage::actor(|| Job)))?;
/// assert_eq!(engine.call(JobMessage::r#where())?.as_deref(), Some("jobs"));
/// # Ok(())
/// # }
/// ```
#[must_use = "a thread does nothing until it is spawned"]
#[derive(Default)]
pub struct ActorThread {
    pub(crate) name: Option<String>,
    pub(crate) stack_size: Option<usize>,
    pub(crate) mailbox_bound: Option<usize>,
    pub(crate) overflow: Overflow,
    pub(crate) builds: Vec<Build<Box<dyn Enlist>>>,
}

impl ActorThread {
    /// A thread without instances; its name will be `zctor-` and its number.
    pub fn new() -> Self {
        Self::default()
    }

    /// A thread of this name, as debuggers and panics show it.
    pub fn named(name: impl Into<String>) -> Self {
        Self { name: Some(name.into()), ..Self::default() }
    }

    /// Adds an instance. Any number of any types can share a thread, and several of one type. One at a time is at work, but
    /// what is queued for one does not hold up a call to another that has nothing queued.
    ///
    /// Instances are built in the order of registration, on the thread, when it is spawned.
    pub fn register<A: Registration>(mut self, actor: A) -> Self {
        self.builds.push(Box::new(move |local| {
            let endpoint = install_on::<A::Message>(local, true, actor)?;
            Ok(Some(Box::new(endpoint) as Box<dyn Enlist>))
        }));
        self
    }

    /// Lets at most so many messages from outside wait in its mailbox at a time, for all its instances together; without
    /// it, any number. A message counts until its handler begins, wherever it waits. 0 counts as 1.
    ///
    /// What becomes of more than that is the [`overflow`](ActorThread::overflow). Messages from actor threads are not
    /// counted: inside, the brake is the call, which waits for its reply.
    ///
    /// ```
    /// use std::sync::mpsc;
    /// use zctor::{ActorEngine, ActorThread, actor};
    ///
    /// #[actor]
    /// pub enum JobMessage {
    ///     Wait,
    /// }
    /// struct Job(mpsc::Receiver<()>);
    /// impl JobHandler for Job {
    ///     fn wait(&mut self) {
    ///         self.0.recv().unwrap_or_default();
    ///     }
    /// }
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let engine = ActorEngine::new();
    /// let (go, wait) = mpsc::channel();
    /// engine.spawn(ActorThread::new().mailbox_bound(2).register(JobMessage::actor_once(|| Job(wait))))?;
    /// let job = engine.client::<JobMessage>()?.non_blocking();
    /// // One is at work by the end, and two wait.
    /// let accepted = std::iter::from_fn(|| job.wait().is_ok().then_some(())).count();
    /// assert!((2..=3).contains(&accepted));
    /// drop(go);
    /// # Ok(())
    /// # }
    /// ```
    pub fn mailbox_bound(mut self, messages: usize) -> Self {
        self.mailbox_bound = Some(messages);
        self
    }

    /// What becomes of a message from outside that finds no room under the
    /// [`mailbox_bound`](ActorThread::mailbox_bound); without it, [`Overflow::Wait`].
    pub fn overflow(mut self, overflow: Overflow) -> Self {
        self.overflow = overflow;
        self
    }

    /// Bytes of stack; without it, the platform's default for threads.
    pub fn stack_size(mut self, bytes: usize) -> Self {
        self.stack_size = Some(bytes);
        self
    }
}

impl fmt::Debug for ActorThread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ActorThread").field("name", &self.name).field("instances", &self.builds.len()).finish()
    }
}
