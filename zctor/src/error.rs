//! Errors, one type for each operation; a refused message comes back in its error.

use std::error::Error;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use crate::id::InstanceId;
use crate::report::waits::WaitForest;
use crate::report::{Report, ThreadStats};

/// An error of any type, as fallible factories return it.
///
/// ```
/// let error: zctor::BoxError = "no such file".into();
/// assert_eq!(error.to_string(), "no such file");
/// ```
pub type BoxError = Box<dyn Error + Send + Sync>;

/// A message that was not accepted, on its way back to its sender.
///
/// It is one word wide, and `Send` and `Sync` whatever the message is.
///
/// ```
/// use zctor::{ActorEngine, SendError, actor};
///
/// #[actor]
/// pub enum LogMessage {
///     Line(String),
/// }
///
/// let engine = ActorEngine::new();
/// match engine.send(LogMessage::Line("lost?".into())) {
///     Err(SendError::NotRegistered(refused)) => {
///         assert_eq!(refused.message(), "LogMessage");
///         let LogMessage::Line(text) = refused.into_inner();
///         assert_eq!(text, "lost?");
///     }
///     other => panic!("nobody is registered: {other:?}"),
/// }
/// ```
pub struct Refused<M> {
    // The mutex is never locked. It only makes the error `Sync` for messages that are not.
    inner: Box<(&'static str, Mutex<M>)>,
}

impl<M> Refused<M> {
    pub(crate) fn new(name: &'static str, message: M) -> Self {
        Self { inner: Box::new((name, Mutex::new(message))) }
    }

    /// Returns the message.
    pub fn into_inner(self) -> M {
        self.inner.1.into_inner().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the name of the message's type.
    pub fn message(&self) -> &'static str {
        self.inner.0
    }
}

impl<M> fmt::Debug for Refused<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("..")
    }
}

/// Error returned by `send` and `broadcast`. It holds the refused message.
///
/// ```
/// use zctor::{ActorEngine, actor};
///
/// #[actor]
/// pub enum LogMessage {
///     Line(String),
/// }
///
/// let engine = ActorEngine::new();
/// let error = engine.send(LogMessage::Line("kept".into())).unwrap_err();
/// assert!(error.is_not_registered());
/// assert!(error.to_string().starts_with("no live instance in the pool of `LogMessage`; the message was not sent"));
/// let LogMessage::Line(text) = error.into_inner();
/// assert_eq!(text, "kept");
/// ```
#[non_exhaustive]
pub enum SendError<M> {
    /// No live instance of this type is registered. An instance made by `start` is in no pool: only clients that are
    /// bound to it reach it.
    NotRegistered(Refused<M>),
    /// A bounded mailbox has no room. The send does not wait for room, or its time was up first. A later attempt may
    /// work. [`send_all`](crate::Client::send_all) gives it too if the thread of an instance that was chosen by key has
    /// ended meanwhile.
    Full(Refused<M>),
    /// The engine has stopped, or the instance that the client is bound to has ended; no attempt will work.
    Stopped(Refused<M>),
}

impl<M> SendError<M> {
    /// Returns the refused message.
    pub fn into_inner(self) -> M {
        match self {
            Self::NotRegistered(refused) | Self::Full(refused) | Self::Stopped(refused) => refused.into_inner(),
        }
    }

    /// Returns whether no live instance handles the type.
    pub fn is_not_registered(&self) -> bool {
        matches!(self, Self::NotRegistered(_))
    }

    /// Returns whether a bounded mailbox had no room.
    pub fn is_full(&self) -> bool {
        matches!(self, Self::Full(_))
    }

    /// Returns whether the engine or the bound instance has stopped.
    pub fn is_stopped(&self) -> bool {
        matches!(self, Self::Stopped(_))
    }

    pub(crate) fn new(name: &'static str, message: M, refusal: Refusal) -> Self {
        let refused = Refused::new(name, message);
        match refusal {
            Refusal::NotRegistered => Self::NotRegistered(refused),
            Refusal::Full => Self::Full(refused),
            Refusal::Stopped => Self::Stopped(refused),
        }
    }
}

impl<M> fmt::Debug for SendError<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotRegistered(_) => f.write_str("NotRegistered(..)"),
            Self::Full(_) => f.write_str("Full(..)"),
            Self::Stopped(_) => f.write_str("Stopped(..)"),
        }
    }
}

