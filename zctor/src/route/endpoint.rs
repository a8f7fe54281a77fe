//! Endpoints: where one instance lives, whether it takes mail, and how to write to it.

use std::collections::VecDeque;
use std::mem::take;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use crate::error::Refusal;
use crate::event::{End, Undelivered};
use crate::id::{Birth, InstanceId, Slot};
use crate::mailbox::Mailbox;
use crate::mailbox::envelope::{Envelope, Undeliverable};
use crate::mailbox::mail::{How, Mail, Order};
use crate::mailbox::permits::Permits;
use crate::reply::cancellation::Cancellation;
use crate::route::contents::{Call, Content, NoHook, OnUndelivered, enclose, join, lose_at_edge, open};
use crate::route::payload::Payload;
use crate::route::payload::Port;
use crate::sys::frame::is_needed;
use crate::thread::serve::{enqueue_here, send_here};

impl<M: Payload<Port: Send> + Send> Delivery<M> {
    pub(crate) const ALL: Self = Self {
        send: |place, endpoint, way, how| {
            if way == Way::Here && queue_here(place, endpoint, how) {
                return;
            }
            let mail = single(place, endpoint, how).signed();
            take_back(place, endpoint.mailbox.push(mail));
        },
        call: |place, endpoint, way, how| {
            let cancellation = place.as_ref().and_then(|call| call.port.cancellation());
            let can_be_given_up = cancellation.is_some_and(Cancellation::can_be_given_up);
            let envelope = enclose(take(place), endpoint.undelivered.as_ref());
            take_back(place, endpoint.deliver(way, Mail::call(endpoint.slot, envelope, can_be_given_up, how)));
        },
        batch: |messages, endpoint, way, how| {
            let batch = endpoint.mailbox.buffers.fill(messages);
            let envelope = enclose(batch, endpoint.undelivered.as_ref());
            take_back(messages, endpoint.deliver_batch(way, Mail::batch(endpoint.slot, envelope, how)));
        },
    };
}

/// Puts what was in mail that was refused back into its place.
#[inline]
fn take_back<C: Content>(place: &mut C, refused: Option<Mail>) {
    if let Some(refused) = refused {
        *place = refused.into_envelope().and_then(open).unwrap_or_default();
    }
}

/// Mail with one message.
#[inline(always)]
fn single<M: Payload + Send>(place: &mut Option<M>, endpoint: &Endpoint<M>, how: How) -> Mail {
    Mail::message(endpoint.slot, enclose(take(place), endpoint.undelivered.as_ref()), how)
}

/// Queues a message for an instance of this thread: see `thread::send_here`.
#[inline(always)]
fn queue_here<M: Payload + Send>(place: &mut Option<M>, endpoint: &Endpoint<M>, how: How) -> bool {
    let buffers = &endpoint.mailbox.buffers;
    let add = |envelope: &mut Envelope, place: &mut Option<M>| match &endpoint.undelivered {
        None => join::<M, NoHook>(envelope, place, buffers),
        Some(_) => join::<M, Arc<OnUndelivered<M>>>(envelope, place, buffers),
    };
    send_here(place, (endpoint.slot, M::CALL_DEPTH), how, add, |place| single(place, endpoint, how))
}

/// Takes what is in its place into an envelope, and delivers that; what was refused is put back. All in one step, for each
/// time that mail is moved costs more than all else that is done with it.
type Post<M, C> = fn(&mut C, &Endpoint<M>, Way, How);

/// How messages are put into envelopes. Made where they are known to be fit to go to another thread, which clients do not
/// ask for, so that a field that is not is one error and not two.
pub(crate) struct Delivery<M: Payload> {
    pub(crate) send: Post<M, Option<M>>,
    pub(crate) call: Post<M, Option<Call<M>>>,
    pub(crate) batch: Post<M, VecDeque<M>>,
}

/// Where one instance lives, and how to write to it. All who know it share one, so that a client is small enough to travel
/// inside of messages.
pub(crate) struct Endpoint<M: Payload> {
    pub(crate) mailbox: Arc<Mailbox>,
    pub(crate) slot: Slot,
    pub(crate) delivery: &'static Delivery<M>,
    /// Who gets its undelivered messages.
    pub(crate) undelivered: Option<Arc<OnUndelivered<M>>>,
    pub(crate) status: Status,
    /// The instance is, or will be, in the pool of its type.
    pub(crate) pooled: bool,
    pub(crate) born: Birth,
}

impl<M: Payload> Drop for Endpoint<M> {
    fn drop(&mut self) {
        if self.status.is_broken() {
            self.mailbox.roster.forget(self.slot);
        }
    }
}

/// The way to an instance, found open.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// It lives on this thread: into the thread's own queue.
    Here,
    /// Into its thread's mailbox.
    There,
}

impl<M: Payload> Endpoint<M> {
    pub(crate) fn id(&self) -> InstanceId {
        InstanceId { thread: self.mailbox.thread, slot: self.slot }
    }

    /// Whether the code that runs here may send to it just now. Asked before the message is sealed.
    #[inline]
    pub(crate) fn admit(&self) -> Result<Way, Refusal> {
        if self.status.has_ended() || self.mailbox.parker.is_closed() {
            return Err(Refusal::Stopped);
        }
        let edge = &self.mailbox.edge;
        if edge.is_open() || (self.mailbox.is_inside() && !edge.is_sealed()) {
            Ok(if self.mailbox.is_current() { Way::Here } else { Way::There })
        } else {
            Err(Refusal::Stopped)
        }
    }

