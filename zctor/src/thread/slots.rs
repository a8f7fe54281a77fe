//! The instances of an actor thread, each in its seat, and the queue of what waits for them.
//!
//! One cell of the thread's holds all of it, borrowed once for each step. No code of the user's runs meanwhile.

use std::collections::BinaryHeap;
use std::rc::Rc;
use std::sync::Arc;

use crate::id::{Birth, Slot};
use crate::mailbox::Arrivals;
use crate::mailbox::buffers::Spares;
use crate::mailbox::counters::{Account, Page, account};
use crate::mailbox::mail::Mail;
use crate::thread::local::AnyInstance;
use crate::thread::queue::Queue;

/// Who lives on a thread, and what waits for them there.
#[derive(Default)]
pub(crate) struct Floor {
    pub(crate) queue: Queue,
    seats: Vec<Seat>,
    /// The seats to be given to newcomers.
    free: Vec<u32>,
    /// The accounts of all seats, as the roll has them.
    pages: Vec<Arc<Page>>,
    /// The instances, the youngest on top: made out when that is first asked for, and kept up from then on.
    by_age: Option<BinaryHeap<(Birth, Slot)>>,
}

/// A place for an instance. Its generation grows with each tenant.
struct Seat {
    generation: u32,
    /// The call depth of its tenant.
    depth: u16,
    tenant: Option<Rc<dyn AnyInstance>>,
}

#[cfg(target_pointer_width = "64")]
const _: () = assert!(size_of::<Seat>() <= 24, "there is one for each instance");

impl Floor {
    // Mail.

    /// Takes in mail that has come, which is in `place`: to the batch that it belongs to, with all that follows it and belongs
    /// there too, or to its place in the queue. Gives the number of messages; the next arrival is in `place` then.
    #[inline(always)]
    pub(crate) fn take_in(&mut self, place: &mut Option<Mail>, arrivals: &mut Arrivals<'_>, spares: &Spares) -> u64 {
        let Some(mail) = place else { return 0 };
        let (to, messages) = (mail.to, u64::from(mail.messages));
        let (depth, ahead) = self.note(mail);
        let mut last = self.queue.last(depth);
        let mut joins = |mail: &mut Mail| last.as_mut().is_some_and(|last| last.gather(mail, spares));
        if !joins(mail) {
            if let Some(mail) = place.take() {
                self.queue.push(depth, ahead, || mail);
            }
            arrivals.next_into(place);
            return messages;
        }
        let mut more = 0;
        arrivals.next_into(place);
        while place.as_mut().is_some_and(&mut joins) {
            more += 1;
            arrivals.next_into(place);
        }
        if let Some((_, account)) = self.tenant(to) {
            account.take_in(more);
        }
        messages + more
    }

    /// Mail from here: to its place in the queue.
    #[inline(always)]
    pub(crate) fn enqueue(&mut self, mail: Mail) {
        let (depth, ahead) = self.note(&mail);
        self.queue.push(depth, ahead, || mail);
    }

    /// Notes that mail was taken in for its instance, and gives its lane in the queue, and whether it goes ahead there.
    #[inline]
    fn note(&self, mail: &Mail) -> (u16, bool) {
        match self.tenant(mail.to) {
            Some((depth, account)) => {
                let ahead = mail.is_call() && self.queue.lets_ahead(account);
                account.take_in(mail.weight());
                (depth, ahead)
            }
            // Mail for one that has ended waits in the lowest lane for its end as a dead letter.
            None => (0, false),
        }
    }

    /// The seat of this one, unless a later tenant has it.
    #[inline(always)]
    fn seat(&self, slot: Slot) -> Option<&Seat> {
        self.seats.get(slot.index as usize).filter(|seat| seat.generation == slot.generation)
    }

    /// The call depth and the account of one that lives here.
    #[inline]
    fn tenant(&self, slot: Slot) -> Option<(u16, &Account)> {
        let Seat { depth, tenant, .. } = self.seat(slot)?;
        tenant.as_ref()?;
        Some((*depth, self.pages.get(Page::number(slot))?.account(slot)))
    }

    /// The account of an instance, unless that has ended, and its place is another's.
    #[inline]
    pub(crate) fn account(&self, slot: Slot) -> Option<&Account> {
        account(&self.pages, slot)
    }

    // Who lives here.

    #[inline(always)]
    pub(crate) fn instance(&self, slot: Slot) -> Option<Rc<dyn AnyInstance>> {
        self.seat(slot)?.tenant.clone()
    }

    pub(crate) fn instances(&self) -> Vec<Rc<dyn AnyInstance>> {
        self.seats.iter().filter_map(|seat| seat.tenant.clone()).collect()
    }

    /// A slot for a newcomer.
    pub(crate) fn reserve(&mut self) -> Slot {
        match self.free.pop() {
            Some(index) => Slot { index, generation: self.seats[index as usize].generation },
            None => {
                self.seats.push(Seat { generation: 0, depth: 0, tenant: None });
                Slot { index: self.seats.len() as u32 - 1, generation: 0 }
            }
        }
    }

    /// Keeps the page of a newcomer's account.
    pub(crate) fn keep(&mut self, slot: Slot, page: &Arc<Page>) {
        if self.pages.len() == Page::number(slot) {
            self.pages.push(Arc::clone(page));
        }
    }

    pub(crate) fn settle_in(&mut self, instance: Rc<dyn AnyInstance>, depth: u16) {
        let (slot, born) = (instance.slot(), instance.born());
        let seat = &mut self.seats[slot.index as usize];
        (seat.depth, seat.tenant) = (depth, Some(instance));
        if let Some(by_age) = &mut self.by_age {
            by_age.push((born, slot));
        }
    }

    /// Clears a seat, for the next tenant or for none.
    pub(crate) fn vacate(&mut self, slot: Slot, for_next: bool) -> Option<Rc<dyn AnyInstance>> {
        let seat = &mut self.seats[slot.index as usize];
        // A seat whose generations are used up is never given away again.
        if let Some(next) = seat.generation.checked_add(1).filter(|_| for_next) {
            seat.generation = next;
            self.free.push(slot.index);
        }
        seat.tenant.take()
    }

    /// The youngest of those that live here.
    pub(crate) fn youngest(&mut self) -> Option<Rc<dyn AnyInstance>> {
        let Self { seats, by_age, .. } = self;
        by_age.get_or_insert_with(|| {
            let there = seats.iter().filter_map(|seat| seat.tenant.as_ref());
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
