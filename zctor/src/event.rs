//! Dead letters and ends of instances, as hooks and watches are told of them.

use std::fmt;
use std::sync::Arc;

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
    /// ([`Overflow::DropNewest`](crate::Overflow::DropNewest)).
    /// Or it was the oldest from inside, which made room for a newer one ([`Inner::DropOldest`](crate::Inner::DropOldest)).
    Full,
    /// It waited from inside, and a newer message of its variant and its key took its place
    /// ([`Inner::Conflate`](crate::Inner::Conflate)).
    Conflated,
}

impl fmt::Display for Undelivered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ended => "its instance had ended",
            Self::Stopped => "the engine stopped before its turn",
            Self::GivenUp => "its caller had given up",
            Self::Full => "the mailbox was full",
            Self::Conflated => "a newer message took its place",
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
