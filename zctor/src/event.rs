//! Dead letters, panics and ends of instances, as hooks, watches and events are told of them.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::id::InstanceId;

/// Why an accepted message was not handled.
///
/// ```
/// use zctor::Undelivered;
///
/// assert_eq!(Undelivered::Full.to_string(), "the mailbox was full");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Undelivered {
    /// Its instance ended before it could handle the message, and no other instance of the pool could take it over.
    Ended,
    /// The time of a shutdown was up before it could be handled.
    Stopped,
    /// It was a call, and its caller had given up before its handler began.
    GivenUp,
    /// A bounded mailbox had no room for it: it was a copy of a broadcast, or the mailbox drops the newest
    /// ([`Overflow::DropNewest`](crate::Overflow::DropNewest)). Or it was the oldest from inside, which made room for a
    /// newer one ([`Inner::DropOldest`](crate::Inner::DropOldest)).
    Full,
    /// It waited from inside, and a newer message of its variant and its key took its place
    /// ([`Inner::Conflate`](crate::Inner::Conflate)).
    Conflated,
    /// It went through a link of the feature `remote`, and nobody serves its pool on the other side.
    Unreachable,
    /// It went to another process, and nobody has said that it arrived: it may have been handled, or not.
    Lost,
    /// It went through a link of the feature `remote`, and it cannot go through bytes, the other side does not understand
    /// it, or what carries it does not permit it.
    Unfit,
}

impl fmt::Display for Undelivered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ended => "its instance had ended",
            Self::Stopped => "the engine stopped before its turn",
            Self::GivenUp => "its caller had given up",
            Self::Full => "the mailbox was full",
            Self::Conflated => "a newer message took its place",
            Self::Unreachable => "nobody serves its pool on the other side",
            Self::Lost => "nobody has said that it arrived, and it may have been handled",
            Self::Unfit => "it cannot be carried, or is not understood on the other side",
        })
    }
}

/// An accepted message that no handler will get, as the hook [`on_dead_letter`](crate::ActorEngine::on_dead_letter) is
/// told of it.
///
/// The message itself goes to the hook [`on_undelivered`](crate::Actor::on_undelivered) of its actor.
///
/// ```
/// use std::sync::mpsc;
/// use zctor::{ActorEngine, Context, DeadLetter, Undelivered, actor};
///
/// #[actor(ctx)]
/// pub enum JobMessage {
///     Run,
///     Quit,
/// }
/// struct Job;
/// impl JobHandler for Job {
///     fn run(&mut self, _ctx: &mut Context<JobMessage>) {}
///     fn quit(&mut self, ctx: &mut Context<JobMessage>) {
///         ctx.stop();
///     }
/// }
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let engine = ActorEngine::new();
/// let (dead, letters) = mpsc::channel();
/// engine.on_dead_letter(move |letter: &DeadLetter| dead.send(letter.clone()).unwrap_or_default());
/// let job: JobClient = engine.start(JobMessage::actor(|| Job))?;
/// job.send_all([JobMessage::Quit, JobMessage::Run])?;
/// let letter = letters.recv()?;
/// assert_eq!((letter.message, letter.variant, letter.why), ("JobMessage", "Run", Undelivered::Ended));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct DeadLetter {
    /// The name of the message's type.
    pub message: &'static str,
    /// The name of the message's variant.
    pub variant: &'static str,
    /// The instance that the message was for.
    pub instance: InstanceId,
    /// Why no handler will get it.
    pub why: Undelivered,
}

impl fmt::Display for DeadLetter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { message, variant, instance, why } = self;
        write!(f, "`{message}::{variant}` for {instance} was not handled: {why}")
    }
}

