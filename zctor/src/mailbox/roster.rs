//! The roster of an actor thread: its instances as other threads see them. It says what each has done, who watches it,
//! and why it has ended.
//!
//! Most of it is not read before something goes wrong, so it takes little memory. Each instance has an account of 24
//! bytes and the number of its name, which only its own thread writes (`Block`); with the feature `remote` the account
//! has 8 bytes more, in which senders count what goes past the thread of a link. Watchers and the texts of panics are
//! kept only for the instances that have them.

use std::collections::HashMap;
use std::sync::Arc;
use std::task::Waker;
use std::time::Duration;

use crate::event::{End, PanicEvent};
use crate::id::{InstanceId, Slot, ThreadId};
use crate::mailbox::account::{Account, BLOCK, Block, account};
use crate::mailbox::panic_inbox::PanicInbox;
use crate::mailbox::slow_limits::SlowLimits;
use crate::mailbox::watchers::{PanicWatchers, Removed};
use crate::report::InstanceReport;
use crate::report::instances::BackingOff;
use crate::report::running::NamedInstance;
use crate::sys::sync::{Mutex, lock};
use crate::sys::unwind::ignoring_panic;
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
    /// The names of the message types that instances of this thread have, or had.
    names: Vec<&'static str>,
    /// The counts of ended instances for each of these names.
    ended: Vec<EndedTotals>,
    /// The wakers of the watchers that wait for the end of an instance.
    watchers: HashMap<Slot, Box<Waiters>>,
    /// The watchers of panics.
    panic_watchers: HashMap<Slot, Box<PanicWatchers>>,
    slow_limits: SlowLimits,
    /// The instances that back off.
    backing_off: HashMap<Slot, BackingOff>,
    /// Whether each end is reported by itself: a shutdown has begun.
    reports_ends: bool,
    /// Whether the thread was abandoned, and all its instances were reported then.
    abandoned: bool,
}

/// The counts of instances that have ended.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct EndedTotals {
    pub(crate) instances: u64,
    pub(crate) handled: u64,
    pub(crate) panicked: u64,
}

impl EndedTotals {
    pub(crate) fn sum<'a>(all: impl Iterator<Item = &'a Self>) -> Self {
        let mut sum = Self::default();
        all.for_each(|one| sum.add(one.instances, one.handled, one.panicked));
        sum
    }

    pub(crate) fn add(&mut self, instances: u64, handled: u64, panicked: u64) {
        self.instances += instances;
        self.handled += handled;
        self.panicked += panicked;
    }
}

impl Members {
    /// The account of the occupant of a slot, or of its last one. `None` if another has taken the slot since.
    fn account(&self, slot: Slot) -> Option<&Account> {
        account(&self.blocks, slot)
    }

