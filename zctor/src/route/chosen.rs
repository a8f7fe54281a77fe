//! The choice of an instance for a message, with all that the message needs on its way there.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arc_swap::Guard;

use crate::mailbox::mail::SentAs;
use crate::route::contents::Call;
use crate::route::endpoint::Endpoint;
use crate::route::link_route::StatedRoute;
use crate::route::location::{Entry, Way};
use crate::route::payload::Payload;
use crate::route::places::Places;
use crate::trace;

/// The instance that a message goes to.
pub(crate) struct Chosen<'a, M: Payload> {
    found: Found<'a, M>,
    pub(crate) way: Way,
    pub(crate) entry: Entry,
    in_turn: bool,
    /// The turn that is to be moved when the message is accepted, and where it stood. Only for the inner queue: else
    /// it has been moved.
    turn: Option<(&'a AtomicU64, u64)>,
    /// For a link.
    route: StatedRoute<'a>,
}

enum Found<'a, M: Payload> {
    Place(Guard<Arc<Places<M>>>, usize),
    Bound(&'a Endpoint<M>),
}

impl<'a, M: Payload> Chosen<'a, M> {
    /// The instance of a place whose turn it was. `WATCHED`: see `trace::watched_or_not`.
    #[inline(always)]
    pub(crate) fn in_turn<const WATCHED: bool>(
        places: Guard<Arc<Places<M>>>,
        index: usize,
        way: Way,
        entry: Entry,
    ) -> Self {
        Self { in_turn: true, ..Self::out_of_turn::<WATCHED>(places, index, way, entry) }
    }

    /// The instance of a place that was chosen by a key or by its load.
    #[inline(always)]
    pub(crate) fn out_of_turn<const WATCHED: bool>(
        places: Guard<Arc<Places<M>>>,
        index: usize,
        way: Way,
        entry: Entry,
    ) -> Self {
        if WATCHED && entry != Entry::Full {
            trace::routed(|| (M::name(), places[index].endpoint.id(), index + 1, places.len()));
        }
        let (found, route) = (Found::Place(places, index), StatedRoute::default());
        Self { found, way, entry, in_turn: false, turn: None, route }
    }

    pub(crate) fn straight(endpoint: &'a Endpoint<M>, way: Way, sent_as: SentAs) -> Self {
        Self { in_turn: sent_as.in_turn, ..Self::bound(endpoint, way, Entry::Free) }
    }

    /// An instance that was not chosen in turn.
    pub(crate) fn bound(endpoint: &'a Endpoint<M>, way: Way, entry: Entry) -> Self {
        Self { found: Found::Bound(endpoint), way, entry, in_turn: false, turn: None, route: StatedRoute::default() }
    }

    /// For a message whose sender states its route.
    pub(crate) fn by(self, route: StatedRoute<'a>) -> Self {
        Self { route, ..self }
    }

    /// Leaves the turn to be moved from there when the message is accepted.
    pub(super) fn with_turn(self, turn: &'a AtomicU64, from: u64) -> Self {
        Self { turn: Some((turn, from)), ..self }
    }

    /// Moves the turn on to this instance, if that is still to be done; `false` if another sender has moved it.
    pub(crate) fn move_turn(&self) -> bool {
        let (Some((turn, from)), Found::Place(places, index)) = (self.turn, &self.found) else { return true };
        let to = places[*index].number;
        // Relaxed: see `Pool::turn`.
        to == from || turn.compare_exchange(from, to, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }

    pub(crate) fn is_full(&self) -> bool {
        self.entry == Entry::Full
    }

    pub(crate) fn sent_as(&self) -> SentAs {
        SentAs { in_turn: self.in_turn, permitted: self.entry == Entry::Permit }
    }

    /// Sends a message to the instance, as [`Endpoint::send`] does.
    #[cfg_attr(not(debug_assertions), inline(always))]
    pub(crate) fn send<const WATCHED: bool>(&self, message: &mut Option<M>) {
        self.endpoint().send_by::<WATCHED>(self.way, message, self.sent_as(), self.route);
    }

    /// Sends a call to the instance, as [`Endpoint::call`] does.
    #[cfg_attr(not(debug_assertions), inline(always))]
    pub(crate) fn call(&self, call: &mut Option<Call<M>>) {
        self.endpoint().call(self.way, call, self.sent_as(), self.route);
    }

    /// Sends a batch to the instance, as [`Endpoint::send_batch`] does.
    pub(crate) fn send_batch(&self, messages: Vec<M>) -> Vec<M> {
        self.endpoint().send_batch(self.way, messages, self.sent_as(), self.route)
    }

    #[inline]
    pub(crate) fn endpoint(&self) -> &Endpoint<M> {
        match &self.found {
            Found::Place(places, index) => &places[*index].endpoint,
            Found::Bound(endpoint) => endpoint,
        }
    }
}
