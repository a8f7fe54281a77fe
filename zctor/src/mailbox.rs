//! The mailbox of an actor thread: what `send` has accepted is in it, and nothing slips in behind its close.
//!
//! It is one flume queue of mail, with the state word of its thread beside it (`sys/park.rs`), and with all else that
//! other threads touch of an actor thread: permits, counters, the roster, and the part of the engine that its mailboxes
//! share. The layer knows no message type: an envelope erases it.
//!
//! It may import only its own folder and the layers below it: reply, trace, sys and the plain data.
//!
//! How a mailbox closes:
//!
//! 1. A sender pushes its mail first, and looks at the word then. If the word is not closed, the mail is in.
//! 2. The closer takes the lock of `late`, sets the word to closed, and takes out all mail, under that lock. The mail
//!    that it finds was accepted: the closer finds another receiver for it, or makes dead letters of it.
//! 3. A sender that finds the word closed takes the same lock, so it comes after the closer. It moves what is in the
//!    queue to `late`, and takes its own mail out of there. That mail came too late: its message is sent elsewhere, or
//!    refused. Mail of other senders stays in `late` until they come.
//! 4. A sender that does not find its own mail there knows that the closer found it.

pub(crate) mod buffers;
mod bundle;
pub(crate) mod counters;
pub(crate) mod dead_letters;
pub(crate) mod edge;
pub(crate) mod engine_shared;
pub(crate) mod envelope;
#[cfg(feature = "observe")]
pub(crate) mod handling_times;
#[cfg(not(feature = "observe"))]
#[path = "mailbox/handling_times/off.rs"]
pub(crate) mod handling_times;
pub(crate) mod hooks;
pub(crate) mod inner_bound;
mod log;
pub(crate) mod mail;
pub(crate) mod noted_variant;
pub(crate) mod panic_inbox;
pub(crate) mod parked;
pub(crate) mod permits;
pub(crate) mod roster;
pub(crate) mod sends;
mod slow_limits;
mod tally;
pub(crate) mod waits;
pub(crate) mod watchers;

use std::collections::VecDeque;
use std::fmt;
use std::ptr;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::event::{PanicEvent, Undelivered};
use crate::id::{InstanceId, ThreadId};
use crate::mailbox::buffers::Buffers;
use crate::mailbox::counters::Meter;
use crate::mailbox::engine_shared::EngineShared;
use crate::mailbox::envelope::Undeliverable;
use crate::mailbox::inner_bound::{Added, ConflationKey, Inner, InnerQueue};
use crate::mailbox::mail::{Mail, MailContents};
use crate::mailbox::noted_variant::NotedVariant;
use crate::mailbox::parked::Parked;
use crate::mailbox::permits::Permits;
use crate::mailbox::roster::Roster;
use crate::mailbox::waits::{Waiter, Waits};
use crate::sys::cache_padded::CachePadded;
use crate::sys::frame;
use crate::sys::operation::Operation;
use crate::sys::park::Parker;
use crate::sys::simulated::{Planted, is_planted, point, point_anywhere};
use crate::sys::sync::{AtomicU64, AtomicUsize, Mutex, lock, queue};

/// The mailbox of one actor thread, and all else that other threads touch of that thread.
pub(crate) struct Mailbox {
    pub(crate) thread: ThreadId,
    pub(crate) name: String,
    pub(crate) parker: Arc<Parker>,
    pub(crate) engine: Arc<EngineShared>,
    pub(crate) meter: CachePadded<Meter>,
    pub(crate) parked: CachePadded<Parked>,
    /// The permits of a bounded mailbox.
    pub(crate) permits: Option<Permits>,
    /// The queue of messages from inside, where they have a bound.
    pub(crate) inner: Option<InnerQueue>,
    /// Whether it has either bound.
    pub(crate) is_bounded: bool,
    /// The instances that live on the thread.
    pub(crate) roster: Roster,
    pub(crate) buffers: CachePadded<Buffers>,
    pub(crate) waits: Waits<Waiter>,
    pub(crate) noted: NotedVariant,
    /// How messages for a link go out past its thread: see `route/linked.rs`.
    #[cfg(feature = "remote")]
    pub(crate) outlet: std::sync::OnceLock<Box<dyn std::any::Any + Send + Sync>>,
    sender: queue::Sender<Mail>,
    receiver: queue::Receiver<Mail>,
    /// How many messages came in batches and bundles, beyond the one that each counts for in the queue's length. The
    /// thread counts those that it has taken out by itself (`Meter::unbatched`), so that it does not contend for this.
    batched: CachePadded<AtomicUsize>,
    /// Mail that was pushed behind the close, until its sender takes it back.
    late: Mutex<Vec<Mail>>,
}

