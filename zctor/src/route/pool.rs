//! Pools: all registered instances of one message type, and whose turn it is.

use std::any::{Any, TypeId};
use std::ops::Deref;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use arc_swap::ArcSwap;

use crate::actor::instance::InstanceId;
use crate::client::message::Message;
use crate::error::Refusal;
use crate::mailbox::{Edge, Mailbox};
use crate::messaging::target::{Aim, Chosen};
use crate::route::endpoint::{Address, Entry, How, Way};
use crate::route::registry::{AnyPool, RegistryEntry};
use crate::sys::lock::lock;
use crate::thread::local::local;
use crate::trace;

/// An instance in its pool.
pub(crate) struct Place<M: Message> {
    /// Made of thread and slot: grows in spawn order, is never 0, and is never given again.
    number: u64,
    pub(crate) address: Arc<Address<M>>,
}

impl<M: Message> Clone for Place<M> {
    fn clone(&self) -> Self {
        Self { number: self.number, address: Arc::clone(&self.address) }
    }
}

/// The places of a pool as they are, or were.
pub(crate) struct Places<M: Message> {
    version: u64,
    list: Vec<Place<M>>,
}

impl<M: Message> Default for Places<M> {
    fn default() -> Self {
        Self { version: 0, list: Vec::new() }
    }
}

impl<M: Message> Deref for Places<M> {
    type Target = [Place<M>];

    fn deref(&self) -> &[Place<M>] {
        &self.list
    }
}

/// What a client keeps of a pool, so that it need not look its places up for each message. None where there are hooks among
/// them, which may hold that client.
pub(crate) type Snapshot<M> = Option<Arc<Places<M>>>;

/// A pool as an actor thread knows it, for what its handlers send.
pub(crate) struct KnownPool<M: Message> {
    pub(crate) pool: Arc<Pool<M>>,
    version: u64,
    snapshot: Snapshot<M>,
}

impl<M: Message> KnownPool<M> {
    pub(crate) fn new(pool: Arc<Pool<M>>) -> Self {
        // The version first: places that are newer than it only make this old at once.
        let version = pool.version();
        Self { version, snapshot: pool.snapshot(), pool }
    }

    pub(crate) fn is_current(&self) -> bool {
        self.version == self.pool.version()
    }

    pub(crate) fn aim<'a>(&'a self) -> Aim<'a, M> {
        Aim::at_pool(Some(&self.pool), &self.pool.edge).seeing(self.snapshot.as_deref())
    }
}

/// All registered instances of one message type.
pub(crate) struct Pool<M: Message> {
    pub(crate) places: ArcSwap<Places<M>>,
    /// That of `places`, for a cheap look; grows when they are replaced.
    version: AtomicU64,
    /// The number of the place last used; 0 before the first.
    turn: AtomicU64,
    /// The same among those who took over mail of an instance that ended.
    stand_ins: AtomicU64,
    /// Those who join when the pool is published. Its lock serializes all changes of `places`.
    draft: Mutex<Draft<M>>,
    pub(crate) edge: Arc<Edge>,
}

struct Draft<M: Message> {
    newcomers: Vec<Place<M>>,
    /// Places whose instance has ended since the last compaction.
    ended: usize,
}

impl<M: Message> Pool<M> {
    pub(crate) fn new(edge: Arc<Edge>) -> Self {
        Self {
            places: ArcSwap::default(),
            version: AtomicU64::new(0),
            turn: AtomicU64::new(0),
            stand_ins: AtomicU64::new(0),
            draft: Mutex::new(Draft { newcomers: Vec::new(), ended: 0 }),
            edge,
        }
    }

    /// Adds an instance, to be seen when the pool is published.
    pub(crate) fn add(&self, address: Arc<Address<M>>) {
        let number = (u64::from(address.mailbox.thread.0) + 1) << 32 | u64::from(address.slot.index);
        lock(&self.draft).newcomers.push(Place { number, address });
    }

    /// One of the pool's instances has ended: nothing is routed to it any more. A large pool is only compacted when half
    /// of its places are empty, so that ending all of them costs no more than a look at each.
    pub(crate) fn remove_one(&self) {
        // Before the lock, so that it is dropped behind it.
        let mut old = None;
        let mut draft = lock(&self.draft);
        draft.ended += 1;
        let places = self.places.load_full();
        if places.len() < 64 || draft.ended * 2 >= places.len() {
            draft.ended = 0;
            let live = places.iter().filter(|place| !place.address.status.has_ended()).cloned().collect();
            old = Some(self.replace(live));
        }
        drop(draft);
        drop((places, old));
    }

