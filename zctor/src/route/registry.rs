//! The registry: which message type is handled by which instances, in spawn order.

use std::any::{Any, TypeId};
use std::fmt;
use std::sync::{Arc, Mutex};

use arc_swap::ArcSwap;

use crate::client::message::Message;
use crate::id::{InstanceId, ThreadId};
use crate::mailbox::edge::Edge;
use crate::sys::lock::lock;
use crate::type_map::TypeMap;

/// All pools of an engine. A pool stays once it is made, so that clients can keep it; it may be empty.
pub(crate) struct Pools {
    pub(super) by_type: ArcSwap<TypeMap<Arc<dyn AnyPool>>>,
    /// In the order of first registration; also serializes additions.
    in_order: Mutex<Vec<Arc<dyn AnyPool>>>,
    pub(super) edge: Arc<Edge>,
}

/// A pool whose message type is erased.
pub(crate) trait AnyPool: Send + Sync {
    fn into_any(self: Arc<Self>) -> Arc<dyn Any + Send + Sync>;
    fn entry(&self) -> RegistryEntry;
    /// Makes what was added visible, all at once. Gives what that replaced, which may hold what is the user's.
    fn publish(&self) -> Option<Box<dyn Any>>;
    /// Tells who waits for room in it that there is more to choose from.
    fn published(&self);
    /// Gives what an envelope holds for one of its instances, which has ended, to others in turn. What has no receiver stays.
    fn take_over(&self, content: &mut dyn Any);
}

/// Pools that have newcomers, and what is left to do about that when no lock is held.
#[must_use = "who waits for room in them is to be called"]
pub(crate) struct Published(Vec<(Arc<dyn AnyPool>, Box<dyn Any>)>);

impl Published {
    pub(crate) fn finish(self) {
        for (pool, replaced) in self.0 {
            pool.published();
            drop(replaced);
        }
    }
}

/// An instance that was built and waits to join its pool.
pub(crate) trait Enlist: Send {
    fn enlist(self: Box<Self>, pools: &mut Additions<'_>);
}

/// Additions to the registry, which become visible type by type when all are in.
pub(crate) struct Additions<'a> {
    pub(super) pools: &'a Pools,
    pub(super) in_order: &'a mut Vec<Arc<dyn AnyPool>>,
}

impl Pools {
    pub(crate) fn new(edge: Arc<Edge>) -> Self {
        Self { by_type: ArcSwap::default(), in_order: Mutex::default(), edge }
    }

    /// The pool of a type of messages.
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

    pub(crate) fn snapshot(&self) -> Registry {
        let pools = lock(&self.in_order).clone();
        Registry {
            entries: pools.iter().map(|pool| pool.entry()).filter(|entry| !entry.instances.is_empty()).collect(),
        }
    }
}

/// Which message type is handled by which instances: a snapshot, given by
/// [`ActorEngine::registry`](crate::ActorEngine::registry).
///
/// ```
/// use zctor::{ActorEngine, actor};
///
/// #[actor]
/// pub enum WorkerMessage {
///     Work,
/// }
/// struct Worker;
/// impl WorkerHandler for Worker {
///     fn work(&mut self) {}
/// }
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let engine = ActorEngine::new();
/// engine.pool(3, WorkerMessage::actor(|| Worker))?;
/// let registry = engine.registry();
/// assert_eq!(registry.to_string(), "WorkerMessage -> [0, 1, 2]");
/// for entry in &registry {
///     assert_eq!((entry.message(), entry.threads().len()), ("WorkerMessage", 3));
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Registry {
    entries: Vec<RegistryEntry>,
}

impl Registry {
    pub(crate) fn empty() -> Self {
        Self { entries: Vec::new() }
    }

    /// The instances that handle `M`, if there are any.
    pub fn get<M: Message>(&self) -> Option<&RegistryEntry> {
        self.entries.iter().find(|entry| entry.key == TypeId::of::<M>())
    }

    /// The entries, in the order in which their types were first registered.
    pub fn iter(&self) -> std::slice::Iter<'_, RegistryEntry> {
        self.entries.iter()
    }

    /// The number of message types.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether no type is registered.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}

impl<'a> IntoIterator for &'a Registry {
    type Item = &'a RegistryEntry;
    type IntoIter = std::slice::Iter<'a, RegistryEntry>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl IntoIterator for Registry {
    type Item = RegistryEntry;
    type IntoIter = std::vec::IntoIter<RegistryEntry>;

    fn into_iter(self) -> Self::IntoIter {
        self.entries.into_iter()
    }
}

impl fmt::Display for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, entry) in self.entries.iter().enumerate() {
            if i > 0 {
                writeln!(f)?;
            }
            write!(f, "{entry}")?;
        }
        Ok(())
    }
}

/// One message type with its instances.
///
/// ```
/// use zctor::{ActorEngine, ActorThread, actor};
///
/// #[actor]
/// pub enum WorkerMessage {
///     Work,
/// }
/// struct Worker;
/// impl WorkerHandler for Worker {
///     fn work(&mut self) {}
/// }
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let engine = ActorEngine::new();
/// let worker = WorkerMessage::actor(|| Worker);
/// engine.spawn(ActorThread::new().register(worker.clone()).register(worker))?;
/// let registry = engine.registry();
/// let entry = registry.get::<WorkerMessage>().expect("just registered");
/// assert_eq!(entry.to_string(), "WorkerMessage -> [0, 0]");
/// assert_ne!(entry.instances()[0], entry.instances()[1]);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct RegistryEntry {
    pub(crate) key: TypeId,
    pub(crate) message: &'static str,
    pub(crate) instances: Vec<InstanceId>,
}

impl RegistryEntry {
    /// The name of the message type.
    pub fn message(&self) -> &'static str {
        self.message
    }

    /// The thread of each instance, in spawn order: a thread with two instances stands there twice.
    pub fn threads(&self) -> Vec<ThreadId> {
        self.instances.iter().map(|instance| instance.thread()).collect()
    }

    /// The instances, in spawn order.
    pub fn instances(&self) -> &[InstanceId] {
        &self.instances
    }
}

impl fmt::Display for RegistryEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} -> {:?}", self.message, self.threads().iter().map(|thread| thread.index()).collect::<Vec<_>>())
    }
}
