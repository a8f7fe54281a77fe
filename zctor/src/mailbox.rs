//! The mailbox of an actor thread: one flume queue of envelopes, and the state word that says who must be woken.

pub(crate) mod buffers;
pub(crate) mod counters;
pub(crate) mod dead_letters;
pub(crate) mod edge;
pub(crate) mod envelope;
pub(crate) mod mail;
pub(crate) mod panic_inbox;
pub(crate) mod permits;
pub(crate) mod roster;

use std::fmt;
use std::ptr;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::event::PanicEvent;
use crate::id::ThreadId;
use crate::mailbox::buffers::Buffers;
use crate::mailbox::counters::{Meter, Waits};
use crate::mailbox::edge::Edge;
use crate::mailbox::mail::{Mail, What};
use crate::mailbox::permits::Permits;
use crate::mailbox::roster::Roster;
use crate::sys::frame;
use crate::sys::park::Parker;
use crate::sys::sync::{AtomicU64, AtomicUsize, Mutex, lock, queue};

/// The one queue of an actor thread, with all that other threads touch of it.
pub(crate) struct Mailbox {
    pub(crate) thread: ThreadId,
    pub(crate) name: String,
    pub(crate) parker: Arc<Parker>,
    pub(crate) edge: Arc<Edge>,
    pub(crate) meter: Meter,
    /// For a bounded one.
    pub(crate) permits: Option<Permits>,
    /// The instances that live here.
    pub(crate) roster: Roster,
    pub(crate) buffers: Buffers,
    pub(crate) waits: Waits,
    sender: queue::Sender<Mail>,
    receiver: queue::Receiver<Mail>,
    /// Messages in batches beyond the one that each batch counts for in the queue's length.
    batched: AtomicUsize,
    /// Envelopes pushed behind the closing, on their way back to their senders.
    late: Mutex<Vec<Mail>>,
}

impl Mailbox {
    /// Tells of a panic of one of its instances those who asked to be told.
    pub(crate) fn tell_panic(&self, panic: &PanicEvent) {
        self.edge.losses.panicked(panic);
        self.roster.tell_panic(panic);
    }

    pub(crate) fn new(thread: ThreadId, name: String, edge: Arc<Edge>, permits: Option<Permits>) -> Self {
        let (sender, receiver) = queue::unbounded();
        let meter = Meter { activity: AtomicU64::new(1), running: AtomicU64::new(Meter::IDLE), ..Meter::default() };
        Self {
            thread,
            name,
            parker: Arc::new(Parker::for_actor_thread()),
            edge,
            meter,
            permits,
            roster: Roster::new(thread),
            buffers: Buffers::default(),
            waits: Waits::default(),
            sender,
            receiver,
            batched: AtomicUsize::new(0),
            late: Mutex::default(),
        }
    }

    /// The current thread is the one of this mailbox from now on.
    pub(crate) fn make_current(&self) {
        frame::enter(self.thread_address(), self.engine_address());
    }

    /// Whether the current thread is the one of this mailbox.
    #[inline]
    pub(crate) fn is_current(&self) -> bool {
        frame::is_on_thread(self.thread_address())
    }

    /// Whether the current thread is an actor thread of the engine of this mailbox.
    #[inline]
    pub(crate) fn is_inside(&self) -> bool {
        frame::is_in_engine(self.engine_address())
    }

    fn thread_address(&self) -> usize {
        ptr::from_ref(self) as usize
    }

    fn engine_address(&self) -> usize {
        Arc::as_ptr(&self.edge) as usize
    }

    /// Puts mail in and wakes the thread. An envelope that came too late, behind the closing, is given back.
    #[inline(always)]
    pub(crate) fn push(&self, mail: Mail) -> Option<Mail> {
        let pusher = mail.number;
        debug_assert!(pusher != 0 || matches!(mail.what, What::Order(_)), "nobody could take it back");
        // It cannot fail: this struct holds a receiver.
        let _ = self.sender.send(mail);
        if self.parker.wake() { None } else { self.take_back(pusher) }
    }

    /// The mailbox was closed before or during a push. Whoever closed it emptied it under the same lock, and what was
    /// pushed in time was found; what came later is still there, and belongs to those who pushed it, each of whom comes
    /// here.
    #[cold]
    fn take_back(&self, pusher: u64) -> Option<Mail> {
        let mut late = lock(&self.late);
        let mut orders = Vec::new();
        while let Ok(mail) = self.receiver.try_recv() {
            self.weigh(&mail);
            if mail.number == 0 { orders.push(mail) } else { late.push(mail) }
        }
        let own =
            late.iter().position(|mail| pusher != 0 && mail.number == pusher).map(|index| late.swap_remove(index));
        drop(late);
        drop(orders); // they hold nothing of the user's
        own.map(|own| self.release(own))
    }

    /// The same for a batch, which counts for as many messages as it holds.
    pub(crate) fn push_batch(&self, mail: Mail) -> Option<Mail> {
        // Relaxed: a statistic.
        self.batched.fetch_add(mail.messages.saturating_sub(1) as usize, Ordering::Relaxed);
        self.push(mail)
    }

