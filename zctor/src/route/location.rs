//! Locations: where one instance lives, whether it takes mail, and within which bound. Its messages' type does not matter
//! here, so all of this is compiled once.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use crate::error::Refusal;
use crate::event::End;
use crate::id::{Birth, InstanceId, Slot};
use crate::mailbox::Mailbox;
use crate::mailbox::inner_bound::InnerQueue;
use crate::mailbox::mail::{Mail, SentAs};
use crate::mailbox::permits::Permits;
use crate::route::recorded::note_send;
use crate::sys::frame::is_inside_code;
use crate::sys::operation::Operation;
use crate::sys::simulated::{either, point};
use crate::thread::take_in::enqueue_here;

/// Where one instance lives, and whether it takes mail.
pub(crate) struct Location {
    pub(crate) mailbox: Arc<Mailbox>,
    pub(crate) slot: Slot,
    pub(crate) status: Status,
    /// Whether the instance is, or will be, in the pool of its type.
    pub(crate) pooled: bool,
    pub(crate) born: Birth,
}

impl Drop for Location {
    fn drop(&mut self) {
        if self.status.ended_by_panic() {
            self.mailbox.roster.forget(self.slot);
        }
    }
}

/// The way by which mail gets to an instance that takes mail.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// The instance lives on this thread: by the thread's own queue.
    Here,
    /// By the mailbox of the instance's thread.
    There,
}

impl Location {
    pub(crate) fn id(&self) -> InstanceId {
        InstanceId { thread: self.mailbox.thread, slot: self.slot }
    }

    /// Becomes the location of another instance of the thread, since this one has ended in an orderly way.
    pub(crate) fn begin_anew(&mut self, slot: Slot, born: Birth, pooled: bool) {
        (self.slot, self.born, self.pooled, self.status) = (slot, born, pooled, Status::live());
    }

    /// Whether the code that runs here may send to the instance just now, and by which way. Asked before the message is
    /// put into an envelope.
    #[inline]
    pub(crate) fn admit(&self) -> Result<Way, Refusal> {
        if self.status.has_ended() { Err(Refusal::Stopped) } else { self.way() }
    }

    /// As `admit`, for an instance that has not ended.
    #[inline(always)]
    fn way(&self) -> Result<Way, Refusal> {
        // By references: behind an acquire the compiler reads the pointers to them again.
        let mailbox = &*self.mailbox;
        let engine = &*mailbox.engine;
        if mailbox.parker.is_closed() {
            return Err(Refusal::Stopped);
        }
        if engine.edge.is_open() || (engine.is_current() && !engine.edge.is_sealed()) {
            Ok(if mailbox.is_current() { Way::Here } else { Way::There })
        } else {
            Err(Refusal::Stopped)
        }
    }

    /// As `admit`, but only if the mailbox has no bound.
    #[inline]
    pub(crate) fn admit_freely(&self) -> Option<Way> {
        self.admit().ok().filter(|_| !self.mailbox.is_bounded)
    }

    /// As `admit_freely`, but only if the instance does not back off.
    #[inline(always)]
    pub(crate) fn admit_in_turn(&self) -> Option<Way> {
        if self.mailbox.is_bounded || !self.status.is_ready() {
            return None;
        }
        self.way().ok()
    }

    /// Gets a message past the bounds of the mailbox, if it has any. A message from outside takes a permit. One from
    /// inside takes none, whatever the view of its sender: it goes through, or into the inner queue.
    #[inline]
    pub(crate) fn enter(&self) -> Entry {
        if self.mailbox.is_bounded { self.enter_bounded() } else { Entry::Free }
    }

