//! Keys: messages with the same key reach the same instance (rendezvous hashing).

use std::hash::{DefaultHasher, Hash, Hasher};
use std::marker::PhantomData;

use crate::error::Refusal;
use crate::route::chosen::Chosen;
use crate::route::link_route::KeyRoute;
use crate::route::location::Way;
use crate::route::payload::Payload;
use crate::route::places::AnyPlaces;
use crate::route::pool::Pool;

impl<M: Payload> Pool<M> {
    /// The instance of a key: the one whose place has the highest hash together with the key (rendezvous hashing,
    /// Thaler and Ravishankar 1998). So about 1/n of the keys move when the pool changes, all of them to the instance
    /// that has joined, or from the one that has left.
    pub(crate) fn of_key<const WATCHED: bool>(&self, key: u64) -> Result<Chosen<'_, M>, Refusal> {
        let (places, best) = self.choose(|places| of_key(places.as_any(), key));
        let (index, way) = best.ok_or_else(|| self.nobody())?;
        let entry = places[index].endpoint.enter();
        Ok(Chosen::out_of_turn::<WATCHED>(places, index, way, entry))
    }
}

fn of_key(places: &dyn AnyPlaces, key: u64) -> Option<(usize, Way)> {
    let mut best = None;
    for index in 0..places.count() {
        let (number, location) = places.at(index);
        let hash = mix(key ^ mix(number));
        if best.is_none_or(|(highest, _)| hash > highest) {
            // An instance that restarts or backs off keeps its keys: only those that have ended are passed over.
            if let Ok(way) = location.admit() {
                best = Some((hash, (index, way)));
            }
        }
    }
    best.map(|(_, found)| found)
}

/// Spreads every bit of a number over all bits: the finalizer of splitmix64 (Steele, Lea and Flood 2014).
pub(super) fn mix(mut x: u64) -> u64 {
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

/// The key type of an enum with `#[key]` fields of type `K`.
#[derive(Debug)]
pub struct Keyed<K: ?Sized>(PhantomData<K>);

/// The key type of an enum without `#[key]`: anything that can be hashed.
#[derive(Debug)]
pub struct Unkeyed;

/// A type that [`Client::keyed`](crate::Client::keyed) takes for a key: one that the `#[key]` fields borrow as, or any
/// if the enum has no `#[key]`.
#[diagnostic::on_unimplemented(
    message = "`{Q}` is not what the `#[key]` fields of this enum borrow as",
    note = "pass a reference to the fields' own type, or to what it borrows as: `&str` for `String`"
)]
pub trait KeyOf<Q: ?Sized> {
    /// The key as it travels, and with its hash; `None` if it never does.
    #[doc(hidden)]
    fn __travelling(_key: &Q, _hash: u64) -> Option<KeyRoute> {
        None
    }
}

/// The key type of an enum whose messages travel, around that which it would have if they did not.
#[derive(Debug)]
pub struct TravellingKey<K>(PhantomData<K>);

impl<K: std::borrow::Borrow<Q> + ?Sized, Q: ?Sized> KeyOf<Q> for Keyed<K> {}

impl<Q: ?Sized> KeyOf<Q> for Unkeyed {}

/// The bound of a `#[key]` field: its hash says which instance gets the message.
#[diagnostic::on_unimplemented(
    message = "key type `{Self}` has no hash",
    label = "a `#[key]` field must be `Hash`",
    note = "derive `Hash` for it, bound a parameter by it, or put the key on an id that has one"
)]
pub trait KeyField: Hash {}

#[diagnostic::do_not_recommend]
impl<K: Hash + ?Sized> KeyField for K {}

/// The hash by which a key is routed: equal for equal keys throughout a process.
pub fn key_hash<K: KeyField + ?Sized>(key: &K) -> u64 {
    let mut hasher = DefaultHasher::new();
    key.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_spread_evenly_over_places_and_few_move_when_one_joins() {
        let of = |key: u64, places: u64| (1..=places).max_by_key(|number| mix(key ^ mix(*number))).expect("some");
        let keys = 0..10_000_u64;
        for place in 1..=4 {
            let share = keys.clone().filter(|key| of(mix(*key), 4) == place).count();
            assert!((2_300..2_700).contains(&share), "place {place} has {share} of 10,000 keys");
        }
        let moved: Vec<u64> = keys.filter(|key| of(mix(*key), 4) != of(mix(*key), 5)).collect();
        assert!((1_800..2_200).contains(&moved.len()), "{} of 10,000 keys moved, about 1/5 is right", moved.len());
        assert!(moved.iter().all(|key| of(mix(*key), 5) == 5), "all that moved went to the newcomer");
    }
}
