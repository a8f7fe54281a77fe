//! Statistics of a running engine, and the report of a shutdown.

#[cfg(feature = "observe")]
pub(crate) mod handling_times;
pub(crate) mod instances;
pub(crate) mod running;
pub(crate) mod sends;
pub(crate) mod slow;
pub(crate) mod types;
pub(crate) mod waits;

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use crate::id::{InstanceId, ThreadId};
use crate::report::instances::BackingOff;
use crate::report::running::{RunningInstance, Wait};
use crate::report::sends::SendStats;
use crate::report::types::TypeStats;
use crate::report::waits::{OutsideCaller, WaitForest, WaitLink};

/// The state of an engine when [`ActorEngine::stats`](crate::ActorEngine::stats) was called.
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
/// assert_eq!((stats.types[0].message, stats.types[0].handled), ("JobMessage", 10));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Stats {
    /// The threads that run, in spawn order.
    pub threads: Vec<ThreadStats>,
    /// The message types, in the order of their names.
    pub types: Vec<TypeStats>,
    /// Accepted messages that no handler got, skipped calls included.
    pub dead_letters: u64,
    /// Calls that were skipped, because their caller had given up before their handler began.
    pub skipped: u64,
    /// Sends and calls that were refused with an error: there was no live instance or no room, or the receiver had
    /// stopped.
    pub refused: u64,
    /// Rebuilds of a state after a panic, or after its factory failed at a rebuild.
    pub restarts: u64,
    /// Calls that ended with [`CallError::Timeout`](crate::CallError::Timeout).
    pub timed_out: u64,
    /// The threads outside that wait for a reply, in the order in which their waits began. A task that awaits one is not
    /// among them.
    pub callers: Vec<OutsideCaller>,
    /// Which types have sent to which, and started which, by their names. Empty unless the engine was told to
    /// [record](crate::EngineBuilder::record_sends) it.
    pub sends: Vec<SendStats>,
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

impl Stats {
    /// Returns the waits of all handlers and of threads outside, each chain of them down to the handler that it ends in.
    /// Printed, that handler is the last line.
    ///
    /// An example is at [`WaitForest`].
    pub fn waits(&self) -> WaitForest {
        WaitForest::of(&self.threads, &self.callers)
    }
}

impl WaitForest {
    /// The waits of handlers on these threads, and of these threads outside.
    pub(crate) fn of(threads: &[ThreadStats], callers: &[OutsideCaller]) -> Self {
        let links: Vec<WaitLink<'_>> = threads.iter().map(ThreadStats::link).collect();
        Self::new(&links, callers)
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

/// The state of one actor thread, in [`Stats`](crate::Stats).
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
/// let seen = job.look()?;
/// assert!(seen.starts_with("thread 0 `zctor-0`: 1 instances, 1 queued, 0 handled, 0 panicked, runs `JobMessage"), "{seen}");
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
    /// The time for which the oldest of them has waited, at least.
    ///
    /// No message has a time stamp. The number comes from earlier looks: it is right to within the time between two
    /// calls of [`ActorEngine::stats`](crate::ActorEngine::stats). At the first call it is the time for which the
    /// handler that runs now has run, or zero.
    pub oldest: Duration,
    /// Messages that have come since it started. In the moment in which the thread takes some in, they count twice.
    pub accepted: u64,
    /// Messages of those that it is done with: handled, panicked, passed on to other threads, or lost.
    pub done: u64,
    /// Messages handled since it started.
    pub handled: u64,
    /// Messages whose handler panicked.
    pub panicked: u64,
    /// The time since it started: [`busy`](ThreadStats::busy), `waiting` and `idle` together.
    pub age: Duration,
    /// The time for which it was parked with nothing to do. The calling thread of [`here`](crate::ActorEngine::here) is
    /// also idle while it runs code of its own.
    pub idle: Duration,
    /// The time for which it was parked while a handler on it waited for a reply.
    pub waiting: Duration,
    /// The number of timers that are set, as it was when the thread last had nothing to do or a timer was due: ticks,
    /// delayed messages, and ends of backoffs.
    pub timers: usize,
    /// The room of its mailbox for messages from outside, if that is bounded
    /// ([`mailbox_bound`](crate::ActorThread::mailbox_bound)).
    pub room: Option<RoomStats>,
    /// The room for messages from inside, if that is bounded ([`inner_bound`](crate::ActorThread::inner_bound)).
    pub inner_room: Option<RoomStats>,
    /// The instance whose code runs just now, if any. If a handler waits and the thread serves another instance
    /// meanwhile, it is the innermost one.
    pub runs: Option<RunningInstance>,
    /// The waits of its handlers that did not end at once, the outermost first.
    pub waits: Vec<Wait>,
    /// Its instances that wait for their rebuild after a panic.
    pub backing_off: Vec<BackingOff>,
    /// How many instances of each type live on it, by the names of the types, for the map. Empty in looks that do not
    /// read the accounts of instances.
    pub(crate) types: BTreeMap<&'static str, usize>,
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
        match self.holder() {
            Some(runs) => write!(f, ", runs {runs}"),
            None => Ok(()),
        }
    }
}