    /// As `admit`, where there is no bound to get past.
    #[inline]
    pub(crate) fn admit_freely(&self) -> Option<Way> {
        self.admit().ok().filter(|_| self.mailbox.permits.is_none())
    }

    /// Past the bound of the mailbox, if it has one: with a permit from outside, without one from inside, where only
    /// those who do not wait see it as full.
    #[inline]
    pub(crate) fn enter(&self, waits: bool) -> Entry {
        match &self.mailbox.permits {
            None => Entry::Free,
            Some(permits) => Self::enter_bounded(permits, waits),
        }
    }

    #[cold]
    fn enter_bounded(permits: &Permits, waits: bool) -> Entry {
        match is_needed() {
            true if waits || permits.has_free() => Entry::Free,
            false if permits.take() => Entry::Permit,
            _ => Entry::Full,
        }
    }

    /// What `enter` would say, without taking anything.
    #[inline]
    pub(crate) fn has_room(&self, waits: bool) -> bool {
        self.mailbox.permits.as_ref().is_none_or(|permits| (waits && is_needed()) || permits.has_free())
    }

    /// There is no room for this message, and it is dropped. It comes back if the engine has stopped meanwhile.
    pub(crate) fn drop_newest(&self, message: M) -> Result<(), M> {
        let losses = &self.mailbox.edge.losses;
        let undeliverable = Undeliverable { losses, instance: self.id(), why: Undelivered::Full, from_hook: false };
        lose_at_edge(message, self.undelivered.as_deref(), undeliverable)
    }

    /// Sends a message that was admitted: takes it out of its place, and puts it back if the receiver's thread has ended
    /// meanwhile.
    #[inline]
    pub(crate) fn send(&self, way: Way, message: &mut Option<M>, how: How) {
        (self.delivery.send)(message, self, way, how);
    }

    /// Sends a call that was admitted, as [`send`](Self::send).
    pub(crate) fn call(&self, way: Way, call: &mut Option<Call<M>>, how: How) {
        (self.delivery.call)(call, self, way, how);
    }

    /// Sends a batch that was admitted; gives back what the receiver's thread, if it has ended meanwhile, did not take.
    pub(crate) fn send_batch(&self, way: Way, messages: Vec<M>, how: How) -> Vec<M> {
        let mut messages = messages.into();
        (self.delivery.batch)(&mut messages, self, way, how);
        messages.into()
    }

    /// Tells the instance to end, in its turn.
    pub(crate) fn stop(&self, way: Way) {
        // An order is never given back: who comes too late finds the instance ended, as was asked for.
        let _ = self.deliver(way, Mail::order(self.slot, Order::End));
    }

    /// As `deliver`, for a batch.
    pub(crate) fn deliver_batch(&self, way: Way, mail: Mail) -> Option<Mail> {
        match way {
            Way::There => self.mailbox.push_batch(mail),
            Way::Here => enqueue_here(mail).and_then(|mail| self.mailbox.push_batch(mail)),
        }
    }

    /// From here on mail is handled, or becomes a dead letter, or is given back.
    #[inline(always)]
    pub(crate) fn deliver(&self, way: Way, mail: Mail) -> Option<Mail> {
        match way {
            Way::There => self.mailbox.push(mail),
            Way::Here => enqueue_here(mail).and_then(|mail| self.mailbox.push(mail)),
        }
    }
}

/// Past the bound of a mailbox, or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Entry {
    Free,
    Permit,
    Full,
}

impl Entry {
    pub(crate) fn how(self, rotated: bool) -> How {
        How { rotated, permitted: self == Self::Permit }
    }
}

/// Whether an instance takes mail, for those who send to it. Its own thread writes it.
pub(crate) struct Status(AtomicU8);

impl Status {
    const LIVE: u8 = 0;
    const BACKING_OFF: u8 = 1;
    const ENDED: u8 = 2;
    const BROKEN: u8 = 3;

    pub(crate) fn live() -> Self {
        Self(AtomicU8::new(Self::LIVE))
    }

    pub(crate) fn set_live(&self) {
        self.0.store(Self::LIVE, Ordering::Release);
    }

    pub(crate) fn set_backing_off(&self) {
        self.0.store(Self::BACKING_OFF, Ordering::Release);
    }

    /// It takes no more mail. Those who watch are told later, by `Roster::remove`.
    pub(crate) fn set_ended(&self, why: &End) {
        let by_panic = matches!(why, End::Panicked(_));
        self.0.store(if by_panic { Self::BROKEN } else { Self::ENDED }, Ordering::Release);
    }

    /// Rotation may choose it: neither ended nor backing off after panics.
    #[inline]
    pub(crate) fn is_ready(&self) -> bool {
        self.0.load(Ordering::Acquire) == Self::LIVE
    }

    #[inline]
    pub(crate) fn has_ended(&self) -> bool {
        self.0.load(Ordering::Acquire) >= Self::ENDED
    }

    /// A panic has ended it.
    pub(crate) fn is_broken(&self) -> bool {
        self.0.load(Ordering::Acquire) == Self::BROKEN
    }
}
