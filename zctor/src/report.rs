//! Statistics of a running engine, and the report of a shutdown.

use std::fmt;
use std::time::Instant;

use crate::id::{InstanceId, ThreadId};

/// What an engine was doing when [`ActorEngine::stats`](crate::ActorEngine::stats) was called.
///
/// A message counts as handled when its handler has returned. That is a little later than its reply: call
/// [`settle`](crate::ActorEngine::settle) first where the difference matters.
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
/// let engine = ActorEngine::new();
/// let jobs: JobClient = engine.pool(2, JobMessage::actor(|| Job))?;
/// for _ in 0..10 {
///     jobs.run()?;
/// }
/// engine.settle();
/// let stats = engine.stats();
/// assert_eq!((stats.handled(), stats.queued(), stats.dead_letters), (10, 0, 0));
/// assert_eq!(stats.threads[1].handled, 5);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Stats {
    /// The threads that run, in spawn order.
    pub threads: Vec<ThreadStats>,
    /// Accepted messages that no handler got, skipped calls included.
    pub dead_letters: u64,
    /// Calls that were skipped, because their caller had given up before their handler began.
    pub skipped: u64,
    /// Sends and calls that were refused with an error: there was no live instance or no room, or the receiver had
    /// stopped.
    pub refused: u64,
    /// Rebuilds of a state after a panic, or after its factory failed at a rebuild.
    pub restarts: u64,
}

impl Stats {
    /// Returns the number of messages handled by the threads that run.
    pub fn handled(&self) -> u64 {
        self.threads.iter().map(|thread| thread.handled).sum()
    }

    /// Returns the number of messages that wait or are being handled.
    pub fn queued(&self) -> usize {
        self.threads.iter().map(|thread| thread.queued).sum()
    }
}

impl fmt::Display for Stats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for thread in &self.threads {
            writeln!(f, "{thread}")?;
        }
        let Self { dead_letters, skipped, refused, restarts, .. } = self;
        write!(f, "{dead_letters} dead letters ({skipped} skipped calls), {refused} refused, {restarts} restarts")
    }
}

/// What one actor thread was doing.
///
/// ```
/// use zctor::{ActorEngine, Context, actor};
///
/// #[actor(ctx)]
/// pub enum JobMessage {
///     #[reply(String)]
///     Look,
/// }
/// struct Job;
/// impl JobHandler for Job {
///     fn look(&mut self, ctx: &mut Context<JobMessage>) -> String {
///         ctx.engine().stats().threads[0].to_string()
///     }
/// }
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let engine = ActorEngine::new();
/// assert!(engine.stats().threads.is_empty());
/// let job: JobClient = engine.pool(1, JobMessage::actor(|| Job))?;
/// assert_eq!(job.look()?, "thread 0 `zctor-0`: 1 instances, 1 queued, 0 handled, 0 panicked, runs `JobMessage` 0.0");
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ThreadStats {
    /// Its number.
    pub thread: ThreadId,
    /// Its name.
    pub name: String,
    /// The number of instances that live on it.
    pub instances: usize,
    /// Messages that wait or are being handled.
    pub queued: usize,
    /// Messages handled since it started.
    pub handled: u64,
    /// Messages whose handler panicked.
    pub panicked: u64,
    /// The instance whose code runs just now, if any. If a handler waits and the thread serves another instance
    /// meanwhile, it is the innermost one.
    pub runs: Option<RunningInstance>,
    /// The waits of its handlers that did not end at once, the outermost first.
    pub waits: Vec<Wait>,
    /// Its instances that wait for their rebuild after a panic.
    pub backing_off: Vec<BackingOff>,
}

impl fmt::Display for ThreadStats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { thread, name, instances, queued, handled, panicked, waits, backing_off, .. } = self;
        write!(f, "thread {thread} `{name}`: {instances} instances, {queued} queued, ")?;
        write!(f, "{handled} handled, {panicked} panicked")?;
        for wait in waits {
            write!(f, ", {wait}")?;
        }
        for one in backing_off {
            write!(f, ", {one}")?;
        }
        match self.runs_beside_waits() {
            Some(runs) => write!(f, ", runs {runs}"),
            None => Ok(()),
        }
    }
}

