//! `Registry`, as a program sees it: which instances handle a message type, in spawn order.

use std::any::TypeId;
use std::fmt;

use crate::client::message::Message;
use crate::id::{InstanceId, ThreadId};
use crate::route::pools::PoolEntry;

/// A snapshot of which instances handle which message type, made by
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
    pub(super) fn new(entries: Vec<PoolEntry>) -> Self {
        Self { entries: entries.into_iter().map(RegistryEntry).collect() }
    }

    /// Returns the instances that handle `M`, if there are any.
    pub fn get<M: Message>(&self) -> Option<&RegistryEntry> {
        self.entries.iter().find(|entry| entry.0.key == TypeId::of::<M>())
    }

    /// Iterates over the entries, in the order in which their types were first registered.
    pub fn iter(&self) -> std::slice::Iter<'_, RegistryEntry> {
        self.entries.iter()
    }

    /// Returns the number of message types.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Returns whether no type is registered.
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
pub struct RegistryEntry(PoolEntry);

impl RegistryEntry {
    pub(crate) fn id(&self) -> TypeId {
        self.0.key
    }

    /// Returns the name of the message type.
    pub fn message(&self) -> &'static str {
        self.0.message
    }

    /// Returns the thread of each instance, in spawn order; a thread with two instances is in it twice.
    pub fn threads(&self) -> Vec<ThreadId> {
        self.0.instances.iter().map(|instance| instance.thread()).collect()
    }

    /// Returns the instances, in spawn order.
    pub fn instances(&self) -> &[InstanceId] {
        &self.0.instances
    }
}

impl fmt::Display for RegistryEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} -> {:?}", self.0.message, self.threads().iter().map(|thread| thread.index()).collect::<Vec<_>>())
    }
}
