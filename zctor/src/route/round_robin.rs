//! Round robin: each instance in turn, exactly.
//!
//! The turn is the number of the place last used, and not a running count. The next place is the one after that, so
//! neither a newcomer nor an instance that has left moves the turn of any other.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::error::Refusal;
use crate::mailbox::mail::SentAs;
use crate::route::chosen::Chosen;
use crate::route::endpoint::Endpoint;
use crate::route::link_route::StatedRoute;
use crate::route::location::{Entry, Location, Way};
use crate::route::payload::Payload;
use crate::route::places::{AnyPlaces, Place, Places};
use crate::route::pool::Pool;
use crate::sys::operation::Operation;
use crate::sys::simulated::point_anywhere;
use crate::trace;
use crate::trace::spans::may_trace_sends;

impl<M: Payload> Pool<M> {
    /// The instance whose turn it is; the turn moves on to it, unless it has no room.
    #[inline(never)]
    pub(crate) fn next<const WATCHED: bool>(&self) -> Result<Chosen<'_, M>, Refusal> {
        loop {
            let places = self.places.load();
            let Some((index, way, entry, turn)) = self.take_turn(&places)? else { continue };
            let chosen = Chosen::in_turn::<WATCHED>(places, index, way, entry);
            return Ok(if entry == Entry::Inner { chosen.with_turn(&self.turn, turn) } else { chosen });
        }
    }

    /// As `next`, but only for the common case: these are the places, and the very next one takes mail.
    #[cfg_attr(not(debug_assertions), inline(always))]
    pub(crate) fn step<'s, const WATCHED: bool>(&self, places: &'s [Place<M>]) -> Option<(&'s Endpoint<M>, Way)> {
        let [Place { number, endpoint }] = places else { return self.step_among::<WATCHED>(places) };
        let way = endpoint.admit_in_turn()?;
        // Relaxed: see `Pool::turn`.
        let turn = self.turn.load(Ordering::Relaxed);
        if turn != *number && !self.move_turn(turn, *number) {
            return None;
        }
        if WATCHED {
            trace::routed(|| (M::name(), endpoint.id(), 1, 1));
        }
        Some((endpoint, way))
    }

    /// `step` among several places, or none.
    fn step_among<'s, const WATCHED: bool>(&self, places: &'s [Place<M>]) -> Option<(&'s Endpoint<M>, Way)> {
        if WATCHED {
            turn_point::<M>(places.len());
        }
        let turn = self.turn.load(Ordering::Relaxed);
        let index = after_guess(places, turn, self.turn_index.load(Ordering::Relaxed));
        let Place { number, endpoint } = places.get(index)?;
        let way = endpoint.admit_in_turn()?;
        if !self.move_turn(turn, *number) {
            return None;
        }
        // Relaxed: only a guess, whatever another sender has made of it meanwhile.
        self.turn_index.store(index, Ordering::Relaxed);
        if WATCHED {
            trace::routed(|| (M::name(), endpoint.id(), index + 1, places.len()));
        }
        Some((endpoint, way))
    }

    /// Moves the turn; `false` if another sender was faster.
    #[inline]
    fn move_turn(&self, from: u64, to: u64) -> bool {
        // Relaxed: see `Pool::turn`.
        self.turn.compare_exchange(from, to, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }

    /// Chooses the next instance, and moves the turn on to it, unless it has no room, or may have none: whether an
    /// inner queue accepts the message is only known there. Gives also where the turn stood; `None` if
    /// the places are stale.
    // Always: as a function that the watched way calls too, it takes a send to a bounded mailbox 40 instructions.
    #[cfg_attr(not(debug_assertions), inline(always))]
    fn take_turn(&self, places: &Places<M>) -> Result<Option<(usize, Way, Entry, u64)>, Refusal> {
        loop {
            turn_point::<M>(places.len());
            let turn = self.turn.load(Ordering::Relaxed);
            let found = next_open(places.as_any(), turn);
            if self.is_stale(places) {
                return Ok(None);
            }
            let (index, way) = found.ok_or_else(|| self.nobody())?;
            let Place { number, endpoint } = &places[index];
            let entry = endpoint.enter();
            if entry == Entry::Full && any_has_room(places.as_any()) {
                continue; // another sender was faster
            }
            // Relaxed: see `Pool::turn`.
            if matches!(entry, Entry::Full | Entry::Inner)
                || *number == turn
                || self.turn.compare_exchange_weak(turn, *number, Ordering::Relaxed, Ordering::Relaxed).is_ok()
            {
                return Ok(Some((index, way, entry, turn)));
            }
            if entry == Entry::Permit {
                endpoint.mailbox.give_back_permits(1);
            }
        }
    }

    /// Distributes a batch in turn, so that each message goes where it would go alone. Messages that come too late for
    /// their receiver go to `late`. If one of the receivers has a bounded mailbox, or none takes mail, or the pool
    /// changes meanwhile, the turn does not move and all messages come back.
    pub(crate) fn distribute(&self, messages: Vec<M>, late: &mut Vec<M>) -> Result<(), Vec<M>> {
        let places = self.places.load();
        let Some(mut shares) = self.take_turns(&places, messages.len()) else { return Err(messages) };
        let is_traced = may_trace_sends();
        let routed = |share: &Share<'_, M>| {
            trace::routed(|| (M::name(), share.endpoint.id(), share.index + 1, places.len()));
        };
        if let [only] = &mut shares[..] {
            if is_traced {
                messages.iter().for_each(|_| routed(only));
            }
            only.messages = messages;
        } else {
            let count = messages.len().div_ceil(shares.len());
            shares.iter_mut().for_each(|share| share.messages.reserve_exact(count));
            let mut messages = messages.into_iter();
            while !messages.as_slice().is_empty() {
                for (share, message) in shares.iter_mut().zip(messages.by_ref()) {
                    if is_traced {
                        routed(share);
                    }
                    share.messages.push(message);
                }
            }
        }
        for Share { endpoint, way, messages, .. } in shares {
            late.extend(endpoint.send_batch(
                way,
                messages,
                SentAs { in_turn: true, permitted: false },
                StatedRoute::default(),
            ));
        }
        Ok(())
    }

    /// Moves the turn on by `count` messages at once; `count` is at least one. Gives a share for each of the instances
    /// whose turns these are, the first in front; after the last of them the first has its turn again.
    fn take_turns<'p>(&self, places: &'p Places<M>, count: usize) -> Option<Vec<Share<'p, M>>> {
        loop {
            turn_point::<M>(places.len());
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
            if self.is_stale(places) || shares.iter().any(|share| share.endpoint.mailbox.is_bounded) {
                return None;
            }
            let last = &shares[(count - 1).checked_rem(shares.len())?];
            let last = places[last.index].number;
            // Relaxed: see `Pool::turn`.
            if last == turn || self.turn.compare_exchange(turn, last, Ordering::Relaxed, Ordering::Relaxed).is_ok() {
                return Some(shares);
            }
        }
    }

    /// The substitute for an ended instance: it takes over a message sent in turn. Substitutes have a turn of their
    /// own; the pool's turn stays as it is, since the message was counted there when it was sent.
    pub(crate) fn substitute(&self) -> Option<(Arc<Endpoint<M>>, Way)> {
        let (places, found) =
            self.choose(|places| next_open(places.as_any(), self.substitutes.load(Ordering::Relaxed)));
        let (index, way) = found?;
        self.substitutes.store(places[index].number, Ordering::Relaxed);
        Some((Arc::clone(&places[index].endpoint), way))
    }
}

