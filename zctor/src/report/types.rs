//! The counts of an engine for each message type.

use std::fmt;

use crate::event::Undelivered;

/// The counts of an engine for the messages of one type, in [`Stats`](crate::Stats): its instances on all threads,
/// those that have ended among them.
///
/// Types of the same name share a row. A type has a row once an instance of it has lived, or a message of it was
/// refused or lost.
///
/// ```
/// use zctor::{ActorEngine, TypeStats, actor};
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
/// assert!(engine.send(JobMessage::Run).is_err()); // nobody handles it yet
/// engine.pool(2, JobMessage::actor(|| Job))?.run()?;
/// engine.settle();
/// let stats = engine.stats();
/// let jobs: &TypeStats = &stats.types[0];
/// assert_eq!((jobs.message, jobs.instances, jobs.handled, jobs.queued), ("JobMessage", 2, 1, 0));
/// assert_eq!((jobs.refused.not_registered, jobs.refused.total()), (1, 1));
/// assert_eq!(jobs.to_string(), "JobMessage: 2 instances, 0 queued, 1 handled, 0 panicked, 1 refused");
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct TypeStats {
    /// The name of the message type.
    pub message: &'static str,
    /// The number of instances that live.
    pub instances: usize,
    /// The number of instances that have ended.
    pub ended: u64,
    /// Messages that wait for the instances that live, or are being handled by them.
    ///
    /// A thread that hosts several types knows whom a message is for only when it takes it out of its mailbox. What
    /// lies in there counts in [`ThreadStats::queued`](crate::ThreadStats::queued), and here only if the thread hosts
    /// this type alone.
    pub queued: usize,
    /// Messages handled.
    pub handled: u64,
    /// Messages whose handler panicked.
    pub panicked: u64,
    /// Rebuilds of a state after a panic, or after its factory failed at a rebuild.
    pub restarts: u64,
    /// Accepted messages that no handler got, by their reasons.
    pub dead_letters: DeadLetterCounts,
    /// Sends and calls that were refused with an error, by their reasons.
    pub refused: RefusalCounts,
    /// Calls whose callers waited to the deadline in vain.
    pub timed_out: TimeoutCounts,
}

impl TypeStats {
    pub(crate) fn new(message: &'static str) -> Self {
        Self { message, ..Self::default() }
    }
}

impl fmt::Display for TypeStats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { message, instances, ended, queued, handled, panicked, .. } = self;
        write!(f, "{message}: {instances} instances, {queued} queued, {handled} handled, {panicked} panicked")?;
        let rare = [
            (*ended, "ended"),
            (self.restarts, "restarts"),
            (self.dead_letters.total(), "dead letters"),
            (self.refused.total(), "refused"),
            (self.timed_out.total(), "timed out"),
        ];
        rare.into_iter().filter(|(count, _)| *count > 0).try_for_each(|(count, what)| write!(f, ", {count} {what}"))
    }
}

/// Dead letters of one message type by their reasons, which are those of [`Undelivered`].
///
/// ```
/// use zctor::{ActorEngine, Context, Undelivered, actor};
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
/// engine.on_dead_letter(|_| {}); // no line on standard error
/// let job: JobClient = engine.start(JobMessage::actor(|| Job))?;
/// job.send_all([JobMessage::Quit, JobMessage::Run, JobMessage::Run])?;
/// engine.settle();
/// let dead_letters = engine.stats().types[0].dead_letters;
/// assert_eq!((dead_letters.ended, dead_letters.of(Undelivered::Ended), dead_letters.total()), (2, 2, 2));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct DeadLetterCounts {
    /// Their instances had ended.
    pub ended: u64,
    /// The engine stopped before their turn.
    pub stopped: u64,
    /// Calls whose callers had given up before they began.
    pub given_up: u64,
    /// A bounded mailbox had no room.
    pub full: u64,
    /// A newer message took their place.
    pub conflated: u64,
    /// They went through a link, and nobody serves their pool on the other side.
    pub unreachable: u64,
    /// They went to another process, and nobody has said that they arrived.
    pub lost: u64,
    /// They went through a link, and cannot go through bytes or are not understood on the other side.
    pub unfit: u64,
}

