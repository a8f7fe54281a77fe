//! The queue of mail of an actor thread: what `send` has accepted is in it, and nothing slips in behind its close.
//!
//! It is one flume queue, with the state word of its thread beside it (`sys/park.rs`).
//!
//! How it closes:
//!
//! 1. A sender pushes its mail first, and looks at the word then. If the word is not closed, the mail is in.
//! 2. The closer takes the lock of `late`, sets the word to closed, and takes out all mail, under that lock. The mail
//!    that it finds was accepted: the closer finds another receiver for it, or makes dead letters of it.
//! 3. A sender that finds the word closed takes the same lock, so it comes after the closer. It moves what is in the
//!    queue to `late`, and takes its own mail out of there. That mail came too late: its message is sent elsewhere, or
//!    refused. Mail of other senders stays in `late` until they come.
//! 4. A sender that does not find its own mail there knows that the closer found it.
//!
//! How the load of its thread is counted (`Mailbox::load`):
//!
//! 1. Each piece of mail in the queue counts as one message. A batch or a bundle holds more: its sender adds the rest to
//!    `batched`.
//! 2. Before mail leaves the queue, each piece counts as one taken message (`Meter::taken`), so that the load never
//!    misses it. The thread corrects that count by what it finds in the mail (`Arrivals::counted`).
//! 3. The thread counts by itself what it has taken off `batched` (`Meter::unbatched`), so that it does not contend for
//!    that. A closer and a sender whose mail came too late take theirs off `batched`.
//! 4. A message that was taken counts until it is done with (`Meter::in_hand`).

use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::mailbox::arrivals::Arrivals;
use crate::mailbox::mail::{Mail, MailContents};
use crate::mailbox::meter::Meter;
use crate::sys::cache_padded::CachePadded;
use crate::sys::park::Parker;
use crate::sys::sync::{AtomicUsize, Mutex, lock, queue};

/// The queue of mail of one actor thread.
pub(crate) struct MailQueue {
    sender: queue::Sender<Mail>,
    receiver: queue::Receiver<Mail>,
    /// Of its thread. Its word says whether the queue is closed.
    parker: Arc<Parker>,
    /// How many messages came in batches and bundles, beyond the one that each counts for in the queue's length.
    batched: CachePadded<AtomicUsize>,
    /// Mail that was pushed behind the close, until its sender takes it back.
    pub(super) late: Mutex<Vec<Mail>>,
}

impl MailQueue {
    pub(super) fn new(parker: Arc<Parker>) -> Self {
        let (sender, receiver) = queue::unbounded();
        Self { sender, receiver, parker, batched: CachePadded(AtomicUsize::new(0)), late: Mutex::default() }
    }

    /// Step 1: puts mail in and wakes the thread. `false` if it came behind the close: then its sender takes it back.
    #[inline(always)]
    pub(super) fn push(&self, mail: Mail) -> bool {
        let is_order = matches!(mail.contents, MailContents::Order(_));
        debug_assert!(mail.number != 0 || is_order, "nobody could take it back");
        self.put(mail);
        self.wake()
    }

    /// The first half of step 1: puts mail in.
    #[inline(always)]
    pub(super) fn put(&self, mail: Mail) {
        // It cannot fail: this struct holds a receiver.
        let _ = self.sender.send(mail);
    }

    /// The second half of step 1: wakes the thread. `false` if the queue is closed.
    #[inline(always)]
    pub(super) fn wake(&self) -> bool {
        self.parker.wake()
    }

    /// Steps 3 and 4, for a sender whose push found the queue closed. The closer emptied it under the same lock and found
    /// what was pushed in time. Mail that came later is still there; it belongs to the senders that pushed it, each of
    /// which comes here. `None` if the closer found its mail.
    pub(super) fn take_back(&self, pusher: u64) -> Option<Mail> {
        let mut late = lock(&self.late);
        let mut orders = Vec::new();
        while let Ok(mail) = self.receiver.try_recv() {
            self.take_off_batched(&mail);
            if mail.number == 0 { orders.push(mail) } else { late.push(mail) }
        }
        let own =
            late.iter().position(|mail| pusher != 0 && mail.number == pusher).map(|index| late.swap_remove(index));
        drop(late);
        drop(orders); // they hold nothing of the user's
        own
    }

    /// Adds a batch or a bundle to `batched`, before it is pushed.
    pub(super) fn count_batch(&self, mail: &Mail) {
        // Relaxed: a statistic.
        self.batched.fetch_add(mail.messages.saturating_sub(1) as usize, Ordering::Relaxed);
    }

    /// Step 2: closes the queue. Gives the mail that was in it, for which the caller finds another receiver or none.
    #[must_use = "what is inside finds another receiver, or none"]
    pub(super) fn close(&self) -> Vec<Mail> {
        // Under this lock, so that the `take_back` of a late sender comes after. The mail that is found here was pushed
        // in time, or by a sender that will not find it in `take_back`, and so takes it for accepted.
        let late = lock(&self.late);
        self.parker.close();
        let found: Vec<Mail> = self.receiver.drain().collect();
        drop(late);
        found.iter().for_each(|mail| self.take_off_batched(mail));
        found.into_iter().flat_map(Mail::unbundled).collect()
    }

    /// Takes out the mail that is there, which `meter`, of its thread, counts.
    #[inline]
    pub(super) fn take<'a>(&'a self, meter: &'a Meter) -> Arrivals<'a> {
        Arrivals::take(&self.receiver, meter)
    }

    /// Takes mail off `batched` that another thread has taken out.
    fn take_off_batched(&self, mail: &Mail) {
        self.batched.fetch_sub(mail.messages.saturating_sub(1) as usize, Ordering::Relaxed);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.receiver.is_empty()
    }

    /// How many messages lie in it. `meter` is that of its thread.
    pub(super) fn messages(&self, meter: &Meter) -> usize {
        let pieces = self.receiver.len();
        // In this order, so that not more seems to be taken out than has come.
        let taken_out = meter.unbatched.get() as usize;
        pieces + self.batched.load(Ordering::Relaxed).saturating_sub(taken_out)
    }
}