impl Mailbox {
    pub(crate) fn new(thread: ThreadId, name: String, engine: Arc<EngineShared>, permits: Option<Permits>) -> Self {
        let (sender, receiver) = queue::unbounded();
        let meter = Meter { activity: AtomicU64::new(1), running: AtomicU64::new(Meter::IDLE), ..Meter::default() };
        Self {
            thread,
            name,
            parker: Arc::new(Parker::for_actor_thread()),
            is_bounded: permits.is_some() || engine.sends.is_some(),
            engine,
            meter: CachePadded(meter),
            parked: CachePadded(Parked::new()),
            permits,
            inner: None,
            roster: Roster::new(thread),
            buffers: CachePadded::default(),
            waits: Waits::default(),
            noted: NotedVariant::default(),
            #[cfg(feature = "remote")]
            outlet: std::sync::OnceLock::new(),
            sender,
            receiver,
            batched: CachePadded(AtomicUsize::new(0)),
            late: Mutex::default(),
        }
    }

    /// Gives it a bound for what comes from inside.
    pub(crate) fn with_inner_bound(self, bound: usize, policy: Inner) -> Self {
        Self { inner: Some(InnerQueue::new(bound, policy)), is_bounded: true, ..self }
    }

    // Its thread.

    /// Makes the current thread the one of this mailbox.
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

    pub(crate) fn engine_address(&self) -> usize {
        Arc::as_ptr(&self.engine) as usize
    }

    /// Tells the hook and the watchers of a panic of one of its instances.
    pub(crate) fn tell_panic(&self, panic: &PanicEvent) {
        self.engine.incidents.tell_panicked(panic);
        self.roster.tell_panic(panic);
    }

    // Putting mail in, and closing.

    /// Puts mail in and wakes the thread. Mail that came too late, behind the close, is given back.
    #[inline(always)]
    pub(crate) fn push(&self, mail: Mail) -> Option<Mail> {
        let pusher = mail.number;
        debug_assert!(pusher != 0 || matches!(mail.contents, MailContents::Order(_)), "nobody could take it back");
        // It cannot fail: this struct holds a receiver.
        let _ = self.sender.send(mail);
        if self.parker.wake() { None } else { self.take_back(pusher) }
    }

    /// Steps 3 and 4, for a sender whose push found the mailbox closed. The closer emptied it under the same lock and
    /// found what was pushed in time. Mail that came later is still there; it belongs to the senders that pushed it,
    /// each of which comes here.
    #[cold]
    fn take_back(&self, pusher: u64) -> Option<Mail> {
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
        own.map(|own| self.release(own))
    }

    /// As `push`, for a batch, which counts for as many messages as it holds.
    pub(crate) fn push_batch(&self, mail: Mail) -> Option<Mail> {
        // Relaxed: a statistic.
        self.batched.fetch_add(mail.messages.saturating_sub(1) as usize, Ordering::Relaxed);
        self.push(mail)
    }

    /// As `push`, for mail to several instances of the thread: all of it is in, or all of it comes back.
    pub(crate) fn push_bundle(&self, mail: VecDeque<Mail>) -> VecDeque<Mail> {
        debug_assert!(
            mail.iter().all(|one| !one.permitted && Some(one.number) == mail.front().map(|mail| mail.number))
        );
        Mail::bundle(mail).and_then(|bundle| self.push_batch(bundle)).map(Mail::unbundled).unwrap_or_default()
    }