impl DeadLetterCounts {
    /// Returns the number of those that were lost for one reason.
    pub fn of(&self, why: Undelivered) -> u64 {
        let mut copy = *self;
        *copy.place(why)
    }

    /// Returns the number of all of them.
    pub fn total(&self) -> u64 {
        let Self { ended, stopped, given_up, full, conflated, unreachable, lost, unfit } = *self;
        ended + stopped + given_up + full + conflated + unreachable + lost + unfit
    }

    pub(crate) fn place(&mut self, why: Undelivered) -> &mut u64 {
        match why {
            Undelivered::Ended => &mut self.ended,
            Undelivered::Stopped => &mut self.stopped,
            Undelivered::GivenUp => &mut self.given_up,
            Undelivered::Full => &mut self.full,
            Undelivered::Conflated => &mut self.conflated,
            Undelivered::Unreachable => &mut self.unreachable,
            Undelivered::Lost => &mut self.lost,
            Undelivered::Unfit => &mut self.unfit,
        }
    }
}

/// Refused sends and calls of one message type by their reasons, which are those of [`SendError`](crate::SendError) and
/// [`CallError`](crate::CallError).
///
/// ```
/// use zctor::{ActorEngine, ActorThread, Overflow, actor};
///
/// #[actor]
/// pub enum JobMessage {
///     Run,
/// }
/// struct Job(std::sync::mpsc::Receiver<()>);
/// impl JobHandler for Job {
///     fn run(&mut self) {
///         self.0.recv().unwrap_or_default();
///     }
/// }
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let engine = ActorEngine::new();
/// let (open, gate) = std::sync::mpsc::channel();
/// let thread = ActorThread::new().mailbox_bound(1).overflow(Overflow::Refuse);
/// engine.spawn(thread.register(JobMessage::actor_once(|| Job(gate))))?;
/// let sent = (0..10).filter(|_| engine.send(JobMessage::Run).is_ok()).count() as u64;
/// let refused = engine.stats().types[0].refused;
/// assert_eq!((refused.full, refused.total()), (10 - sent, 10 - sent));
/// drop(open);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct RefusalCounts {
    /// There was no live instance.
    pub not_registered: u64,
    /// There was no room.
    pub full: u64,
    /// The engine or the instance had stopped.
    pub stopped: u64,
    /// The instance was a link to another engine, and the request was one to all instances: a link has one reply.
    pub unfit: u64,
}

impl RefusalCounts {
    /// Returns the number of all of them.
    pub fn total(&self) -> u64 {
        self.not_registered + self.full + self.stopped + self.unfit
    }
}

/// Calls of one message type that ended with [`CallError::Timeout`](crate::CallError::Timeout).
///
/// ```
/// use std::time::Duration;
/// use zctor::{ActorEngine, actor};
///
/// #[actor]
/// pub enum JobMessage {
///     #[reply(())]
///     Run,
/// }
/// struct Job(std::sync::mpsc::Receiver<()>);
/// impl JobHandler for Job {
///     fn run(&mut self) {
///         self.0.recv().unwrap_or_default();
///     }
/// }
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let engine = ActorEngine::new();
/// let (open, gate) = std::sync::mpsc::channel();
/// let job: JobClient = engine.start(JobMessage::actor_once(|| Job(gate)))?;
/// assert!(job.within(Duration::from_millis(1)).run().is_err());
/// let timed_out = engine.stats().types[0].timed_out;
/// assert_eq!((timed_out.begun + timed_out.not_begun, timed_out.total()), (1, 1));
/// drop(open);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct TimeoutCounts {
    /// The handler had begun by then.
    pub begun: u64,
    /// The handler had not begun, and never will.
    pub not_begun: u64,
}

impl TimeoutCounts {
    /// Returns the number of all of them.
    pub fn total(&self) -> u64 {
        self.begun + self.not_begun
    }
}