impl<M> fmt::Display for SendError<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotRegistered(refused) => {
                write!(
                    f,
                    "no live instance in the pool of `{}`; the message was not sent (what `start` made is reached by its \
                     own client alone)",
                    refused.message()
                )
            }
            Self::Full(refused) => {
                write!(f, "the mailbox for `{}` is full; the message was not sent", refused.message())
            }
            Self::Stopped(refused) => {
                write!(f, "the receiver of `{}` has stopped; the message was not sent", refused.message())
            }
        }
    }
}

impl<M> Error for SendError<M> {}

/// Error returned by calls, and by [`ActorEngine::client`](crate::ActorEngine::client).
///
/// ```
/// use zctor::{ActorEngine, CallError, actor};
///
/// #[actor]
/// pub enum ClockMessage {
///     #[reply(u64)]
///     Ticks,
/// }
///
/// let engine = ActorEngine::new();
/// let error = engine.call(ClockMessage::ticks()).unwrap_err();
/// assert_eq!(error, CallError::NotRegistered { message: "ClockMessage" });
/// assert_eq!(error.message(), "ClockMessage");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CallError {
    /// No live instance of this type is registered; for `call_local`, none on this thread. Nothing was sent. An
    /// instance made by `start` is in no pool: only clients that are bound to it reach it.
    NotRegistered {
        /// The name of the message's type.
        message: &'static str,
    },
    /// A bounded mailbox has no room. The call does not wait for room, or its time was up first. It never ran: a later
    /// attempt may work.
    Full {
        /// The name of the message's type.
        message: &'static str,
    },
    /// The engine or the instance stopped before the call was handled.
    Stopped {
        /// The name of the message's type.
        message: &'static str,
    },
    /// The handler panicked; the message is spent, and what the handler had sent stays sent.
    Panicked {
        /// The name of the message's type.
        message: &'static str,
        /// The panic's own text.
        text: Arc<str>,
    },
    /// The deadline passed before the reply came.
    ///
    /// If a handler passes on the error of a call that it made itself, the error speaks of that inner call.
    Timeout {
        /// The name of the message's type.
        message: &'static str,
        /// Whether the handler had begun. If not, it never ran and never will: a retry is safe.
        begun: bool,
    },
    /// Inside a handler, a wait for a [`Pending`](crate::Pending) ended because the handler's own time was up: the
    /// deadline of its caller had passed. The call that the handler waited for goes on, and its `Pending` can be kept,
    /// piped, or waited for again.
    HandlerTimeout {
        /// The name of the message's type.
        message: &'static str,
    },
    /// The code may not wait for this type. A handler may wait for types whose call depth is below its own, and not for
    /// a deferred reply. Code that it has [carried](crate::Carried) to other threads may not wait for what lives on the
    /// handler's own thread, while that does not serve. Other code that the runtime runs, such as factories and drops,
    /// may not wait at all. A call that is refused for this was not sent; a [`Pending`](crate::Pending) stays as it
    /// was.
    Undeclared {
        /// The name of the message's type.
        message: &'static str,
        /// The name of the message type of the instance whose code would wait; `None` for code of no instance, such as
        /// a hook of the engine.
        caller: Option<&'static str>,
    },
    /// The handler gave the reply up, or the reply was taken before.
    NoReply {
        /// The name of the message's type.
        message: &'static str,
    },
    /// The message or its reply cannot go through bytes, the other side does not understand it, or what carries it does
    /// not permit it. If the text speaks of the reply, the handler ran; otherwise it never ran. Only calls through a link
    /// of the feature `remote` end so.
    Unfit {
        /// The name of the message's type.
        message: &'static str,
        /// Says what is wrong.
        text: Arc<str>,
    },
    /// The way to the other side broke while the call was under way: its handler may have run, or not. Only calls to
    /// another process end so.
    Lost {
        /// The name of the message's type.
        message: &'static str,
    },
}

impl CallError {
    /// Returns the name of the message's type.
    pub fn message(&self) -> &'static str {
        match self {
            Self::NotRegistered { message }
            | Self::Full { message }
            | Self::Stopped { message }
            | Self::Panicked { message, .. }
            | Self::Timeout { message, .. }
            | Self::HandlerTimeout { message }
            | Self::Undeclared { message, .. }
            | Self::NoReply { message }
            | Self::Unfit { message, .. }
            | Self::Lost { message } => message,
        }
    }

    pub(crate) fn refused(message: &'static str, refusal: Refusal) -> Self {
        match refusal {
            Refusal::NotRegistered => Self::NotRegistered { message },
            Refusal::Full => Self::Full { message },
            Refusal::Stopped => Self::Stopped { message },
        }
    }
}

