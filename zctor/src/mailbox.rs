//! The mailbox of an actor thread, with all else that other threads touch of that thread.
//!
//! Its queue (`mailbox/mail_queue.rs`) has no bound. The bounds stand beside it: permits for what comes from outside, and
//! the inner queue. Beside those are the counters, the roster, and the part of the engine that its mailboxes share. The
//! layer knows no message type: an envelope erases it.
//!
//! It may import only its own folder and the layers below it: reply, trace, sys and the plain data.

pub(crate) mod account;
pub(crate) mod arrivals;
pub(crate) mod buffers;
mod bundle;
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
pub(crate) mod mail_queue;
pub(crate) mod meter;
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

use crate::id::ThreadId;
use crate::mailbox::arrivals::Arrivals;
use crate::mailbox::buffers::Buffers;
use crate::mailbox::engine_shared::EngineShared;
use crate::mailbox::inner_bound::{ConflationKey, Inner, InnerQueue};
use crate::mailbox::mail::Mail;
use crate::mailbox::mail_queue::MailQueue;
use crate::mailbox::meter::Meter;
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

/// The mailbox of one actor thread, and all else that other threads touch of that thread.
pub(crate) struct Mailbox {
    pub(crate) thread: ThreadId,
    pub(crate) name: String,
    pub(crate) parker: Arc<Parker>,
    pub(crate) engine: Arc<EngineShared>,
    pub(crate) queue: MailQueue,
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
}

impl Mailbox {
    pub(crate) fn new(thread: ThreadId, name: String, engine: Arc<EngineShared>, permits: Option<Permits>) -> Self {
        let parker = Arc::new(Parker::for_actor_thread());
        Self {
            thread,
            name,
            is_bounded: permits.is_some() || engine.sends.is_some(),
            engine,
            queue: MailQueue::new(Arc::clone(&parker)),
            parker,
            meter: CachePadded(Meter::new()),
            parked: CachePadded(Parked::new()),
            permits,
            inner: None,
            roster: Roster::new(thread),
            buffers: CachePadded::default(),
            waits: Waits::default(),
            noted: NotedVariant::default(),
            #[cfg(feature = "remote")]
            outlet: std::sync::OnceLock::new(),
        }
    }

    /// Gives it a bound for what comes from inside.
    pub(crate) fn with_inner_bound(self, bound: usize, policy: Inner) -> Self {
        Self { inner: Some(InnerQueue::new(self.thread, bound, policy)), is_bounded: true, ..self }
    }

    // Its thread.

    /// Makes the current thread the one of this mailbox.
    pub(crate) fn make_current(&self) {
        frame::enter(self.address(), self.engine.address());
    }

    /// Whether the current thread is the one of this mailbox.
    #[inline]
    pub(crate) fn is_current(&self) -> bool {
        frame::is_on_thread(self.address())
    }

    fn address(&self) -> usize {
        ptr::from_ref(self) as usize
    }

    /// The number of the spell of rest that the thread is in, or `None` while it has something to do.
    pub(crate) fn rest(&self) -> Option<u64> {
        // In this order: if mail was taken out just now, the spell of work that began before is seen.
        let is_empty = self.queue.is_empty() || is_planted(Planted::FalseQuiet);
        self.meter.rest().filter(|_| is_empty)
    }

    // Mail.

    /// Puts mail in and wakes the thread. Mail that came too late, behind the close, is given back.
    #[inline(always)]
    pub(crate) fn push(&self, mail: Mail) -> Option<Mail> {
        let pusher = mail.number;
        if self.queue.push(mail) { None } else { self.take_back(pusher) }
    }

    /// Takes back mail that came too late.
    #[cold]
    fn take_back(&self, pusher: u64) -> Option<Mail> {
        self.queue.take_back(pusher).map(|own| self.give_back_permits_of(own))
    }

    /// As `push`, for a batch, which counts for as many messages as it holds.
    pub(crate) fn push_batch(&self, mail: Mail) -> Option<Mail> {
        self.queue.count_batch(&mail);
        self.push(mail)
    }

    /// As `push`, for mail to several instances of the thread: all of it is in, or all of it comes back.
    pub(crate) fn push_bundle(&self, mail: VecDeque<Mail>) -> VecDeque<Mail> {
        debug_assert!(
            mail.iter().all(|one| !one.permitted && Some(one.number) == mail.front().map(|mail| mail.number))
        );
        Mail::bundle(mail).and_then(|bundle| self.push_batch(bundle)).map(Mail::unbundled).unwrap_or_default()
    }

    /// Adds mail from inside to the inner queue. Gives it back if the mailbox has closed or the turn was another's, or
    /// with `Err` if there is no room.
    pub(crate) fn push_inner(
        &self,
        inner: &InnerQueue,
        mail: Mail,
        same: Option<ConflationKey>,
        take_turn: &dyn Fn() -> bool,
    ) -> Result<Option<Mail>, Mail> {
        inner.push(&self.queue, &self.engine.incidents, mail, same, take_turn)
    }

    /// Takes out the mail that is there. Each piece of it counts as one taken message: the caller corrects that count by
    /// what it finds in the mail.
    #[inline]
    pub(crate) fn take(&self) -> Arrivals<'_> {
        self.queue.take(&self.meter)
    }

    /// The mail that an order to take stands for, if it is not lost; other mail as it is.
    pub(crate) fn resolve(&self, mail: Mail) -> Option<Mail> {
        match &self.inner {
            Some(inner) if mail.is_to_take() => inner.take(mail.to),
            _ => Some(mail),
        }
    }

    /// Closes the mailbox. Gives the mail that was in it, for which the caller finds another receiver or none.
    #[must_use = "what is inside finds another receiver, or none"]
    pub(crate) fn close(&self) -> Vec<Mail> {
        point(&self.engine.world, self.thread.index(), || Operation::Plain("close the mailbox"));
        let found = match &self.inner {
            Some(inner) => inner.close(|| self.queue.close()),
            None => self.queue.close(),
        };
        self.wake_all();
        found
    }

    /// How many messages have come, and how many of them are done with: handled, panicked, or passed on.
    pub(crate) fn flow(&self) -> (u64, u64) {
        // In this order, so that not more seems to be done than has come.
        let done = self.meter.done();
        let waiting = self.queue.messages(&self.meter);
        let past = self.meter.past.get();
        (self.meter.taken.get() + waiting as u64 + past, done + past)
    }

    /// How many messages wait here, or were taken by the thread and are not done with.
    pub(crate) fn load(&self) -> usize {
        self.queue.messages(&self.meter) + self.meter.in_hand()
    }

    // Permits.

    /// Gives back the permits that mail holds: it will not be handled here.
    pub(crate) fn give_back_permits_of(&self, mut mail: Mail) -> Mail {
        if std::mem::take(&mut mail.permitted) {
            self.give_back_permits(mail.messages as usize);
        }
        mail
    }

    /// Gives so many permits back, if the mailbox has a bound.
    #[inline]
    pub(crate) fn give_back_permits(&self, permits: usize) {
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
}

impl fmt::Debug for Mailbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Mailbox({})", self.thread)
    }
}

#[cfg(all(test, loom))]
mod loom_models;
