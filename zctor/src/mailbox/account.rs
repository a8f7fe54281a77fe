//! Counts what the instances of a thread have done, without a lock.

use std::array;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::id::Slot;
use crate::mailbox::mail::ORDER;
use crate::sys::counter::{Counter, SharedCounter};
use crate::sys::sync::AtomicU32;

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
///
/// It has its cache lines for itself: its thread writes an account at each message, and senders read what lies beside it
/// on the heap.
#[repr(align(128))]
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
