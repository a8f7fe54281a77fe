//! The roster of an actor thread: its instances as other threads see them. It says what each has done, who watches it,
//! and why it has ended.
//!
//! Most of it is not read before something goes wrong, so it takes little memory. Each instance has an account of 24
//! bytes, which only its own thread writes, without a lock, and an index of its name. Watchers and the texts of panics
//! are kept only for the instances that have them.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::Waker;
use std::{array, ptr};

use crate::event::End;
use crate::id::{InstanceId, Slot, ThreadId};
use crate::mailbox::counters::{Account, Block, account};
use crate::report::{InstanceReport, RunningInstance};
use crate::sys::sync::{Mutex, lock};
use crate::sys::unwind::{ignoring_panic, wake};
use crate::sys::waiters::Waiters;

/// The instances of one thread, as other threads see them.
pub(crate) struct Roster {
    thread: ThreadId,
    members: Mutex<Members>,
    /// The texts of panics that ended instances, for later questions, until `forget`. They have a lock of their own,
    /// under which no other is taken, since an endpoint may be dropped under any lock.
    panics: Mutex<HashMap<Slot, Arc<str>>>,
}

#[derive(Default)]
struct Members {
    /// The accounts, by the indices of their slots.
    blocks: Vec<Arc<Block>>,
    /// By the index of a slot: 0 if it is vacant, otherwise one more than the index in `names` of its occupant's name.
    occupants: Vec<u32>,
    /// The names of the message types that instances of this thread have, or had.
    names: Vec<&'static str>,
    /// The wakers of the watchers, who wait for the end of an instance.
    watchers: HashMap<Slot, Box<Waiters>>,
    /// Whether the thread was abandoned, and all its instances were reported then.
    abandoned: bool,
}

/// The watchers that must still be told after an instance was taken off the roster.
#[must_use = "who watches it waits to be told"]
pub(crate) struct Removed {
    /// Whether its end was not reported before, with its abandoned thread.
    pub(crate) is_first_report: bool,
    watchers: Option<Box<Waiters>>,
}

impl Removed {
    /// Wakes its watchers.
    pub(crate) fn tell(self) {
        let Some(mut watchers) = self.watchers else { return };
        for waker in watchers.take(0, usize::MAX) {
            wake(waker);
        }
    }
}

impl Members {
    /// The account of the occupant of a slot, or of its last one. `None` if another has taken the slot since.
    fn account(&self, slot: Slot) -> Option<&Account> {
        account(&self.blocks, slot)
    }

    /// The name of an instance that lives here.
    fn name(&self, slot: Slot) -> Option<&'static str> {
        self.account(slot)?;
        self.name_at(slot.index as usize)
    }

    fn name_at(&self, index: usize) -> Option<&'static str> {
        let place = self.occupants.get(index)?.checked_sub(1)?;
        self.names.get(place as usize).copied()
    }

    fn occupy(&mut self, index: usize, name: &'static str) {
        // A thread has few types of instances, and the next instance is often of the same type as the last.
        let known = self.names.iter().rposition(|known| ptr::eq(*known, name));
        let place = known.unwrap_or(self.names.len());
        if known.is_none() {
            self.names.push(name);
        }
        if self.occupants.len() <= index {
            self.occupants.resize(index + 1, 0);
        }
        self.occupants[index] = place as u32 + 1;
    }

    fn report(&self, slot: Slot, id: InstanceId, message: &'static str) -> InstanceReport {
        let (handled, panicked, left) = self.account(slot).map_or((0, 0, 0), Account::read);
        InstanceReport { id, message, handled, panicked, left }
    }
}

impl Roster {
    pub(crate) fn new(thread: ThreadId) -> Self {
        Self { thread, members: Mutex::default(), panics: Mutex::default() }
    }

    fn id(&self, slot: Slot) -> InstanceId {
        InstanceId { thread: self.thread, slot }
    }

    /// Opens the account of a new instance; gives the block that holds it.
    pub(crate) fn add(&self, slot: Slot, name: &'static str) -> Arc<Block> {
        let mut members = lock(&self.members);
        let number = Block::number(slot);
        if members.blocks.len() <= number {
            members.blocks.resize_with(number + 1, || Arc::new(Block(array::from_fn(|_| Account::default()))));
        }
        members.occupy(slot.index as usize, name);
        let block = Arc::clone(&members.blocks[number]);
        block.account(slot).open(slot.generation);
        block
    }

    /// Takes an instance that has ended off the roster. `report` is given what its account says at the end, unless that
    /// was reported before, when the thread was abandoned.
    pub(crate) fn remove(&self, slot: Slot, why: &End, report: impl FnOnce(InstanceReport)) -> Removed {
        // Reported under the lock, so that an abandonment finds the instance either on the roster or among the reports.
        let mut members = lock(&self.members);
        let Some(name) = members.name(slot) else { return Removed { is_first_report: false, watchers: None } };
        members.occupants[slot.index as usize] = 0;
        if let End::Panicked(text) = why {
            lock(&self.panics).insert(slot, Arc::clone(text));
        }
        if !members.abandoned {
            // Nothing is left: the mail for it finds another receiver, or is counted as dead letters.
            report(InstanceReport { left: 0, ..members.report(slot, self.id(slot), name) });
        }
        let watchers = if members.watchers.is_empty() { None } else { members.watchers.remove(&slot) };
        Removed { is_first_report: !members.abandoned, watchers }
    }

