//! Mail on its way out of the queue: one piece after the other, each counted before it leaves.

use std::collections::VecDeque;

use crate::mailbox::mail::Mail;
use crate::mailbox::meter::Meter;
use crate::sys::sync::queue;

/// With so many pieces of mail or more, the queue is emptied under one lock, which costs an allocation.
const MANY: usize = 32;

/// The mail that was in the queue when its thread looked.
pub(crate) struct Arrivals<'a> {
    meter: &'a Meter,
    source: Source<'a>,
    /// How many messages were counted as taken: one for each piece of mail.
    pub(crate) counted: usize,
}

enum Source<'a> {
    Few(&'a queue::Receiver<Mail>, usize),
    Many(queue::Drain<'a, Mail>),
}

impl<'a> Arrivals<'a> {
    /// Takes out the mail that is there: one by one if it is little, otherwise all under one lock.
    #[inline]
    pub(super) fn take(receiver: &'a queue::Receiver<Mail>, meter: &'a Meter) -> Self {
        let waiting = receiver.len();
        meter.taken.add(waiting as u64);
        if waiting < MANY {
            return Self { meter, source: Source::Few(receiver, waiting), counted: waiting };
        }
        let drain = receiver.drain();
        let counted = drain.len();
        // More may have come since the look at the length. Or there is less: the mailbox was closed from outside.
        meter.taken.add((counted as u64).wrapping_sub(waiting as u64));
        Self { meter, source: Source::Many(drain), counted }
    }

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
            self.meter.count_unbatched(mail.messages);
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
            self.meter.count_unbatched(mail.messages);
        }
        true
    }

    /// Whether the queue was empty. To be asked before `next_into`.
    pub(crate) fn is_empty(&self) -> bool {
        matches!(self.source, Source::Few(_, 0))
    }
}
