//! A handler's message needs no search for its pool: a thread keeps the pools that it has used, by version.

use std::cell::{Cell, OnceCell};
use std::marker::PhantomData;
use std::rc::Rc;
use std::slice;
use std::sync::Arc;

use crate::error::Refusal;
use crate::route::endpoint::Endpoint;
use crate::route::payload::Payload;
use crate::route::places::Place;
use crate::route::pool::{Pool, Snapshot};
use crate::route::pools::Pools;
use crate::route::round_robin::{OpenPlace, after, best_in_turn};
use crate::sys::unwind::ignoring_panic;
use crate::thread::kept::Erased;
use crate::thread::local::Local;

/// A pool as an actor thread knows it, for what its handlers send.
pub(crate) struct KnownPool<M: Payload> {
    pub(crate) pool: Arc<Pool<M>>,
    pub(crate) version: u64,
    snapshot: Snapshot<M>,
    /// The place of a pool of one, at hand: each call of a handler waits for each step on the way to an endpoint.
    only: Option<Place<M>>,
    /// The places of the thread's own instances, in their order. Listed when they are first asked for.
    here: OnceCell<OwnPlaces<M>>,
    /// The turn among the thread's own instances: the number of the place last used.
    pub(super) local_turn: Cell<u64>,
}

/// The places of a thread's own instances in a pool.
enum OwnPlaces<M: Payload> {
    /// The only one, at hand as `KnownPool::only` is.
    Only(Place<M>),
    All(Box<[Place<M>]>),
}

impl<M: Payload> OwnPlaces<M> {
    fn places(&self) -> &[Place<M>] {
        match self {
            Self::Only(only) => slice::from_ref(only),
            Self::All(places) => places,
        }
    }
}

impl<M: Payload> KnownPool<M> {
    fn new(pool: Arc<Pool<M>>, local_turn: u64) -> Self {
        // The version is read first: if the places are newer than it, this one is merely looked up again next time.
        let version = pool.version();
        let (snapshot, here) = (pool.snapshot(), OnceCell::new());
        let only = match snapshot.as_deref().map(|places| &**places) {
            Some([only]) => Some(only.clone()),
            _ => None,
        };
        Self { version, snapshot, only, here, local_turn: Cell::new(local_turn), pool }
    }

    /// The places of the pool.
    #[inline(always)]
    pub(crate) fn places(&self) -> Option<&[Place<M>]> {
        match &self.only {
            Some(only) => Some(slice::from_ref(only)),
            None => self.snapshot.as_deref().map(|places| &**places),
        }
    }

    fn is_current(&self) -> bool {
        self.version == self.pool.version()
    }
}

impl<M: Payload> KnownPool<M> {
    /// The next, in turn, of the thread's own instances in the pool.
    #[cfg_attr(not(debug_assertions), inline(always))]
    pub(crate) fn next_local(&self, local: &Local) -> Result<&Endpoint<M>, Refusal> {
        let place = match self.here.get() {
            Some(OwnPlaces::Only(only)) if only.endpoint.status.is_ready() => only,
            _ => self.next_among_here(local).ok_or_else(|| self.pool.nobody())?,
        };
        self.local_turn.set(place.number);
        Ok(&place.endpoint)
    }

    #[inline(never)]
    fn next_among_here(&self, local: &Local) -> Option<&Place<M>> {
        let here = self.here.get_or_init(|| self.list_here(local)).places();
        let start = after(here, self.local_turn.get());
        let next = here.get(start).filter(|place| place.endpoint.status.is_ready());
        next.or_else(|| next_open_here(here, start))
    }

    #[cold]
    fn list_here(&self, local: &Local) -> OwnPlaces<M> {
        let is_here = |place: &&Place<M>| place.endpoint.mailbox.thread == local.mailbox.thread;
        let here: Box<[_]> = self.places().unwrap_or_default().iter().filter(is_here).cloned().collect();
        match &*here {
            [only] => OwnPlaces::Only(only.clone()),
            _ => OwnPlaces::All(here),
        }
    }
}

