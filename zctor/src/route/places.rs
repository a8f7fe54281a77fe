//! Places: the turn, the keys and the order of a pool go by them. An instance has one, and another may fill it again.

use std::cmp::Ordering;
use std::ops::Deref;
use std::sync::Arc;

use crate::id::InstanceId;
use crate::route::endpoint::Endpoint;
use crate::route::location::{Location, Way};
use crate::route::payload::Payload;

/// The number of the place that an instance gets if it fills no other: made of its thread and its slot. It grows in
/// spawn order, and is never 0. Each instance has a number of its own, since it joins a pool as the first in its slot.
pub(super) fn own_number(id: InstanceId) -> u64 {
    (u64::from(id.thread.0) + 1) << 32 | u64::from(id.slot.index)
}

/// A place in a pool, and the instance in it.
pub(crate) struct Place<M: Payload> {
    /// Its name, and its rank in the order of the pool. Keys belong to it, and so does its turn.
    pub(super) number: u64,
    pub(crate) endpoint: Arc<Endpoint<M>>,
}

impl<M: Payload> Clone for Place<M> {
    fn clone(&self) -> Self {
        Self { number: self.number, endpoint: Arc::clone(&self.endpoint) }
    }
}

/// The places of a pool, as they are or were at one version of it.
pub(crate) struct Places<M: Payload> {
    version: u64,
    /// By their numbers.
    list: Vec<Place<M>>,
    /// The places that instances have filled again, by their instances, in the order of those.
    refilled: Vec<(InstanceId, u64)>,
}

impl<M: Payload> Default for Places<M> {
    fn default() -> Self {
        Self::new(0, Vec::new())
    }
}

impl<M: Payload> Places<M> {
    /// The places, which come in the order of their numbers.
    pub(super) fn new(version: u64, list: Vec<Place<M>>) -> Self {
        let refilled = list.as_any().refilled();
        Self { version, list, refilled }
    }

    pub(crate) fn version(&self) -> u64 {
        self.version
    }

    /// The places without the type of their messages.
    pub(super) fn as_any(&self) -> &dyn AnyPlaces {
        self.list.as_any()
    }

    /// The index of the place of an instance, by a search: a pool may have many.
    pub(super) fn position(&self, id: InstanceId) -> Option<usize> {
        self.as_any().position(id, &self.refilled)
    }
}

impl<M: Payload> Deref for Places<M> {
    type Target = [Place<M>];

    fn deref(&self) -> &[Place<M>] {
        &self.list
    }
}

/// A list of places in the order of their numbers, whatever the type of their messages: what senders seldom ask of it is
/// compiled once, and not for each type.
pub(super) trait AnyPlaces {
    fn as_any(&self) -> &dyn AnyPlaces;
    fn count(&self) -> usize;
    /// The number of the place at an index, and where its instance lives.
    fn at(&self, index: usize) -> (u64, &Location);
}

impl<M: Payload> AnyPlaces for Vec<Place<M>> {
    fn as_any(&self) -> &dyn AnyPlaces {
        self
    }

    fn count(&self) -> usize {
        self.len()
    }

    fn at(&self, index: usize) -> (u64, &Location) {
        let Place { number, endpoint } = &self[index];
        (*number, &endpoint.location)
    }
}

impl dyn AnyPlaces + '_ {
    /// The numbers of all places, and where their instances live.
    pub(super) fn iter(&self) -> impl Iterator<Item = (u64, &Location)> {
        (0..self.count()).map(|index| self.at(index))
    }

    /// The places whose instances take mail: their indices, their numbers, where the instances live, and the way there.
    pub(super) fn open(&self) -> impl Iterator<Item = (usize, u64, &Location, Way)> {
        let all = self.iter().enumerate();
        all.filter_map(|(index, (number, location))| Some((index, number, location, location.admit().ok()?)))
    }

    /// The index of the place with a number, or the one that it would have.
    pub(super) fn search(&self, number: u64) -> Result<usize, usize> {
        search(self.count(), number, &mut |index| self.at(index).0)
    }

    /// The index of the place after the one that was used last; 0 if there are no places.
    pub(super) fn after(&self, turn: u64) -> usize {
        let next = self.search(turn).map_or_else(|next| next, |last| last + 1);
        if next < self.count() { next } else { 0 }
    }

    /// The places that instances have filled again, by their instances, in the order of those.
    fn refilled(&self) -> Vec<(InstanceId, u64)> {
        let named = self.iter().map(|(number, location)| (location.id(), number));
        let mut refilled: Vec<_> = named.filter(|(id, number)| own_number(*id) != *number).collect();
        refilled.sort_unstable();
        refilled
    }

    pub(super) fn has_instances(&self) -> bool {
        self.iter().any(|(_, location)| !location.status.has_ended())
    }

    /// The instances that have not ended.
    pub(super) fn instances(&self) -> Vec<InstanceId> {
        let live = self.iter().filter(|(_, location)| !location.status.has_ended());
        live.map(|(_, location)| location.id()).collect()
    }

    /// The index of the place of an instance. `refilled`: the result of the function of that name.
    fn position(&self, id: InstanceId, refilled: &[(InstanceId, u64)]) -> Option<usize> {
        let other = refilled.binary_search_by_key(&id, |(id, _)| *id).ok();
        let number = other.map_or_else(|| own_number(id), |index| refilled[index].1);
        let index = self.search(number).ok()?;
        (self.at(index).1.id() == id).then_some(index)
    }
}

/// The index of a number among so many in their order, or the one that it would have.
fn search(count: usize, number: u64, number_at: &mut dyn FnMut(usize) -> u64) -> Result<usize, usize> {
    let (mut low, mut high) = (0, count);
    while low < high {
        let middle = low.midpoint(high);
        match number_at(middle).cmp(&number) {
            Ordering::Less => low = middle + 1,
            Ordering::Equal => return Ok(middle),
            Ordering::Greater => high = middle,
        }
    }
    Err(low)
}

#[cfg(test)]
mod tests {
    use super::*;

    // Issue 15: `pin` looked at each place of the pool.
    #[test]
    fn one_of_many_places_is_found_after_a_few_looks() {
        let numbers: Vec<u64> = (0..100_000).map(|number| number * 7).collect();
        let mut looks = 0;
        let mut look = |index: usize| {
            looks += 1;
            numbers[index]
        };
        assert_eq!(search(numbers.len(), 7 * 70_000, &mut look), Ok(70_000));
        assert_eq!(search(numbers.len(), 7 * 70_000 + 1, &mut look), Err(70_001));
        assert!(looks <= 2 * 18, "{looks} looks");
    }
}
