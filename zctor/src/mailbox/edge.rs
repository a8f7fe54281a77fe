//! The edge of an engine: where sends and calls from outside enter it. It has four states, and only moves on:
//!
//! 1. *Open*: all may send.
//! 2. *Closed*: a shutdown has begun. Sends from outside are refused; the inside may still send.
//! 3. *Sealed*: the time of the shutdown is up, or nearly so. The inside is refused too, and queued mail becomes dead
//!    letters.
//! 4. *Abandoned*: some threads did not end in time. All that wait for those are answered `Stopped`.

use std::sync::atomic::Ordering;
use std::task::Waker;
use std::time::Duration;

use crate::mailbox::dead_letters::Losses;
use crate::sys::spin::Spin;
use crate::sys::sync::{AtomicU8, Mutex, fence, lock};
use crate::sys::unwind::{ignoring_panic, wake};
use crate::sys::waiters::Waiters;

/// The state that all mailboxes and pools of an engine share: how far its edge has moved on, the callers to be woken
/// when threads are abandoned, and the counts of losses.
pub(crate) struct Edge {
    word: AtomicU8,
    pub(crate) losses: Losses,
    /// The deadline of calls that set none themselves.
    pub(crate) default_deadline: Option<Duration>,
    /// How threads spin that wait in the engine or for it.
    pub(crate) spin: Spin,
    /// The wakers of callers that wait for a reply from this engine, to be woken if threads are abandoned.
    waiters: Mutex<Waiters>,
}

impl Edge {
    const OPEN: u8 = 0;
    const CLOSED: u8 = 1;
    const SEALED: u8 = 2;
    const ABANDONED: u8 = 3;

    pub(crate) fn new(default_deadline: Option<Duration>) -> Self {
        Self {
            word: AtomicU8::new(Self::OPEN),
            losses: Losses::default(),
            default_deadline,
            spin: Spin::default(),
            waiters: Mutex::default(),
        }
    }

    pub(crate) fn with_spin(self, spin: Spin) -> Self {
        Self { spin, ..self }
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
    pub(crate) fn is_abandoned(&self) -> bool {
        // Pairs with the fence in `abandon`. It is for a caller that was woken by something else, and announced itself
        // again before this look: either the caller sees the abandonment here, or the waker that it left finds the
        // caller's word watching.
        fence(Ordering::SeqCst);
        self.word.load(Ordering::Acquire) == Self::ABANDONED
    }

    pub(crate) fn close(&self) {
        self.word.fetch_max(Self::CLOSED, Ordering::AcqRel);
    }

    pub(crate) fn seal(&self) {
        self.word.fetch_max(Self::SEALED, Ordering::AcqRel);
    }

    pub(crate) fn abandon(&self) {
        self.word.fetch_max(Self::ABANDONED, Ordering::AcqRel);
        fence(Ordering::SeqCst); // pairs with the one in `is_abandoned`
        let wakers = lock(&self.waiters).take(0, usize::MAX);
        for waker in wakers {
            wake(waker);
        }
    }

    /// Has `waker` woken if threads are abandoned, until `leave` is called with the number that this returns.
    pub(crate) fn watch(&self, waker: &Waker) -> u64 {
        let waker = waker.clone();
        lock(&self.waiters).join(waker)
    }

    pub(crate) fn unwatch(&self, number: u64) {
        let waker = lock(&self.waiters).leave(number);
        ignoring_panic(|| drop(waker));
    }
}