    /// Called under the lock of `draft`. What it gives is to be dropped outside: it may hold hooks of users.
    #[must_use]
    fn replace(&self, list: Vec<Place<M>>) -> Arc<Places<M>> {
        let version = self.version() + 1;
        let old = self.places.swap(Arc::new(Places { version, list }));
        // Release: who sees the new version sees the new places. Who does not yet sends as if it came before.
        self.version.store(version, Ordering::Release);
        old
    }

    fn version(&self) -> u64 {
        // Acquire: pairs with `replace`.
        self.version.load(Ordering::Acquire)
    }

    /// The places as they are, for a client to keep.
    pub(crate) fn snapshot(&self) -> Snapshot<M> {
        let places = self.places.load_full();
        let is_plain = places.iter().all(|place| place.address.undelivered.is_none());
        is_plain.then_some(places)
    }

    pub(crate) fn is_current(&self, places: &Places<M>) -> bool {
        places.version == self.version()
    }

    /// Why nobody was found.
    pub(crate) fn nobody(&self) -> Refusal {
        if self.edge.is_open() { Refusal::NotRegistered } else { Refusal::Stopped }
    }

    /// The instance whose turn it is; the turn moves on to it, unless it has no room.
    ///
    /// Round robin by place numbers rather than by a running count: the next place after the one last used, so that
    /// neither a newcomer nor one that left moves anybody else's turn.
    pub(crate) fn next(&self, waits: bool) -> Result<Chosen<'_, M>, Refusal> {
        let places = self.places.load();
        let (index, way, entry) = self.take_turn(&places, waits)?;
        Ok(Chosen::place(places, index, way, entry, true))
    }

    /// As `next`, if the places are known and the very next of them takes mail, as it does as good as always.
    #[inline]
    pub(crate) fn step<'s>(&self, places: &'s Places<M>) -> Option<(&'s Arc<Address<M>>, Way)> {
        if !self.is_current(places) {
            return None;
        }
        let turn = self.turn.load(Ordering::Relaxed);
        let index = after(places, turn);
        let Place { number, address } = places.get(index)?;
        let way = address.admit_freely().filter(|_| address.status.is_ready())?;
        // Relaxed: the counter orders nothing but itself. A pool of one leaves it alone.
        let is_ours =
            *number == turn || self.turn.compare_exchange(turn, *number, Ordering::Relaxed, Ordering::Relaxed).is_ok();
        if !is_ours {
            return None;
        }
        trace::routed(M::NAME, address.id(), index + 1, places.len());
        Some((address, way))
    }

    fn take_turn(&self, places: &[Place<M>], waits: bool) -> Result<(usize, Way, Entry), Refusal> {
        loop {
            let turn = self.turn.load(Ordering::Relaxed);
            let Some((index, way)) = next_open(places, turn, waits) else {
                return Err(self.nobody());
            };
            let Place { number, address } = &places[index];
            let entry = address.enter(waits);
            if entry == Entry::Full && has_somebody_room(places, waits) {
                continue; // somebody else was faster
            }
            // Relaxed: the counter orders nothing but itself. A pool of one leaves it alone.
            if entry == Entry::Full
                || *number == turn
                || self.turn.compare_exchange_weak(turn, *number, Ordering::Relaxed, Ordering::Relaxed).is_ok()
            {
                return Ok((index, way, entry));
            }
            if entry == Entry::Permit {
                address.mailbox.give_back(1);
            }
        }
    }

    /// Deals a batch out in turn to places without a bound, so that each message goes where it would go alone. What comes
    /// too late for its receiver goes to `late`; all come back, and the turn stays, if one of those places has a bound or
    /// none takes mail.
    pub(crate) fn deal(&self, messages: Vec<M>, late: &mut Vec<M>) -> Result<(), Vec<M>> {
        let places = self.places.load();
        let Some(mut hands) = self.take_turns(&places, messages.len()) else { return Err(messages) };
        let routed = |hand: &Hand<'_, M>| trace::routed(M::NAME, hand.address.id(), hand.index + 1, places.len());
        if let [only] = &mut hands[..] {
            messages.iter().for_each(|_| routed(only));
            only.messages = messages;
        } else {
            let share = messages.len().div_ceil(hands.len());
            hands.iter_mut().for_each(|hand| hand.messages.reserve_exact(share));
            let mut messages = messages.into_iter();
            while !messages.as_slice().is_empty() {
                for (hand, message) in hands.iter_mut().zip(messages.by_ref()) {
                    routed(hand);
                    hand.messages.push(message);
                }
            }
        }
        for Hand { address, way, messages, .. } in hands {
            late.extend(address.send_batch(way, messages, How { rotated: true, permitted: false }));
        }
        Ok(())
    }

    /// Moves the turn on by `count` messages, at least one, at once. Gives those whose turns they are, the first in front;
    /// after the last it is the first one's again.
    fn take_turns<'p>(&self, places: &'p [Place<M>], count: usize) -> Option<Vec<Hand<'p, M>>> {
        loop {
            let turn = self.turn.load(Ordering::Relaxed);
            let start = after(places, turn);
            let in_turn = (start..places.len()).chain(0..start);
            // As `next_open` chooses them while nobody runs out of room.
            let open = in_turn.filter_map(|index| {
                let address = &places[index].address;
                let way = address.admit().ok().filter(|_| address.status.is_ready())?;
                Some(Hand { index, address, way, messages: Vec::new() })
            });
            let mut hands = Vec::with_capacity(count.min(places.len()));
            hands.extend(open.take(count));
            if hands.iter().any(|hand| hand.address.mailbox.room.is_some()) {
                return None;
            }
            let last = &hands[(count - 1).checked_rem(hands.len())?];
            let last = places[last.index].number;
            // Relaxed: the counter orders nothing but itself.
            if last == turn || self.turn.compare_exchange(turn, last, Ordering::Relaxed, Ordering::Relaxed).is_ok() {
                return Some(hands);
            }
        }
    }

    /// Who takes over a rotated message of one that ended: each in turn. The message's own turn was counted before.
    pub(crate) fn stand_in(&self) -> Option<(Arc<Address<M>>, Way)> {
        let places = self.places.load();
        let (index, way) = next_open(&places, self.stand_ins.load(Ordering::Relaxed), true)?;
        self.stand_ins.store(places[index].number, Ordering::Relaxed);
        Some((Arc::clone(&places[index].address), way))
    }

    /// The instance of a key: the one whose hash with the key is highest (rendezvous hashing, Thaler and Ravishankar
    /// 1998), so that about 1/n of the keys move when the pool changes, all of them to or from what changed.
    pub(crate) fn of_key(&self, key: u64, waits: bool) -> Result<Chosen<'_, M>, Refusal> {
        let places = self.places.load();
        // Restarting and backing off keep the keys: only those that have ended are passed over.
        let open =
            places.iter().enumerate().filter_map(|(index, place)| Some((index, place, place.address.admit().ok()?)));
        let best = open.max_by_key(|(_, place, _)| mix(key ^ mix(place.number)));
        let (index, _, way) = best.ok_or_else(|| self.nobody())?;
        let entry = places[index].address.enter(waits);
        Ok(Chosen::place(places, index, way, entry, false))
    }

    /// The instance with the least to do on its thread, `more` added to each; those that back off or have no room only
    /// if all do.
    pub(crate) fn least_loaded(
        &self,
        waits: bool,
        more: impl Fn(InstanceId) -> usize,
    ) -> Result<Chosen<'_, M>, Refusal> {
        let places = self.places.load();
        loop {
            let open = places.iter().enumerate();
            let open = open.filter_map(|(index, place)| Some((index, place, place.address.admit().ok()?)));
            let best = open.min_by_key(|(_, place, _)| {
                let address = &place.address;
                let last = (!address.status.is_ready(), !address.has_room(waits));
                (last, address.mailbox.load() + more(address.id()))
            });
            let (index, _, way) = best.ok_or_else(|| self.nobody())?;
            let entry = places[index].address.enter(waits);
            if entry != Entry::Full || !has_somebody_room(&places, waits) {
                return Ok(Chosen::place(places, index, way, entry, false));
            }
        }
    }

    /// Who waits for room in the pool has more to choose from.
    pub(crate) fn call_waiting(&self) {
        self.bounded().iter().for_each(|mailbox| mailbox.call_all());
    }

    /// The bounded mailboxes of the pool.
    pub(crate) fn bounded(&self) -> Vec<Arc<Mailbox>> {
        let places = self.places.load();
        let bounded = places.iter().map(|place| &place.address.mailbox).filter(|mailbox| mailbox.room.is_some());
        bounded.cloned().collect()
    }

    pub(crate) fn find(&self, id: InstanceId) -> Option<Arc<Address<M>>> {
        self.places.load().iter().find(|place| place.address.id() == id).map(|place| Arc::clone(&place.address))
    }

    pub(crate) fn has_instances(&self) -> bool {
        self.places.load().iter().any(|place| !place.address.status.has_ended())
    }

    pub(crate) fn instances(&self) -> Vec<InstanceId> {
        let places = self.places.load();
        places.iter().filter(|place| !place.address.status.has_ended()).map(|place| place.address.id()).collect()
    }

    /// This thread's own instances in the pool, in turn.
    pub(crate) fn next_local(&self) -> Result<Arc<Address<M>>, Refusal> {
        let local = local().ok_or(Refusal::NotRegistered)?;
        let places = self.places.load();
        let here: Vec<&Place<M>> =
            places.iter().filter(|place| place.address.mailbox.thread == local.mailbox.thread).collect();
        let turn = local.local_turn(TypeId::of::<M>());
        let start = here.partition_point(|place| place.number <= turn);
        let in_turn = (0..here.len()).map(|i| here[(start + i) % here.len()]);
        let open: Vec<_> = in_turn.filter(|place| place.address.admit().is_ok()).collect();
        let ready = open.iter().find(|place| place.address.status.is_ready());
        let place = ready.or(open.first()).ok_or_else(|| self.nobody())?;
        local.set_local_turn(TypeId::of::<M>(), place.number);
        Ok(Arc::clone(&place.address))
    }
}