/// The end of an instance, as [`Context::watch`](crate::Context::watch) and
/// [`ActorEngine::on_end`](crate::ActorEngine::on_end) tell of it.
///
/// The state of the instance is dropped by then, unless its thread was abandoned.
///
/// ```
/// use std::sync::mpsc;
/// use zctor::{ActorEngine, End, Ended, actor};
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
/// let (tell, ends) = mpsc::channel();
/// engine.on_end(move |ended: &Ended| tell.send(ended.clone()).unwrap_or_default());
/// let job: JobClient = engine.start(JobMessage::actor(|| Job))?;
/// job.stop()?;
/// let ended = ends.recv()?;
/// assert_eq!((Some(ended.instance), ended.message, ended.why), (job.instance_id(), "JobMessage", End::Stopped));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Ended {
    /// The id of the instance.
    pub instance: InstanceId,
    /// The name of the message type that it handled.
    pub message: &'static str,
    /// Why it ended.
    pub why: End,
}

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` {} {}", self.message, self.instance, self.why)
    }
}

/// Why an instance ended.
///
/// ```
/// use zctor::End;
///
/// assert_eq!(End::Panicked("broken".into()).to_string(), "panicked beyond its limit: broken");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum End {
    /// The instance was stopped, or its thread or its engine was.
    Stopped,
    /// It panicked once more than its [`Restart`](crate::Restart) allows, or its factory failed and is not tried again.
    /// This is the text of the last panic or error.
    Panicked(Arc<str>),
    /// A shutdown abandoned its thread, because a handler there did not return in time.
    Abandoned,
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stopped => f.write_str("stopped"),
            Self::Panicked(text) => write!(f, "panicked beyond its limit: {text}"),
            Self::Abandoned => f.write_str("was abandoned with its thread"),
        }
    }
}

/// A restart, as [`ActorEngine::on_restart`](crate::ActorEngine::on_restart) tells of it: the factory of an instance has
/// built its state again, after a panic or a reset.
///
/// ```
/// use std::sync::mpsc;
/// use zctor::{ActorEngine, Restarted, actor};
///
/// #[actor]
/// pub enum CacheMessage {
///     Put(u8),
/// }
/// struct Cache;
/// impl CacheHandler for Cache {
///     fn put(&mut self, _value: u8) {}
/// }
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let engine = ActorEngine::new();
/// let (tell, restarts) = mpsc::channel();
/// engine.on_restart(move |restarted: &Restarted| tell.send(restarted.clone()).unwrap_or_default());
/// let cache: CacheClient = engine.start(CacheMessage::actor(|| Cache))?;
/// cache.reset()?;
/// let restarted = restarts.recv()?;
/// assert_eq!((Some(restarted.instance), restarted.message), (cache.instance_id(), "CacheMessage"));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Restarted {
    /// The instance, which is the same as before.
    pub instance: InstanceId,
    /// The name of the message type that it handles.
    pub message: &'static str,
}

impl fmt::Display for Restarted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` {} was built again", self.message, self.instance)
    }
}

/// A panic in the code of an instance, as [`ActorEngine::on_panic`](crate::ActorEngine::on_panic) and
/// [`Context::watch_panics`](crate::Context::watch_panics) tell of it. Every panic is told: of a message that was sent
/// as of one that was called.
///
/// A factory that fails by an error when it should build a state again counts as a panic, and is told as one.
///
/// ```
/// use std::sync::mpsc;
/// use zctor::{ActorEngine, AfterPanic, PanicEvent, PanicOrigin, actor};
///
/// #[actor]
/// pub enum JobMessage {
///     Run(u8),
/// }
/// struct Job;
/// impl JobHandler for Job {
///     fn run(&mut self, value: u8) {
///         assert!(value < 10, "too big");
///     }
/// }
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # std::panic::set_hook(Box::new(|_| {}));
/// let engine = ActorEngine::new();
/// let (tell, told) = mpsc::channel();
/// engine.on_panic(move |panic: &PanicEvent| tell.send(panic.clone()).unwrap_or_default());
/// let job: JobClient = engine.start(JobMessage::actor(|| Job))?;
/// job.run(50)?; // sent: no caller waits for it
/// let panic = told.recv()?;
/// assert_eq!((Some(panic.instance), panic.message), (job.instance_id(), "JobMessage"));
/// assert_eq!((panic.origin, &*panic.text), (PanicOrigin::Handler("Run"), "too big"));
/// assert_eq!((panic.in_window, panic.next), (1, AfterPanic::Rebuilt));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PanicEvent {
    /// The instance whose code panicked.
    pub instance: InstanceId,
    /// The name of the message type that it handles.
    pub message: &'static str,
    /// Which code of it panicked: the handler of which variant, or what else.
    pub origin: PanicOrigin,
    /// The text of the panic, or of the factory's error.
    pub text: Arc<str>,
    /// How many panics of the instance count for its [`Restart`](crate::Restart), this one among them: those of the
    /// last ten seconds, or of the window of `at_most`. A count beyond 35, or beyond the limit of `at_most`, changes
    /// nothing any more and stays there. A panic in `on_stop`, in `on_panic` or in a drop is not counted.
    pub in_window: usize,
    /// Says what becomes of the instance.
    pub next: AfterPanic,
}

