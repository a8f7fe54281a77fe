//! The edge of an engine: where sends and calls from outside enter it. It has four states, and only moves on:
//!
//! 1. *Open*: all may send.
//! 2. *Closed*: a shutdown has begun. Sends from outside are refused; the inside may still send.
//! 3. *Sealed*: the time of the shutdown is up, or nearly so. The inside is refused too, and queued mail becomes dead
//!    letters.
//! 4. *Abandoned*: some threads did not end in time. All that wait for those are answered `Stopped`.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::Waker;
use std::time::Duration;

use crate::mailbox::dead_letters::Incidents;
use crate::mailbox::handling_times::Observed;
use crate::mailbox::sends::Sends;
use crate::mailbox::waits::{OutsideThread, Waits};
use crate::sys::simulated::WorldId;
use crate::sys::spin::Spin;
use crate::sys::sync::{AtomicU8, Mutex, fence, lock};
use crate::sys::unwind::{ignoring_panic, wake};
use crate::sys::waiters::Waiters;

/// The state that all mailboxes and pools of an engine share: how far its edge has moved on, the callers to be woken
/// when threads are abandoned, and the counts of rare events.
pub(crate) struct Edge {
    word: AtomicU8,
    /// The orders to a thread where an instance begins to handle a message: the bits `IS_SEALED`, `NOTES`, `MEASURES`
    /// and `IS_SIMULATED`. Nearly always none, so it costs one look.
    at_beginning: AtomicU8,
    /// Whether the watcher over slow handlers sleeps.
    watcher_asleep: AtomicU8,
    pub(crate) incidents: Incidents,
    /// Which types have sent to which, if that is recorded.
    pub(crate) sends: Option<Sends>,
    /// How long handlers took while somebody observed.
    pub(crate) observed: Arc<Observed>,
    /// The deadline of calls that set none themselves.
    pub(crate) default_deadline: Option<Duration>,
    /// The simulation that the engine was made in, if it was.
    pub(crate) world: WorldId,
    /// How threads spin that wait in the engine or for it.
    pub(crate) spin: Spin,
    /// The wakers of tasks and of carried code that wait for a reply from this engine, to be woken if threads are
    /// abandoned.
    waiters: Mutex<Waiters>,
    /// The threads outside that wait for a reply from this engine: for the statistics, and to be woken if threads are
    /// abandoned.
    pub(crate) callers: Waits<OutsideThread>,
}

impl Edge {
    const OPEN: u8 = 0;
    const CLOSED: u8 = 1;
    const SEALED: u8 = 2;
    const ABANDONED: u8 = 3;

    /// The edge is sealed: no message may be handled any more.
    const IS_SEALED: u8 = 1;
    /// The variant of the message is to be noted.
    const NOTES: u8 = 2;
    /// The time of the handler is to be measured.
    #[cfg(feature = "observe")]
    const MEASURES: u8 = 4;
    /// The handler has a scheduling point, and a fault may strike there.
    const IS_SIMULATED: u8 = 8;

    pub(crate) fn new(default_deadline: Option<Duration>) -> Self {
        let world = WorldId::here();
        Self {
            word: AtomicU8::new(Self::OPEN),
            at_beginning: AtomicU8::new(if world.is_simulated() { Self::IS_SIMULATED } else { 0 }),
            watcher_asleep: AtomicU8::new(0),
            incidents: Incidents::default(),
            sends: None,
            observed: Arc::default(),
            default_deadline,
            world,
            spin: Spin::default(),
            waiters: Mutex::default(),
            callers: Waits::default(),
        }
    }

    pub(crate) fn with_spin(self, spin: Spin) -> Self {
        Self { spin, ..self }
    }

    /// With or without a record of which types send to which.
    pub(crate) fn with_sends(self, are_recorded: bool) -> Self {
        Self { sends: are_recorded.then(Sends::default), ..self }
    }

    /// Whether threads outside may send.
    #[inline]
    pub(crate) fn is_open(&self) -> bool {
        self.word.load(Ordering::Acquire) == Self::OPEN
    }

    /// Whether not even the engine's own threads may send.
    #[inline]
    pub(crate) fn is_sealed(&self) -> bool {
        self.word.load(Ordering::Acquire) >= Self::SEALED
    }

    /// Whether threads were abandoned, and all others have ended: no caller waits for any of them any longer.
    #[inline]
    pub(crate) fn is_abandoned(&self) -> bool {
        // Pairs with the fence in `abandon`. It is for a caller that was woken by something else, and announced itself
        // again before this look: either the caller sees the abandonment here, or the waker that it left finds the
        // caller's word watching.
        fence(Ordering::SeqCst);
        self.word.load(Ordering::Acquire) == Self::ABANDONED
    }

    /// As `is_abandoned`, for a caller that spins: it may see an abandonment late, but looks again.
    #[inline]
    pub(crate) fn seems_abandoned(&self) -> bool {
        // Relaxed: a caller that sees it asks `is_abandoned` next, which reads the same word and so sees it too.
        self.word.load(Ordering::Relaxed) == Self::ABANDONED
    }

    pub(crate) fn close(&self) {
        self.word.fetch_max(Self::CLOSED, Ordering::AcqRel);
    }

    pub(crate) fn seal(&self) {
        self.word.fetch_max(Self::SEALED, Ordering::AcqRel);
        self.at_beginning.fetch_or(Self::IS_SEALED, Ordering::AcqRel);
    }

    /// Whether a message may be handled, nothing is to be noted or measured, and it is no simulation's.
    #[inline]
    pub(crate) fn is_plain(&self) -> bool {
        self.at_beginning.load(Ordering::Acquire) == 0
    }

    /// From now on each message that is handled is noted, for the statistics.
    pub(crate) fn note_variants(&self) {
        self.at_beginning.fetch_or(Self::NOTES, Ordering::Relaxed);
    }

    pub(crate) fn notes_variants(&self) -> bool {
        self.at_beginning.load(Ordering::Relaxed) & Self::NOTES != 0
    }

    /// One more observes, or one less (-1): while anybody does, each handler is measured.
    #[cfg(feature = "observe")]
    pub(crate) fn observe(&self, by: isize) {
        self.observed.change(by, |is_on| {
            match is_on {
                true => self.at_beginning.fetch_or(Self::MEASURES, Ordering::Relaxed),
                false => self.at_beginning.fetch_and(!Self::MEASURES, Ordering::Relaxed),
            };
        });
    }

    pub(crate) fn set_watcher_asleep(&self, is_asleep: bool) {
        self.watcher_asleep.store(is_asleep.into(), Ordering::Relaxed); // a hint: see `engine/slow.rs`
    }

    #[inline]
    pub(crate) fn is_watcher_asleep(&self) -> bool {
        self.watcher_asleep.load(Ordering::Relaxed) != 0
    }

    /// Step 4. The threads of the engine that are left are to be woken next: their own waits are not listed here.
    pub(crate) fn abandon(&self) {
        self.word.fetch_max(Self::ABANDONED, Ordering::AcqRel);
        self.at_beginning.fetch_or(Self::IS_SEALED, Ordering::AcqRel);
        fence(Ordering::SeqCst); // pairs with the one in `is_abandoned`
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