    /// The name of an instance that lives here.
    fn name(&self, slot: Slot) -> Option<&'static str> {
        let (occupant, _, name) = self.occupant(slot.index as usize)?;
        (occupant == slot).then_some(name)
    }

    /// The instance in the slot of this index, with its account and its name, if one lives there.
    fn occupant(&self, index: usize) -> Option<(Slot, &Account, &'static str)> {
        let (slot, account, name) = self.blocks.get(index / BLOCK)?.occupant(index)?;
        Some((slot, account, self.names.get(name as usize).copied()?))
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

    /// Adds a block of accounts, for the slots whose indices are next.
    #[cold]
    pub(crate) fn add_block(&self) -> Arc<Block> {
        let block = Arc::new(Block::new());
        lock(&self.members).blocks.push(Arc::clone(&block));
        block
    }

    /// Adds the name of a type of which the thread had no instance yet; gives the number of the name.
    #[cold]
    pub(crate) fn add_name(&self, name: &'static str) -> u32 {
        let Members { names, ended, .. } = &mut *lock(&self.members);
        names.push(name);
        ended.push(EndedTotals::default());
        names.len() as u32 - 1
    }

    /// Takes an instance that has ended off the roster. Its account at the end is added to the totals of its type, and
    /// `report` is given it if each end is reported by itself; unless it was reported before, when the thread was
    /// abandoned. Without `report` it counts for nothing: it was never built.
    pub(crate) fn remove(&self, slot: Slot, why: &End, report: Option<impl FnOnce(InstanceReport)>) -> Removed {
        // Reported under the lock, so that an abandonment finds the instance either on the roster or among the reports.
        let mut members = lock(&self.members);
        let Members { blocks, names, ended, abandoned, reports_ends, .. } = &mut *members;
        let block = blocks.get(Block::number(slot));
        let Some((block, name)) = block.and_then(|block| Some((block, block.close(slot)? as usize))) else {
            return Removed { is_first_report: false, watchers: None, panic_watchers: None };
        };
        if let End::Panicked(text) = why {
            lock(&self.panics).insert(slot, Arc::clone(text));
        }
        if let Some(report) = report.filter(|_| !*abandoned) {
            let (handled, panicked, _) = block.account(slot).read();
            ended[name].add(1, handled, panicked);
            if *reports_ends {
                // Nothing is left: the mail for it finds another receiver, or is counted as dead letters.
                report(InstanceReport { id: self.id(slot), message: names[name], handled, panicked, left: 0 });
            }
        }
        // Few instances have a limit: the others need no hash when they end.
        if !members.slow_limits.by_slot.is_empty() {
            members.slow_limits.remove(slot);
        }
        let watchers = if members.watchers.is_empty() { None } else { members.watchers.remove(&slot) };
        let panic_watchers =
            if members.panic_watchers.is_empty() { None } else { members.panic_watchers.remove(&slot) };
        Removed { is_first_report: !members.abandoned, watchers, panic_watchers }
    }

    /// Forgets the panic that ended an instance: nobody can ask for it any more.
    pub(crate) fn forget(&self, slot: Slot) {
        let text = lock(&self.panics).remove(&slot);
        drop(text);
    }

    /// An instance counts as slow when one of its handlers has run for so long.
    pub(crate) fn set_slow_limit(&self, slot: Slot, limit: Duration) {
        lock(&self.members).slow_limits.set(slot, limit);
    }

    /// The limit that was set for an instance.
    pub(crate) fn slow_limit(&self, slot: Slot) -> Option<Duration> {
        lock(&self.members).slow_limits.by_slot.get(&slot).copied()
    }

    /// The least limit that was set for an instance which lives.
    pub(crate) fn least_slow_limit(&self) -> Option<Duration> {
        lock(&self.members).slow_limits.least()
    }

    /// The instance in a slot, if it lives there still.
    pub(crate) fn find(&self, slot: Slot) -> Option<NamedInstance> {
        let message = lock(&self.members).name(slot)?;
        Some(NamedInstance { instance: self.id(slot), message })
    }

    /// As `find`, and how many messages the instance is done with.
    pub(crate) fn find_with_done(&self, slot: Slot) -> Option<(NamedInstance, u64)> {
        let members = lock(&self.members);
        let message = members.name(slot)?;
        let done = members.account(slot)?.done();
        Some((NamedInstance { instance: self.id(slot), message }, done))
    }

    /// The one instance of a type on this thread, if there is just one and the thread has few slots.
    pub(crate) fn only(&self, message: &'static str) -> Option<InstanceId> {
        let members = lock(&self.members);
        if members.blocks.len() != 1 {
            return None;
        }
        let mut all = (0..BLOCK).filter_map(|index| members.occupant(index)).filter(|(.., name)| *name == message);
        let (Some((slot, ..)), None) = (all.next(), all.next()) else { return None };
        Some(self.id(slot))
    }

    /// Notes that the thread is abandoned; gives the instances that still live there.
    pub(crate) fn abandon(&self) -> Vec<NamedInstance> {
        let mut members = lock(&self.members);
        members.abandoned = true;
        let there = (0..members.blocks.len() * BLOCK).filter_map(|index| members.occupant(index));
        there.map(|(slot, _, message)| NamedInstance { instance: self.id(slot), message }).collect()
    }

    /// Reads the accounts of instances.
    pub(crate) fn reports(&self, instances: &[NamedInstance]) -> Vec<InstanceReport> {
        let members = lock(&self.members);
        instances.iter().map(|one| members.report(one.instance.slot, one.instance, one.message)).collect()
    }

    /// Reads the accounts of the instances in one block; `false` if there is no such block. The lock is held for that
    /// one block, so that the thread need not wait for all of them. `each` runs under it.
    pub(crate) fn read_block(&self, number: usize, mut each: impl FnMut(InstanceReport)) -> bool {
        let members = lock(&self.members);
        if members.blocks.len() <= number {
            return false;
        }
        for index in number * BLOCK..(number + 1) * BLOCK {
            let Some((slot, account, message)) = members.occupant(index) else { continue };
            let (handled, panicked, left) = account.read();
            each(InstanceReport { id: self.id(slot), message, handled, panicked, left });
        }
        true
    }

    /// Has each instance that ends from now on reported by itself. Gives what those had done, in all, that had ended.
    pub(crate) fn report_ends(&self) -> EndedTotals {
        let mut members = lock(&self.members);
        members.reports_ends = true;
        EndedTotals::sum(members.ended.iter())
    }

    /// The counts of the instances that have ended here, by the names of their types.
    pub(crate) fn ended(&self) -> Vec<(&'static str, EndedTotals)> {
        let members = lock(&self.members);
        members.names.iter().copied().zip(members.ended.iter().copied()).collect()
    }

    // Watchers.

    /// Has `waker` woken when an instance has ended, until `unwatch` is called with the number that this returns. If it
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

    /// Has the panics of an instance put into `inbox`, until its end or `unwatch_panics` with the number given. `None`
    /// if it has ended.
    pub(crate) fn watch_panics(&self, slot: Slot, inbox: &Arc<PanicInbox>) -> Option<u64> {
        let mut members = lock(&self.members);
        members.name(slot)?;
        let watchers = members.panic_watchers.entry(slot).or_default();
        watchers.last += 1;
        watchers.inboxes.insert(watchers.last, Arc::clone(inbox));
        Some(watchers.last)
    }

    pub(crate) fn unwatch_panics(&self, slot: Slot, number: u64) {
        let inbox = {
            let mut members = lock(&self.members);
            let Some(watchers) = members.panic_watchers.get_mut(&slot) else { return };
            let inbox = watchers.inboxes.remove(&number);
            if watchers.inboxes.is_empty() {
                members.panic_watchers.remove(&slot);
            }
            inbox
        };
        drop(inbox);
    }

    /// Tells the watchers of an instance of a panic of it.
    pub(crate) fn tell_panic(&self, event: &PanicEvent) {
        let inboxes: Vec<_> = {
            let members = lock(&self.members);
            let Some(watchers) = members.panic_watchers.get(&event.instance.slot) else { return };
            watchers.inboxes.values().cloned().collect()
        };
        inboxes.iter().for_each(|inbox| inbox.put(event.clone()));
    }

    // Instances that back off.

    pub(crate) fn begin_backoff(&self, slot: Slot, backing_off: BackingOff) {
        lock(&self.members).backing_off.insert(slot, backing_off);
    }

    /// It is back, or will not come back.
    pub(crate) fn end_backoff(&self, slot: Slot) {
        lock(&self.members).backing_off.remove(&slot);
    }

    pub(crate) fn backing_off(&self) -> Vec<BackingOff> {
        let mut all: Vec<_> = lock(&self.members).backing_off.values().copied().collect();
        all.sort_by_key(|one| one.instance);
        all
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

#[cfg(all(test, loom))]
mod loom_models;

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    /// Opens the account of an instance, as its thread does.
    fn add(roster: &Roster, slot: Slot, name: &'static str) -> Arc<Block> {
        let known = lock(&roster.members).blocks.first().cloned();
        let block = known.unwrap_or_else(|| roster.add_block());
        block.open(slot, roster.add_name(name));
        block
    }

    #[test]
    fn a_slot_has_a_new_account_for_each_occupant() {
        let roster = Roster::new(ThreadId(0));
        let (first, second) = (Slot { index: 20, generation: 0 }, Slot { index: 20, generation: 1 });
        assert_eq!(roster.find(first), None);
        let block = add(&roster, first, "First");
        block.account(first).add_load(2);
        block.account(first).count_handled();
        let mut reported = None;
        roster.report_ends();
        assert!(roster.remove(first, &End::Stopped, Some(|report| reported = Some(report))).is_first_report);
        assert_eq!(reported.map(|report| (report.handled, report.left)), Some((1, 0)));
        add(&roster, second, "Second");
        assert!(block.account(second).has_nothing_queued());
        assert_eq!(roster.find(first), None);
        assert_eq!(roster.find(second).map(|found| found.message), Some("Second"));
        let twice = roster.remove(first, &End::Stopped, Some(|_| unreachable!("it was removed before")));
        assert!(!twice.is_first_report);
    }

    #[test]
    fn each_end_is_in_the_totals_and_is_reported_from_the_shutdown_on() {
        let roster = Roster::new(ThreadId(0));
        let slots = [0, 1, 2].map(|index| Slot { index, generation: 0 });
        let block = add(&roster, slots[0], "Job");
        slots[1..].iter().for_each(|slot| block.open(*slot, 0));
        let mut reported = Vec::new();
        let mut end = |slot| roster.remove(slot, &End::Stopped, Some(|report| reported.push(report))).tell();
        end(slots[0]);
        assert_eq!(roster.report_ends().instances, 1);
        end(slots[1]);
        assert_eq!(reported.iter().map(|report| report.id.slot).collect::<Vec<_>>(), [slots[1]]);
        roster.remove(slots[2], &End::Stopped, None::<fn(InstanceReport)>).tell();
        assert_eq!(roster.ended().len(), 1);
        assert_eq!(roster.ended()[0].1.instances, 2, "one was never built");
    }

    #[test]
    fn why_it_ended_is_known_until_it_is_forgotten() {
        let roster = Roster::new(ThreadId(0));
        let slot = Slot { index: 0, generation: 0 };
        add(&roster, slot, "Job");
        assert_eq!(roster.why_ended(slot), None);
        let number = roster.watch(slot, Waker::noop().clone());
        assert!(number.is_ok());
        let why = End::Panicked("broken".into());
        roster.remove(slot, &why, Some(|_| {})).tell();
        assert_eq!(roster.watch(slot, Waker::noop().clone()), Err(why));
        roster.forget(slot);
        assert_eq!(roster.why_ended(slot), Some(End::Stopped));
    }

    #[test]
    fn an_instance_that_was_reported_with_its_thread_is_no_news() {
        let roster = Roster::new(ThreadId(3));
        let slot = Slot { index: 0, generation: 0 };
        add(&roster, slot, "Job");
        let there = roster.abandon();
        assert_eq!(roster.reports(&there).len(), 1);
        let again = roster.remove(slot, &End::Stopped, Some(|_| unreachable!("it was reported")));
        assert!(!again.is_first_report);
        assert_eq!(roster.why_ended(slot), Some(End::Stopped));
    }
}