    /// Forgets the panic that ended an instance: nobody can ask for it any more.
    pub(crate) fn forget(&self, slot: Slot) {
        let text = lock(&self.panics).remove(&slot);
        drop(text);
    }

    /// The instance in a slot, if it lives there still.
    pub(crate) fn find(&self, slot: Slot) -> Option<RunningInstance> {
        let message = lock(&self.members).name(slot)?;
        Some(RunningInstance { instance: self.id(slot), message })
    }

    /// Notes that the thread is abandoned; gives the instances that still live there.
    pub(crate) fn abandon(&self) -> Vec<RunningInstance> {
        let mut members = lock(&self.members);
        members.abandoned = true;
        let there = (0..members.occupants.len()).filter_map(|index| {
            let message = members.name_at(index)?;
            let slot = Slot { index: index as u32, generation: 0 };
            let generation = members.blocks.get(Block::number(slot))?.account(slot).generation.load(Ordering::Relaxed);
            Some(RunningInstance { instance: self.id(Slot { generation, ..slot }), message })
        });
        there.collect()
    }

    /// Reads the accounts of instances.
    pub(crate) fn reports(&self, instances: &[RunningInstance]) -> Vec<InstanceReport> {
        let members = lock(&self.members);
        instances.iter().map(|one| members.report(one.instance.slot, one.instance, one.message)).collect()
    }

    // Watchers.

    /// Has `waker` woken when an instance has ended, until `leave` is called with the number that this returns. If it
    /// has ended already, gives the reason.
    pub(crate) fn watch(&self, slot: Slot, waker: Waker) -> Result<u64, End> {
        let mut members = lock(&self.members);
        if let Some(why) = self.end(&members, slot) {
            drop(members);
            ignoring_panic(|| drop(waker));
            return Err(why);
        }
        Ok(members.watchers.entry(slot).or_default().join(waker))
    }

    pub(crate) fn unwatch(&self, slot: Slot, number: u64) {
        let waker = {
            let mut members = lock(&self.members);
            let Some(watchers) = members.watchers.get_mut(&slot) else { return };
            let waker = watchers.leave(number);
            if watchers.is_empty() {
                members.watchers.remove(&slot);
            }
            waker
        };
        ignoring_panic(|| drop(waker));
    }

    fn end(&self, members: &Members, slot: Slot) -> Option<End> {
        match lock(&self.panics).get(&slot) {
            Some(text) => Some(End::Panicked(Arc::clone(text))),
            None if members.name(slot).is_none() => Some(End::Stopped),
            None => None,
        }
    }

    /// Why an instance has ended, if it has.
    pub(crate) fn why_ended(&self, slot: Slot) -> Option<End> {
        self.end(&lock(&self.members), slot)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slot_has_a_new_account_for_each_occupant() {
        let roster = Roster::new(ThreadId(0));
        let (first, second) = (Slot { index: 200, generation: 0 }, Slot { index: 200, generation: 1 });
        assert_eq!(roster.find(first), None);
        let block = roster.add(first, "First");
        block.account(first).add_load(2);
        block.account(first).count_handled();
        let mut reported = None;
        assert!(roster.remove(first, &End::Stopped, |report| reported = Some(report)).is_first_report);
        assert_eq!(reported.map(|report| (report.handled, report.left)), Some((1, 0)));
        assert!(roster.add(second, "Second").account(second).has_nothing_queued());
        assert_eq!(roster.find(first), None);
        assert_eq!(roster.find(second).map(|found| found.message), Some("Second"));
        assert!(!roster.remove(first, &End::Stopped, |_| unreachable!("it was removed before")).is_first_report);
    }

    #[test]
    fn why_it_ended_is_known_until_it_is_forgotten() {
        let roster = Roster::new(ThreadId(0));
        let slot = Slot { index: 0, generation: 0 };
        roster.add(slot, "Job");
        assert_eq!(roster.why_ended(slot), None);
        let number = roster.watch(slot, Waker::noop().clone());
        assert!(number.is_ok());
        let why = End::Panicked("broken".into());
        roster.remove(slot, &why, |_| {}).tell();
        assert_eq!(roster.watch(slot, Waker::noop().clone()), Err(why));
        roster.forget(slot);
        assert_eq!(roster.why_ended(slot), Some(End::Stopped));
    }

    #[test]
    fn an_instance_that_was_reported_with_its_thread_is_no_news() {
        let roster = Roster::new(ThreadId(3));
        let slot = Slot { index: 0, generation: 0 };
        roster.add(slot, "Job");
        let there = roster.abandon();
        assert_eq!(roster.reports(&there).len(), 1);
        assert!(!roster.remove(slot, &End::Stopped, |_| unreachable!("it was reported")).is_first_report);
        assert_eq!(roster.why_ended(slot), Some(End::Stopped));
    }
}
