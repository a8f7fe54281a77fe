//! The part of an engine that its mailboxes and pools share: its edge, its settings, its records of rare events, and the
//! callers that an abandonment wakes.

use std::ptr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::Waker;
use std::time::Duration;

use crate::mailbox::dead_letters::Incidents;
use crate::mailbox::edge::Edge;
use crate::mailbox::handling_times::Observed;
use crate::mailbox::sends::Sends;
use crate::mailbox::waits::{OutsideThread, Waits};
use crate::sys::frame;
use crate::sys::simulated::WorldId;
use crate::sys::spin::Spin;
use crate::sys::sync::{AtomicU8, Mutex, lock};
use crate::sys::unwind::{ignoring_panic, wake};
use crate::sys::waiters::Waiters;

/// The part of an engine that its mailboxes and pools share.
pub(crate) struct EngineShared {
    pub(crate) edge: Edge,
    /// The deadline of calls that set none themselves.
    pub(crate) default_deadline: Option<Duration>,
    /// How threads spin that wait in the engine or for it.
    pub(crate) spin: Spin,
    /// The simulation that the engine was made in, if it was.
    pub(crate) world: WorldId,
    /// The counts of rare events, and the hooks that are told of them.
    pub(crate) incidents: Incidents,
    /// Which types have sent to which, if that is recorded.
    pub(crate) sends: Option<Sends>,
    /// How long handlers took while somebody observed.
    pub(crate) observed: Arc<Observed>,
    /// Whether the watcher over slow handlers sleeps.
    watcher_asleep: AtomicU8,
    /// The wakers of tasks and of carried code that wait for a reply from this engine, to be woken if threads are
    /// abandoned.
    waiters: Mutex<Waiters>,
    /// The threads outside that wait for a reply from this engine: for the statistics, and to be woken if threads are
    /// abandoned.
    pub(crate) callers: Waits<OutsideThread>,
}

impl EngineShared {
    pub(crate) fn new(default_deadline: Option<Duration>, spin: Spin) -> Self {
        let world = WorldId::here();
        Self {
            edge: Edge::new(world.is_simulated()),
            default_deadline,
            spin,
            world,
            incidents: Incidents::default(),
            sends: None,
            observed: Arc::default(),
            watcher_asleep: AtomicU8::new(0),
            waiters: Mutex::default(),
            callers: Waits::default(),
        }
    }

    /// The address by which its threads know it (`sys/frame.rs`).
    pub(crate) fn address(&self) -> usize {
        ptr::from_ref(self) as usize
    }

    /// Whether the current thread is an actor thread of this engine, or runs carried code of it.
    #[inline]
    pub(crate) fn is_current(&self) -> bool {
        frame::is_in_engine(self.address())
    }

    /// With a record of which types send to which.
    pub(crate) fn with_sends(self) -> Self {
        Self { sends: Some(Sends::default()), ..self }
    }

    /// One more observes, or one less (-1): while anybody does, each handler is measured.
    #[cfg(feature = "observe")]
    pub(crate) fn observe(&self, by: isize) {
        self.observed.change(by, |is_on| self.edge.measure(is_on));
    }

    pub(crate) fn set_watcher_asleep(&self, is_asleep: bool) {
        self.watcher_asleep.store(is_asleep.into(), Ordering::Relaxed); // a hint: see `engine/slow.rs`
    }

    #[inline]
    pub(crate) fn is_watcher_asleep(&self) -> bool {
        self.watcher_asleep.load(Ordering::Relaxed) != 0
    }

    /// Abandons the threads that have not ended in time, and wakes the callers that wait for them. The waits of the
    /// abandoned threads themselves are not listed here: the caller wakes those threads next.
    pub(crate) fn abandon(&self) {
        self.edge.abandon();
        let wakers = lock(&self.waiters).take(0, usize::MAX);
        wakers.into_iter().chain(self.callers.wakers()).for_each(wake);
    }

    /// Has `waker` woken if threads are abandoned, until `leave_waiters` is called with the number that this returns.
    pub(crate) fn join_waiters(&self, waker: &Waker) -> u64 {
        let waker = waker.clone();
        lock(&self.waiters).join(waker)
    }

    pub(crate) fn leave_waiters(&self, number: u64) {
        let waker = lock(&self.waiters).leave(number);
        ignoring_panic(|| drop(waker));
    }
}
