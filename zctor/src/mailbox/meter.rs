//! Counts what a thread has taken and done, and its spells of work and rest, without a lock.

use std::sync::atomic::Ordering;

use crate::id::Slot;
use crate::sys::counter::{Counter, SharedCounter};
use crate::sys::sync::{AtomicU64, AtomicUsize};

/// The counters of one thread. Only that thread writes them, but `past`, which senders write (`route/linked.rs`); others
/// read them as statistics.
#[derive(Default)]
pub(crate) struct Meter {
    pub(crate) handled: Counter,
    pub(crate) panicked: Counter,
    /// How many messages the thread has taken to handle, those of its own timers and pipes among them.
    pub(crate) taken: Counter,
    /// How many messages of batches and bundles it has taken out, beyond one of each: see `mail_queue.rs`.
    pub(super) unbatched: Counter,
    /// How many of those went to another thread, or to nobody.
    pub(crate) passed: Counter,
    /// How many messages for a link have gone out past its thread: see `route/linked.rs`.
    pub(crate) past: SharedCounter,
    /// How many pieces of an instance's code have begun or ended that are no messages of the thread's queue: factories,
    /// hooks, closures, drops, and calls that are handled on the spot.
    pub(crate) other_pieces: Counter,
    /// How many instances live on the thread.
    pub(crate) instances: Counter,
    /// How many timers were set when the thread last came to rest, or last had one that was due.
    pub(crate) timers: AtomicUsize,
    /// The slot of the instance whose code runs, packed; `IDLE` if no instance's code does.
    running: AtomicU64,
    /// How many spells of work and rest have begun: odd while the thread is at work, so each spell of rest has a number
    /// of its own. `are_quiet` in engine/core.rs says what for.
    activity: AtomicU64,
}

impl Meter {
    const IDLE: u64 = u64::MAX;

    /// Set beside a slot whose instance handles no message just now: the code is that of a hook, a factory, a closure or
    /// a drop. It is the highest bit of the slot's index, which no thread has the memory for.
    const NO_MESSAGE: u64 = 1 << 31;

    /// Of a thread that is at work, and runs no instance's code.
    pub(super) fn new() -> Self {
        Self { activity: AtomicU64::new(1), running: AtomicU64::new(Self::IDLE), ..Self::default() }
    }

    /// Notes that code of this instance runs from now on. Gives what ran before, for `resume`.
    #[inline]
    pub(crate) fn run(&self, slot: Slot) -> u64 {
        let before = self.running.load(Ordering::Relaxed);
        self.running.store(u64::from(slot.generation) << 32 | u64::from(slot.index), Ordering::Relaxed);
        before
    }

    #[inline]
    pub(crate) fn resume(&self, before: u64) {
        self.running.store(before, Ordering::Relaxed);
    }

    /// Runs code of this instance that is no handler: of a factory, of a timer's or a pipe's closure, of a drop.
    pub(crate) fn around<R>(&self, slot: Slot, code: impl FnOnce() -> R) -> R {
        let before = self.run(slot);
        self.handles_no_message();
        let result = code();
        self.resume(before);
        self.other_pieces.add(1);
        result
    }

    /// Notes that the code which runs, of an instance, handles no message.
    #[inline]
    pub(crate) fn handles_no_message(&self) {
        self.running.store(self.running.load(Ordering::Relaxed) | Self::NO_MESSAGE, Ordering::Relaxed);
    }

    pub(crate) fn running(&self) -> Option<Slot> {
        self.running_with_message().map(|(slot, _)| slot)
    }

    /// The instance whose code runs, and whether that handles a message.
    pub(crate) fn running_with_message(&self) -> Option<(Slot, bool)> {
        let packed = self.running.load(Ordering::Relaxed);
        let index = (packed & !Self::NO_MESSAGE) as u32;
        let slot = Slot { index, generation: (packed >> 32) as u32 };
        (packed != Self::IDLE).then_some((slot, packed & Self::NO_MESSAGE == 0))
    }

    /// How many messages the thread has taken and is not done with.
    pub(crate) fn in_hand(&self) -> usize {
        let done = self.done();
        // The counters are not read all at once, so they may seem to say that more was done than was taken.
        self.taken.get().saturating_sub(done) as usize
    }

    /// How many messages the thread has taken and is done with.
    #[inline]
    pub(crate) fn done(&self) -> u64 {
        [&self.handled, &self.panicked, &self.passed].map(Counter::get).iter().sum()
    }

    /// A number that is unchanged as long as the same piece of code runs.
    #[inline]
    pub(crate) fn progress(&self) -> u64 {
        self.done().wrapping_add(self.other_pieces.get())
    }

    /// Counts mail with so many messages that the thread has taken out of its queue.
    #[inline(always)]
    pub(super) fn count_unbatched(&self, messages: u32) {
        if messages > 1 {
            self.unbatched.add(u64::from(messages) - 1);
        }
    }

    // Rest.

    /// The number of the spell of rest that the thread is in, or `None` while it is at work.
    pub(super) fn rest(&self) -> Option<u64> {
        // Acquire: pairs with `begin_rest`, so that all that was handled, and all that it pushed, is visible.
        let activity = self.activity.load(Ordering::Acquire);
        (activity % 2 == 0).then_some(activity)
    }

    /// Begins a spell of rest: the thread has nothing to do. Called after it found its mailbox empty.
    pub(crate) fn begin_rest(&self) {
        self.activity.fetch_add(1, Ordering::Release); // pairs with `rest`
    }

    /// Ends the spell of rest. Called before the thread takes anything out of the mailbox again.
    pub(crate) fn end_rest(&self) {
        // Relaxed: the lock of the queue, taken next, orders it before the look of `Mailbox::rest` that finds the queue
        // empty.
        self.activity.fetch_add(1, Ordering::Relaxed);
    }
}