impl ThreadStats {
    /// The instance whose code runs, unless it is the one that waits.
    fn runs_beside_waits(&self) -> Option<RunningInstance> {
        self.runs.filter(|runs| self.waits.last().is_none_or(|wait| wait.instance != runs.instance))
    }

    /// Writes whose code holds the thread: the waits of its handlers, and the code that runs.
    pub(crate) fn write_holder(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let waits = self.waits.iter().map(|wait| format!("{wait}"));
        let runs = self.runs_beside_waits().map(|runs| format!("runs {runs}"));
        let holders: Vec<String> = waits.chain(runs).collect();
        if holders.is_empty() { Ok(()) } else { write!(f, " ({})", holders.join(", ")) }
    }
}

/// An instance whose code runs, in [`ThreadStats`].
///
/// ```
/// use zctor::ActorEngine;
///
/// let stats = ActorEngine::new().stats();
/// assert!(stats.threads.iter().all(|thread| thread.runs.is_none()));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RunningInstance {
    /// The id of the instance.
    pub instance: InstanceId,
    /// The name of the message type that it handles.
    pub message: &'static str,
}

impl fmt::Display for RunningInstance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` {}", self.message, self.instance)
    }
}

/// A handler that waits for a reply, in [`ThreadStats`].
///
/// ```
/// use zctor::ActorEngine;
///
/// let stats = ActorEngine::new().stats();
/// assert!(stats.threads.iter().all(|thread| thread.waits.is_empty()));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Wait {
    /// The instance that waits.
    pub instance: InstanceId,
    /// The name of the message type that the waiting instance handles.
    pub message: &'static str,
    /// The name of the message type whose reply it waits for.
    pub callee: &'static str,
    /// The thread that the reply must come from.
    pub on: ThreadId,
}

impl fmt::Display for Wait {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` {} waits for `{}` on thread {}", self.message, self.instance, self.callee, self.on)
    }
}

/// An instance that waits for its rebuild after a panic, in [`ThreadStats`].
///
/// ```
/// use std::sync::mpsc;
/// use std::time::Duration;
/// use zctor::{ActorEngine, PanicEvent, Restart, actor};
///
/// #[actor]
/// pub enum JobMessage {
///     Run,
/// }
/// struct Job;
/// impl JobHandler for Job {
///     fn run(&mut self) {
///         panic!("broken");
///     }
/// }
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # std::panic::set_hook(Box::new(|_| {}));
/// let hour = Duration::from_secs(3600);
/// let engine = ActorEngine::new();
/// let (tell, told) = mpsc::channel();
/// engine.on_panic(move |panic: &PanicEvent| tell.send(panic.next).unwrap_or_default());
/// let job: JobClient = engine.start(JobMessage::actor(|| Job).restart(Restart::always().backoff(hour, hour)))?;
/// job.send_all((0..3).map(|_| JobMessage::Run))?;
/// told.iter().nth(2); // from the third panic on it backs off
/// let stats = engine.stats();
/// let backing_off = &stats.threads[0].backing_off[0];
/// assert_eq!((Some(backing_off.instance), backing_off.message), (job.instance_id(), "JobMessage"));
/// assert_eq!(backing_off.until - backing_off.since, hour);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct BackingOff {
    /// Which one.
    pub instance: InstanceId,
    /// The name of the message type that it handles.
    pub message: &'static str,
    /// Since when.
    pub since: Instant,
    /// Until when.
    pub until: Instant,
}

impl fmt::Display for BackingOff {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { instance, message, since, until } = self;
        write!(f, "`{message}` {instance} backs off for {:?}", until.saturating_duration_since(*since))
    }
}

