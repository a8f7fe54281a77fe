//! `Core` is shared by the owner, the handles and the threads of an engine. It knows whether the inside is quiet.
//!
//! Quiet, after Mattern's double counting (1987):
//!
//! 1. Each thread numbers its spells of work and of rest: `Meter::begin_rest` and `Meter::end_rest`.
//! 2. Two rounds look at all threads. The inside is quiet if both rounds find every thread at rest with an empty
//!    mailbox, and each thread in the same spell of rest (`are_quiet`, with the proof).
//! 3. A thread that comes to rest wakes the waiters, if there are any (`came_to_rest`). A waiter first counts itself
//!    among them and then looks (`Core::wait_until`), so one of the two sees the other, and nobody polls.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use crate::engine::ages::Ages;
use crate::engine::running_times::RunningTimes;
use crate::engine::slow_watcher::SlowWatcher;
use crate::error::ShutdownError;
use crate::id::ThreadId;
use crate::mailbox::Mailbox;
use crate::mailbox::engine_shared::EngineShared;
use crate::mailbox::roster::EndedTotals;
use crate::report::{EarlierReport, InstanceReport, Report};
use crate::route::pools::Pools;
use crate::sys::clock::now;
use crate::sys::monitor::Monitor;
use crate::sys::spawn::Started;
use crate::sys::sync::{AtomicUsize, Mutex, MutexGuard, fence};
use crate::sys::unwind::wake;
use crate::sys::waiters::Waiters;

/// The state that the threads, the owner and the handles of an engine share.
pub(crate) struct Core {
    pub(crate) pools: Arc<Pools>,
    /// The part that the mailboxes and the pools share too.
    pub(crate) engine: Arc<EngineShared>,
    pub(crate) name: String,
    /// The number of threads in `wait_until`. A thread that comes to rest wakes them, if there are any.
    waiting: AtomicUsize,
    /// The looks at the threads that the statistics have taken.
    pub(super) ages: Mutex<Ages>,
    pub(super) running_times: Mutex<RunningTimes>,
    /// The watcher over slow handlers.
    pub(super) slow: Monitor<SlowWatcher>,
    pub(super) state: Monitor<State>,
}

#[derive(Default)]
pub(super) struct State {
    pub(super) next_thread: u32,
    /// In the order of their numbers, which is that of their start.
    pub(super) threads: BTreeMap<ThreadId, RunningThread>,
    /// Threads that have ended, or are about to, and are still to be joined.
    pub(super) ended: Vec<Started>,
    /// Of the instances that have ended since the shutdown began.
    pub(super) reports: Vec<InstanceReport>,
    /// Of the instances that had ended before it.
    pub(super) earlier: EarlierReport,
    /// The counts of instances that have ended with their threads, by the names of their types.
    pub(super) gone: BTreeMap<&'static str, EndedTotals>,
    pub(super) phase: EnginePhase,
    /// Tasks that await the end.
    pub(super) awaiting: Waiters,
}

pub(super) struct RunningThread {
    pub(super) mailbox: Arc<Mailbox>,
    /// `None` for the calling thread of `here`: zctor did not start it and does not join it.
    pub(super) handle: Option<Started>,
}

#[derive(Default)]
pub(super) enum EnginePhase {
    #[default]
    Open,
    Stopping {
        until: Option<Instant>,
        /// A thread drives the shutdown.
        has_driver: bool,
    },
    Stopped(Result<Report, ShutdownError>),
}

impl Core {
    pub(crate) fn new(name: String, engine: EngineShared) -> Arc<Self> {
        let engine = Arc::new(engine);
        Arc::new(Self {
            pools: Arc::new(Pools::new(Arc::clone(&engine))),
            engine,
            name,
            waiting: AtomicUsize::new(0),
            ages: Mutex::default(),
            running_times: Mutex::default(),
            slow: Monitor::default(),
            state: Monitor::default(),
        })
    }

    // Quiet.

    /// Whether no message is queued and no handler runs, on any thread.
    pub(super) fn is_quiet(state: &State) -> bool {
        are_quiet(state.threads.values().map(|running| &*running.mailbox))
    }

    /// Waits until `done` says so, or until the time that `until` gives is up; `true` if `done` said so.
    pub(super) fn wait_until(
        &self,
        mut done: impl FnMut(&State) -> bool,
        mut until: impl FnMut(&State) -> Option<Instant>,
    ) -> (MutexGuard<'_, State>, bool) {
        self.waiting.fetch_add(1, Ordering::Relaxed);
        fence(Ordering::SeqCst); // pairs with the fence in `came_to_rest`
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
        self.waiting.fetch_sub(1, Ordering::Relaxed);
        (state, outcome)
    }

    /// Wakes the tasks that await the end: it has come, or they must drive the shutdown.
    pub(super) fn wake_awaiting(&self) {
        let wakers = self.state.lock().awaiting.take(0, usize::MAX);
        wakers.into_iter().for_each(wake);
    }

    pub(crate) fn thread_count(&self) -> usize {
        self.state.lock().threads.len()
    }

    /// Wakes the waiters, if there are any: a thread has come to rest.
    pub(super) fn came_to_rest(&self) {
        // Pairs with the fence in `wait_until`: either this thread sees the waiter, or the waiter sees the rest that
        // began before this call. A fence and not `SeqCst` accesses, because loom treats those as acquire and release.
        fence(Ordering::SeqCst);
        if self.waiting.load(Ordering::Relaxed) > 0 {
            // The lock is taken once, so that a waiter that has looked and does not wait yet is not missed.
            drop(self.state.lock());
            self.state.notify();
        }
    }
}

/// Whether no message is queued and no handler runs, on any of these threads.
///
/// Suppose that both rounds find every mailbox empty and every thread at rest, and each thread in the same spell of
/// rest as before. Then between the two rounds no message was queued and no handler ran. The proof: a message pushed
/// before that time would still lie in its mailbox in the second round, or its receiver would have begun another spell.
fn are_quiet<'a>(mailboxes: impl Iterator<Item = &'a Mailbox> + Clone) -> bool {
    let round = || mailboxes.clone().map(Mailbox::rest).collect::<Option<Vec<u64>>>();
    match round() {
        Some(first) => round() == Some(first),
        None => false,
    }
}

#[cfg(all(test, loom))]
mod loom_models;
