//! Places: what a pool's turn, its keys and its order go by. An instance has one, and another may fill it again.

use std::ops::Deref;
use std::sync::Arc;

use crate::id::InstanceId;
use crate::route::endpoint::Endpoint;
use crate::route::payload::Payload;

/// The number of the place that an instance gets if it fills no other: made of its thread and its slot. It grows in
/// spawn order, is never 0, and is no other instance's own, since an instance joins a pool as the first in its slot.
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
        let named = list.iter().map(|place| (place.endpoint.id(), place.number));
        let mut refilled: Vec<_> = named.filter(|(id, number)| own_number(*id) != *number).collect();
        refilled.sort_unstable();
        Self { version, list, refilled }
    }

    pub(super) fn version(&self) -> u64 {
        self.version
    }

    /// Where the place of an instance is. It is searched for, since a pool may have many.
    pub(super) fn position(&self, id: InstanceId) -> Option<usize> {
        let refilled = self.refilled.binary_search_by_key(&id, |(id, _)| *id).ok();
        let number = refilled.map_or_else(|| own_number(id), |index| self.refilled[index].1);
        let index = find(&self.list, number, |place| place.number)?;
        (self.list[index].endpoint.id() == id).then_some(index)
    }
}

impl<M: Payload> Deref for Places<M> {
    type Target = [Place<M>];

    fn deref(&self) -> &[Place<M>] {
        &self.list
    }
}

/// Where the place with a number is.
fn find<T>(list: &[T], number: u64, number_of: impl FnMut(&T) -> u64) -> Option<usize> {
    list.binary_search_by_key(&number, number_of).ok()
}

/// Puts those newcomers whose places are on the list into them, and gives how many of the instances there had ended.
/// The other newcomers are left.
pub(super) fn refill<M: Payload>(list: &mut [Place<M>], newcomers: &mut Vec<Place<M>>) -> usize {
    let mut ended = 0;
    newcomers.retain(|newcomer| match find(list, newcomer.number, |place| place.number) {
        Some(index) => {
            ended += usize::from(list[index].endpoint.status.has_ended());
            list[index].endpoint = Arc::clone(&newcomer.endpoint);
            false
        }
        None => true,
    });
    ended
}

#[cfg(test)]
mod tests {
    use super::*;

    // Issue 15: `pin` looked at each place of the pool.
    #[test]
    fn one_of_many_places_is_found_after_a_few_looks() {
        let numbers: Vec<u64> = (0..100_000).map(|number| number * 7).collect();
        let mut looks = 0;
        let mut look = |number: &u64| {
            looks += 1;
            *number
        };
        assert_eq!(find(&numbers, 7 * 70_000, &mut look), Some(70_000));
        assert_eq!(find(&numbers, 7 * 70_000 + 1, &mut look), None);
        assert!(looks <= 2 * 18, "{looks} looks");
    }
}
