//! The life of an engine and its threads: starting them, knowing when the inside is quiet, stopping.
//!
//! Stopping, in order:
//!
//! 1. The edge closes: who is not one of the engine's own threads is refused. Timers close with it.
//! 2. The inside runs until it is quiet (`is_quiet`), or until the time is up: then the edge is enclose, so that the
//!    inside is refused too and what is queued becomes dead letters.
//! 3. Threads end in reverse order of their start: `on_stop`, drop, join.
//! 4. A thread that does not end in time is abandoned: its mailbox is closed from outside, and all who wait for it are
//!    answered.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use crate::error::ShutdownError;
use crate::mailbox::Mailbox;
use crate::mailbox::edge::Edge;
use crate::mailbox::envelope::Envelope;
use crate::report::{EarlierReport, InstanceReport, Report};
use crate::route::registry::Pools;
use crate::sys::clock::now;
use crate::sys::monitor::Monitor;
use crate::sys::spawn::Started;
use crate::sys::sync::{AtomicUsize, MutexGuard, fence};
use crate::thread::local::Parent;

/// What the threads, the owner and the handles of an engine share.
pub(crate) struct Core {
    pub(crate) pools: Arc<Pools>,
    pub(crate) edge: Arc<Edge>,
    pub(crate) name: String,
    /// Those who wait for the inside to be quiet: a thread that comes to rest tells them, if there are any.
    watchers: AtomicUsize,
    pub(super) state: Monitor<State>,
}

#[derive(Default)]
pub(super) struct State {
    pub(super) next_thread: u32,
    /// In the order of their numbers.
    pub(super) threads: Vec<RunningThread>,
    /// Threads that have ended, or are about to: to be joined.
    pub(super) ended: Vec<Started>,
    pub(super) reports: Vec<InstanceReport>,
    pub(super) earlier: EarlierReport,
    pub(super) phase: EnginePhase,
}

pub(super) struct RunningThread {
    pub(super) mailbox: Arc<Mailbox>,
    /// None for the calling thread of `here`, which is not ours to join.
    pub(super) handle: Option<Started>,
}

#[derive(Default)]
pub(super) enum EnginePhase {
    #[default]
    Open,
    Stopping {
        until: Option<Instant>,
        /// Somebody is at it.
        driven: bool,
    },
    Stopped(Result<Report, ShutdownError>),
}

impl Core {
    pub(crate) fn new(name: String, default_deadline: Option<Duration>) -> Arc<Self> {
        let edge = Arc::new(Edge::new(default_deadline));
        Arc::new(Self {
            pools: Arc::new(Pools::new(Arc::clone(&edge))),
            edge,
            name,
            watchers: AtomicUsize::new(0),
            state: Monitor::default(),
        })
    }

    // Quiet.

    /// Whether nothing is queued and nothing runs on any thread.
    pub(super) fn is_quiet(state: &State) -> bool {
        are_quiet(state.threads.iter().map(|running| &*running.mailbox))
    }

    /// Waits until `done`, or the time given by `until` is up; `true` if it is done.
    pub(super) fn watch(
        &self,
        mut done: impl FnMut(&State) -> bool,
        mut until: impl FnMut(&State) -> Option<Instant>,
    ) -> (MutexGuard<'_, State>, bool) {
        self.watchers.fetch_add(1, Ordering::Relaxed);
        fence(Ordering::SeqCst); // pairs with that in `came_to_rest`
        let mut state = self.state.lock();
        let outcome = loop {
            if done(&state) {
                break true;
            }
            let until = until(&state);
            if until.is_some_and(|until| until <= now()) {
                break false;
            }
            state = self.state.wait(state, until);
        };
        self.watchers.fetch_sub(1, Ordering::Relaxed);
        (state, outcome)
    }

    pub(crate) fn thread_count(&self) -> usize {
        self.state.lock().threads.len()
    }
}

impl Parent for Core {
    /// A thread has nothing to do, for now.
    fn came_to_rest(&self) {
        // Pairs with the fence in `watch`. Either the watcher is seen here, or it sees the rest that began before. A
        // fence, for loom takes accesses that are SeqCst for acquire and release.
        fence(Ordering::SeqCst);
        if self.watchers.load(Ordering::Relaxed) > 0 {
            drop(self.state.lock());
            self.state.notify();
        }
    }

    fn instance_ended(&self, report: InstanceReport) {
        let mut state = self.state.lock();
        if matches!(state.phase, EnginePhase::Open) {
            state.earlier.instances += 1;
            state.earlier.handled += report.handled;
            state.earlier.panicked += report.panicked;
        } else {
            state.reports.push(report);
        }
    }

    fn thread_ended(&self, mailbox: &Arc<Mailbox>) {
        let mut state = self.state.lock();
        if let Some(index) = state.threads.iter().position(|running| Arc::ptr_eq(&running.mailbox, mailbox)) {
            let running = state.threads.remove(index);
            // Those that are gone by now are joined here, so that short-lived threads do not pile up.
            state.ended.retain(|handle| !handle.is_finished());
            state.ended.extend(running.handle);
        }
        drop(state);
        self.state.notify();
    }

    fn redirect(&self, envelope: &mut Envelope) {
        if let Some(pool) = self.pools.of_type(envelope.message()) {
            pool.take_over(envelope.content());
        }
    }
}

/// Whether nothing is queued and nothing runs on any of these threads.
///
/// Each thread is looked at twice. If in both rounds all rest, in the same spell of rest, and all mailboxes are
/// empty, then at the moment between the rounds nothing was anywhere: a message pushed before it would still lie
/// in its mailbox, or its receiver would have begun another spell. After Mattern's double counting (1987).
fn are_quiet<'a>(mailboxes: impl Iterator<Item = &'a Mailbox> + Clone) -> bool {
    let round = || mailboxes.clone().map(Mailbox::rest).collect::<Option<Vec<u64>>>();
    match round() {
        Some(first) => round() == Some(first),
        None => false,
    }
}

#[cfg(all(test, loom))]
mod loom_models;
