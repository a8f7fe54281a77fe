//! Pools: all registered instances of one message type, and where its turn stands.

use std::any::{Any, TypeId};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::mem::take;
use std::ptr;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use arc_swap::{ArcSwap, Guard};

use crate::error::Refusal;
use crate::id::InstanceId;
use crate::mailbox::Mailbox;
use crate::mailbox::engine_shared::EngineShared;
use crate::mailbox::mail::SentAs;
use crate::route::contents::Call;
use crate::route::endpoint::Endpoint;
use crate::route::link_route::StatedRoute;
use crate::route::linked::unlinked;
use crate::route::location::Way;
use crate::route::payload::Payload;
use crate::route::places::{AnyPlaces, Place, Places, own_number};
use crate::route::pools::{Additions, AnyPool, Enlist, PoolEntry, Pools};
use crate::sys::lock::lock;
use crate::trace::CAN_BE_WATCHED;
use crate::type_map::TypeMap;

/// Gives a message or a call that went in turn to an instance, which has ended since, to a substitute.
///
/// `send` puts it back into its place if the substitute's thread has ended too; then the next substitute gets it. If it
/// is still in its place at the end, the pool has no receiver for it.
pub(super) fn hand_over<M: Payload, T>(
    pool: &Pool<M>,
    place: &mut Option<T>,
    send: impl Fn(&Endpoint<M>, Way, &mut Option<T>, SentAs) -> Result<(), Refusal>,
) {
    // Each is asked once that may have no room under its inner bound.
    let mut asked = pool.places.load().len();
    while place.is_some() && asked > 0 {
        let Some((endpoint, way)) = pool.substitute() else { return };
        asked -= usize::from(send(&endpoint, way, place, SentAs::SUBSTITUTE).is_err());
    }
}

/// The places that a client keeps of a pool, so that it need not load them for each message.
pub(crate) type Snapshot<M> = Option<Arc<Places<M>>>;

/// All registered instances of one message type.
pub(crate) struct Pool<M: Payload> {
    pub(crate) places: ArcSwap<Places<M>>,
    /// The version of `places`, for a cheap look; grows when they are replaced.
    version: AtomicU64,
    /// The turn: the number of the place last used; 0 before the first. All accesses are relaxed, since the turn orders
    /// nothing but itself. A pool of one leaves it as it is.
    pub(super) turn: AtomicU64,
    /// A guess at the index of the place last used. If it is right, no search is needed.
    pub(super) turn_index: AtomicUsize,
    /// The turn among substitutes, which take over the mail of instances that ended.
    pub(super) substitutes: AtomicU64,
    /// Places that join when the pool is published. Its lock serializes all changes of `places`.
    pub(super) pending: Mutex<Unpublished<M>>,
    pub(crate) engine: Arc<EngineShared>,
}

pub(super) struct Unpublished<M: Payload> {
    pub(super) newcomers: Vec<Place<M>>,
    /// Places whose instance has ended since the last compaction.
    pub(super) ended: usize,
    pub(super) vacancies: Vacancies,
}

#[derive(Default)]
pub(super) struct Vacancies {
    /// The places whose last instance has ended and that a compaction has taken off the list, by that instance: to be
    /// filled again.
    pub(super) vacant: BTreeMap<InstanceId, u64>,
    /// Instances whose places are being filled again.
    pub(super) claimed: BTreeSet<InstanceId>,
}

/// So many vacant places a pool remembers; or as many as it has instances, if those are more.
const VACANT: usize = 1_024;

impl Vacancies {
    /// Remembers the places of instances that have ended. If there are too many, those of the oldest threads are
    /// forgotten. Gives the places of those that live.
    fn keep(&mut self, places: &dyn AnyPlaces) -> Vec<Source> {
        let (mut live, mut ended) = (Vec::new(), Vec::new());
        for (index, (number, location)) in places.iter().enumerate() {
            match location.status.has_ended() {
                false => live.push(Source::Old(index)),
                true => ended.push((location.id(), number)),
            }
        }
        self.vacant.extend(ended);
        while self.vacant.len() > VACANT.max(live.len()) {
            self.vacant.pop_first();
        }
        live
    }
}

