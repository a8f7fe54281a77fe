//! Addresses: where one instance lives, whether it takes mail, and how to write to it.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::actor::instance::InstanceId;
use crate::client::message::Message;
use crate::client::watch::{Status, Watched};
use crate::error::Refusal;
use crate::mailbox::dead_letters::{OnUndelivered, Undelivered};
use crate::mailbox::permits::Room;
use crate::mailbox::{Mail, Mailbox, Order, Slot};
use crate::sys::frame::{is_at, is_inside, is_needed};
use crate::thread::local::enqueue_here;
use crate::thread::slots::Birth;

/// A call on its way: the message, and where its reply goes.
pub(crate) struct Call<M: Message> {
    pub(crate) message: M,
    pub(crate) port: M::Port,
}

/// Takes what is in its place into an envelope, and delivers that; what was refused is put back. All in one step, for each
/// time that mail is moved costs more than all else that is done with it.
type Post<M, C> = fn(&mut C, &Address<M>, Way, How);

/// How messages are put into envelopes. Made where they are known to be fit to go to another thread, which clients do not
/// ask for, so that a field that is not is one error and not two.
pub(crate) struct Seals<M: Message> {
    pub(crate) send: Post<M, Option<M>>,
    pub(crate) call: Post<M, Option<Call<M>>>,
    pub(crate) batch: Post<M, VecDeque<M>>,
}

/// Where one instance lives, and how to write to it. All who know it share one, so that a client is small enough to travel
/// inside of messages.
pub(crate) struct Address<M: Message> {
    pub(crate) mailbox: Arc<Mailbox>,
    pub(crate) slot: Slot,
    pub(crate) seals: &'static Seals<M>,
    /// Who gets its undelivered messages.
    pub(crate) undelivered: Option<Arc<OnUndelivered<M>>>,
    pub(crate) status: Status,
    /// The instance is, or will be, in the pool of its type.
    pub(crate) pooled: bool,
    pub(crate) born: Birth,
}

impl<M: Message> Drop for Address<M> {
    fn drop(&mut self) {
        if self.status.is_broken() {
            self.mailbox.roll.forget(self.slot);
        }
    }
}

impl<M: Message> Watched for Address<M> {
    fn mailbox(&self) -> &Mailbox {
        &self.mailbox
    }

    fn id(&self) -> InstanceId {
        self.id()
    }

    fn name(&self) -> &'static str {
        M::NAME
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

impl<M: Message> Address<M> {
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
        if edge.is_open() || (is_inside(&self.mailbox) && !edge.is_sealed()) {
            Ok(if is_at(&self.mailbox) { Way::Here } else { Way::There })
        } else {
            Err(Refusal::Stopped)
        }
    }

    /// As `admit`, where there is no bound to get past.
    #[inline]
    pub(crate) fn admit_freely(&self) -> Option<Way> {
        self.admit().ok().filter(|_| self.mailbox.room.is_none())
    }

    /// Past the bound of the mailbox, if it has one: with a permit from outside, without one from inside, where only
    /// those who do not wait see it as full.
    #[inline]
    pub(crate) fn enter(&self, waits: bool) -> Entry {
        match &self.mailbox.room {
            None => Entry::Free,
            Some(room) => Self::enter_bounded(room, waits),
        }
    }

    #[cold]
    fn enter_bounded(room: &Room, waits: bool) -> Entry {
        match is_needed() {
            true if waits || room.has_free() => Entry::Free,
            false if room.take() => Entry::Permit,
            _ => Entry::Full,
        }
    }

    /// What `enter` would say, without taking anything.
    #[inline]
    pub(crate) fn has_room(&self, waits: bool) -> bool {
        self.mailbox.room.as_ref().is_none_or(|room| (waits && is_needed()) || room.has_free())
    }

    /// There is no room for this message, and it is dropped. It comes back if the engine has stopped meanwhile.
    pub(crate) fn drop_newest(&self, message: M) -> Result<(), M> {
        let losses = &self.mailbox.edge.losses;
        losses.lose_at_edge(message, self.id(), Undelivered::Full, self.undelivered.as_deref())
    }

    /// Sends a message that was admitted: takes it out of its place, and puts it back if the receiver's thread has ended
    /// meanwhile.
    #[inline]
    pub(crate) fn send(&self, way: Way, message: &mut Option<M>, how: How) {
        (self.seals.send)(message, self, way, how);
    }

    /// Sends a call that was admitted, as [`send`](Self::send).
    pub(crate) fn call(&self, way: Way, call: &mut Option<Call<M>>, how: How) {
        (self.seals.call)(call, self, way, how);
    }

    /// Sends a batch that was admitted; gives back what the receiver's thread, if it has ended meanwhile, did not take.
    pub(crate) fn send_batch(&self, way: Way, messages: Vec<M>, how: How) -> Vec<M> {
        let mut messages = messages.into();
        (self.seals.batch)(&mut messages, self, way, how);
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

/// What an envelope says beside its message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct How {
    /// Rotation had chosen its receiver.
    pub(crate) rotated: bool,
    /// Its messages hold permits of the mailbox.
    pub(crate) permitted: bool,
}

impl How {
    /// To one that takes over what rotation had given to another.
    pub(crate) const TO_STAND_IN: Self = Self { rotated: true, permitted: false };
}
