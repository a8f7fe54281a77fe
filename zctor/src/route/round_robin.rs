//! Round robin: each instance in turn, exactly.
//!
//! The turn is the number of the place last used, and not a running count. The next place is the one after that, so
//! neither a newcomer nor an instance that has left moves the turn of any other.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::error::Refusal;
use crate::mailbox::mail::SentAs;
use crate::route::endpoint::{Endpoint, Entry, Way};
use crate::route::payload::Payload;
use crate::route::places::{Place, Places};
use crate::route::pool::{Chosen, KnownPool, Pool};
use crate::thread::local::Local;
use crate::trace;

impl<M: Payload> Pool<M> {
    /// The instance whose turn it is; the turn moves on to it, unless it has no room.
    pub(crate) fn next(&self) -> Result<Chosen<'_, M>, Refusal> {
        let places = self.places.load();
        let (index, way, entry) = self.take_turn(&places)?;
        Ok(Chosen::place(places, index, way, entry, true))
    }

    /// As `next`, but only for the common case: the places are known, and the very next one takes mail.
    #[inline]
    pub(crate) fn step<'s>(&self, places: &'s Places<M>) -> Option<(&'s Arc<Endpoint<M>>, Way)> {
        if !self.is_current(places) {
            return None;
        }
        let turn = self.turn.load(Ordering::Relaxed);
        let index = after(places, turn);
        let Place { number, endpoint } = places.get(index)?;
        let way = endpoint.admit_freely().filter(|_| endpoint.status.is_ready())?;
        // Relaxed: the turn orders nothing but itself. A pool of one leaves it as it is.
        let is_ours =
            *number == turn || self.turn.compare_exchange(turn, *number, Ordering::Relaxed, Ordering::Relaxed).is_ok();
        if !is_ours {
            return None;
        }
        trace::routed(M::name, endpoint.id(), index + 1, places.len());
        Some((endpoint, way))
    }

    fn take_turn(&self, places: &[Place<M>]) -> Result<(usize, Way, Entry), Refusal> {
        loop {
            let turn = self.turn.load(Ordering::Relaxed);
            let Some((index, way)) = next_open(places, turn) else {
                return Err(self.nobody());
            };
            let Place { number, endpoint } = &places[index];
            let entry = endpoint.enter();
            if entry == Entry::Full && has_somebody_room(places) {
                continue; // another sender was faster
            }
            // Relaxed: the turn orders nothing but itself. A pool of one leaves it as it is.
            if entry == Entry::Full
                || *number == turn
                || self.turn.compare_exchange_weak(turn, *number, Ordering::Relaxed, Ordering::Relaxed).is_ok()
            {
                return Ok((index, way, entry));
            }
            if entry == Entry::Permit {
                endpoint.mailbox.give_back(1);
            }
        }
    }

    /// Distributes a batch in turn, so that each message goes where it would go alone. Messages that come too late for
    /// their receiver go to `late`. If one of the receivers has a bounded mailbox, or none takes mail, the turn does
    /// not move and all messages come back.
    pub(crate) fn distribute(&self, messages: Vec<M>, late: &mut Vec<M>) -> Result<(), Vec<M>> {
        let places = self.places.load();
        let Some(mut shares) = self.take_turns(&places, messages.len()) else { return Err(messages) };
        let routed = |share: &Share<'_, M>| trace::routed(M::name, share.endpoint.id(), share.index + 1, places.len());
        if let [only] = &mut shares[..] {
            messages.iter().for_each(|_| routed(only));
            only.messages = messages;
        } else {
            let count = messages.len().div_ceil(shares.len());
            shares.iter_mut().for_each(|share| share.messages.reserve_exact(count));
            let mut messages = messages.into_iter();
            while !messages.as_slice().is_empty() {
                for (share, message) in shares.iter_mut().zip(messages.by_ref()) {
                    routed(share);
                    share.messages.push(message);
                }
            }
        }
        for Share { endpoint, way, messages, .. } in shares {
            late.extend(endpoint.send_batch(way, messages, SentAs { in_turn: true, permitted: false }));
        }
        Ok(())
    }

    /// Moves the turn on by `count` messages at once; `count` is at least one. Gives a share for each of the instances
    /// whose turns these are, the first in front; after the last of them the first has its turn again.
    fn take_turns<'p>(&self, places: &'p [Place<M>], count: usize) -> Option<Vec<Share<'p, M>>> {
        loop {
            let turn = self.turn.load(Ordering::Relaxed);
            let start = after(places, turn);
            let in_turn = (start..places.len()).chain(0..start);
            // As `next_open` chooses them while none runs out of room.
            let open = in_turn.filter_map(|index| {
                let endpoint = &places[index].endpoint;
                let way = endpoint.admit().ok().filter(|_| endpoint.status.is_ready())?;
                Some(Share { index, endpoint, way, messages: Vec::new() })
            });
            let mut shares = Vec::with_capacity(count.min(places.len()));
            shares.extend(open.take(count));
            if shares.iter().any(|share| share.endpoint.mailbox.is_bounded) {
                return None;
            }
            let last = &shares[(count - 1).checked_rem(shares.len())?];
            let last = places[last.index].number;
            // Relaxed: the turn orders nothing but itself.
            if last == turn || self.turn.compare_exchange(turn, last, Ordering::Relaxed, Ordering::Relaxed).is_ok() {
                return Some(shares);
            }
        }
    }

    /// The substitute for an ended instance: it takes over a message sent in turn. Substitutes have a turn of their
    /// own; the pool's turn stays as it is, since the message was counted there when it was sent.
    pub(crate) fn substitute(&self) -> Option<(Arc<Endpoint<M>>, Way)> {
        let places = self.places.load();
        let (index, way) = next_open(&places, self.substitutes.load(Ordering::Relaxed))?;
        self.substitutes.store(places[index].number, Ordering::Relaxed);
        Some((Arc::clone(&places[index].endpoint), way))
    }
}

