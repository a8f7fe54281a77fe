//! A handler that has run for longer than it should.

use std::fmt;
use std::time::Duration;

use crate::id::InstanceId;
use crate::report::running::{Readable, Typed};

/// A handler that has run for longer than its limit, as [`ActorEngine::slow`](crate::ActorEngine::slow) lists it and
/// [`ActorEngine::on_slow`](crate::ActorEngine::on_slow) tells of it.
///
/// A handler that waits for a reply is not slow: its callee is, or the handler that the callee waits for.
///
/// ```
/// use std::sync::mpsc;
/// use std::time::Duration;
/// use zctor::{ActorEngine, ActorThread, Slow, actor};
///
/// #[actor]
/// pub enum DatabaseMessage {
///     Load,
/// }
/// struct Database(mpsc::Receiver<()>);
/// impl DatabaseHandler for Database {
///     fn load(&mut self) {
///         self.0.recv().unwrap_or_default(); // it takes its time
///     }
/// }
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let engine = ActorEngine::new();
/// let (tell, told) = mpsc::channel();
/// engine.on_slow(Duration::from_millis(50), move |slow: &Slow| tell.send(slow.clone()).unwrap_or_default())?;
///
/// let (open, gate) = mpsc::channel();
/// engine.spawn(ActorThread::named("db").register(DatabaseMessage::actor_once(|| Database(gate))))?;
/// engine.send(DatabaseMessage::Load)?;
/// let slow = told.recv()?;
/// assert_eq!((slow.message, slow.variant), ("DatabaseMessage", Some("Load")));
/// assert!(slow.lasted >= Duration::from_millis(50));
/// assert!(slow.to_string().starts_with("`DatabaseMessage::Load` 0.0 has run for "));
/// drop(open);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Slow {
    /// The instance.
    pub instance: InstanceId,
    /// The name of the message type that it handles.
    pub message: &'static str,
    /// The variant that it handles, where that is known: see [`RunningInstance::variant`](crate::RunningInstance).
    pub variant: Option<&'static str>,
    /// The name of its thread.
    pub thread_name: String,
    /// For how long it has run, at least.
    pub lasted: Duration,
    /// The limit that it has passed.
    pub limit: Duration,
    /// Messages on its thread that are behind it, or are being handled by handlers that wait there.
    pub queued: usize,
}

impl fmt::Display for Slow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { instance, message, variant, thread_name, lasted, queued, .. } = self;
        write!(f, "{} {instance} has run for {} ", Typed(message, *variant), Readable(*lasted))?;
        write!(f, "on thread {} `{thread_name}`, {queued} more queued there", instance.thread)
    }
}