    #[cold]
    fn enter_bounded(&self) -> Entry {
        let mailbox = &self.mailbox;
        if is_inside_code() {
            if mailbox.engine.sends.is_some() {
                note_send(mailbox, self.slot);
            }
            return match &mailbox.inner {
                None => Entry::Free,
                Some(inner) if inner.may_accept() => Entry::Inner,
                Some(_) => Entry::Full,
            };
        }
        let take = |mailbox: &Mailbox| match &mailbox.permits {
            None => Entry::Free,
            Some(permits) if permits.take() => Entry::Permit,
            Some(_) => Entry::Full,
        };
        let with_point = |mailbox: &Mailbox| {
            point(&mailbox.engine.world, mailbox.thread.index(), || Operation::Plain("take a permit"));
            take(mailbox)
        };
        either(&**mailbox, with_point, take)
    }

    /// Whether `enter` would find room; takes no permit.
    #[inline]
    pub(crate) fn has_room(&self) -> bool {
        !self.mailbox.is_bounded || Self::has_room_bounded(&self.mailbox)
    }

    #[cold]
    fn has_room_bounded(mailbox: &Mailbox) -> bool {
        match is_inside_code() {
            true => mailbox.inner.as_ref().is_none_or(InnerQueue::has_room),
            false => mailbox.permits.as_ref().is_none_or(Permits::has_free),
        }
    }

    /// Gives back the permits of messages that are refused, since the instance has ended meanwhile.
    #[cold]
    pub(super) fn give_back_permits(&self, messages: usize, sent_as: SentAs) {
        if sent_as.permitted {
            self.mailbox.give_back_permits(messages);
        }
    }

    /// Does what `deliver` does, for a batch.
    pub(crate) fn deliver_batch(&self, way: Way, mail: Mail) -> Option<Mail> {
        match way {
            Way::There => self.mailbox.push_batch(mail),
            Way::Here => enqueue_here(mail).and_then(|mail| self.mailbox.push_batch(mail)),
        }
    }

    /// Delivers mail. It will be handled or become a dead letter, unless it is given back, since the thread has ended.
    #[inline(always)]
    pub(crate) fn deliver(&self, way: Way, mail: Mail) -> Option<Mail> {
        match way {
            Way::There => self.mailbox.push(mail),
            Way::Here => enqueue_here(mail).and_then(|mail| self.mailbox.push(mail)),
        }
    }
}

/// How a message gets past the bound of a mailbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Entry {
    /// Without a permit: there is no bound, or the message comes from inside.
    Free,
    /// With a permit, which is given back when the message is begun.
    Permit,
    /// By the inner queue, which has a bound of its own.
    Inner,
    /// Not at all: there is no room.
    Full,
}

/// Whether an instance takes mail, for its senders. The instance's own thread alone writes it, with `Release`; each
/// look is an `Acquire` that pairs with that.
pub(crate) struct Status(AtomicU8);

impl Status {
    const LIVE: u8 = 0;
    const BACKING_OFF: u8 = 1;
    const ENDED: u8 = 2;
    const PANICKED: u8 = 3;

    pub(crate) fn live() -> Self {
        Self(AtomicU8::new(Self::LIVE))
    }

    pub(crate) fn set_live(&self) {
        self.0.store(Self::LIVE, Ordering::Release);
    }

    pub(crate) fn set_backing_off(&self) {
        self.0.store(Self::BACKING_OFF, Ordering::Release);
    }

    /// The instance takes no more mail. Its watchers are told later, by `Removed::tell`.
    pub(crate) fn set_ended(&self, why: &End) {
        let by_panic = matches!(why, End::Panicked(_));
        self.0.store(if by_panic { Self::PANICKED } else { Self::ENDED }, Ordering::Release);
    }

    /// Whether rotation may choose the instance: it has not ended, and does not back off after panics.
    #[inline]
    pub(crate) fn is_ready(&self) -> bool {
        self.0.load(Ordering::Acquire) == Self::LIVE
    }

    #[inline]
    pub(crate) fn has_ended(&self) -> bool {
        self.0.load(Ordering::Acquire) >= Self::ENDED
    }

    /// Whether a panic has ended the instance.
    pub(crate) fn ended_by_panic(&self) -> bool {
        self.0.load(Ordering::Acquire) == Self::PANICKED
    }
}
