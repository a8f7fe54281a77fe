//! The slots of a thread, and the instance that occupies each. An occupant is never mistaken for an earlier one of the
//! same slot.

use std::collections::BinaryHeap;
use std::ptr;
use std::sync::Arc;

use crate::id::{Birth, Slot};
use crate::mailbox::account::{Account, Block, account};
use crate::mailbox::roster::Roster;

/// The occupant of a slot: an instance.
pub(super) trait Occupant: Clone {
    fn slot(&self) -> Slot;
    fn born(&self) -> Birth;
}

/// The slots of one thread.
pub(super) struct Slots<T> {
    entries: Vec<SlotEntry<T>>,
    /// The indices of entries that wait for their next occupant.
    free: Vec<u32>,
    /// The accounts of all slots, which the roster has too.
    blocks: Vec<Arc<Block>>,
    /// The names of the types of instances that there were, as the roster numbers them.
    names: Vec<&'static str>,
    /// The instances by age, the youngest on top. Built when the youngest is first asked for, and kept up to date from
    /// then on.
    by_age: Option<BinaryHeap<(Birth, Slot)>>,
}

/// One slot and its occupant. The generation grows with each occupant.
pub(super) struct SlotEntry<T> {
    generation: u32,
    /// The call depth of its occupant.
    depth: u16,
    occupant: Option<T>,
}

#[cfg(target_pointer_width = "64")]
const _: () = assert!(size_of::<SlotEntry<std::rc::Rc<dyn std::any::Any>>>() <= 24, "there is one for each instance");

impl<T> Default for Slots<T> {
    fn default() -> Self {
        Self { entries: Vec::new(), free: Vec::new(), blocks: Vec::new(), names: Vec::new(), by_age: None }
    }
}

impl<T: Occupant> Slots<T> {
    /// The entry of this slot, unless a later occupant has it.
    #[inline(always)]
    fn entry(&self, slot: Slot) -> Option<&SlotEntry<T>> {
        self.entries.get(slot.index as usize).filter(|entry| entry.generation == slot.generation)
    }

    /// The call depth and the account of an instance that lives here.
    #[inline]
    pub(super) fn occupant(&self, slot: Slot) -> Option<(u16, &Account)> {
        let SlotEntry { depth, occupant, .. } = self.entry(slot)?;
        occupant.as_ref()?;
        Some((*depth, self.blocks.get(Block::number(slot))?.account(slot)))
    }

    /// The account of an instance, unless that has ended and another has taken its slot.
    #[inline]
    pub(super) fn account(&self, slot: Slot) -> Option<&Account> {
        account(&self.blocks, slot)
    }

    #[inline(always)]
    pub(super) fn instance(&self, slot: Slot) -> Option<T> {
        self.entry(slot)?.occupant.clone()
    }

    /// Reserves a slot for a new instance.
    #[inline]
    pub(super) fn reserve(&mut self, roster: &Roster) -> Slot {
        match self.free.pop() {
            Some(index) => Slot { index, generation: self.entries[index as usize].generation },
            None => self.add(roster),
        }
    }

    #[cold]
    fn add(&mut self, roster: &Roster) -> Slot {
        let slot = Slot { index: self.entries.len() as u32, generation: 0 };
        self.entries.push(SlotEntry { generation: 0, depth: 0, occupant: None });
        // Blocks come in the order of their numbers, as the indices of slots do.
        if self.blocks.len() == Block::number(slot) {
            self.blocks.push(roster.add_block());
        }
        slot
    }

    /// The number of a name in the roster, to which it is added if it is new there.
    #[inline]
    pub(super) fn number(&mut self, name: &'static str, roster: &Roster) -> u32 {
        // A thread has few types of instances, and the next instance is often of the same type as the last.
        match self.names.iter().rposition(|known| ptr::eq(*known, name)) {
            Some(number) => number as u32,
            None => {
                self.names.push(name);
                roster.add_name(name)
            }
        }
    }

    /// The block that holds the account of an instance.
    pub(super) fn block(&self, slot: Slot) -> Arc<Block> {
        Arc::clone(&self.blocks[Block::number(slot)])
    }

    /// Puts an occupant into its slot, and opens its account. `name` is the number of its name.
    #[inline]
    pub(super) fn occupy(&mut self, slot: Slot, born: Birth, depth: u16, name: u32, instance: T) {
        self.blocks[Block::number(slot)].open(slot, name);
        let entry = &mut self.entries[slot.index as usize];
        (entry.depth, entry.occupant) = (depth, Some(instance));
        if let Some(by_age) = &mut self.by_age {
            by_age.push((born, slot));
        }
    }

    /// Takes the occupant out of a slot. `for_next` says whether the slot may be given to another.
    pub(super) fn vacate(&mut self, slot: Slot, for_next: bool) -> Option<T> {
        let entry = &mut self.entries[slot.index as usize];
        // An entry whose generations are used up gets no occupant any more.
        if let Some(next) = entry.generation.checked_add(1).filter(|_| for_next) {
            entry.generation = next;
            self.free.push(slot.index);
        }
        entry.occupant.take()
    }

    pub(super) fn youngest(&mut self) -> Option<T> {
        let Self { entries, by_age, .. } = self;
        by_age.get_or_insert_with(|| {
            let there = entries.iter().filter_map(|entry| entry.occupant.as_ref());
            there.map(|instance| (instance.born(), instance.slot())).collect()
        });
        loop {
            let (_, slot) = *self.by_age.as_ref()?.peek()?;
            match self.instance(slot) {
                Some(instance) => return Some(instance),
                None => self.by_age.as_mut()?.pop(),
            };
        }
    }
}
