//! `Loopback`: two engines of one process, joined by bytes.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use crate::engine::ActorEngine;
use crate::error::{CallError, SpawnError};
use crate::mailbox::permits::Overflow;
use crate::remote::books::Books;
use crate::remote::end::{End, ROOM};
use crate::remote::error::ServeError;
use crate::remote::message::RemoteMessage;
use crate::remote::packet::{Carrier, Packet, Receipt};
use crate::remote::partition::Partitions;
use crate::remote::reached::{OneAnswer, Reached, counted};
use crate::sys::clock::deadline;
use crate::sys::runtime::assert_may_block;

/// One of two ends between which messages go as bytes, without a network.
///
/// One end serves a pool of its engine, the other attaches that pool in another engine. Every message is encoded,
/// decoded, and put into a mailbox of the served pool; the reply comes back in the same way.
///
/// The attached pool has one instance, the link, on a thread of its own. A message from outside goes past that thread if
/// it has nothing to do: it is encoded on the thread that sends it. From outside at most 1,024 messages are under
/// way through a link, until they are in a mailbox on the other side. Beyond that a sender waits, as it does where a
/// [`mailbox_bound`](crate::ActorThread::mailbox_bound) is reached; [`attach_bounded`](Loopback::attach_bounded) says
/// otherwise. So a full pool on the other side holds back the senders here. Messages of handlers go past every
/// `mailbox_bound` on both sides. An [`inner_bound`](crate::ActorThread::inner_bound) of the serving thread still
/// holds: a message without room there is a dead letter with `Full`, and a call ends with `Full`.
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

/// The way to the other end.
struct To(Arc<End>);