    /// Step 2: closes the mailbox. Gives the mail that was in it, for which the caller finds another receiver or none.
    #[must_use = "what is inside finds another receiver, or none"]
    pub(crate) fn close(&self) -> Vec<Mail> {
        point(&self.engine.world, self.thread.index(), || Operation::Plain("close the mailbox"));
        // Under this lock, so that the `take_back` of a late sender comes after. The mail that is found here was pushed
        // in time, or by a sender that will not find it in `take_back`, and so takes it for accepted.
        let late = lock(&self.late);
        let mut waiting = self.inner.as_ref().map(InnerQueue::lock);
        if let Some(waiting) = &mut waiting {
            waiting.is_closed = true;
        }
        self.parker.close();
        let found: Vec<Mail> = self.receiver.drain().collect();
        drop((waiting, late));
        self.wake_all();
        found.iter().for_each(|mail| self.take_off_batched(mail));
        found.into_iter().flat_map(Mail::unbundled).collect()
    }

    // The inner queue.

    /// Adds mail from inside to the inner queue, by the protocol there. Gives it back if the mailbox has closed or the
    /// turn was another's, or with `Err` if there is no room.
    pub(crate) fn push_inner(
        &self,
        inner: &InnerQueue,
        mail: Mail,
        same: Option<ConflationKey>,
        take_turn: &dyn Fn() -> bool,
    ) -> Result<Option<Mail>, Mail> {
        let (to, kind) = (mail.to, mail.kind);
        let mut waiting = inner.lock();
        let (needs_order, lost) = match inner.add(&mut waiting, mail, same, take_turn) {
            Added::Waits { needs_order } => (needs_order, None),
            Added::InPlaceOf { lost, why, needs_order } => {
                self.engine.incidents.count(lost.name(), 1, why);
                (needs_order, Some((lost, why)))
            }
            Added::Full(mail) => return Err(mail),
            Added::Back(mail) => return Ok(Some(mail)),
        };
        if needs_order {
            // It cannot fail: this struct holds a receiver.
            let _ = self.sender.send(Mail::to_take(to, kind));
        }
        drop(waiting);
        if needs_order {
            // If the mailbox has closed meanwhile, the order was found there.
            let _ = self.parker.wake();
        }
        if let Some((lost, why)) = lost {
            self.tell_of(lost, why);
        }
        Ok(None)
    }

    /// Tells of mail from the inner queue that was lost and counted.
    fn tell_of(&self, mut lost: Mail, why: Undelivered) {
        let instance = InstanceId { thread: self.thread, slot: lost.to };
        if let MailContents::Envelope(envelope) = &mut lost.contents {
            let incidents = &self.engine.incidents;
            envelope.discard(Undeliverable { incidents, instance, why, from_hook: lost.from_hook });
        }
    }

    /// The mail that an order to take stands for, if it is not lost; other mail as it is.
    pub(crate) fn resolve(&self, mail: Mail) -> Option<Mail> {
        match &self.inner {
            Some(inner) if mail.is_to_take() => inner.take(mail.to),
            _ => Some(mail),
        }
    }

    // Permits.

    /// Gives back the permits that mail holds: it will not be handled here.
    pub(crate) fn release(&self, mut mail: Mail) -> Mail {
        if std::mem::take(&mut mail.permitted) {
            self.give_back(mail.messages as usize);
        }
        mail
    }

    #[inline]
    pub(crate) fn give_back(&self, permits: usize) {
        if let Some(all) = &self.permits {
            point_anywhere(|| Operation::Plain("give permits back"));
            all.give_back(permits);
        }
    }

    /// Wakes all senders that wait for room here, to look again.
    pub(crate) fn wake_all(&self) {
        if let Some(permits) = &self.permits {
            permits.wake_all();
        }
    }

    // Taking mail out, and counting it.