/// The first place that takes mail, from `start` on and around; one whose instance does not back off is preferred.
#[cold]
fn next_open_here<M: Payload>(here: &[Place<M>], start: usize) -> Option<&Place<M>> {
    let (index, _) = best_in_turn(here.len(), start, &|index| {
        let endpoint = &here[index].endpoint;
        // All of them share the mailbox of this thread, so none has room that another has not.
        let way = endpoint.admit().ok()?;
        Some(OpenPlace { way, is_ready: endpoint.status.is_ready(), has_room: true })
    })?;
    here.get(index)
}

/// The pool of a type, if there is one.
pub(crate) fn known_pool<M: Payload>(local: &Local) -> Option<Arc<Pool<M>>> {
    with_known_pool::<M, _>(local, |known| known.map(|known| Arc::clone(&known.pool)))
}

/// Runs `f` with the pool of a type with its current places, as this thread keeps it: looked up again only if the places
/// have changed. A pool that this thread has used lately is found at once.
#[cfg_attr(not(debug_assertions), inline(always))]
pub(crate) fn with_known_pool<M: Payload, R>(local: &Local, f: impl FnOnce(Option<&KnownPool<M>>) -> R) -> R {
    // Held while `f` runs, which may be handlers that have other pools put in its place.
    let mut in_use = InUse(local.kept.lately::<KnownPool<M>>());
    let known = match in_use.pool::<M>() {
        Some(known) if known.is_current() => Some(known),
        _ => {
            in_use = InUse(find::<M>(local));
            in_use.pool()
        }
    };
    // Called in one place, so that it is put in line there.
    f(known)
}

/// A pool that is kept on this thread, while it is used.
struct InUse(Option<Rc<Erased>>);

impl InUse {
    /// The pool, if it is that of this type.
    #[cfg_attr(not(debug_assertions), inline(always))]
    fn pool<M: Payload>(&self) -> Option<&KnownPool<M>> {
        self.0.as_deref()?.get()
    }
}

impl Drop for InUse {
    #[cfg_attr(not(debug_assertions), inline(always))]
    fn drop(&mut self) {
        if let Some(known) = self.0.take() {
            let_go(known);
        }
    }
}

/// Drops a pool as it was known. Its old places may be the last to hold the mailbox of a thread that was abandoned, with
/// wakers of the user's.
#[inline(always)]
fn let_go(known: Rc<Erased>) {
    match Rc::strong_count(&known) {
        1 => drop_last(known),
        _ => drop(known),
    }
}

// Out of line, since a send seldom does this.
#[cold]
#[inline(never)]
fn drop_last(known: Rc<Erased>) {
    ignoring_panic(|| drop(known));
}

/// The pool of a type as this thread keeps it for good. It has the place of one that was used lately from now on.
#[cold]
#[inline(never)]
fn find<M: Payload>(local: &Local) -> Option<Rc<Erased>> {
    let kept = local.kept.get::<KeptPool<M>>().map(|kept| kept.0);
    let is_current = |kept: &Rc<Erased>| kept.get::<KnownPool<M>>().is_some_and(KnownPool::is_current);
    let known = match kept {
        Some(kept) if is_current(&kept) => kept,
        kept => look_up::<M>(local, kept)?,
    };
    let other = local.kept.put_lately::<KnownPool<M>>(Rc::clone(&known));
    other.into_iter().for_each(let_go);
    Some(known)
}

/// A pool among the values that a thread keeps, by its type.
struct KeptPool<M>(Rc<Erased>, PhantomData<fn() -> M>);

impl<M> Clone for KeptPool<M> {
    fn clone(&self) -> Self {
        Self(Rc::clone(&self.0), PhantomData)
    }
}

fn look_up<M: Payload>(local: &Local, old: Option<Rc<Erased>>) -> Option<Rc<Erased>> {
    let known = match old.as_deref().and_then(Erased::get::<KnownPool<M>>) {
        Some(old) => KnownPool::new(Arc::clone(&old.pool), old.local_turn.get()),
        None => KnownPool::new(local.kept.get::<Arc<Pools>>()?.get::<M>()?, 0),
    };
    let known = Rc::new(Erased::new(known));
    let kept = local.kept.put(KeptPool::<M>(Rc::clone(&known), PhantomData));
    // As in `let_go`.
    ignoring_panic(|| drop((old, kept)));
    Some(known)
}
