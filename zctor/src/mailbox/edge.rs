//! The edge of an engine: open, closed, sealed, abandoned.

use std::sync::atomic::Ordering;
use std::task::Waker;
use std::time::Duration;

use crate::mailbox::dead_letters::Losses;
use crate::sys::sync::{AtomicU8, Mutex, fence, lock};
use crate::sys::unwind::quietly;
use crate::sys::waiters::Waiters;

/// What all of an engine's mailboxes and pools share: how far it is from its end, which only ever moves on, who is to be
/// told of that, and what was lost.
pub(crate) struct Edge {
    word: AtomicU8,
    pub(crate) losses: Losses,
    /// For calls that set none.
    pub(crate) default_deadline: Option<Duration>,
    /// Wakers of those parked until a thread of this engine answers, for the day that one is abandoned.
    waiters: Mutex<Waiters>,
}

impl Edge {
    const OPEN: u8 = 0;
    const CLOSED: u8 = 1;
    const SEALED: u8 = 2;
    const ABANDONED: u8 = 3;

    pub(crate) fn new(default_deadline: Option<Duration>) -> Self {
        Self { word: AtomicU8::new(Self::OPEN), losses: Losses::default(), default_deadline, waiters: Mutex::default() }
    }

    /// Outside threads may send.
    #[inline]
    pub(crate) fn is_open(&self) -> bool {
        self.word.load(Ordering::Acquire) == Self::OPEN
    }

    /// Not even the engine's own threads may send.
    #[inline]
    pub(crate) fn is_sealed(&self) -> bool {
        self.word.load(Ordering::Acquire) >= Self::SEALED
    }

    /// Threads were left to themselves, and all others have ended: who waits for any of them waits in vain.
    pub(crate) fn is_abandoned(&self) -> bool {
        // Pairs with the fence in `abandon`, for who was woken by something else, and announced itself again before this
        // look: either it sees the abandonment, or the waker that it left sees it watching.
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
        fence(Ordering::SeqCst); // pairs with that in `is_abandoned`
        let wakers = lock(&self.waiters).take(0, usize::MAX);
        for waker in wakers {
            quietly(|| waker.wake());
        }
    }

    /// Has `waker` woken if threads are abandoned, until `leave` with the number given.
    pub(crate) fn attend(&self, waker: &Waker) -> u64 {
        let waker = waker.clone();
        lock(&self.waiters).join(waker)
    }

    pub(crate) fn leave(&self, number: u64) {
        let waker = lock(&self.waiters).leave(number);
        quietly(|| drop(waker));
    }
}
