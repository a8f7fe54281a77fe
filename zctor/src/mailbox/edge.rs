//! The edge of an engine: where sends and calls from outside enter it. It has four states, and only moves on:
//!
//! 1. *Open*: all may send.
//! 2. *Closed*: a shutdown has begun. Sends from outside are refused; the inside may still send.
//! 3. *Sealed*: the time of the shutdown is up, or nearly so. The inside is refused too, and queued mail becomes dead
//!    letters.
//! 4. *Abandoned*: some threads did not end in time. All that wait for those are answered `Stopped`.

use std::sync::atomic::Ordering;

use crate::sys::sync::{AtomicU8, fence};

/// How far the edge of an engine has moved on, and the orders that its threads look at before each message is handled.
pub(crate) struct Edge {
    word: AtomicU8,
    /// The orders to a thread where an instance begins to handle a message: the bits `IS_SEALED`, `NOTES`, `MEASURES`
    /// and `IS_SIMULATED`. Nearly always none, so it costs one look.
    at_beginning: AtomicU8,
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

    pub(crate) fn new(is_simulated: bool) -> Self {
        let at_beginning = if is_simulated { Self::IS_SIMULATED } else { 0 };
        Self { word: AtomicU8::new(Self::OPEN), at_beginning: AtomicU8::new(at_beginning) }
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

    /// Step 4, but for the wakers: the caller wakes the waiters next.
    pub(super) fn abandon(&self) {
        self.word.fetch_max(Self::ABANDONED, Ordering::AcqRel);
        self.at_beginning.fetch_or(Self::IS_SEALED, Ordering::AcqRel);
        fence(Ordering::SeqCst); // pairs with the one in `is_abandoned`
    }

    /// Whether a message may be handled at once: the edge is not sealed, and nothing is noted, measured or simulated.
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

    /// From now on the time of each handler is measured, or it is not.
    #[cfg(feature = "observe")]
    pub(super) fn measure(&self, is_on: bool) {
        match is_on {
            true => self.at_beginning.fetch_or(Self::MEASURES, Ordering::Relaxed),
            false => self.at_beginning.fetch_and(!Self::MEASURES, Ordering::Relaxed),
        };
    }
}