impl ThreadStats {
    /// Returns the time for which it was neither idle nor waiting: it ran handlers, or looked for something to do.
    /// That it spins for some microseconds before it parks counts as busy.
    pub fn busy(&self) -> Duration {
        self.age.saturating_sub(self.idle + self.waiting)
    }

    /// Returns the instance whose code holds the thread: the one that runs, unless it waits itself.
    ///
    /// ```
    /// use zctor::ActorEngine;
    ///
    /// let engine = ActorEngine::new();
    /// let stats = engine.stats();
    /// assert!(stats.threads.iter().all(|thread| thread.holder().is_none()));
    /// ```
    pub fn holder(&self) -> Option<RunningInstance> {
        self.runs.filter(|runs| self.waits.last().is_none_or(|wait| wait.instance != runs.instance))
    }

    /// Returns how many of the messages that are [`queued`](ThreadStats::queued) the code that runs does not handle: all
    /// but one at most. Those that waiting handlers handle are among them.
    ///
    /// ```
    /// use zctor::ActorEngine;
    ///
    /// let engine = ActorEngine::new();
    /// let stats = engine.stats();
    /// assert!(stats.threads.iter().all(|thread| thread.queued_behind() == 0));
    /// ```
    pub fn queued_behind(&self) -> usize {
        let handles = self.runs.is_some_and(|runs| runs.handles);
        self.queued.saturating_sub(handles.into())
    }

    /// The thread, as far as chains of waits lead over it.
    fn link(&self) -> WaitLink<'_> {
        WaitLink {
            thread: self.thread,
            name: &self.name,
            runs: self.holder(),
            queued: self.queued,
            queued_behind: self.queued_behind(),
            oldest: self.oldest,
            waits: &self.waits,
        }
    }

    /// Writes whose code holds the thread: the waits of its handlers, and the code that runs.
    pub(crate) fn write_holder(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let waits = self.waits.iter().map(|wait| format!("{wait}"));
        let runs = self.holder().map(|runs| format!("runs {runs}"));
        let holders: Vec<String> = waits.chain(runs).collect();
        if holders.is_empty() { Ok(()) } else { write!(f, " ({})", holders.join(", ")) }
    }
}

/// The room of a bounded mailbox, in [`ThreadStats`].
///
/// ```
/// use zctor::{ActorEngine, ActorThread, actor};
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
/// engine.spawn(ActorThread::new().mailbox_bound(5).register(JobMessage::actor_once(|| Job(gate))))?;
/// for _ in 0..3 {
///     engine.send(JobMessage::Run)?;
/// }
/// let room = engine.stats().threads[0].room.expect("a bound was set");
/// assert_eq!((room.bound, room.waiting), (5, 0));
/// assert!(room.taken == 3 || room.taken == 2, "the handler of one may have begun");
/// drop(open);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RoomStats {
    /// The number of messages that there is room for.
    pub bound: usize,
    /// The number of messages that take room: they were accepted, and their handlers have not begun.
    pub taken: usize,
    /// The number of senders that wait for room.
    pub waiting: usize,
}

/// The outcomes of all accepted messages, as [`ActorEngine::shutdown`](crate::ActorEngine::shutdown) reports it.
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

/// The counts of one instance over its life.
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
