//! The queue of an actor thread: mail that it has taken in and not handled yet. It is served in the order of arrival,
//! but for calls to instances for which nothing else is queued: those go ahead. `Queue` has the rule, with its proof.

use std::collections::VecDeque;
use std::mem::{forget, replace};

use crate::id::Slot;
use crate::mailbox::account::Account;
use crate::mailbox::mail::{Mail, Order};

/// The thread's own queue: one lane for each call depth, so that a nested wait never looks at mail that it may not
/// take.
///
/// The rule:
///
/// 1. Mail is served in the order of arrival.
/// 2. A call *goes ahead* of the mail for other instances if nothing else is queued for its own instance when it comes.
/// 3. The calls that wait to go ahead are served in the order of arrival among themselves. The first of them lets one
///    other message or order pass that came before it.
///
/// Neither kind of mail starves the other:
///
/// - A call that goes ahead waits for the mail that is being handled when it comes (of a batch, 64 messages at most),
///   and for the calls that came before it and go ahead too. For each of those calls, and for itself, it waits for one
///   other message or order.
/// - Mail that does not go ahead waits for the mail that came before it, and for later calls: for no more of them than
///   there are messages and orders before it.
///
/// Mail for one instance keeps its order: no later mail is served before a call that waits to go ahead to the same
/// instance.
///
/// - A later call does not go ahead, since the waiting call counts in the load of their instance.
/// - Later mail has a number above that of the call, since all mail is numbered while a call waits to go ahead. Mail
///   that does not go ahead is served only if its number is below those of all calls that wait to go ahead in the lanes
///   that are looked at. The call is among those, since an instance has one lane.
/// - A message that is gathered joins the latest arrival of all, so it stands where it would stand alone.
#[derive(Default)]
pub(crate) struct Queue {
    lanes: Vec<Lane>,
    /// How much mail was numbered here. All mail is, while there are several lanes or a call waits to go ahead. Other
    /// mail keeps the number that it came with, which is below those given here.
    arrivals: u64,
    /// How many calls wait to go ahead.
    pub(crate) waiting: usize,
    /// How many batches are being handled of which something will be left and put back.
    pub(crate) in_hand: usize,
}

/// When mail is served: see the rule at [`Queue`].
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Turn {
    /// In the order of arrival.
    InOrder,
    /// Ahead of the mail for other instances.
    Ahead,
}

/// A place in a lane, which an order holds until mail is put there.
pub(crate) struct PlaceInLane<'q> {
    mail: &'q mut Mail,
    number: Option<u64>,
}

impl<'q> PlaceInLane<'q> {
    /// The place of an order that waits in the queue.
    pub(crate) fn of_order(mail: &'q mut Mail) -> Self {
        Self { number: Some(mail.number), mail }
    }

    /// Puts mail there. It is best made in the argument, and so not moved.
    #[inline(always)]
    pub(crate) fn put(self, mail: Mail) {
        forget(replace(self.mail, mail.numbered(self.number))); // an order needs no drop
    }
}

struct Lane {
    depth: u16,
    mail: VecDeque<Mail>,
    /// Calls that go ahead of `mail`: at most one for each instance.
    ahead: VecDeque<Mail>,
    /// Whether the first of `ahead` has let other mail pass already.
    has_let_pass: bool,
}

impl Lane {
    fn is_empty(&self) -> bool {
        self.mail.is_empty() && self.ahead.is_empty()
    }
}

impl Queue {
    /// Queues the mail that `make` gives.
    #[inline(always)]
    pub(crate) fn push(&mut self, depth: u16, turn: Turn, make: impl FnOnce() -> Mail) {
        if let Some(place) = self.place(depth, turn) {
            place.put(make());
        }
    }

    /// Queues an order, which has no envelope to be moved.
    #[cfg_attr(not(debug_assertions), inline(always))]
    pub(crate) fn push_order(&mut self, depth: u16, to: Slot, order: Order) {
        let is_plain = matches!(&self.lanes[..], [lane] if lane.depth == depth && self.waiting == 0);
        let (lane, number) =
            if is_plain { (&mut self.lanes[0].mail, None) } else { self.number_here(depth, Turn::InOrder) };
        lane.push_back(Mail::order(to, order).numbered(number));
    }