/// The list that a place of a new list comes from, and its index there: the old places, or the newcomers.
enum Source {
    Old(usize),
    New(usize),
}

/// The places of a list with those of newcomers. Of those that have ended and are counted by `ended`, newcomers may fill
/// the places.
fn with_newcomers(old: &dyn AnyPlaces, new: &dyn AnyPlaces, ended: &mut usize) -> Vec<Source> {
    let old_ones = old.iter().enumerate().map(|(index, (number, _))| (number, Source::Old(index)));
    let mut sources: Vec<(u64, Source)> = old_ones.collect();
    for (index, (number, _)) in new.iter().enumerate() {
        match sources.binary_search_by_key(&number, |(number, _)| *number) {
            // It fills the place of another.
            Ok(place) => {
                let (_, other) = match sources[place].1 {
                    Source::Old(index) => old.at(index),
                    Source::New(index) => new.at(index),
                };
                *ended -= usize::from(other.status.has_ended()).min(*ended);
                sources[place].1 = Source::New(index);
            }
            // At the end, but of two spawns at once, the one with the lower numbers may be published second.
            Err(place) => sources.insert(place, (number, Source::New(index))),
        }
    }
    sources.into_iter().map(|(_, source)| source).collect()
}

impl<M: Payload> Pool<M> {
    /// Whether an instance of the pool that takes mail lives on the thread of a mailbox.
    pub(crate) fn lives_on(&self, mailbox: &Mailbox) -> bool {
        self.places.load().as_any().open().any(|(_, _, location, _)| ptr::eq(&*location.mailbox, mailbox))
    }

    pub(crate) fn new(engine: Arc<EngineShared>) -> Self {
        Self {
            places: ArcSwap::default(),
            version: AtomicU64::new(0),
            turn: AtomicU64::new(0),
            turn_index: AtomicUsize::new(0),
            substitutes: AtomicU64::new(0),
            pending: Mutex::new(Unpublished { newcomers: Vec::new(), ended: 0, vacancies: Vacancies::default() }),
            engine,
        }
    }

    /// Adds an instance, which senders see once the pool is published.
    pub(crate) fn add(&self, endpoint: Arc<Endpoint<M>>) {
        lock(&self.pending).newcomers.push(Place { number: own_number(endpoint.id()), endpoint });
    }

    /// Puts another list of places in the place of this one: those of `sources`, in this order. Gives the old list, to be
    /// dropped under no lock.
    #[must_use]
    fn arrange(&self, sources: &[Source], old: &[Place<M>], new: &[Place<M>]) -> Arc<Places<M>> {
        let mut list = Vec::with_capacity(sources.len());
        for source in sources {
            let place = match *source {
                Source::Old(index) => &old[index],
                Source::New(index) => &new[index],
            };
            list.push(place.clone());
        }
        let version = self.version() + 1;
        let old = self.places.swap(Arc::new(Places::new(version, list)));
        // Release, pairs with `version`: a sender that sees the new version sees the new places. One that does not yet
        // see it sends as if it had come before the change.
        self.version.store(version, Ordering::Release);
        old
    }

    pub(crate) fn version(&self) -> u64 {
        // Acquire, pairs with `arrange`.
        self.version.load(Ordering::Acquire)
    }

    /// The places as they are now, for a client to keep.
    pub(crate) fn snapshot(&self) -> Snapshot<M> {
        Some(self.places.load_full())
    }

    pub(crate) fn is_current(&self, places: &Places<M>) -> bool {
        places.version() == self.version()
    }