    /// Nothing goes in any more. Gives what is inside: whoever closes it finds another receiver for that, or none.
    #[must_use = "what is inside finds another receiver, or none"]
    pub(crate) fn close(&self) -> Vec<Mail> {
        // Under this lock, so that a late sender's `take_back` comes after: what is found here was pushed in time, or by
        // one who will not find it and takes it for that.
        let late = lock(&self.late);
        self.parker.close();
        let found: Vec<Mail> = self.receiver.drain().collect();
        drop(late);
        self.wake_all();
        found.iter().for_each(|mail| self.weigh(mail));
        found
    }

    // Permits.

    /// Mail that will not be begun here holds none.
    pub(crate) fn release(&self, mut mail: Mail) -> Mail {
        if std::mem::take(&mut mail.permitted) {
            self.give_back(mail.messages as usize);
        }
        mail
    }

    #[inline]
    pub(crate) fn give_back(&self, permits: usize) {
        if let Some(all) = &self.permits {
            all.give_back(permits);
        }
    }

    /// Something has changed for those who wait for room.
    pub(crate) fn wake_all(&self) {
        if let Some(permits) = &self.permits {
            permits.wake_all();
        }
    }

    /// Takes what is there: one by one if that is little, else all under one lock. Each counts as a message in hand before
    /// it leaves the queue, so that nobody sees it nowhere; who takes it puts that right (`Arrivals::counted`).
    #[inline]
    pub(crate) fn take(&self) -> Arrivals<'_> {
        let waiting = self.receiver.len();
        self.meter.taken.add(waiting as u64);
        if waiting < MANY {
            return Arrivals { mailbox: self, source: Source::Few(&self.receiver, waiting), counted: waiting };
        }
        let drain = self.receiver.drain();
        let counted = drain.len();
        // More may have come meanwhile; or less, where the mailbox was closed from outside.
        self.meter.taken.add((counted as u64).wrapping_sub(waiting as u64));
        Arrivals { mailbox: self, source: Source::Many(drain), counted }
    }

    /// Mail was taken out of the queue.
    #[inline]
    fn weigh(&self, mail: &Mail) {
        if mail.messages > 1 {
            self.batched.fetch_sub(mail.messages as usize - 1, Ordering::Relaxed);
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.receiver.is_empty()
    }

    /// Messages waiting or in the thread's hands.
    pub(crate) fn load(&self) -> usize {
        self.receiver.len() + self.batched.load(Ordering::Relaxed) + self.meter.in_hand()
    }

    /// The number of this spell of rest, or `None` while the thread has anything to do.
    pub(crate) fn rest(&self) -> Option<u64> {
        // In this order: if mail was taken out just now, the spell of work that began before that is seen.
        let empty = self.is_empty();
        // Acquire: pairs with `begin_rest`, so that all that was handled, and all that it pushed, is visible.
        let activity = self.meter.activity.load(Ordering::Acquire);
        (empty && activity % 2 == 0).then_some(activity)
    }

    /// The thread has nothing to do; called after it found its mailbox empty.
    pub(crate) fn begin_rest(&self) {
        self.meter.activity.fetch_add(1, Ordering::Release); // pairs with `rest`
    }

    /// Called before the thread takes anything out again.
    pub(crate) fn end_rest(&self) {
        // Relaxed: the lock of the mailbox, taken next, orders it before the look in `rest` that finds the mailbox empty.
        self.meter.activity.fetch_add(1, Ordering::Relaxed);
    }
}

/// From so many on, a mailbox is emptied under one lock, which costs an allocation.
const MANY: usize = 32;

/// Mail on its way out of the mailbox.
pub(crate) struct Arrivals<'a> {
    mailbox: &'a Mailbox,
    source: Source<'a>,
    /// So many messages were counted as taken.
    pub(crate) counted: usize,
}

enum Source<'a> {
    Few(&'a queue::Receiver<Mail>, usize),
    Many(queue::Drain<'a, Mail>),
}

impl Arrivals<'_> {
    /// Puts the next into its place, or leaves that empty: where it can stay, for each time that it is moved costs more than
    /// all else that is done with it.
    #[inline(always)]
    pub(crate) fn next_into(&mut self, place: &mut Option<Mail>) {
        *place = None;
        match &mut self.source {
            Source::Few(_, 0) => return,
            Source::Few(receiver, left) => {
                *left -= 1;
                *place = receiver.try_recv().ok();
            }
            Source::Many(drain) => *place = drain.next(),
        }
        if let Some(mail) = place {
            self.mailbox.weigh(mail);
        }
    }

    /// Nothing was there.
    pub(crate) fn is_none(&self) -> bool {
        matches!(self.source, Source::Few(_, 0))
    }
}

impl fmt::Debug for Mailbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Mailbox({})", self.thread)
    }
}

#[cfg(all(test, loom))]
mod loom_models;