/// The share of one place in a batch.
struct Share<'p, M: Payload> {
    index: usize,
    endpoint: &'p Endpoint<M>,
    way: Way,
    messages: Vec<M>,
}

/// The index of the place after the one last used; 0 if there are no places.
#[inline]
fn after<M: Payload>(places: &[Place<M>], turn: u64) -> usize {
    if let [_] = places {
        return 0;
    }
    let next = places.partition_point(|place| place.number <= turn);
    if next < places.len() { next } else { 0 }
}

/// The next place after `turn` that takes mail. An instance that does not back off is preferred to one that does, and
/// then one with room to one without.
fn next_open<M: Payload>(places: &[Place<M>], turn: u64) -> Option<(usize, Way)> {
    let n = places.len();
    let open = |index: usize| places[index].endpoint.admit().ok().map(|way| (index, way));
    if n <= 1 {
        return if n == 1 { open(0) } else { None };
    }
    let is_ready = |index: &usize| places[*index].endpoint.status.is_ready();
    let has_room = |index: &usize| places[*index].endpoint.has_room();
    let start = after(places, turn);
    let in_turn = || (start..n).chain(0..start);
    let ready = || in_turn().filter(is_ready);
    let best = ready().filter(has_room).find_map(open).or_else(|| ready().find_map(open));
    best.or_else(|| in_turn().filter(has_room).find_map(open)).or_else(|| in_turn().find_map(open))
}

/// Whether one of the instances that rotation prefers has room: of those that do not back off, or of all if all do.
#[cold]
pub(super) fn has_somebody_room<M: Payload>(places: &[Place<M>]) -> bool {
    let open = || places.iter().map(|place| &place.endpoint).filter(|endpoint| endpoint.admit().is_ok());
    let all_back_off = !open().any(|endpoint| endpoint.status.is_ready());
    open().filter(|endpoint| all_back_off || endpoint.status.is_ready()).any(|endpoint| endpoint.has_room())
}

impl<M: Payload> KnownPool<M> {
    /// The next, in turn, of the thread's own instances in the pool.
    pub(crate) fn next_local(&self, local: &Local) -> Result<Arc<Endpoint<M>>, Refusal> {
        let places = self.pool.places.load();
        let here = || places.iter().filter(|place| place.endpoint.mailbox.thread == local.mailbox.thread);
        let turn = self.local_turn.get();
        let in_turn = here().filter(|place| place.number > turn).chain(here().filter(|place| place.number <= turn));
        let mut first = None;
        let ready = in_turn.filter(|place| place.endpoint.admit().is_ok()).find(|place| {
            first.get_or_insert(*place);
            place.endpoint.status.is_ready()
        });
        let place = ready.or(first).ok_or_else(|| self.pool.nobody())?;
        self.local_turn.set(place.number);
        Ok(Arc::clone(&place.endpoint))
    }
}