    /// Adds a place at the end of a lane, into which mail must be put.
    #[inline(always)]
    pub(crate) fn place(&mut self, depth: u16, turn: Turn) -> Option<PlaceInLane<'_>> {
        let is_plain =
            matches!(&self.lanes[..], [lane] if lane.depth == depth && self.waiting == 0 && turn == Turn::InOrder);
        let (lane, number) = if is_plain { (&mut self.lanes[0].mail, None) } else { self.number(depth, turn) };
        // The mail is made where it is to lie, in place of an order that is pushed first. Mail that is made elsewhere
        // and moved at once is read in larger pieces than it was written in, and a processor waits for that until all
        // of these have left its store buffer. `push_back` would make it elsewhere, to drop it there should the queue
        // fail to grow.
        lane.push_back(Mail::order(Slot { index: 0, generation: 0 }, Order::Start));
        lane.back_mut().map(|mail| PlaceInLane { mail, number })
    }

    /// The one lane, with its depth, if mail that does not go ahead is queued there without a number.
    #[inline(always)]
    pub(crate) fn only_lane(&mut self) -> Option<(u16, &mut VecDeque<Mail>)> {
        match &mut self.lanes[..] {
            [lane] if self.waiting == 0 => Some((lane.depth, &mut lane.mail)),
            _ => None,
        }
    }

    /// As `number_here`. Not in line, which would make the way of plain mail longer.
    #[inline(never)]
    fn number(&mut self, depth: u16, turn: Turn) -> (&mut VecDeque<Mail>, Option<u64>) {
        self.number_here(depth, turn)
    }

    /// Numbers mail, since that is needed: gives the lane that it goes to, and its number.
    #[cfg_attr(not(debug_assertions), inline(always))]
    fn number_here(&mut self, depth: u16, turn: Turn) -> (&mut VecDeque<Mail>, Option<u64>) {
        self.arrivals += 1;
        let goes_ahead = turn == Turn::Ahead;
        self.waiting += usize::from(goes_ahead);
        let number = self.arrivals | NUMBERED;
        let lane = self.lane(depth);
        (if goes_ahead { &mut lane.ahead } else { &mut lane.mail }, Some(number))
    }

    /// Whether a call for the instance with this account goes ahead. Not inlined: in the loop over arrivals, all mail
    /// was moved once more because of it.
    #[inline(never)]
    pub(crate) fn may_go_ahead(&self, account: &Account) -> bool {
        // There must be mail to go ahead of: it is queued, or will be put back.
        (self.in_hand > 0 || self.has(u32::MAX)) && account.has_nothing_queued()
    }

    fn lane(&mut self, depth: u16) -> &mut Lane {
        // A search is fine: a thread has few lanes, one for each call depth among its instances.
        let mut index = 0;
        while self.lanes.get(index).is_some_and(|lane| lane.depth < depth) {
            index += 1;
        }
        if self.lanes.get(index).is_none_or(|lane| lane.depth != depth) {
            self.add_lane(index, depth);
        }
        &mut self.lanes[index]
    }

    #[cold]
    #[inline(never)]
    fn add_lane(&mut self, index: usize, depth: u16) {
        let (mail, ahead) = (VecDeque::new(), VecDeque::new());
        self.lanes.insert(index, Lane { depth, mail, ahead, has_let_pass: false });
    }

    /// The latest arrival of all, if it waits in this lane.
    #[inline]
    pub(crate) fn last(&mut self, depth: u16) -> Option<&mut Mail> {
        let alone = self.lanes.len() == 1 && self.waiting == 0;
        let last = self.lanes.iter_mut().find(|lane| lane.depth == depth)?.mail.back_mut()?;
        // Where mail is not numbered, the last of the one lane is the latest.
        (alone || last.number == self.arrivals | NUMBERED).then_some(last)
    }

    /// Puts mail back before all that came later. `mail` is in the order of arrival.
    pub(crate) fn push_front(&mut self, depth: u16, mail: impl DoubleEndedIterator<Item = Mail>) {
        let lane = &mut self.lane(depth).mail;
        for mut mail in mail.rev() {
            mail.number = lane.front().map_or(0, |first| first.number);
            lane.push_front(mail);
        }
    }

    /// Puts what is left of a batch back to where it was taken from.
    pub(crate) fn put_back(&mut self, depth: u16, mail: Mail) {
        self.lane(depth).mail.push_front(mail);
    }

    /// Takes out the next mail of call depths below `below`; gives its depth too.
    pub(crate) fn pop(&mut self, below: u32) -> Option<(u16, Mail)> {
        let (depth, lane) = self.choose_next(below)?;
        Some((depth, lane.pop_front()?))
    }

    /// Chooses the next mail to be served, of call depths below `below`: it is the first of the queue that is returned,
    /// if there is any. Gives the depth of its lane too. The caller must take it out, since the choice is noted.
    #[inline(always)]
    pub(crate) fn choose_next(&mut self, below: u32) -> Option<(u16, &mut VecDeque<Mail>)> {
        let ahead = if self.waiting == 0 { None } else { self.next_ahead(below) };
        if let Some(index) = ahead {
            self.waiting -= 1;
            let lane = &mut self.lanes[index];
            return Some((lane.depth, &mut lane.ahead));
        }
        let lane = match self.lanes.len() {
            // Most threads have one lane.
            1 => self.lanes.first_mut().filter(|lane| u32::from(lane.depth) < below),
            _ => self.earliest(below),
        }?;
        Some((lane.depth, &mut lane.mail))
    }

    /// The index of the lane whose first call is to be served now. `None` if no call waits to go ahead, or if the first
    /// of them lets other mail pass, which is noted.
    #[inline(never)]
    fn next_ahead(&mut self, below: u32) -> Option<usize> {
        let allowed = self.lanes.iter().take_while(|lane| u32::from(lane.depth) < below).enumerate();
        let calls = allowed.filter_map(|(index, lane)| Some((lane.ahead.front()?.number, index)));
        let (arrival, index) = calls.min()?;
        let passes = |lane: &mut Lane| lane.mail.front().is_some_and(|first| first.number < arrival);
        let one_passes = !self.lanes[index].has_let_pass && self.earliest(below).is_some_and(passes);
        self.lanes[index].has_let_pass = one_passes;
        (!one_passes).then_some(index)
    }

    /// The lane whose first mail came before that of the others, of call depths below `below`, apart from calls that go
    /// ahead.
    fn earliest(&mut self, below: u32) -> Option<&mut Lane> {
        // A loop: by iterators it takes three times as many instructions, for each message of a thread with two lanes.
        let mut earliest: Option<(u64, usize)> = None;
        for (index, lane) in self.lanes.iter().enumerate() {
            if u32::from(lane.depth) >= below {
                break;
            }
            let Some(first) = lane.mail.front() else { continue };
            if earliest.is_none_or(|(number, _)| first.number < number) {
                earliest = Some((first.number, index));
            }
        }
        self.lanes.get_mut(earliest?.1)
    }

    /// Frees the memory that a burst of mail took, once it is served.
    pub(crate) fn shrink(&mut self) {
        for lane in self.lanes.iter_mut().flat_map(|lane| [&mut lane.mail, &mut lane.ahead]) {
            if lane.capacity() > KEPT {
                lane.shrink_to(KEPT);
            }
        }
    }

    /// How many messages and orders are queued.
    pub(crate) fn len(&self) -> usize {
        let all = self.lanes.iter().flat_map(|lane| lane.mail.iter().chain(&lane.ahead));
        all.map(|mail| mail.messages.max(1) as usize).sum()
    }

    pub(crate) fn has(&self, below: u32) -> bool {
        self.lanes.iter().take_while(|lane| u32::from(lane.depth) < below).any(|lane| !lane.is_empty())
    }
}

