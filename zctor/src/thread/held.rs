//! Mail that waits until the backoff of its instance is over.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, VecDeque};

use crate::id::Slot;
use crate::mailbox::mail::Mail;

/// The mail that is held for the instances of one thread that back off.
#[derive(Default)]
pub(crate) struct Held {
    by_slot: RefCell<BTreeMap<Slot, VecDeque<Mail>>>,
    count: Cell<usize>,
}

impl Held {
    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.count.get() == 0
    }

    /// Whether mail is held for this instance.
    pub(super) fn has(&self, slot: Slot) -> bool {
        self.by_slot.borrow().contains_key(&slot)
    }

    /// Holds mail for its instance, behind the mail that is held for that already.
    pub(super) fn hold(&self, mail: Mail) {
        self.count.set(self.count.get() + 1);
        self.by_slot.borrow_mut().entry(mail.to).or_default().push_back(mail);
    }

    /// Takes the mail that is held for an instance, in the order of arrival.
    pub(super) fn take(&self, slot: Slot) -> VecDeque<Mail> {
        if self.is_empty() {
            return VecDeque::new();
        }
        let taken = self.by_slot.borrow_mut().remove(&slot).unwrap_or_default();
        self.count.set(self.count.get() - taken.len());
        taken
    }

    /// Takes all mail that is held: for one instance after the other, in the order of their slots.
    pub(super) fn take_all(&self) -> impl Iterator<Item = Mail> {
        self.count.set(0);
        self.by_slot.take().into_values().flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mailbox::mail::Order;

    #[test]
    fn mail_is_held_by_instance_in_the_order_of_arrival() {
        let held = Held::default();
        let slots = [0, 1].map(|index| Slot { index, generation: 0 });
        for (slot, id) in [(1, 1), (0, 2), (1, 3), (0, 4)] {
            held.hold(Mail::order(slots[slot], Order::Tick(id)));
        }
        let ids = |mail: &mut dyn Iterator<Item = Mail>| -> Vec<u64> {
            mail.filter_map(|mail| match mail.contents {
                crate::mailbox::mail::MailContents::Order(Order::Tick(id)) => Some(id),
                _ => None,
            })
            .collect()
        };
        assert!(held.has(slots[1]));
        assert_eq!(ids(&mut held.take(slots[1]).into_iter()), [1, 3]);
        assert!(!held.has(slots[1]) && !held.is_empty());
        assert_eq!(ids(&mut held.take_all()), [2, 4]);
        assert!(held.is_empty() && held.take(slots[0]).is_empty());
    }
}
