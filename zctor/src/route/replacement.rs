//! Replacements: an instance that takes the place of another, with its keys and its turn.
//!
//! 1. The place is claimed, so that one replacement at a time is made for it. A failed one gives the claim up, and all
//!    is as it was.
//! 2. The replacement is built. Mail still goes to the instance before, if that lives, or else to the rest of the pool.
//! 3. Published, it stands in the place: from now on mail for the place goes to its mailbox, and to no other instance.
//! 4. The instance before is told to end, in its turn: after all that was sent to it. When it has ended, the thread of
//!    the replacement runs. So messages by one key are handled in their order, by one instance at a time.
//! 5. A sender chooses from a list of places that it has loaded, and looks at the version of the pool after that. If it
//!    has found the instance before at its end, the replacement had been published: then the version is a newer one, and
//!    the sender chooses again. So it takes no other place for the one that is filled again.

use std::sync::Arc;

use crate::id::InstanceId;
use crate::route::endpoint::Endpoint;
use crate::route::payload::Payload;
use crate::route::places::Place;
use crate::route::pool::Pool;
use crate::route::pools::{Additions, Enlist};
use crate::sys::lock::lock;

/// A place to be filled again.
pub(crate) struct Claim<'p, M: Payload> {
    pool: &'p Pool<M>,
    /// The instance before.
    instance: InstanceId,
    pub(crate) number: u64,
    /// That instance, unless its end is so long past that it was taken off the list.
    pub(crate) before: Option<Arc<Endpoint<M>>>,
}

impl<M: Payload> Drop for Claim<'_, M> {
    fn drop(&mut self) {
        lock(&self.pool.pending).vacancies.claimed.remove(&self.instance);
    }
}

impl<M: Payload> Pool<M> {
    /// Claims the place of an instance, if it has one, or had it last, and nobody else is at it.
    pub(crate) fn claim(&self, instance: InstanceId) -> Option<Claim<'_, M>> {
        let mut pending = lock(&self.pending);
        let places = self.places.load();
        let place = places.position(instance).map(|index| &places[index]);
        let number = place.map(|place| place.number).or_else(|| pending.vacancies.vacant.get(&instance).copied())?;
        let before = place.map(|place| Arc::clone(&place.endpoint));
        // A claim is only made where it is held: its drop takes the lock.
        pending.vacancies.claimed.insert(instance).then(|| Claim { pool: self, instance, number, before })
    }
}

/// An instance that was built to take a place.
pub(crate) struct Replacement<M: Payload> {
    pub(crate) endpoint: Arc<Endpoint<M>>,
    pub(crate) number: u64,
    /// The instance before.
    pub(crate) instance: InstanceId,
}

impl<M: Payload> Enlist for Replacement<M> {
    fn enlist(self: Box<Self>, pools: &mut Additions<'_>) {
        let Self { endpoint, number, instance } = *self;
        let pool = pools.pool::<M>();
        let mut pending = lock(&pool.pending);
        pending.vacancies.vacant.remove(&instance);
        pending.newcomers.push(Place { number, endpoint });
    }
}