impl fmt::Display for CallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotRegistered { message } => write!(
                f,
                "no live instance in the pool of `{message}`; the call was not sent (what `start` made is reached by its \
                 own client alone; behind a link nobody serves the pool, or there is no way to it)"
            ),
            Self::Full { message } => write!(f, "the mailbox for `{message}` is full; the call was not handled"),
            Self::Stopped { message } => write!(f, "the receiver of `{message}` stopped before it handled the call"),
            Self::Panicked { message, text } => write!(f, "the handler of `{message}` panicked: {text}"),
            Self::Timeout { message, begun: true } => {
                write!(f, "the call to `{message}` timed out; its handler had begun, or may have in another process")
            }
            Self::Timeout { message, begun: false } => {
                write!(f, "the call to `{message}` timed out before its handler began, and never will run")
            }
            Self::HandlerTimeout { message } => {
                write!(f, "the time of the handler that waited for `{message}` was up; the call goes on")
            }
            Self::Undeclared { message, caller } => {
                f.write_str("this code")?;
                caller.map_or(Ok(()), |caller| write!(f, " of `{caller}`"))?;
                write!(
                    f,
                    " may not wait for `{message}`: a handler waits for what `calls(..)` of its `#[actor]` names, and not for \
                     a deferred reply, else it can `pipe` the request; code that it has carried to another thread may wait \
                     for instances on the handler's thread only inside `serve_while`; factories, drops and closures only \
                     send"
                )
            }
            Self::NoReply { message } => write!(f, "no reply can come to this call to `{message}` any more"),
            Self::Lost { message } => {
                write!(f, "the connection was lost while a call to `{message}` was under way; it may have been handled")
            }
            Self::Unfit { message, text } => write!(f, "the call to `{message}` cannot be carried: {text}"),
        }
    }
}

impl Error for CallError {}

/// Turns the error of a send into that of a call, for handlers that do both with `?`. The refused message is dropped.
///
/// ```
/// use zctor::{ActorEngine, CallError, actor};
///
/// #[actor]
/// pub enum LogMessage {
///     Line(String),
/// }
///
/// fn log(engine: &ActorEngine) -> Result<(), CallError> {
///     engine.send(LogMessage::Line("started".into()))?;
///     Ok(())
/// }
/// assert_eq!(log(&ActorEngine::new()), Err(CallError::NotRegistered { message: "LogMessage" }));
/// ```
impl<M> From<SendError<M>> for CallError {
    fn from(error: SendError<M>) -> Self {
        match error {
            SendError::NotRegistered(refused) => Self::NotRegistered { message: refused.message() },
            SendError::Full(refused) => Self::Full { message: refused.message() },
            SendError::Stopped(refused) => Self::Stopped { message: refused.message() },
        }
    }
}

/// Why a send or a call was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    NotRegistered,
    Full,
    Stopped,
}

/// Error returned by `spawn`, `pool`, `start` and `replace`; nothing was registered, and nothing ended.
///
/// ```
/// use zctor::{ActorEngine, ActorThread, SpawnError};
///
/// let engine = ActorEngine::new();
/// let error = engine.spawn(ActorThread::new()).unwrap_err();
/// assert!(matches!(error, SpawnError::Empty));
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub enum SpawnError {
    /// The thread has no actor, or the pool has no thread.
    Empty,
    /// A factory returned an error.
    Factory {
        /// The name of the message's type.
        message: &'static str,
        /// The error that the factory returned.
        source: BoxError,
    },
    /// A factory panicked.
    FactoryPanicked {
        /// The name of the message's type.
        message: &'static str,
        /// The panic's own text.
        text: Arc<str>,
    },
    /// The operating system started no thread.
    Thread {
        /// The error of the operating system.
        source: std::io::Error,
    },
    /// The engine stops or has stopped.
    Stopped,
    /// The thread that called [`here`](crate::ActorEngine::here) is an actor thread already.
    OnActorThread,
    /// [`replace`](crate::ActorEngine::replace): the pool knows no place of this instance. It never was in the pool, or
    /// it was replaced, or it ended long ago.
    NoPlace {
        /// The name of the message's type.
        message: &'static str,
        /// The instance that was to be replaced.
        instance: InstanceId,
    },
}