    /// Whether these places are no longer the latest. It is asked after a choice among them: an instance that was passed
    /// over, since it had ended, may have a replacement by then, which the places do not show. See
    /// `route/replacement.rs`.
    pub(crate) fn is_stale(&self, places: &Places<M>) -> bool {
        places.version() < self.version()
    }

    /// Chooses among the places, and again if they are stale by then.
    #[inline]
    pub(super) fn choose<T>(&self, choice: impl Fn(&Places<M>) -> T) -> (Guard<Arc<Places<M>>>, T) {
        loop {
            let places = self.places.load();
            let chosen = choice(&places);
            if !self.is_stale(&places) {
                return (places, chosen);
            }
        }
    }

    /// Why no instance was found.
    pub(crate) fn nobody(&self) -> Refusal {
        if self.engine.edge.is_open() { Refusal::NotRegistered } else { Refusal::Stopped }
    }

    /// The bounded mailboxes of the pool.
    pub(crate) fn bounded(&self) -> Vec<Arc<Mailbox>> {
        fn bounded(places: &dyn AnyPlaces) -> Vec<Arc<Mailbox>> {
            let mailboxes = places.iter().map(|(_, location)| &location.mailbox);
            mailboxes.filter(|mailbox| mailbox.permits.is_some()).cloned().collect()
        }
        bounded(self.places.load().as_any())
    }

    /// Whether a sender from outside may find no room in it.
    #[cfg(feature = "remote")]
    pub(crate) fn is_bounded(&self) -> bool {
        fn is_bounded(places: &dyn AnyPlaces) -> bool {
            places.iter().any(|(_, location)| location.mailbox.permits.is_some())
        }
        is_bounded(self.places.load().as_any())
    }

    pub(crate) fn find(&self, id: InstanceId) -> Option<Arc<Endpoint<M>>> {
        let places = self.places.load();
        places.position(id).map(|index| Arc::clone(&places[index].endpoint))
    }

    pub(crate) fn has_instances(&self) -> bool {
        self.places.load().as_any().has_instances()
    }

    pub(crate) fn instances(&self) -> Vec<InstanceId> {
        self.places.load().as_any().instances()
    }
}

impl<M: Payload> AnyPool for Pool<M> {
    fn into_any(self: Arc<Self>) -> Arc<dyn Any + Send + Sync> {
        self
    }

    fn entry(&self) -> PoolEntry {
        PoolEntry { key: TypeId::of::<M>(), message: M::name(), instances: self.instances() }
    }

    fn publish(&self) -> Option<Box<dyn Any>> {
        let mut pending = lock(&self.pending);
        if pending.newcomers.is_empty() {
            return None;
        }
        let Unpublished { newcomers, ended, .. } = &mut *pending;
        let (old, new) = (self.places.load_full(), take(newcomers));
        let sources = with_newcomers(old.as_any(), new.as_any(), ended);
        let replaced = self.arrange(&sources, &old, &new);
        drop(pending);
        Some(Box::new((replaced, new)))
    }

    fn wake_waiting(&self) {
        self.bounded().iter().for_each(|mailbox| mailbox.wake_all());
    }

    fn remove_one(&self) -> bool {
        // Declared before the guard of the lock, so that it is dropped after that in any case.
        let mut old = None;
        let mut pending = lock(&self.pending);
        pending.ended += 1;
        let places = self.places.load_full();
        if places.len() < 64 || pending.ended * 2 >= places.len() {
            pending.ended = 0;
            old = Some(self.arrange(&pending.vacancies.keep(places.as_any()), &places, &[]));
        }
        // An instance may leave the list before it is counted here. Then the list seems emptier than it is, never
        // fuller.
        let is_empty = self.places.load().len() <= pending.ended;
        drop(pending);
        drop((places, old));
        is_empty
    }

