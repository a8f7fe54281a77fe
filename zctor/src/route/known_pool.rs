//! A pool as one actor thread knows it: what its handlers send is routed without a search for the pool.

use std::any::Any;
use std::cell::{Cell, OnceCell};
use std::mem::replace;
use std::rc::Rc;
use std::sync::Arc;

use crate::error::Refusal;
use crate::route::endpoint::Endpoint;
use crate::route::payload::Payload;
use crate::route::places::Place;
use crate::route::pool::{Pool, Snapshot};
use crate::route::pools::Pools;
use crate::route::round_robin::{after, best_in_turn};
use crate::sys::unwind::ignoring_panic;
use crate::thread::local::Local;

/// A pool as an actor thread knows it, for what its handlers send.
pub(crate) struct KnownPool<M: Payload> {
    pub(crate) pool: Arc<Pool<M>>,
    version: u64,
    pub(crate) snapshot: Snapshot<M>,
    /// The places of the thread's own instances, in their order. Listed when they are first asked for.
    pub(super) here: OnceCell<Box<[Place<M>]>>,
    /// The turn among the thread's own instances: the number of the place last used.
    pub(super) local_turn: Cell<u64>,
}

impl<M: Payload> KnownPool<M> {
    fn new(pool: Arc<Pool<M>>, local_turn: u64) -> Self {
        // The version is read first: if the places are newer than it, this one is merely looked up again next time.
        let version = pool.version();
        let (snapshot, here) = (pool.snapshot(), OnceCell::new());
        Self { version, snapshot, here, local_turn: Cell::new(local_turn), pool }
    }

    fn is_current(&self) -> bool {
        self.version == self.pool.version()
    }
}

impl<M: Payload> KnownPool<M> {
    /// The next, in turn, of the thread's own instances in the pool.
    #[inline(always)]
    pub(crate) fn next_local(&self, local: &Local) -> Result<&Endpoint<M>, Refusal> {
        let place = match self.here.get().map(|here| &**here) {
            Some([only]) if only.endpoint.status.is_ready() => only,
            _ => self.next_among_here(local).ok_or_else(|| self.pool.nobody())?,
        };
        self.local_turn.set(place.number);
        Ok(&place.endpoint)
    }

    #[inline(never)]
    fn next_among_here(&self, local: &Local) -> Option<&Place<M>> {
        let here = self.here.get_or_init(|| self.list_here(local));
        let start = after(here, self.local_turn.get());
        let next = here.get(start).filter(|place| place.endpoint.status.is_ready());
        next.or_else(|| next_open_here(here, start))
    }

    #[cold]
    fn list_here(&self, local: &Local) -> Box<[Place<M>]> {
        let places = self.snapshot.iter().flat_map(|places| places.iter());
        places.filter(|place| place.endpoint.mailbox.thread == local.mailbox.thread).cloned().collect()
    }
}

/// The first place that takes mail, from `start` on and around; one whose instance does not back off is preferred.
#[cold]
fn next_open_here<M: Payload>(here: &[Place<M>], start: usize) -> Option<&Place<M>> {
    let (index, _) = best_in_turn(here.len(), start, &|index| {
        let endpoint = &here[index].endpoint;
        endpoint.admit().ok().map(|way| (way, endpoint.status.is_ready(), true))
    })?;
    here.get(index)
}

/// The pool of a type with its current places, kept on this thread: looked up again only if the places have changed.
#[inline]
pub(crate) fn known_pool<M: Payload>(local: &Local) -> Option<Rc<KnownPool<M>>> {
    let known = local.kept.get::<Rc<KnownPool<M>>>().filter(|known| known.is_current());
    known.or_else(|| look_up(local))
}

/// Runs `f` with the pool of a type as `known_pool` gives it. A pool that this thread has used lately is found at once.
#[inline(always)]
pub(crate) fn with_known_pool<M: Payload, R>(local: &Local, f: impl FnOnce(Option<&KnownPool<M>>) -> R) -> R {
    let place = local.kept.lately::<KnownPool<M>>();
    let mut in_use = InUse { pool: place.take(), place };
    let mut found = None;
    let lately = in_use.pool.as_deref().and_then(<dyn Any>::downcast_ref::<KnownPool<M>>);
    let known = match lately.filter(|known| known.is_current()) {
        Some(known) => Some(known),
        None => {
            found = known_pool::<M>(local);
            found.as_deref()
        }
    };
    // Called in one place, so that it is put in line there.
    let result = f(known);
    if let Some(found) = found {
        replace(&mut in_use.pool, Some(found)).into_iter().for_each(let_go);
    }
    result
}

/// A pool as a thread knows it, out of its place while it is used: handlers may run meanwhile that use it too.
struct InUse<'k> {
    pool: Option<Rc<dyn Any>>,
    place: &'k Cell<Option<Rc<dyn Any>>>,
}

impl Drop for InUse<'_> {
    #[inline(always)]
    fn drop(&mut self) {
        if let Some(other) = self.place.replace(self.pool.take()) {
            let_go(other);
        }
    }
}

/// Drops a pool as it was known, out of line, since a send seldom does. Its old places may be the last to hold the mailbox
/// of a thread that was abandoned, with wakers of the user's.
#[inline(never)]
fn let_go(known: Rc<dyn Any>) {
    if Rc::strong_count(&known) == 1 {
        ignoring_panic(|| drop(known));
    }
}

#[cold]
fn look_up<M: Payload>(local: &Local) -> Option<Rc<KnownPool<M>>> {
    let known = match local.kept.get::<Rc<KnownPool<M>>>() {
        Some(old) => KnownPool::new(Arc::clone(&old.pool), old.local_turn.get()),
        None => KnownPool::new(local.kept.get::<Arc<Pools>>()?.get::<M>()?, 0),
    };
    let known = Rc::new(known);
    let old = local.kept.put(Rc::clone(&known));
    // As in `let_go`.
    ignoring_panic(|| drop(old));
    Some(known)
}
