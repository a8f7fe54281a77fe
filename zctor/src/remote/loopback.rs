//! `Loopback`: two engines of one process, joined by bytes.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use crate::actor::Actor;
use crate::actor::context::Context;
use crate::actor::double::link::Remote;
use crate::client::Client;
use crate::engine::ActorEngine;
use crate::error::{CallError, SpawnError};
use crate::remote::books::Books;
use crate::remote::link::{End, Link};
use crate::remote::message::RemoteMessage;
use crate::remote::served::ServedPool;
use crate::remote::tasks::Tasks;
use crate::sys::lock::lock;

/// One of two ends between which messages go as bytes, without a network.
///
/// One end serves a pool of its engine, the other attaches that pool in another engine. Every message is encoded,
/// decoded, and put into a mailbox of the served pool; the reply comes back in the same way.
///
/// The attached pool has one instance, the link, on a thread of its own. What a link does is the work of an actor
/// thread: it never waits for room in the mailboxes of the served pool, and no
/// [`mailbox_bound`](crate::ActorThread::mailbox_bound) there refuses its messages. A broadcast reaches the link, and
/// through it one instance of the served pool. Pinned and least-loaded clients choose among links; a message with a
/// `#[key]` goes to the same served instance each time.
///
/// ```
/// use serde::{Deserialize, Serialize};
/// use zctor::remote::Loopback;
/// use zctor::{ActorEngine, actor};
///
/// #[actor(remote)]
/// #[derive(Serialize, Deserialize)]
/// pub enum CounterMessage {
///     Add(u64),
///     #[reply(u64)]
///     Total,
/// }
/// #[derive(Default)]
/// struct Counter(u64);
/// impl CounterHandler for Counter {
///     fn add(&mut self, value: u64) {
///         self.0 += value;
///     }
///     fn total(&mut self) -> u64 {
///         self.0
///     }
/// }
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let (serves, calls) = Loopback::pair();
///
/// let engine = ActorEngine::new();
/// engine.pool(1, CounterMessage::actor(Counter::default))?;
/// serves.serve::<CounterMessage>(&engine)?;
///
/// let elsewhere = ActorEngine::new();
/// let counter: CounterClient = calls.attach::<CounterMessage>(&elsewhere)?; // in place of `elsewhere.pool(..)`
/// counter.add(40)?;
/// counter.add(2)?;
/// assert_eq!(counter.total()?, 42);
/// assert_eq!((calls.books().acked, serves.books().taken), (2, 3));
/// # Ok(())
/// # }
/// ```
pub struct Loopback {
    mine: Arc<End>,
    theirs: Arc<End>,
}

impl Loopback {
    /// Makes two ends that are joined.
    ///
    /// ```
    /// use zctor::remote::Loopback;
    ///
    /// let (one, other) = Loopback::pair();
    /// assert_eq!(one.books(), other.books());
    /// ```
    pub fn pair() -> (Self, Self) {
        let (one, other) = (Arc::<End>::default(), Arc::<End>::default());
        (Self { mine: Arc::clone(&one), theirs: Arc::clone(&other) }, Self { mine: other, theirs: one })
    }

    /// Serves the engine's pool of `M` to the other end, under the name [`RemoteMessage::WIRE`].
    ///
    /// A pool that was served under this name before is served no more. The loopback keeps no engine alive: when this
    /// engine stops, calls end with [`CallError::Stopped`], and sends become dead letters at their sender.
    ///
    /// # Errors
    /// - [`CallError::NotRegistered`]: the engine has no pool of this type yet. Make it first.
    /// - [`CallError::Stopped`]: the engine stops.
    ///
    /// ```
    /// # use serde::{Deserialize, Serialize};
    /// # use zctor::remote::Loopback;
    /// # use zctor::{ActorEngine, CallError, actor};
    /// # #[actor(remote)]
    /// # #[derive(Serialize, Deserialize)]
    /// # pub enum JobMessage { Run }
    /// # struct Job;
    /// # impl JobHandler for Job { fn run(&mut self) {} }
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let (serves, _) = Loopback::pair();
    /// let engine = ActorEngine::new();
    /// assert_eq!(serves.serve::<JobMessage>(&engine), Err(CallError::NotRegistered { message: "JobMessage" }));
    /// engine.pool(2, JobMessage::actor(|| Job))?;
    /// serves.serve::<JobMessage>(&engine)?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn serve<M: RemoteMessage>(&self, engine: &ActorEngine) -> Result<(), CallError> {
        let pool = Client::clone(&*engine.client::<M>()?);
        let before = lock(&self.mine.served).insert(M::WIRE, Arc::new(ServedPool { pool }));
        drop(before);
        Ok(())
    }

    /// Makes a pool of `M` in the engine whose messages go to the pool that the other end serves.
    ///
    /// The other end may serve it later. Until then a call ends with [`CallError::NotRegistered`], and a message that
    /// is sent becomes a dead letter with [`Undelivered::Unreachable`](crate::Undelivered::Unreachable).
    ///
    /// # Errors
    /// As [`ActorEngine::pool`].
    ///
    /// ```
    /// # use serde::{Deserialize, Serialize};
    /// # use zctor::remote::Loopback;
    /// # use zctor::{ActorEngine, CallError, actor};
    /// # #[actor(remote)]
    /// # #[derive(Serialize, Deserialize)]
    /// # pub enum ClockMessage { #[reply(u64)] Now }
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let (_serves, calls) = Loopback::pair();
    /// let engine = ActorEngine::new();
    /// let clock = calls.attach::<ClockMessage>(&engine)?;
    /// assert_eq!(clock.now(), Err(CallError::NotRegistered { message: "ClockMessage" }));
    /// # Ok(())
    /// # }
    /// ```
    pub fn attach<M: RemoteMessage>(&self, engine: &ActorEngine) -> Result<M::Client, SpawnError> {
        let tasks = Tasks::start().map_err(|source| SpawnError::Thread { source })?;
        let (mine, theirs) = (Arc::clone(&self.mine), Arc::clone(&self.theirs));
        let link = move |instance| Link::<M> {
            mine: Arc::clone(&mine),
            theirs: Arc::clone(&theirs),
            tasks: tasks.clone(),
            instance,
            of: PhantomData,
        };
        let remote = move |ctx: &mut Context<M>| Ok(Remote::<M> { role: Arc::new(link(ctx.instance_id())) });
        engine.pool(1, Actor::__try_new(remote))
    }

    /// Returns what this end has sent and taken so far.
    ///
    /// ```
    /// let (end, _other) = zctor::remote::Loopback::pair();
    /// assert_eq!(end.books().accepted, 0);
    /// ```
    pub fn books(&self) -> Books {
        *lock(&self.mine.books)
    }
}

impl fmt::Debug for Loopback {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Loopback({})", self.books())
    }
}
