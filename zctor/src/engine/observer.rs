//! An observer: as long as one lives, handlers are measured.

use std::fmt;
use std::sync::Arc;

use crate::mailbox::engine_shared::EngineShared;
use crate::report::handling_times::HandlingTimes;

/// Has the handlers of an engine measured as long as it lives; [`ActorEngine::observe`](crate::ActorEngine::observe)
/// makes one.
///
/// Several may live at once: each counts from its own beginning, and a handler is measured once. The engine may end before
/// its observers, which keep what they have seen, and an observer keeps no engine alive.
///
/// ```
/// use zctor::{ActorEngine, Observer, actor};
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
/// let job: JobClient = engine.pool(1, JobMessage::actor(|| Job))?;
/// job.run()?; // nobody observes
/// let observer: Observer = engine.observe();
/// job.run()?;
/// engine.settle();
/// assert_eq!(observer.handling_times()[0].count, 1);
/// # Ok(())
/// # }
/// ```
#[must_use = "handlers are measured as long as it lives"]
pub struct Observer {
    /// `None` if the engine was gone already.
    engine: Option<Arc<EngineShared>>,
    /// The times that were measured before the observer was made.
    before: Vec<HandlingTimes>,
}

impl Observer {
    pub(super) fn new(engine: Option<Arc<EngineShared>>) -> Self {
        let before = engine.as_ref().map(|engine| {
            engine.observe(1);
            engine.observed.handling_times()
        });
        Self { engine, before: before.unwrap_or_default() }
    }

    /// Returns how long handlers took that have ended since the observer was made: a histogram for each variant of which
    /// one has, in the order of their names.
    ///
    /// It stops no thread: the thread that asks reads the counts. The reply of a call may come a moment before the time
    /// of its handler is counted; after [`settle`](crate::ActorEngine::settle) all are.
    pub fn handling_times(&self) -> Vec<HandlingTimes> {
        let now = self.engine.as_ref().map(|engine| engine.observed.handling_times()).unwrap_or_default();
        let names = |times: &HandlingTimes| (times.message, times.variant);
        let since = |times: HandlingTimes| match self.before.binary_search_by_key(&names(&times), names) {
            Ok(at) => times.since(&self.before[at]),
            Err(_) => times,
        };
        now.into_iter().map(since).filter(|times| times.count > 0).collect()
    }
}

impl Drop for Observer {
    fn drop(&mut self) {
        if let Some(engine) = &self.engine {
            engine.observe(-1);
        }
    }
}

impl fmt::Debug for Observer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Observer").field("handling_times", &self.handling_times()).finish()
    }
}