    /// Takes out the mail that is there: one by one if it is little, otherwise all under one lock.
    ///
    /// Before it leaves the queue, each piece of mail counts as one taken message, so that `load` never misses it. The
    /// caller corrects that count by what it finds in the mail (`Arrivals::counted`).
    #[inline]
    pub(crate) fn take(&self) -> Arrivals<'_> {
        let waiting = self.receiver.len();
        self.meter.taken.add(waiting as u64);
        if waiting < MANY {
            return Arrivals { mailbox: self, source: Source::Few(&self.receiver, waiting), counted: waiting };
        }
        let drain = self.receiver.drain();
        let counted = drain.len();
        // More may have come since the look at the length. Or there is less: the mailbox was closed from outside.
        self.meter.taken.add((counted as u64).wrapping_sub(waiting as u64));
        Arrivals { mailbox: self, source: Source::Many(drain), counted }
    }

    /// Counts mail that the thread has taken out of the queue, for `batched`.
    #[inline]
    fn count_taken_out(&self, mail: &Mail) {
        if mail.messages > 1 {
            self.meter.unbatched.add(u64::from(mail.messages) - 1);
        }
    }

    /// Takes mail off `batched` that another thread has taken out.
    fn take_off_batched(&self, mail: &Mail) {
        self.batched.fetch_sub(mail.messages.saturating_sub(1) as usize, Ordering::Relaxed);
    }

    /// How many messages lie in batches and bundles in the queue, beyond the one that each counts for in its length.
    fn batched(&self) -> usize {
        // In this order, so that not more seems to be taken out than has come.
        let taken_out = self.meter.unbatched.get() as usize;
        self.batched.load(Ordering::Relaxed).saturating_sub(taken_out)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.receiver.is_empty()
    }

    /// How many messages have come, and how many of them are done with: handled, panicked, or passed on.
    pub(crate) fn flow(&self) -> (u64, u64) {
        // In this order, so that not more seems to be done than has come.
        let done = self.meter.done();
        let waiting = self.receiver.len() + self.batched();
        let past = self.meter.past.get();
        (self.meter.taken.get() + waiting as u64 + past, done + past)
    }

    /// How many messages wait here, or were taken by the thread and are not done with.
    pub(crate) fn load(&self) -> usize {
        self.receiver.len() + self.batched() + self.meter.in_hand()
    }

    // Rest.

    /// The number of the spell of rest that the thread is in, or `None` while it has something to do.
    pub(crate) fn rest(&self) -> Option<u64> {
        // In this order: if mail was taken out just now, the spell of work that began before is seen.
        let empty = self.is_empty() || is_planted(Planted::FalseQuiet);
        // Acquire: pairs with `begin_rest`, so that all that was handled, and all that it pushed, is visible.
        let activity = self.meter.activity.load(Ordering::Acquire);
        (empty && activity % 2 == 0).then_some(activity)
    }

    /// Begins a spell of rest: the thread has nothing to do. Called after it found its mailbox empty.
    pub(crate) fn begin_rest(&self) {
        self.meter.activity.fetch_add(1, Ordering::Release); // pairs with `rest`
    }

    /// Ends the spell of rest. Called before the thread takes anything out of the mailbox again.
    pub(crate) fn end_rest(&self) {
        // Relaxed: the lock of the queue, taken next, orders it before the look in `rest` that finds the mailbox empty.
        self.meter.activity.fetch_add(1, Ordering::Relaxed);
    }
}

/// With so many pieces of mail or more, a mailbox is emptied under one lock, which costs an allocation.
const MANY: usize = 32;

/// Mail on its way out of the mailbox.
pub(crate) struct Arrivals<'a> {
    mailbox: &'a Mailbox,
    source: Source<'a>,
    /// How many messages were counted as taken: one for each piece of mail.
    pub(crate) counted: usize,
}

enum Source<'a> {
    Few(&'a queue::Receiver<Mail>, usize),
    Many(queue::Drain<'a, Mail>),
}

impl Arrivals<'_> {
    /// Puts the next mail into `place`, or empties that if there is none. The mail can stay there: each move of it
    /// costs more than all else that is done with it.
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
            self.mailbox.count_taken_out(mail);
        }
    }

    /// Moves the next mail to the end of `lane`. `false` if there is none.
    #[inline(always)]
    pub(crate) fn next_onto(&mut self, lane: &mut VecDeque<Mail>) -> bool {
        match &mut self.source {
            Source::Few(_, 0) => return false,
            Source::Few(receiver, left) => {
                *left -= 1;
                let Ok(mail) = receiver.try_recv() else { return false };
                lane.push_back(mail);
            }
            Source::Many(drain) => {
                let Some(mail) = drain.next() else { return false };
                lane.push_back(mail);
            }
        }
        if let Some(mail) = lane.back() {
            self.mailbox.count_taken_out(mail);
        }
        true
    }

    /// Whether the mailbox was empty. To be asked before `next_into`.
    pub(crate) fn is_empty(&self) -> bool {
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