/// What one place is dealt of a batch.
struct Hand<'p, M: Message> {
    index: usize,
    address: &'p Address<M>,
    way: Way,
    messages: Vec<M>,
}

/// The place after the one last used; 0 where there are none.
#[inline]
fn after<M: Message>(places: &[Place<M>], turn: u64) -> usize {
    if let [_] = places {
        return 0;
    }
    let next = places.partition_point(|place| place.number <= turn);
    if next < places.len() { next } else { 0 }
}

/// The next place after `turn` that takes mail; those that have no room or back off only if all do.
fn next_open<M: Message>(places: &[Place<M>], turn: u64, waits: bool) -> Option<(usize, Way)> {
    let n = places.len();
    let open = |index: usize| places[index].address.admit().ok().map(|way| (index, way));
    if n <= 1 {
        return if n == 1 { open(0) } else { None };
    }
    let is_ready = |index: &usize| places[*index].address.status.is_ready();
    let has_room = |index: &usize| places[*index].address.has_room(waits);
    let start = after(places, turn);
    let in_turn = || (start..n).chain(0..start);
    let ready = || in_turn().filter(is_ready);
    let best = ready().filter(has_room).find_map(open).or_else(|| ready().find_map(open));
    best.or_else(|| in_turn().filter(has_room).find_map(open)).or_else(|| in_turn().find_map(open))
}

