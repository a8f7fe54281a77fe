//! The counts of each instance of a running engine.

use std::fmt;
use std::time::Instant;

use crate::id::InstanceId;

/// The counts of one instance, and how much waits for it, as [`ActorEngine::instances`](crate::ActorEngine::instances)
/// gives it.
///
/// ```
/// use zctor::{ActorEngine, InstanceStats, actor};
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
/// let jobs: JobClient = engine.pool(3, JobMessage::actor(|| Job))?;
/// for _ in 0..4 {
///     jobs.run()?;
/// }
/// engine.settle();
/// let mut instances: Vec<InstanceStats> = engine.instances();
/// instances.sort_by_key(|one| std::cmp::Reverse(one.handled)); // the busiest first
/// assert_eq!(instances.iter().map(|one| one.handled).collect::<Vec<_>>(), [2, 1, 1]);
/// assert_eq!(instances[0].to_string(), "JobMessage 0.0: 0 queued, 2 handled, 0 panicked");
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct InstanceStats {
    /// The id of the instance.
    pub id: InstanceId,
    /// The name of the message type that it handles.
    pub message: &'static str,
    /// Messages that wait for it, or are being handled by it.
    ///
    /// A thread that hosts several instances knows whom a message is for only when it takes it out of its mailbox. What
    /// lies in there counts in [`ThreadStats::queued`](crate::ThreadStats::queued), and here only if the instance is
    /// alone on its thread.
    pub queued: usize,
    /// Messages handled.
    pub handled: u64,
    /// Messages whose handler panicked.
    pub panicked: u64,
    /// Since when and until when it waits for its rebuild after a panic, if it does.
    pub backing_off: Option<BackingOff>,
}

impl fmt::Display for InstanceStats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { id, message, queued, handled, panicked, backing_off } = self;
        write!(f, "{message} {id}: {queued} queued, {handled} handled, {panicked} panicked")?;
        match backing_off {
            Some(_) => f.write_str(", backs off"),
            None => Ok(()),
        }
    }
}

/// An instance that waits for its rebuild after a panic, in [`ThreadStats`](crate::ThreadStats).
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
