//! The least loaded: a message goes to the instance whose thread has the least to do.

use crate::error::Refusal;
use crate::id::InstanceId;
use crate::route::endpoint::Entry;
use crate::route::payload::Payload;
use crate::route::pool::{Chosen, Pool};
use crate::route::round_robin::has_somebody_room;

impl<M: Payload> Pool<M> {
    /// The instance whose thread has the least to do, after `more` is added to the load of each. An instance that does
    /// not back off is preferred to one that does, and then one with room to one without.
    pub(crate) fn least_loaded(&self, more: impl Fn(InstanceId) -> usize) -> Result<Chosen<'_, M>, Refusal> {
        loop {
            let (places, best) = self.choose(|places| {
                let open = places.iter().enumerate();
                let open =
                    open.filter_map(|(index, place)| Some((index, &place.endpoint, place.endpoint.admit().ok()?)));
                let best = open.min_by_key(|(_, endpoint, _)| {
                    let last = (!endpoint.status.is_ready(), !endpoint.has_room());
                    (last, endpoint.mailbox.load() + more(endpoint.id()))
                });
                best.map(|(index, _, way)| (index, way))
            });
            let (index, way) = best.ok_or_else(|| self.nobody())?;
            let entry = places[index].endpoint.enter();
            if entry != Entry::Full || !has_somebody_room(&places) {
                return Ok(Chosen::place(places, index, way, entry, false));
            }
        }
    }
}
