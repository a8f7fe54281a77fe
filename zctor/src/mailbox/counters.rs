//! Counts what threads and instances have done, without a lock.

use std::array;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::id::Slot;
use crate::mailbox::mail::ORDER;
use crate::sys::counter::{Counter, SharedCounter};
use crate::sys::sync::{AtomicU32, AtomicU64, AtomicUsize};

/// The counters of one thread. Only that thread writes them, but `past`, which senders write (`route/linked.rs`); others
/// read them as statistics.
#[derive(Default)]
pub(crate) struct Meter {
    pub(crate) handled: Counter,
    pub(crate) panicked: Counter,
    /// How many messages the thread has taken to handle, those of its own timers and pipes among them.
    pub(crate) taken: Counter,
    /// How many messages of batches and bundles it has taken out, beyond one of each: see `Mailbox::batched`.
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
    pub(super) running: AtomicU64,
    /// How many spells of work and rest have begun: odd while the thread is at work, so each spell of rest has a number
    /// of its own. `are_quiet` in engine/core.rs says what for.
    pub(super) activity: AtomicU64,
}

impl Meter {
    pub(super) const IDLE: u64 = u64::MAX;

    /// Set beside a slot whose instance handles no message just now: the code is that of a hook, a factory, a closure or
    /// a drop. It is the highest bit of the slot's index, which no thread has the memory for.
    const NO_MESSAGE: u64 = 1 << 31;

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
}

/// The counts of one instance: messages handled, messages that panicked, and its load, which is the mail for it that
/// its thread has taken in and is not done with.
///
/// Only its own thread writes it, with no read-modify-write, but `past`, which senders write (`route/linked.rs`); others
/// read it as a statistic.
#[derive(Default)]
pub(crate) struct Account {
    /// The mail for it that its thread has taken in and is not done with: messages in the low half, orders in the high.
    load: Counter,
    handled: Counter,
    /// How many messages for a link have gone out past its thread. They count as handled.
    past: SharedCounter,
    /// Stays at the largest number.
    panicked: AtomicU32,
    /// The generation of the slot's occupant whose account it is.
    pub(super) generation: AtomicU32,
}

impl Account {
    /// Opens it for a new occupant of its slot. Relaxed: the name of the occupant is published behind it (`Block::open`).
    fn open(&self, generation: u32) {
        self.load.reset();
        self.handled.reset();
        self.past.reset();
        self.panicked.store(0, Ordering::Relaxed);
        self.generation.store(generation, Ordering::Relaxed);
    }

    /// Counts a message as handled, and takes it off the load.
    #[inline]
    pub(crate) fn count_handled(&self) {
        self.handled.add(1);
        self.take_off_load(1);
    }

    /// Counts a message for a link that has gone out past its thread.
    #[cfg(feature = "remote")]
    pub(crate) fn count_past(&self) {
        self.past.increment();
    }

    /// Counts a message whose handler has panicked, and takes it off the load.
    #[inline]
    pub(crate) fn count_panicked(&self) {
        let panicked = self.panicked.load(Ordering::Relaxed);
        self.panicked.store(panicked.saturating_add(1), Ordering::Relaxed);
        self.take_off_load(1);
    }

    /// Adds mail of this weight (see `Mail::weight`) to the load.
    #[inline]
    pub(crate) fn add_load(&self, weight: u64) {
        self.load.add(weight);
    }

    /// Takes mail of this weight off the load: it was dealt with.
    #[inline]
    pub(crate) fn take_off_load(&self, weight: u64) {
        self.load.add(weight.wrapping_neg());
    }

    /// Whether its thread has no mail for it.
    #[inline]
    pub(crate) fn has_nothing_queued(&self) -> bool {
        self.load.get() == 0
    }

    /// Whether its thread has no mail for it but one order.
    #[inline]
    pub(crate) fn has_one_order(&self) -> bool {
        self.load.get() == ORDER
    }

    fn handled(&self) -> u64 {
        self.handled.get() + self.past.get()
    }

    /// How many of its messages are done with: handled, or panicked.
    pub(super) fn done(&self) -> u64 {
        self.handled() + u64::from(self.panicked.load(Ordering::Relaxed))
    }

    /// Reads three numbers of messages: handled; those whose handlers panicked; those of the load.
    pub(super) fn read(&self) -> (u64, u64, u64) {
        let panicked = self.panicked.load(Ordering::Relaxed).into();
        (self.handled(), panicked, self.load.get() % ORDER)
    }
}

/// The account of the occupant of a slot, or of its last one. `None` if another has taken the slot since.
#[inline]
pub(crate) fn account(blocks: &[Arc<Block>], slot: Slot) -> Option<&Account> {
    let account = blocks.get(Block::number(slot))?.account(slot);
    (account.generation.load(Ordering::Relaxed) == slot.generation).then_some(account)
}

/// The accounts of slots whose indices follow each other, and whose accounts they are. The roster and the thread share
/// it: the thread finds the accounts of its instances, and opens them, without a lock.
///
/// The protocol by which others read it:
///
/// 1. The thread opens the account of a new instance, and then publishes the number of its name: with `Release`, and
///    without the lock of the roster.
/// 2. It takes the name away under that lock alone.
/// 3. Others hold the lock, and look at the name first, with `Acquire`. If there is one, the account is that of the
///    instance with this name, and stays so until they let go of the lock.
pub(crate) struct Block {
    accounts: [Account; BLOCK],
    /// 0 where no instance lives, otherwise one more than the number of its name in the roster.
    occupants: [AtomicU32; BLOCK],
}

pub(super) const BLOCK: usize = 64;

impl Block {
    /// The index of a slot's block among all blocks.
    #[inline]
    pub(crate) fn number(slot: Slot) -> usize {
        slot.index as usize / BLOCK
    }

    pub(super) fn new() -> Self {
        let accounts = array::from_fn(|_| Account::default());
        Self { accounts, occupants: array::from_fn(|_| AtomicU32::new(0)) }
    }

    /// The account of a slot. This must be its block.
    #[inline]
    pub(crate) fn account(&self, slot: Slot) -> &Account {
        &self.accounts[Self::offset(slot)]
    }

    /// Opens the account of a new instance, on its own thread: step 1.
    #[inline]
    pub(crate) fn open(&self, slot: Slot, name: u32) {
        self.account(slot).open(slot.generation);
        self.occupants[Self::offset(slot)].store(name + 1, Ordering::Release);
    }

    /// Takes the name of an instance away that has ended, under the lock of the roster: step 2. Gives its number; `None`
    /// if the instance is not here.
    #[inline]
    pub(super) fn close(&self, slot: Slot) -> Option<u32> {
        // Relaxed: this thread has written both, and others look under the lock.
        let occupant = &self.occupants[Self::offset(slot)];
        let name = occupant.load(Ordering::Relaxed).checked_sub(1)?;
        if self.account(slot).generation.load(Ordering::Relaxed) != slot.generation {
            return None;
        }
        occupant.store(0, Ordering::Relaxed);
        Some(name)
    }

    /// The instance in the slot of this index, with its account and the number of its name, if one lives there: step 3.
    pub(super) fn occupant(&self, index: usize) -> Option<(Slot, &Account, u32)> {
        let name = self.occupants[index % BLOCK].load(Ordering::Acquire).checked_sub(1)?;
        let account = &self.accounts[index % BLOCK];
        let generation = account.generation.load(Ordering::Relaxed);
        Some((Slot { index: index as u32, generation }, account, name))
    }

    fn offset(slot: Slot) -> usize {
        slot.index as usize % BLOCK
    }
}