/// The scheduling point of a turn. In a pool of one nobody's turn depends on that of others.
#[cfg_attr(not(debug_assertions), inline(always))]
fn turn_point<M: Payload>(places: usize) {
    if places > 1 {
        point_anywhere(|| Operation::To("take the turn of", M::name()));
    }
}

/// The share of one place in a batch.
struct Share<'p, M: Payload> {
    index: usize,
    endpoint: &'p Endpoint<M>,
    way: Way,
    messages: Vec<M>,
}

/// As `after`, where the place last used is perhaps at `guess`. A search among 10,000 places touches a dozen cache lines.
#[inline]
fn after_guess<M: Payload>(places: &[Place<M>], turn: u64, guess: usize) -> usize {
    match places.get(guess) {
        Some(place) if place.number == turn => {
            if guess + 1 < places.len() {
                guess + 1
            } else {
                0
            }
        }
        _ => after(places, turn),
    }
}

/// The index of the place after the one last used; 0 if there are no places.
#[inline]
pub(super) fn after<M: Payload>(places: &[Place<M>], turn: u64) -> usize {
    if let [_] = places {
        return 0;
    }
    let next = places.partition_point(|place| place.number <= turn);
    if next < places.len() { next } else { 0 }
}

/// The next place after `turn` that takes mail. An instance that does not back off is preferred to one that does, and
/// then one with room to one without.
fn next_open(places: &dyn AnyPlaces, turn: u64) -> Option<(usize, Way)> {
    if places.count() == 1 {
        return places.at(0).1.admit().ok().map(|way| (0, way));
    }
    best_in_turn(places.count(), places.after(turn), &|index| {
        let (_, location) = places.at(index);
        let way = location.admit().ok()?;
        Some(OpenPlace { way, is_ready: location.status.is_ready(), has_room: location.has_room() })
    })
}

/// What rotation asks of a place that takes mail.
pub(super) struct OpenPlace {
    pub(super) way: Way,
    pub(super) is_ready: bool,
    pub(super) has_room: bool,
}

/// The first of the best places, from `start` on and around. Not generic, since it would be compiled again for each
/// message type.
pub(super) fn best_in_turn(
    count: usize,
    start: usize,
    look: &dyn Fn(usize) -> Option<OpenPlace>,
) -> Option<(usize, Way)> {
    let mut best = None;
    for index in (start..count).chain(0..start) {
        let Some(OpenPlace { way, is_ready, has_room }) = look(index) else { continue };
        if is_ready && has_room {
            return Some((index, way));
        }
        if best.is_none_or(|(rank, _)| rank < (is_ready, has_room)) {
            best = Some(((is_ready, has_room), (index, way)));
        }
    }
    best.map(|(_, place)| place)
}

/// Whether one of the instances that rotation prefers has room: of those that do not back off, or of all if all do.
#[cold]
pub(super) fn any_has_room(places: &dyn AnyPlaces) -> bool {
    let open = || places.open().map(|(_, _, location, _)| location);
    let all_back_off = !open().any(|location| location.status.is_ready());
    open().filter(|location| all_back_off || location.status.is_ready()).any(Location::has_room)
}