/// What became of all accepted messages, as [`ActorEngine::shutdown`](crate::ActorEngine::shutdown) reports it.
///
/// Every accepted message, and every copy of a broadcast, is in it once: handled, panicked, a dead letter, or left on
/// an abandoned thread. (An abandoned thread that was only slow goes on counting while the report is made.)
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
/// let engine = ActorEngine::new();
/// engine.pool(1, JobMessage::actor(|| Job))?.run()?;
/// let report = engine.shutdown()?;
/// assert_eq!((report.handled(), report.panicked(), report.dead_letters, report.left), (1, 0, 0, 0));
/// assert_eq!(report.instances[0].message, "JobMessage");
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Report {
    /// The instances that lived when the shutdown began, those of abandoned threads included, in the order of their
    /// ids.
    pub instances: Vec<InstanceReport>,
    /// The instances that had ended before that, counted together.
    pub earlier: EarlierReport,
    /// Accepted messages that no handler got, since the engine was made, the skipped calls included.
    pub dead_letters: u64,
    /// Calls that were skipped, since their callers had given up before they began.
    pub skipped: u64,
    /// Messages that abandoned threads had taken out of their mailboxes and not done. Whether they will be handled
    /// cannot be known.
    pub left: u64,
}

impl Report {
    /// Returns the number of messages handled, by all instances there ever were.
    pub fn handled(&self) -> u64 {
        self.earlier.handled + self.instances.iter().map(|instance| instance.handled).sum::<u64>()
    }

    /// Returns the number of messages whose handler panicked, of all instances there ever were.
    pub fn panicked(&self) -> u64 {
        self.earlier.panicked + self.instances.iter().map(|instance| instance.panicked).sum::<u64>()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for InstanceReport { id, message, handled, panicked, left } in &self.instances {
            write!(f, "{message} {id}: {handled} handled, {panicked} panicked")?;
            if *left > 0 {
                write!(f, ", {left} left")?;
            }
            writeln!(f)?;
        }
        if self.earlier.instances > 0 {
            let EarlierReport { instances, handled, panicked } = self.earlier;
            writeln!(f, "{instances} ended earlier: {handled} handled, {panicked} panicked")?;
        }
        let Self { dead_letters, skipped, left, .. } = self;
        write!(f, "{dead_letters} dead letters ({skipped} skipped calls), {left} left")
    }
}

/// What one instance did in its life.
///
/// ```
/// use zctor::{ActorEngine, InstanceReport, actor};
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
/// engine.pool(3, JobMessage::actor(|| Job))?.run()?;
/// let instances: Vec<InstanceReport> = engine.shutdown()?.instances;
/// assert_eq!(instances.iter().map(|one| one.handled).collect::<Vec<_>>(), [1, 0, 0]);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct InstanceReport {
    /// The id of the instance.
    pub id: InstanceId,
    /// The name of the message type that it handled.
    pub message: &'static str,
    /// Messages handled.
    pub handled: u64,
    /// Messages whose handler panicked.
    pub panicked: u64,
    /// Messages that its thread had taken out of its mailbox for this instance and not done; 0 except on abandoned
    /// threads.
    pub left: u64,
}

/// The instances that had ended before the shutdown, counted together: the list of a long-lived engine would be long.
///
/// ```
/// use zctor::{ActorEngine, actor};
///
/// #[actor]
/// pub enum JobMessage {
///     #[reply(())]
///     Run,
/// }
/// struct Job;
/// impl JobHandler for Job {
///     fn run(&mut self) {}
/// }
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let engine = ActorEngine::new();
/// let job: JobClient = engine.start(JobMessage::actor(|| Job))?;
/// job.run()?;
/// job.stop()?;
/// engine.settle();
/// assert_eq!(engine.shutdown()?.earlier.handled, 1);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct EarlierReport {
    /// The number of these instances.
    pub instances: u64,
    /// Messages handled.
    pub handled: u64,
    /// Messages whose handler panicked.
    pub panicked: u64,
}
