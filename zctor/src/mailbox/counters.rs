//! What threads and instances have done, counted without a lock.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::id::{Slot, ThreadId};
use crate::mailbox::mail::ORDER;
use crate::report::{RunningInstance, Wait};
use crate::sys::counter::Counter;
use crate::sys::sync::{AtomicU64, AtomicUsize, Mutex, lock};

/// Counters written by the mailbox's own thread alone and read as statistics, on cache lines of their own.
#[repr(align(128))]
#[derive(Default)]
pub(crate) struct Meter {
    pub(crate) handled: Counter,
    pub(crate) panicked: Counter,
    /// Messages that this thread has had in its hands, its own timers' and pipes' among them.
    pub(crate) taken: Counter,
    /// Those of them that it gave to others, or that nobody will handle.
    pub(crate) passed: Counter,
    pub(crate) instances: AtomicUsize,
    /// The slot whose code runs, packed; `IDLE` where none does.
    pub(super) running: AtomicU64,
    /// Odd while the thread is at work; each spell of rest has a number of its own. See `lifecycle::Core::is_quiet`.
    pub(super) activity: AtomicU64,
}

impl Meter {
    pub(super) const IDLE: u64 = u64::MAX;

    /// Code of this instance runs from now on; gives what ran before, for `resume`.
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

    pub(crate) fn running(&self) -> Option<Slot> {
        let packed = self.running.load(Ordering::Relaxed);
        (packed != Self::IDLE).then_some(Slot { index: packed as u32, generation: (packed >> 32) as u32 })
    }

    /// Messages taken out of the mailbox and not done.
    pub(crate) fn in_hand(&self) -> usize {
        let done = [&self.handled, &self.panicked, &self.passed].map(Counter::get);
        // Read at different moments, they may seem to say that more was done than there was.
        self.taken.get().saturating_sub(done.iter().sum()) as usize
    }
}

/// The waits of handlers that did not end at once, the outermost first.
#[derive(Default)]
pub(crate) struct Waits(Mutex<Vec<Wait>>);

impl Waits {
    /// An instance begins to wait, until `end`.
    pub(crate) fn begin(&self, waiter: RunningInstance, callee: &'static str, on: ThreadId) {
        let RunningInstance { instance, message } = waiter;
        lock(&self.0).push(Wait { instance, message, callee, on });
    }

    /// The innermost wait is over.
    pub(crate) fn end(&self) {
        lock(&self.0).pop();
    }

    pub(crate) fn list(&self) -> Vec<Wait> {
        lock(&self.0).clone()
    }
}

/// What one instance has done, and what lies on its thread for it.
///
/// Its own thread alone writes it, with no read-modify-write; others read it as a statistic.
#[derive(Default)]
pub(crate) struct Account {
    /// What lies on its thread for it, outside the mailbox: messages in the low half, orders in the high.
    load: Counter,
    handled: Counter,
    /// Stays at the largest number.
    panicked: AtomicU32,
    /// Whose account it is, of those that one after the other have this place.
    pub(super) generation: AtomicU32,
}

impl Account {
    /// Of a new occupant.
    pub(super) fn open(&self, generation: u32) {
        self.load.reset();
        self.handled.reset();
        self.panicked.store(0, Ordering::Relaxed);
        // Relaxed: others come to it by the lock of the roster.
        self.generation.store(generation, Ordering::Relaxed);
    }

    /// A message that was taken in for it is handled.
    #[inline]
    pub(crate) fn count_handled(&self) {
        self.handled.add(1);
        self.get_done(1);
    }

    /// The handler of a message that was taken in for it has panicked.
    #[inline]
    pub(crate) fn count_panicked(&self) {
        let panicked = self.panicked.load(Ordering::Relaxed);
        self.panicked.store(panicked.saturating_add(1), Ordering::Relaxed);
        self.get_done(1);
    }

    /// Mail of this weight (see `Mail::weight`) was taken in for it.
    #[inline]
    pub(crate) fn take_in(&self, weight: u64) {
        self.load.add(weight);
    }

    /// Mail of this weight was dealt with.
    #[inline]
    pub(crate) fn get_done(&self, weight: u64) {
        self.load.add(weight.wrapping_neg());
    }

    /// Nothing lies on its thread for it.
    #[inline]
    pub(crate) fn has_nothing_queued(&self) -> bool {
        self.load.get() == 0
    }

    /// Messages handled, those whose handlers panicked, and those that lie on its thread for it.
    pub(super) fn read(&self) -> (u64, u64, u64) {
        let panicked = self.panicked.load(Ordering::Relaxed).into();
        (self.handled.get(), panicked, self.load.get() % ORDER)
    }
}

/// The account of an instance, or of one that has ended lately; `None` where another has taken its slot.
#[inline]
pub(crate) fn account(blocks: &[Arc<Block>], slot: Slot) -> Option<&Account> {
    let account = blocks.get(Block::number(slot))?.account(slot);
    (account.generation.load(Ordering::Relaxed) == slot.generation).then_some(account)
}

/// The accounts of slots whose indices follow each other. Shared by who lives there and the roster, so that the thread finds
/// them without a lock.
pub(crate) struct Block(pub(super) [Account; BLOCK]);

const BLOCK: usize = 64;

impl Block {
    /// The block of a slot, among all blocks.
    #[inline]
    pub(crate) fn number(slot: Slot) -> usize {
        slot.index as usize / BLOCK
    }

    /// The account of a slot, if this is its block.
    #[inline]
    pub(crate) fn account(&self, slot: Slot) -> &Account {
        &self.0[slot.index as usize % BLOCK]
    }
}
