//! The pools of an engine: from a message type to the pool of its instances.

use std::any::{Any, TypeId};
use std::sync::{Arc, Mutex};

use arc_swap::ArcSwap;

use crate::id::InstanceId;
use crate::mailbox::engine_shared::EngineShared;
use crate::sys::lock::lock;
use crate::type_map::TypeMap;

/// All pools of an engine. Once made, a pool stays, even if it is empty, so that clients can keep it.
pub(crate) struct Pools {
    pub(super) by_type: ArcSwap<TypeMap<Arc<dyn AnyPool>>>,
    /// In the order of first registration; also serializes additions.
    in_order: Mutex<Vec<Arc<dyn AnyPool>>>,
    pub(super) engine: Arc<EngineShared>,
}

/// The instances of one message type, as they are just now.
#[derive(Clone, Debug)]
pub(crate) struct PoolEntry {
    pub(crate) key: TypeId,
    /// The name of the type.
    pub(crate) message: &'static str,
    /// In spawn order.
    pub(crate) instances: Vec<InstanceId>,
}

/// A pool whose message type is erased.
pub(crate) trait AnyPool: Send + Sync {
    fn into_any(self: Arc<Self>) -> Arc<dyn Any + Send + Sync>;
    fn entry(&self) -> PoolEntry;
    /// Makes the instances that were added visible, all at once; `None` if there are none. Gives what they replaced, to
    /// be dropped under no lock, since it may hold values of the user's.
    fn publish(&self) -> Option<Box<dyn Any>>;
    /// Wakes the senders that wait for room in the pool: it has more instances to choose from now.
    fn wake_waiting(&self);
    /// Notes that one of the pool's instances has ended; by its status, no message is routed to it any more. A large
    /// pool is compacted only when half of its instances have ended, so that to end them all costs no more than a look
    /// or two at each. Gives whether it was the last.
    fn remove_one(&self) -> bool;
    /// Gives the content of an envelope, whose instance in this pool has ended, to others of them in turn. A message
    /// for which there is no receiver stays in it.
    /// `from_inner`: it waited in the inner queue, and keeps to the inner bounds of the others.
    fn take_over(&self, content: &mut dyn Any, from_inner: bool);
}

/// Pools that have new instances, and what is left to do about that once no lock is held.
#[must_use = "the senders that wait for room in their mailboxes are to be woken"]
pub(crate) struct Published(Vec<(Arc<dyn AnyPool>, Box<dyn Any>)>);

impl Published {
    pub(crate) fn finish(self) {
        for (pool, replaced) in self.0 {
            pool.wake_waiting();
            drop(replaced);
        }
    }
}

/// An instance that was built and waits to join its pool.
pub(crate) trait Enlist: Send {
    fn enlist(self: Box<Self>, pools: &mut Additions<'_>);
}

/// Additions to the registry. When all are in, they become visible, one message type after the other.
pub(crate) struct Additions<'a> {
    pub(super) pools: &'a Pools,
    pub(super) in_order: &'a mut Vec<Arc<dyn AnyPool>>,
}

impl Pools {
    pub(crate) fn new(engine: Arc<EngineShared>) -> Self {
        Self { by_type: ArcSwap::default(), in_order: Mutex::default(), engine }
    }

    pub(crate) fn of_type(&self, message: TypeId) -> Option<Arc<dyn AnyPool>> {
        self.by_type.load().get(&message).cloned()
    }

    /// Registers instances, in the order given.
    pub(crate) fn enlist(&self, newcomers: Vec<Box<dyn Enlist>>) -> Published {
        let mut in_order = lock(&self.in_order);
        let mut additions = Additions { pools: self, in_order: &mut in_order };
        for newcomer in newcomers {
            newcomer.enlist(&mut additions);
        }
        Published(in_order.iter().filter_map(|pool| Some((Arc::clone(pool), pool.publish()?))).collect())
    }

    /// The pools that have instances, in the order in which their types were first registered.
    pub(crate) fn entries(&self) -> Vec<PoolEntry> {
        let pools = lock(&self.in_order).clone();
        pools.iter().map(|pool| pool.entry()).filter(|entry| !entry.instances.is_empty()).collect()
    }
}