impl fmt::Display for PanicEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { instance, message, origin, text, in_window, next } = self;
        match origin {
            PanicOrigin::Handler(variant) => write!(f, "`{message}::{variant}` of {instance} panicked: {text}")?,
            // It panicked or returned an error.
            PanicOrigin::Factory => write!(f, "the factory of `{message}` {instance} failed: {text}")?,
            origin => write!(f, "{origin} of `{message}` {instance} panicked: {text}")?,
        }
        write!(f, " ({in_window} in its window); {next}")
    }
}

/// Which code of an instance panicked.
///
/// ```
/// use zctor::PanicOrigin;
///
/// assert_eq!(PanicOrigin::Handler("Run").variant(), Some("Run"));
/// assert_eq!(PanicOrigin::OnStart.to_string(), "on_start");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum PanicOrigin {
    /// The handler of this variant.
    Handler(&'static str),
    /// `on_start`.
    OnStart,
    /// `on_stop`.
    OnStop,
    /// `on_panic`, which got the state after an earlier panic.
    OnPanic,
    /// The closure of a timer.
    Timer,
    /// The closure of a pipe or of a watch.
    Pipe,
    /// The factory, when it was to build the state again: it panicked or returned an error.
    Factory,
    /// The drop of the state, or of a message or closure that belonged to it.
    Drop,
}

impl PanicOrigin {
    /// The variant whose handler it was.
    pub fn variant(self) -> Option<&'static str> {
        match self {
            Self::Handler(variant) => Some(variant),
            _ => None,
        }
    }
}

impl fmt::Display for PanicOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Handler(variant) => variant,
            Self::OnStart => "on_start",
            Self::OnStop => "on_stop",
            Self::OnPanic => "on_panic",
            Self::Timer => "a timer",
            Self::Pipe => "a pipe",
            Self::Factory => "the factory",
            Self::Drop => "a drop",
        })
    }
}

/// Says what becomes of an instance after a panic.
///
/// ```
/// use zctor::AfterPanic;
///
/// assert_eq!(AfterPanic::Ended.to_string(), "it ends");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AfterPanic {
    /// Its state is built again at once.
    Rebuilt,
    /// It backs off, and its state is built again then.
    BackingOff {
        /// Until when.
        until: Instant,
        /// How long.
        backoff: Duration,
    },
    /// It does not come back: it was beyond the limit of its [`Restart`](crate::Restart), its factory runs once, or it
    /// was ending anyway.
    Ended,
}

impl fmt::Display for AfterPanic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rebuilt => f.write_str("it is rebuilt"),
            Self::BackingOff { backoff, .. } => write!(f, "it backs off for {backoff:?}"),
            Self::Ended => f.write_str("it ends"),
        }
    }
}