/// A bit that is set in the numbers given here, and not in those that mail comes with.
const NUMBERED: u64 = 1 << 63;

/// A lane keeps the memory for so many entries when it is shrunk.
const KEPT: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mailbox::mail::MailContents;

    /// An order with an id by which the tests know it.
    fn mail(id: u64) -> Mail {
        Mail::order(Slot { index: 0, generation: 0 }, Order::Tick(id))
    }

    fn id(mail: &Mail) -> Option<u64> {
        match mail.contents {
            MailContents::Order(Order::Tick(id)) => Some(id),
            _ => None,
        }
    }

    /// Serves all mail below a depth, and gives the ids in the order of serving.
    fn served(queue: &mut Queue, below: u32) -> Vec<u64> {
        std::iter::from_fn(|| queue.pop(below)).filter_map(|(_, mail)| id(&mail)).collect()
    }

    #[test]
    fn lanes_are_served_in_order_of_arrival_and_a_wait_takes_what_lies_below_it() {
        let mut queue = Queue::default();
        for (depth, id) in [(0, 1), (2, 2), (0, 3), (1, 4), (2, 5), (0, 6)] {
            queue.push(depth, Turn::InOrder, || mail(id));
        }
        assert_eq!(queue.len(), 6);
        assert_eq!(served(&mut queue, 1), [1, 3, 6]);
        assert_eq!(served(&mut queue, u32::MAX), [2, 4, 5]);
    }

    #[test]
    fn each_call_that_goes_ahead_lets_one_pass() {
        let mut queue = Queue::default();
        (1..=4).for_each(|id| queue.push(0, Turn::InOrder, || mail(id)));
        queue.push(0, Turn::Ahead, || mail(100));
        queue.push(1, Turn::Ahead, || mail(101));
        queue.push(0, Turn::InOrder, || mail(5));
        assert_eq!(served(&mut queue, u32::MAX), [1, 100, 2, 101, 3, 4, 5]);
    }

    #[test]
    fn nothing_that_came_later_is_served_before_a_call_that_goes_ahead() {
        let mut queue = Queue::default();
        queue.push(0, Turn::InOrder, || mail(1));
        queue.push(0, Turn::Ahead, || mail(100));
        queue.push(0, Turn::Ahead, || mail(101));
        queue.push(0, Turn::InOrder, || mail(2));
        assert_eq!(served(&mut queue, u32::MAX), [1, 100, 101, 2]);
    }

    #[test]
    fn the_last_is_the_latest_of_all_or_none() {
        let mut queue = Queue::default();
        let last = |queue: &mut Queue, depth| queue.last(depth).and_then(|mail| id(mail));
        assert_eq!(last(&mut queue, 0), None);
        queue.push(0, Turn::InOrder, || mail(1));
        assert_eq!(last(&mut queue, 0), Some(1));
        queue.push(3, Turn::InOrder, || mail(2));
        assert_eq!((last(&mut queue, 0), last(&mut queue, 3)), (None, Some(2)));
        queue.push(0, Turn::Ahead, || mail(100));
        assert_eq!((last(&mut queue, 0), last(&mut queue, 3)), (None, None));
        queue.push(0, Turn::InOrder, || mail(3));
        assert_eq!((last(&mut queue, 0), last(&mut queue, 3)), (Some(3), None));
    }

    #[test]
    fn shrinking_frees_memory_and_loses_no_mail() {
        let mut queue = Queue::default();
        (0..10 * KEPT as u64).for_each(|id| queue.push(0, Turn::InOrder, || mail(id)));
        queue.shrink();
        assert_eq!(queue.len(), 10 * KEPT);
        assert!(served(&mut queue, u32::MAX).into_iter().eq(0..10 * KEPT as u64));
        assert!(queue.lane(0).mail.capacity() >= 10 * KEPT);
        queue.shrink();
        assert!(queue.lane(0).mail.capacity() < 2 * KEPT);
    }

    #[test]
    fn mail_that_is_put_back_comes_first_again() {
        let mut queue = Queue::default();
        for (depth, id) in [(0, 1), (1, 2), (0, 3)] {
            queue.push(depth, Turn::InOrder, || mail(id));
        }
        let (depth, first) = queue.pop(u32::MAX).expect("three wait");
        queue.put_back(depth, first);
        assert_eq!(served(&mut queue, u32::MAX), [1, 2, 3]);
    }
}
