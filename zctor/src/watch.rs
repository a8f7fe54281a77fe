//! What became of things: dead letters, statistics, and the report of a shutdown.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::instance::InstanceId;
use crate::thread::ThreadId;

/// Engine-wide counts of what does not happen often. Relaxed throughout: they are statistics.
#[derive(Default)]
pub(crate) struct DeadLetters {
    letters: AtomicU64,
    skipped: AtomicU64,
    restarts: AtomicU64,
}

impl DeadLetters {
    pub(crate) fn count(&self, letters: usize) {
        self.letters.fetch_add(letters as u64, Ordering::Relaxed);
    }

    /// A call whose caller had given up before it began.
    pub(crate) fn skip(&self) {
        self.count(1);
        self.skipped.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn restart(&self) {
        self.restarts.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn letters(&self) -> u64 {
        self.letters.load(Ordering::Relaxed)
    }

    pub(crate) fn skipped(&self) -> u64 {
        self.skipped.load(Ordering::Relaxed)
    }

    pub(crate) fn restarts(&self) -> u64 {
        self.restarts.load(Ordering::Relaxed)
    }
}

/// What an engine is doing: given by [`ActorEngine::stats`](crate::ActorEngine::stats), and a moment old when read.
///
/// A message counts as handled when its handler has returned, a moment after its reply has left:
/// [`settle`](crate::ActorEngine::settle) first where it matters.
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
    /// The threads, in spawn order.
    pub threads: Vec<ThreadStats>,
    /// Accepted messages that nobody handled, skipped calls included.
    pub dead_letters: u64,
    /// Calls passed over because their caller had given up before they began.
    pub skipped: u64,
    /// States dropped after a panic, to be built again.
    pub restarts: u64,
}

impl Stats {
    /// Messages handled by the threads that run now.
    pub fn handled(&self) -> u64 {
        self.threads.iter().map(|thread| thread.handled).sum()
    }

    /// Messages waiting, or being handled.
    pub fn queued(&self) -> usize {
        self.threads.iter().map(|thread| thread.queued).sum()
    }
}

/// What one actor thread is doing.
///
/// ```
/// use zctor::ActorEngine;
///
/// assert!(ActorEngine::new().stats().threads.is_empty());
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ThreadStats {
    /// Its number.
    pub thread: ThreadId,
    /// Its name.
    pub name: String,
    /// Instances that live on it.
    pub instances: usize,
    /// Messages waiting, or being handled.
    pub queued: usize,
    /// Messages handled since it started.
    pub handled: u64,
    /// Messages whose handler panicked.
    pub panicked: u64,
}

/// What a shutdown found: given by [`ActorEngine::shutdown`](crate::ActorEngine::shutdown).
///
/// Every accepted copy of a message is in it once: handled, panicked, a dead letter, or left on an abandoned thread.
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
    /// The instances that lived until the shutdown, in the order of their ids.
    pub instances: Vec<InstanceReport>,
    /// How many ended before it, and what they had handled and panicked on together.
    pub earlier: EarlierReport,
    /// Accepted messages that nobody handled, since the engine was made.
    pub dead_letters: u64,
    /// Messages taken in by abandoned threads: whether they will be handled cannot be known.
    pub left: u64,
}

impl Report {
    /// Messages handled by all instances there ever were.
    pub fn handled(&self) -> u64 {
        self.earlier.handled + self.instances.iter().map(|instance| instance.handled).sum::<u64>()
    }

    /// Messages whose handler panicked, of all instances there ever were.
    pub fn panicked(&self) -> u64 {
        self.earlier.panicked + self.instances.iter().map(|instance| instance.panicked).sum::<u64>()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for InstanceReport { id, message, handled, panicked } in &self.instances {
            writeln!(f, "{message} {id}: {handled} handled, {panicked} panicked")?;
        }
        if self.earlier.instances > 0 {
            let EarlierReport { instances, handled, panicked } = self.earlier;
            writeln!(f, "{instances} ended earlier: {handled} handled, {panicked} panicked")?;
        }
        write!(f, "{} dead letters, {} left", self.dead_letters, self.left)
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
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct InstanceReport {
    /// Which one.
    pub id: InstanceId,
    /// The name of the message type that it handled.
    pub message: &'static str,
    /// Messages handled.
    pub handled: u64,
    /// Messages whose handler panicked.
    pub panicked: u64,
}

/// The instances that had ended before the shutdown, taken together, so that a long life needs no long list.
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
    /// How many.
    pub instances: u64,
    /// Messages handled.
    pub handled: u64,
    /// Messages whose handler panicked.
    pub panicked: u64,
}