impl fmt::Display for SpawnError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("nothing to start: register an actor on the thread, or ask for at least one"),
            Self::Factory { message, .. } => write!(f, "the factory of `{message}` failed"),
            Self::FactoryPanicked { message, text } => write!(f, "the factory of `{message}` panicked: {text}"),
            Self::Thread { .. } => f.write_str("the operating system started no thread"),
            Self::Stopped => f.write_str("the engine has stopped and starts nothing more"),
            Self::OnActorThread => f.write_str("this thread is an actor thread already, and can be one only once"),
            Self::NoPlace { message, instance } => {
                write!(f, "{instance} has no place in the pool of `{message}` that could be filled again")
            }
        }
    }
}

impl Error for SpawnError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Factory { source, .. } => Some(&**source),
            Self::Thread { source } => Some(source),
            _ => None,
        }
    }
}

/// Error returned by `shutdown` and `shutdown_timeout`.
///
/// ```
/// use zctor::ActorEngine;
///
/// let engine = ActorEngine::new();
/// assert!(engine.shutdown().is_ok());
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum ShutdownError {
    /// An actor thread called it, which cannot wait for its own end. The shutdown has begun.
    OnActorThread,
    /// Some threads had not ended when the time was up, and were abandoned. Each of them was in a handler, or waited in
    /// one for another of these threads.
    Abandoned {
        /// The abandoned threads, as they were when they were abandoned.
        threads: Vec<ThreadStats>,
        /// The waits for them at that time, each chain down to the handler that had not returned.
        waits: WaitForest,
        /// The report on all instances, those of the abandoned threads included.
        report: Report,
    },
}

impl fmt::Display for ShutdownError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OnActorThread => f.write_str(
                "an actor thread cannot wait for its own end; the shutdown has begun (drop what `here` gave, or let \
                 its `run` return, and call it again)",
            ),
            Self::Abandoned { threads, waits, .. } => {
                f.write_str("the time was up before these threads had ended: ")?;
                for (i, thread) in threads.iter().enumerate() {
                    write!(f, "{}{} `{}`", if i == 0 { "" } else { ", " }, thread.thread, thread.name)?;
                    thread.write_holder(f)?;
                }
                // Last, so that the last line is the handler that did not return.
                if waits.roots.is_empty() { Ok(()) } else { write!(f, "\n{waits}") }
            }
        }
    }
}

impl Error for ShutdownError {}

/// Error returned by [`Client::stop`](crate::Client::stop) and [`Client::reset`](crate::Client::reset).
///
/// ```
/// use zctor::{ActorEngine, StopError, actor};
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
/// let engine = ActorEngine::new();
/// let pool = engine.pool(2, JobMessage::actor(|| Job))?;
/// assert_eq!(pool.stop(), Err(StopError::Unbound { message: "JobMessage" }));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum StopError {
    /// The client is not bound to one instance: `pin` it first, or use the client that `start` returned.
    Unbound {
        /// The name of the message's type.
        message: &'static str,
    },
    /// The instance has ended already.
    Stopped {
        /// The name of the message's type.
        message: &'static str,
    },
}

impl fmt::Display for StopError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unbound { message } => {
                write!(f, "this client of `{message}` is bound to no single instance; pin one")
            }
            Self::Stopped { message } => write!(f, "this instance of `{message}` has ended already"),
        }
    }
}

impl Error for StopError {}

/// Error returned by [`Context::watch`](crate::Context::watch), which did nothing.
///
/// ```
/// use zctor::WatchError;
///
/// let error = WatchError::Unbound { message: "JobMessage" };
/// assert_eq!(error.to_string(), "this client of `JobMessage` is bound to no single instance; pin one");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum WatchError {
    /// The client is not bound to one instance: [`pin`](crate::Client::pin) it first.
    Unbound {
        /// The name of the message type.
        message: &'static str,
    },
}

impl fmt::Display for WatchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self::Unbound { message } = self;
        write!(f, "this client of `{message}` is bound to no single instance; pin one")
    }
}

impl Error for WatchError {}
