//! The least loaded: a message goes to the instance whose thread has the least to do.

use crate::error::Refusal;
use crate::id::InstanceId;
use crate::route::chosen::Chosen;
use crate::route::location::{Entry, Way};
use crate::route::payload::Payload;
use crate::route::places::AnyPlaces;
use crate::route::pool::Pool;
use crate::route::round_robin::any_has_room;

impl<M: Payload> Pool<M> {
    /// The instance whose thread has the least to do, after `more` is added to the load of each. An instance that does
    /// not back off is preferred to one that does, and then one with room to one without.
    pub(crate) fn least_loaded<const WATCHED: bool>(
        &self,
        more: impl Fn(InstanceId) -> usize,
    ) -> Result<Chosen<'_, M>, Refusal> {
        loop {
            let (places, best) = self.choose(|places| least_loaded(places.as_any(), &more));
            let (index, way) = best.ok_or_else(|| self.nobody())?;
            let entry = places[index].endpoint.enter();
            if entry != Entry::Full || !any_has_room(places.as_any()) {
                return Ok(Chosen::out_of_turn::<WATCHED>(places, index, way, entry));
            }
        }
    }
}

fn least_loaded(places: &dyn AnyPlaces, more: &dyn Fn(InstanceId) -> usize) -> Option<(usize, Way)> {
    let mut best = None;
    for index in 0..places.count() {
        let (_, location) = places.at(index);
        let Ok(way) = location.admit() else { continue };
        let last = (!location.status.is_ready(), !location.has_room());
        let rank = (last, location.mailbox.load() + more(location.id()));
        if best.is_none_or(|(least, _)| rank < least) {
            best = Some((rank, (index, way)));
        }
    }
    best.map(|(_, found)| found)
}
