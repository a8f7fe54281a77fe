//! The ledger of one end: the counts of what its links have sent, and an entry for what has arrived, which is done once.

use std::sync::Arc;
use std::time::Instant;

use crate::remote::books::Books;
use crate::route::linked::HeldPermit;
use crate::sys::clock::now;
use crate::sys::monitor::Monitor;

/// Counts into the books of one end, and wakes those who wait for them to change.
#[derive(Default)]
pub(super) struct Ledger(Monitor<Counted>);

#[derive(Default)]
struct Counted {
    books: Books,
    /// How many threads wait for them to change. A notification costs a system call even if nobody waits for it.
    waiting: usize,
}

impl Ledger {
    pub(super) fn books(&self) -> Books {
        self.0.lock().books
    }

    /// Packets from the other side have arrived together.
    pub(super) fn arrived(self: &Arc<Self>, packets: usize) -> Inbound {
        let packets = packets as u64;
        self.change(|books| books.waiting += packets);
        Inbound { ledger: Arc::clone(self), packets }
    }

    /// Waits until each accepted message has ended, or the time is up. Gives the books as they are then.
    pub(super) fn flush(&self, until: Option<Instant>) -> Books {
        self.wait(until, |books| books.unsettled() == 0)
    }

    /// Waits until each packet that has arrived is done, or the time is up. Gives the books as they are then.
    pub(super) fn drain(&self, until: Option<Instant>) -> Books {
        self.wait(until, Books::is_drained)
    }

    fn wait(&self, until: Option<Instant>, is_over: impl Fn(&Books) -> bool) -> Books {
        let mut kept = self.0.lock();
        kept.waiting += 1;
        while !is_over(&kept.books) && until.is_none_or(|until| until > now()) {
            kept = self.0.wait(kept, until);
        }
        kept.waiting -= 1;
        kept.books
    }

    pub(super) fn change(&self, change: impl FnOnce(&mut Books)) {
        let mut kept = self.0.lock();
        change(&mut kept.books);
        let is_awaited = kept.waiting > 0;
        drop(kept);
        if is_awaited {
            self.0.notify();
        }
    }
}

/// Packets that have arrived: they wait until this is dropped, which comes after their sender was told.
pub(super) struct Inbound {
    ledger: Arc<Ledger>,
    packets: u64,
}

impl Inbound {
    /// One of them, by itself from now on.
    pub(super) fn one(&mut self) -> Self {
        debug_assert!(self.packets > 0, "each is taken out once");
        self.packets -= 1;
        Self { ledger: Arc::clone(&self.ledger), packets: 1 }
    }

    /// A packet is in a mailbox here. A call goes on until what this gives is dropped.
    pub(super) fn taken(&self, is_call: bool) -> Option<UnansweredCall> {
        self.ledger.change(|books| {
            books.taken += 1;
            books.answering += u64::from(is_call);
        });
        is_call.then(|| UnansweredCall(Arc::clone(&self.ledger)))
    }

    /// So many sends are in mailboxes here.
    pub(super) fn taken_together(&self, sends: usize) {
        self.ledger.change(|books| books.taken += sends as u64);
    }
}

impl Drop for Inbound {
    fn drop(&mut self) {
        if self.packets > 0 {
            self.ledger.change(|books| books.waiting -= self.packets);
        }
    }
}

/// A call in a mailbox here: its sender has been answered when this is dropped.
pub(super) struct UnansweredCall(Arc<Ledger>);

impl Drop for UnansweredCall {
    fn drop(&mut self) {
        self.0.change(|books| books.answering -= 1);
    }
}

/// Receipts that are told together that their messages are in mailboxes. When it is dropped, the books are changed once,
/// and the permits are given back at once: each of these two may wake a thread.
#[derive(Default)]
#[expect(missing_debug_implementations, reason = "only crates that carry packets see it")]
pub struct TakenTogether {
    acked: Option<(Arc<Ledger>, u64)>,
    permits: Option<HeldPermit>,
}

impl TakenTogether {
    pub(super) fn acked(&mut self, ledger: &Arc<Ledger>) {
        match &mut self.acked {
            Some((all, count)) if Arc::ptr_eq(all, ledger) => *count += 1,
            _ => {
                self.settle();
                self.acked = Some((Arc::clone(ledger), 1));
            }
        }
    }

    pub(super) fn returned(&mut self, permit: &mut HeldPermit) {
        if let Some(all) = &mut self.permits {
            if all.join(permit) {
                return;
            }
            self.settle();
        }
        self.permits = Some(permit.pass_on());
    }

    /// Before permits are given back: whoever gets the room finds these messages counted.
    fn settle(&mut self) {
        if let Some((ledger, count)) = self.acked.take() {
            ledger.change(|books| books.acked += count);
        }
    }
}

impl Drop for TakenTogether {
    fn drop(&mut self) {
        // The permits are dropped next.
        self.settle();
    }
}