impl Carrier for To {
    fn carry(&self, wire: &'static str, packet: Packet<'static>, receipt: Box<dyn Receipt>) {
        self.0.deliver(wire, packet, receipt);
    }
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
    /// It takes the place of a pool of `M` that was served before. Messages that have come for that one go into it all
    /// the same. Order is not kept across this, even if it is the same pool again: a message that still waits for room
    /// may be overtaken by later ones.
    ///
    /// The loopback keeps no engine alive: when this engine stops, calls end with
    /// [`CallError::Stopped`](crate::CallError::Stopped), and sends become dead letters at their sender.
    ///
    /// # Errors
    /// - [`ServeError::NotRegistered`]: the engine has no pool of this type yet. Make it first.
    /// - [`ServeError::Stopped`]: the engine stops.
    /// - [`ServeError::NameTaken`]: another enum is served under this name.
    /// - [`ServeError::Thread`]: the system refused a thread.
    ///
    /// ```
    /// # use serde::{Deserialize, Serialize};
    /// # use zctor::remote::{Loopback, ServeError};
    /// # use zctor::{ActorEngine, actor};
    /// # #[actor(remote)]
    /// # #[derive(Serialize, Deserialize)]
    /// # pub enum JobMessage { Run }
    /// # struct Job;
    /// # impl JobHandler for Job { fn run(&mut self) {} }
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let (serves, _) = Loopback::pair();
    /// let engine = ActorEngine::new();
    /// assert!(matches!(serves.serve::<JobMessage>(&engine), Err(ServeError::NotRegistered { .. })));
    /// engine.pool(2, JobMessage::actor(|| Job))?;
    /// serves.serve::<JobMessage>(&engine)?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn serve<M: RemoteMessage>(&self, engine: &ActorEngine) -> Result<(), ServeError> {
        self.mine.serve::<M>(engine, None)
    }

    /// Serves some partitions of the pool of `M`: the messages with a `#[key]` whose key is in one of them, and all
    /// messages without a key.
    ///
    /// The keys are divided into `of` partitions, which are numbered from 0. A key is always in the same one: that of
    /// its bytes, on every machine. Over a network each process states its own `numbers`, and so a key always reaches the
    /// same process, and there the same instance as in any keyed pool. The caller says how many there are:
    /// [`attach_partitions`](Loopback::attach_partitions). What a client is bound to by [`keyed`](crate::Client::keyed)
    /// has to serialize as the `#[key]` fields' own type does.
    ///
    /// A partition moves only when that is stated: the one end [leaves](Loopback::leave), another serves it then. States
    /// do not move. Meanwhile, as for each partition that nobody serves, a call with such a key ends with
    /// [`CallError::NotRegistered`](crate::CallError::NotRegistered), and a send is a dead letter with
    /// [`Undelivered::Unreachable`](crate::Undelivered::Unreachable).
    ///
    /// A message with a key that comes in turn, from a link that does not know of the partitions, is refused as
    /// [`Unfit`](crate::CallError::Unfit).
    ///
    /// # Errors
    /// As [`serve`](Loopback::serve), and:
    /// - [`ServeError::NoPartition`]: `numbers` is empty, or goes beyond `of`.
    /// - [`ServeError::PartitionsStated`]: this end serves the pool already, whole or with other partitions.
    ///
    /// ```
    /// # use serde::{Deserialize, Serialize};
    /// # use zctor::remote::Loopback;
    /// # use zctor::{ActorEngine, CallError, actor};
    /// # use std::collections::HashMap;
    /// #[actor(remote)]
    /// #[derive(Serialize, Deserialize)]
    /// pub enum AccountMessage {
    ///     #[reply(u64)]
    ///     Deposit { #[key] owner: String, amount: u64 },
    /// }
    /// # #[derive(Default)]
    /// # struct Account(HashMap<String, u64>);
    /// # impl AccountHandler for Account {
    /// #     fn deposit(&mut self, owner: String, amount: u64) -> u64 {
    /// #         let account = self.0.entry(owner).or_default();
    /// #         *account += amount;
    /// #         *account
    /// #     }
    /// # }
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let (serves, calls) = Loopback::pair();
    /// let (engine, elsewhere) = (ActorEngine::new(), ActorEngine::new());
    /// engine.pool(4, AccountMessage::actor(Account::default))?;
    /// serves.serve_partitions::<AccountMessage>(&engine, 0..32, 64)?; // the others are elsewhere
    ///
    /// let accounts = calls.attach_partitions::<AccountMessage>(&elsewhere, 64)?;
    /// assert_eq!(accounts.deposit("grace".to_owned(), 40), Ok(40)); // in partition 24
    /// assert_eq!(accounts.deposit("grace".to_owned(), 2), Ok(42)); // the same instance
    /// let nobody = accounts.deposit("ada".to_owned(), 1); // in partition 34, which nobody serves
    /// assert_eq!(nobody, Err(CallError::NotRegistered { message: "AccountMessage" }));
    /// # Ok(())
    /// # }
    /// ```
    pub fn serve_partitions<M: RemoteMessage>(
        &self,
        engine: &ActorEngine,
        numbers: Range<u32>,
        of: u32,
    ) -> Result<(), ServeError> {
        self.mine.serve::<M>(engine, Some(Partitions { numbers, of }))
    }

    /// Stops serving: everything that this end has taken is finished, and nothing more is taken. Then the engine can be
    /// shut down without a loss.
    ///
    /// From now on, messages for the pools that this end served end as if nobody served them. Those that have come
    /// before go into their mailboxes, and calls are answered. Returns the books as they are then: they are
    /// [drained](Books::is_drained), unless `limit` was up before. The rest goes on all the same then.
    ///
    /// Pools that this end has attached are not touched, and pools may be served again. If the books were not drained by
    /// then, order is not kept: a message that still waits for room may be overtaken by later ones.
    ///
    /// # Blocking
    /// Until the served pools had room for what has come, and its calls are answered, for `limit` at most. If a handler
    /// of a served pool calls this, it waits for itself until the limit.
    ///
    /// ```
    /// # use serde::{Deserialize, Serialize};
    /// # use std::time::Duration;
    /// # use zctor::remote::Loopback;
    /// # use zctor::{ActorEngine, CallError, actor};
    /// # #[actor(remote)]
    /// # #[derive(Serialize, Deserialize)]
    /// # pub enum JobMessage { #[reply(u64)] Run(u64) }
    /// # struct Job;
    /// # impl JobHandler for Job { fn run(&mut self, value: u64) -> u64 { value + 1 } }
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let (serves, calls) = Loopback::pair();
    /// # let (engine, elsewhere) = (ActorEngine::new(), ActorEngine::new());
    /// # engine.pool(1, JobMessage::actor(|| Job))?;
    /// # serves.serve::<JobMessage>(&engine)?;
    /// let job = calls.attach::<JobMessage>(&elsewhere)?;
    /// let before = job.non_blocking().run(1);
    /// elsewhere.settle(); // the link has sent it
    ///
    /// let books = serves.leave(Duration::from_secs(60));
    /// assert!(books.is_drained());
    /// assert_eq!(before.wait(), Ok(2)); // what was taken is answered
    /// assert_eq!(job.run(1), Err(CallError::NotRegistered { message: "JobMessage" }));
    /// engine.shutdown()?;
    /// # Ok(())
    /// # }
    /// ```
    #[cfg_attr(feature = "tokio", track_caller)]
    pub fn leave(&self, limit: Duration) -> Books {
        assert_may_block();
        self.mine.leave(limit)
    }

    /// Makes a pool of `M` in the engine whose messages go to the pool that the other end serves.
    ///
    /// The other end may serve it later. Until then a call ends with
    /// [`CallError::NotRegistered`](crate::CallError::NotRegistered), and a message that is sent becomes a dead letter
    /// with [`Undelivered::Unreachable`](crate::Undelivered::Unreachable).
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
        self.attach_bounded::<M>(engine, ROOM, Overflow::Wait)
    }

    /// As [`attach`](Loopback::attach), for a pool that is served by partitions: each message with a `#[key]` goes to
    /// where the partition of its key is served, and all others go in turn. `of` is the number of partitions, the same
    /// as at [`serve_partitions`](Loopback::serve_partitions); 0 counts as 1.
    ///
    /// All messages of a client that is bound by [`keyed`](crate::Client::keyed) go to where the partition of that key is
    /// served, and there to the instance that has it.
    ///
    /// # Errors
    /// As [`ActorEngine::pool`].
    pub fn attach_partitions<M: RemoteMessage>(&self, engine: &ActorEngine, of: u32) -> Result<M::Client, SpawnError> {
        self.mine.attach::<M>(engine, self.carrier(), Some(of), ROOM, Overflow::Wait)
    }

    /// As [`attach`](Loopback::attach), with another bound for the messages from outside that are under way, and with
    /// what becomes of those beyond it.
    ///
    /// # Errors
    /// As [`ActorEngine::pool`].
    ///
    /// ```
    /// # use serde::{Deserialize, Serialize};
    /// # use std::sync::mpsc;
    /// # use zctor::remote::Loopback;
    /// # use zctor::{ActorEngine, ActorThread, Overflow, actor};
    /// # #[actor(remote)]
    /// # #[derive(Serialize, Deserialize)]
    /// # pub enum JobMessage { Run }
    /// # struct Job(mpsc::Receiver<()>);
    /// # impl JobHandler for Job { fn run(&mut self) { self.0.recv().unwrap_or_default() } }
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let (serves, calls) = Loopback::pair();
    /// # let (engine, elsewhere) = (ActorEngine::new(), ActorEngine::new());
    /// # let (open, gate) = mpsc::channel();
    /// // The job takes its time, and its mailbox has room for one message.
    /// engine.spawn(ActorThread::new().mailbox_bound(1).register(JobMessage::actor_once(|| Job(gate))))?;
    /// serves.serve::<JobMessage>(&engine)?;
    ///
    /// let job = calls.attach_bounded::<JobMessage>(&elsewhere, 8, Overflow::Refuse)?;
    /// let sent = (0..100).filter(|_| job.run().is_ok()).count();
    /// assert!((8..=10).contains(&sent)); // 8 are under way, 1 is in the mailbox over there, 1 is being handled
    /// # drop(open);
    /// # Ok(())
    /// # }
    /// ```
    pub fn attach_bounded<M: RemoteMessage>(
        &self,
        engine: &ActorEngine,
        bound: usize,
        overflow: Overflow,
    ) -> Result<M::Client, SpawnError> {
        self.mine.attach::<M>(engine, self.carrier(), None, bound, overflow)
    }

    fn carrier(&self) -> Arc<dyn Carrier> {
        Arc::new(To(Arc::clone(&self.theirs)))
    }

    /// Sends a copy of the message to every instance of the pool of `M` that the other end serves, and waits until that
    /// end has said how many have one, for `wait` at most.
    ///
    /// No link is needed for it: [`broadcast`](crate::Client::broadcast) of a client goes by its link, waits for nothing,
    /// and gives the number of links. The books of this end do not count it; those of the other end do. It keeps no order
    /// with what is sent by links. Messages that come after `wait` are not counted, and are handled all the same.
    ///
    /// # Errors
    /// - [`CallError::Unfit`]: the message cannot go through bytes. None has it.
    ///
    /// # Blocking
    /// Until the copies are in mailboxes over there, whatever the handlers do, for `wait` at most. The message may lie behind
    /// others that wait for room in the pool. In a handler its thread serves nobody meanwhile.
    ///
    /// ```
    /// # use serde::{Deserialize, Serialize};
    /// # use std::time::Duration;
    /// # use zctor::remote::Loopback;
    /// # use zctor::{ActorEngine, actor};
    /// # #[actor(remote)]
    /// # #[derive(Serialize, Deserialize)]
    /// # pub enum CacheMessage { Clear }
    /// # struct Cache;
    /// # impl CacheHandler for Cache { fn clear(&mut self) {} }
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let (serves, calls) = Loopback::pair();
    /// # let engine = ActorEngine::new();
    /// engine.pool(3, CacheMessage::actor(|| Cache))?;
    /// let wait = Duration::from_secs(60);
    /// assert_eq!(calls.broadcast(CacheMessage::Clear, wait)?.answers(), 0); // nobody serves it yet
    ///
    /// serves.serve::<CacheMessage>(&engine)?;
    /// let reached = calls.broadcast(CacheMessage::Clear, wait)?;
    /// assert_eq!((reached.processes, reached.instances), (1, 3));
    /// assert!(reached.refused.is_empty());
    /// # Ok(())
    /// # }
    /// ```
    #[cfg_attr(feature = "tokio", track_caller)]
    pub fn broadcast<M: RemoteMessage>(&self, message: M, wait: Duration) -> Result<Reached, CallError> {
        assert_may_block();
        let (packet, until) = (counted(&message)?, deadline(wait));
        let (answer, receipt) = OneAnswer::new();
        self.theirs.deliver(M::WIRE, packet, receipt);
        let mut reached = Reached::default();
        if let Some(answer) = answer.wait(until) {
            reached.__count(M::name(), answer);
        }
        Ok(reached)
    }

    /// Waits until every message that the links of this end have taken is acknowledged or a dead letter, for `limit` at
    /// most. Returns the books as they are then.
    ///
    /// A message that still lies in the mailbox of a link is not counted yet: [`settle`](ActorEngine::settle) the
    /// attaching engine first. Calls are not waited for.
    ///
    /// # Blocking
    /// As long as messages are under way, which wait for room on the other side.
    ///
    /// ```
    /// # use serde::{Deserialize, Serialize};
    /// # use std::time::Duration;
    /// # use zctor::remote::Loopback;
    /// # use zctor::{ActorEngine, actor};
    /// # #[actor(remote)]
    /// # #[derive(Serialize, Deserialize)]
    /// # pub enum JobMessage { Run }
    /// # struct Job;
    /// # impl JobHandler for Job { fn run(&mut self) {} }
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let (serves, calls) = Loopback::pair();
    /// # let (engine, elsewhere) = (ActorEngine::new(), ActorEngine::new());
    /// # engine.pool(1, JobMessage::actor(|| Job))?;
    /// # serves.serve::<JobMessage>(&engine)?;
    /// let job = calls.attach::<JobMessage>(&elsewhere)?;
    /// job.run()?;
    /// elsewhere.settle(); // the link has taken it
    /// let books = calls.flush(Duration::from_secs(60)); // it is in a mailbox over there
    /// assert_eq!((books.accepted, books.acked), (1, 1));
    /// engine.settle(); // it is handled
    /// # Ok(())
    /// # }
    /// ```
    #[cfg_attr(feature = "tokio", track_caller)]
    pub fn flush(&self, limit: Duration) -> Books {
        assert_may_block();
        self.mine.flush(limit)
    }

    /// Returns what this end has sent and taken so far.
    ///
    /// ```
    /// let (end, _other) = zctor::remote::Loopback::pair();
    /// assert_eq!(end.books().accepted, 0);
    /// ```
    pub fn books(&self) -> Books {
        self.mine.books()
    }
}

impl fmt::Debug for Loopback {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Loopback({})", self.books())
    }
}