/// Whether one of those that rotation prefers has room: of those that do not back off, unless all do.
#[cold]
fn has_somebody_room<M: Message>(places: &[Place<M>], waits: bool) -> bool {
    let open = || places.iter().map(|place| &place.address).filter(|address| address.admit().is_ok());
    let all_rest = !open().any(|address| address.status.is_ready());
    open().filter(|address| all_rest || address.status.is_ready()).any(|address| address.has_room(waits))
}

/// A finalizer that spreads every bit over all (splitmix64, Steele, Lea and Flood 2014).
fn mix(mut x: u64) -> u64 {
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

impl<M: Message> AnyPool for Pool<M> {
    fn into_any(self: Arc<Self>) -> Arc<dyn Any + Send + Sync> {
        self
    }

    fn entry(&self) -> RegistryEntry {
        RegistryEntry { key: TypeId::of::<M>(), message: M::NAME, instances: self.instances() }
    }

    fn publish(&self) -> Option<Box<dyn Any>> {
        let mut draft = lock(&self.draft);
        if draft.newcomers.is_empty() {
            return None;
        }
        let mut places = self.places.load().to_vec();
        places.append(&mut draft.newcomers);
        // Of two spawns at once, the one with the lower numbers may come second.
        places.sort_by_key(|place| place.number);
        Some(Box::new(self.replace(places)))
    }

    fn published(&self) {
        self.call_waiting();
    }
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