    fn take_over(&self, content: &mut dyn Any, from_inner: bool) {
        let is_inner = |endpoint: &Endpoint<M>| from_inner && endpoint.mailbox.inner.is_some();
        let send = |endpoint: &Endpoint<M>, way, place: &mut Option<M>, sent_as| {
            if is_inner(endpoint) {
                return endpoint.send_inner(place, sent_as, &|| true);
            }
            endpoint.send::<CAN_BE_WATCHED>(way, place, sent_as);
            Ok(())
        };
        let call = |endpoint: &Endpoint<M>, way, place: &mut Option<Call<M>>, sent_as| {
            if is_inner(endpoint) {
                return endpoint.call_inner(place, sent_as, &|| true);
            }
            endpoint.call(way, place, sent_as, StatedRoute::default());
            Ok(())
        };
        let content = match unlinked::<M>(content) {
            Some(content) => content,
            None => content,
        };
        if let Some(message) = content.downcast_mut::<Option<M>>() {
            hand_over(self, message, send);
        } else if let Some(place) = content.downcast_mut::<Option<Call<M>>>() {
            hand_over(self, place, call);
        } else if let Some(batch) = content.downcast_mut::<VecDeque<M>>() {
            while let Some(message) = batch.pop_front() {
                let mut place = Some(message);
                hand_over(self, &mut place, send);
                // No receiver is left, so what is left of the batch stays in it.
                if let Some(back) = place {
                    batch.push_front(back);
                    break;
                }
            }
        }
    }
}

impl<M: Payload> Enlist for Arc<Endpoint<M>> {
    fn enlist(self: Box<Self>, pools: &mut Additions<'_>) {
        pools.pool::<M>().add(*self);
    }
}

impl Additions<'_> {
    pub(super) fn pool<M: Payload>(&mut self) -> Arc<Pool<M>> {
        if let Some(pool) = self.pools.get::<M>() {
            return pool;
        }
        let pool = Arc::new(Pool::<M>::new(Arc::clone(&self.pools.engine)));
        let mut by_type = TypeMap::clone(&self.pools.by_type.load());
        by_type.insert(TypeId::of::<M>(), Arc::clone(&pool) as Arc<dyn AnyPool>);
        self.pools.by_type.store(Arc::new(by_type));
        self.in_order.push(Arc::clone(&pool) as Arc<dyn AnyPool>);
        pool
    }
}

impl Pools {
    pub(crate) fn get<M: Payload>(&self) -> Option<Arc<Pool<M>>> {
        let pool = Arc::clone(self.by_type.load().get(&TypeId::of::<M>())?);
        pool.into_any().downcast().ok()
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use std::cell::Cell;

    use super::*;
    use crate::error::CallError;
    use crate::reply::cancellation::Cancellation;
    use crate::route::payload::Port;
    use crate::sys::spin::Spin;

    enum Note {}
    enum NotePort {}

    impl Payload for Note {
        const CALL_DEPTH: u16 = 0;
        type Port = NotePort;

        fn name() -> &'static str {
            "Note"
        }
        fn variant(&self) -> &'static str {
            match *self {}
        }
        fn key(&self) -> Option<u64> {
            match *self {}
        }
    }

    impl Port for NotePort {
        fn fail(self, _: CallError) {
            match self {}
        }
        fn cancellation(&self) -> Option<&Cancellation> {
            match *self {}
        }
    }

    // Issue 15: a key went to another place, and a pool was found empty, while an instance was replaced. A test of
    // whole engines meets that moment too seldom.
    #[test]
    fn a_choice_is_made_again_if_the_places_have_changed_meanwhile() {
        let pool = Pool::<Note>::new(Arc::new(EngineShared::new(None, Spin::default())));
        let looks = Cell::new(0);
        let (_, chosen) = pool.choose(|places| {
            if looks.replace(looks.get() + 1) < 2 {
                drop(pool.arrange(&[], places, &[]));
            }
            places.version()
        });
        assert_eq!((looks.get(), chosen), (3, 2));
    }
}
