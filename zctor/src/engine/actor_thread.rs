//! `ActorThread`: what a thread will host, and its options, before it is spawned.

use std::fmt;

use crate::actor::{Registration, install_pooled};
use crate::mailbox::inner_bound::Inner;
use crate::mailbox::permits::Overflow;
use crate::route::pools::Enlist;
use crate::thread::run::Build;

/// The description of an actor thread, before it is spawned: a name, options, and the instances that will live on it.
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
    pub(crate) inner_bound: Option<(usize, Inner)>,
    pub(crate) builds: Vec<Build<Box<dyn Enlist>>>,
}

impl ActorThread {
    /// Describes a thread without instances.
    ///
    /// Its name will be that of the engine and its number, such as `zctor-0`.
    pub fn new() -> Self {
        Self::default()
    }

    /// Describes a thread of this name, which debuggers and panics show.
    pub fn named(name: impl Into<String>) -> Self {
        Self { name: Some(name.into()), ..Self::default() }
    }

    /// Adds an instance.
    ///
    /// A thread can host any number of instances of any types, also several of one type. One handler runs at a time. A
    /// call to an instance that has nothing queued does not wait behind what is queued for the other instances.
    ///
    /// The instances are built on the thread when it is spawned, in the order of registration.
    pub fn register<A: Registration>(mut self, actor: A) -> Self {
        self.builds.push(Box::new(move |local| {
            let endpoint = install_pooled::<A::Message>(local, actor)?;
            Ok(Some(Box::new(endpoint) as Box<dyn Enlist>))
        }));
        self
    }

    /// Lets at most so many messages from outside wait in its mailbox at a time, for all its instances together.
    ///
    /// Without a bound, any number can wait. A message counts until its handler begins, also after the thread has moved
    /// it to its own queue. 0 counts as 1. The [`overflow`](ActorThread::overflow) says what becomes of a message that
    /// finds no room.
    ///
    /// Messages from actor threads are not counted. To slow down a sender inside, let it call instead of sending: a
    /// call waits for its reply.
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
    /// // One may be in the handler by then, and two wait.
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

    /// Sets what becomes of a message from outside that finds no room under the
    /// [`mailbox_bound`](ActorThread::mailbox_bound); the default is [`Overflow::Wait`].
    pub fn overflow(mut self, overflow: Overflow) -> Self {
        self.overflow = overflow;
        self
    }

    /// Lets at most `messages` messages and calls from inside, that is, from handlers of any engine, wait for its
    /// instances at a time, all together; there is no such bound by default. A message counts until its handler begins.
    /// 0 counts as 1.
    ///
    /// The `policy` says what becomes of a message that finds no room. Its sender never waits. Beside such a bound, a
    /// call to an instance of the same thread waits its turn like any other.
    ///
    /// ```
    /// use zctor::{ActorEngine, ActorThread, Context, Inner, SendError, actor};
    ///
    /// #[actor]
    /// pub enum LogMessage {
    ///     Line(u32),
    /// }
    /// struct Log;
    /// impl LogHandler for Log {
    ///     fn line(&mut self, _number: u32) {}
    /// }
    ///
    /// #[actor(ctx)]
    /// pub enum ChattyMessage {
    ///     /// Gives the number of lines that were refused.
    ///     #[reply(usize)]
    ///     Chat,
    /// }
    /// struct Chatty;
    /// impl ChattyHandler for Chatty {
    ///     fn chat(&mut self, ctx: &mut Context<ChattyMessage>) -> usize {
    ///         let sent: Vec<Result<(), SendError<_>>> = (0..100).map(|n| ctx.send(LogMessage::Line(n))).collect();
    ///         sent.iter().filter(|sent| sent.as_ref().is_err_and(SendError::is_full)).count()
    ///     }
    /// }
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let engine = ActorEngine::new();
    /// let thread = ActorThread::new().inner_bound(10, Inner::Refuse);
    /// engine.spawn(thread.register(LogMessage::actor(|| Log)).register(ChattyMessage::actor(|| Chatty)))?;
    /// // The log is on the same thread, and comes to nothing while the other chats.
    /// assert_eq!(engine.call(ChattyMessage::chat())?, 90);
    /// # Ok(())
    /// # }
    /// ```
    pub fn inner_bound(mut self, messages: usize, policy: Inner) -> Self {
        self.inner_bound = Some((messages, policy));
        self
    }

    /// Sets the size of its stack in bytes; the default is that of the standard library.
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
