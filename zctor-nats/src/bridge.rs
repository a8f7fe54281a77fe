//! [`Bridge`]: an engine's way to the pools of other processes, and theirs to its own.

use std::collections::HashSet;
use std::ffi::OsStr;
use std::fmt;
use std::ops::Range;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};
use std::time::Duration;
use std::{env, process};

use zctor::remote::transport::{__assert_may_block as assert_may_block, End, Partitions, ROOM, Route};
use zctor::remote::{Books, RemoteMessage};
use zctor::{ActorEngine, Overflow, now};

use crate::authority::Authority;
use crate::carrier::NatsCarrier;
use crate::connection::{Command, Connection, LONGEST, Settings};
use crate::durable::Queues;
use crate::error::BridgeError;
use crate::session::Session;
use crate::state::ConnectionState;
use crate::wire;

/// How a bridge connects; made by [`Bridge::builder`].
///
/// ```
/// use std::time::Duration;
/// use zctor_nats::{Bridge, BridgeError};
///
/// // Nothing listens at this port.
/// let bridge = Bridge::builder("shop").server("nats://127.0.0.1:1").deadline(Duration::from_secs(5)).connect();
/// assert!(matches!(bridge, Err(BridgeError::Connect { .. })));
/// ```
///
/// A time of more than a century counts as a century.
#[derive(Clone)]
#[must_use = "a builder does nothing until it connects"]
pub struct Builder {
    pub(crate) settings: Settings,
}

impl Builder {
    /// Sets the address of the server; `nats://127.0.0.1:4222` by itself. It may hold a user and a password,
    /// `nats://user:password@host:4222`, or a token, `nats://token@host:4222`. There `@`, `:`, `/` and `%` are written as
    /// `%40`, `%3A`, `%2F` and `%25`.
    ///
    /// Any server of a cluster will do: the bridge learns of the others from it. But it has to be there when the bridge
    /// connects: see [`servers`](Builder::servers).
    pub fn server(self, address: impl Into<String>) -> Self {
        self.servers([address])
    }

    /// Sets the addresses of several servers of one cluster. The bridge connects to one of them, which is chosen at random,
    /// and passes over those that are not there; when the connection is lost, it goes to another one.
    ///
    /// All servers are shown the same user, password or token: what stands in an address counts for all of them, and two
    /// that differ are an error.
    ///
    /// ```
    /// use zctor_nats::{Bridge, BridgeError};
    ///
    /// // Nothing listens at these ports.
    /// let bridge = Bridge::builder("shop").servers(["nats://127.0.0.1:1", "nats://ann:secret@127.0.0.1:2"]).connect();
    /// match bridge {
    ///     Err(BridgeError::Connect { server, .. }) => assert_eq!(server, "nats://127.0.0.1:1, nats://127.0.0.1:2"),
    ///     other => panic!("{other:?}"),
    /// }
    /// ```
    pub fn servers<A: Into<String>>(mut self, addresses: impl IntoIterator<Item = A>) -> Self {
        self.settings.servers = addresses.into_iter().map(Into::into).collect();
        self
    }

    /// Sets the deadline of calls that have none: 30 s by itself. There is always one, since nobody may ever tell of a
    /// process that has gone. A program that is no bridge has it for its requests to the pools that this one serves.
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.settings.deadline = deadline.min(LONGEST);
        self
    }

    /// Sets how long a message waits for a connection that is lost, or whose server takes nothing more: 2 s by itself.
    /// After that time calls, and messages that handlers send, are refused at once. A message that is sent from outside
    /// still waits for so long, and keeps its place under way meanwhile: so a link whose senders wait for room holds them
    /// back. Requests of the bridge itself, as by [`Bridge::serve`], come behind the messages that were sent before.
    pub fn patience(mut self, patience: Duration) -> Self {
        self.settings.patience = patience.min(LONGEST);
        self
    }

    /// Sets how long after it was last heard of a message that was sent counts as lost: 10 s by itself. The process that
    /// has it, and has no room for it, says so every third of its own such time. So all bridges of a namespace need the
    /// same: one with a shorter time than that third counts as lost what another one has.
    pub fn ack_wait(mut self, ack_wait: Duration) -> Self {
        self.settings.ack_wait = ack_wait.min(LONGEST);
        self
    }

    /// Connects.
    ///
    /// # Errors
    /// - [`BridgeError::Name`]: the namespace cannot be part of a subject.
    /// - [`BridgeError::Connect`]: the server cannot be reached.
    /// - [`BridgeError::Refused`]: it does not let the bridge in.
    /// - [`BridgeError::Tls`]: the connection cannot be encrypted, or one side does not trust the other.
    /// - [`BridgeError::File`], [`BridgeError::Nkey`]: what the builder was given cannot be used.
    /// - [`BridgeError::Permission`]: the server does not permit the bridge to hear of its own messages, or to answer
    ///   those of others.
    /// - [`BridgeError::Thread`]: the system refused a thread.
    ///
    /// # Blocking
    /// Until it is connected, or has failed to.
    #[cfg_attr(feature = "tokio", track_caller)]
    pub fn connect(self) -> Result<Bridge, BridgeError> {
        assert_may_block();
        for name in
            [Some(&self.settings.namespace), self.settings.authority.inbox_prefix.as_ref()].into_iter().flatten()
        {
            check_name(name)?;
        }
        let end = Arc::<End>::default();
        let (namespace, deadline, ack_wait) =
            (self.settings.namespace.clone(), self.settings.deadline, self.settings.ack_wait);
        let connection = Connection::open(self.settings, &end)?;
        let (served, queues) = (Mutex::default(), Queues::default());
        Ok(Bridge { namespace, end, connection, deadline, ack_wait, served, queues })
    }
}

impl fmt::Debug for Builder {
    /// Without the address, which may hold a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Builder({})", self.settings.namespace)
    }
}

/// An engine's way to the pools of other processes, and theirs to its own, over a NATS server.
///
/// Dropping it closes it, without a wait for what is under way: what is on its way to it is lost. A hook that drops it on
/// the bridge's own thread, such as that for dead letters, does not wait for the end of that thread either.
///
/// ```no_run
/// use serde::{Deserialize, Serialize};
/// use std::time::Duration;
/// use zctor::{ActorEngine, Overflow, actor};
/// use zctor_nats::Bridge;
///
/// #[actor(remote)]
/// #[derive(Serialize, Deserialize)]
/// pub enum JobMessage {
///     Run(u64),
/// }
/// struct Job;
/// impl JobHandler for Job {
///     fn run(&mut self, _value: u64) {}
/// }
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// // Both sides in one process, for a test.
/// let (there, here) = (ActorEngine::new(), ActorEngine::new());
/// there.pool(2, JobMessage::actor(|| Job))?;
/// let (serves, calls) = (Bridge::builder("test").connect()?, Bridge::builder("test").connect()?);
/// serves.serve::<JobMessage>(&there)?;
///
/// let job = calls.attach_bounded::<JobMessage>(&here, 64, Overflow::Wait)?;
/// for number in 0..1_000 {
///     job.run(number)?; // waits while 64 are under way
/// }
/// here.settle(); // the link has taken everything
/// assert_eq!(calls.flush(Duration::from_secs(10)).acked, 1_000);
/// assert_eq!(serves.books().taken, 1_000);
/// assert!(calls.close(Duration::from_secs(10)).is_balanced());
/// # Ok(())
/// # }
/// ```
pub struct Bridge {
    namespace: String,
    end: Arc<End>,
    connection: Connection,
    deadline: Duration,
    ack_wait: Duration,
    served: Mutex<ServedNames>,
    queues: Queues,
}

/// The pools that the server knows of. No thread holds the lock while it waits for that of the bridge: a hook on that
/// one may want it.
#[derive(Default)]
struct ServedNames {
    names: HashSet<&'static str>,
    /// How often the bridge has left. A pool that the server was told of before that counts no more.
    left: u64,
}

impl Bridge {
    fn served(&self) -> MutexGuard<'_, ServedNames> {
        self.served.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns a builder of a bridge. Bridges of one namespace know each other's pools; the namespace is a part of every
    /// subject.
    pub fn builder(namespace: impl Into<String>) -> Builder {
        let namespace = namespace.into();
        let settings = Settings {
            servers: vec!["nats://127.0.0.1:4222".to_owned()],
            name: connection_name(&namespace),
            namespace,
            deadline: Duration::from_secs(30),
            patience: Duration::from_secs(2),
            ack_wait: Duration::from_secs(10),
            authority: Authority::default(),
        };
        Builder { settings }
    }

    /// Serves the engine's pool of `M` to all bridges of the namespace. Several processes may serve the same pool: each
    /// message goes to one of them. The process is a service to the tools of NATS then, and programs that are no bridge
    /// may call the pool: see [`guide::running`](crate::guide::running).
    ///
    /// It takes the place of a pool of `M` that this bridge served before. Order is not kept across this, even if it is the
    /// same pool again: a message that still waits for room may be overtaken by later ones.
    ///
    /// # Errors
    /// - [`BridgeError::Serve`]: the engine has no pool of this type, or has stopped; or another enum is served under
    ///   this name.
    /// - [`BridgeError::Name`]: the name of the enum cannot be part of a subject. Give it another:
    ///   `#[actor(remote = "..")]`.
    /// - [`BridgeError::Disconnected`]: the server has not said in time that it knows of the pool. It is told with the
    ///   next connection; serve the pool again to wait for that.
    /// - [`BridgeError::Permission`]: the server does not permit the bridge to receive messages to this pool.
    /// - [`BridgeError::OwnThread`]: a hook on the bridge's own thread called this.
    /// - [`BridgeError::Closed`]: the bridge is closed.
    ///
    /// # Blocking
    /// Until the server knows of it.
    #[cfg_attr(feature = "tokio", track_caller)]
    pub fn serve<M: RemoteMessage>(&self, engine: &ActorEngine) -> Result<(), BridgeError> {
        self.serve_routes::<M>(engine, None)
    }

    /// Serves some partitions of the engine's pool of `M`: the messages with a `#[key]` whose key is in one of them, and
    /// all messages without a key. Broadcasts reach the pool too. A pool that is served by partitions serves no
    /// [`WorkQueue`](crate::WorkQueue), whose messages have none.
    ///
    /// The keys are divided into `of` partitions, which are numbered from 0. A key is always in the same one, on every
    /// machine and in every version. Each process states its own `numbers`, such as `16 * i..16 * (i + 1)` of 64 for
    /// process `i` of four. So a key always reaches the same process, and there the same instance as in any keyed pool. A
    /// client that is [bound](zctor::Client::keyed) to what a key borrows as reaches it if serde writes both alike.
    /// A process that calls says how many there are, too: [`attach_partitions`](Bridge::attach_partitions).
    ///
    /// A partition moves only when that is stated: one process [leaves](Bridge::leave), shuts its engine down, and
    /// another serves it then. States do not move. Meanwhile, as for each partition that nobody serves, a call with such
    /// a key ends with [`CallError::NotRegistered`](zctor::CallError::NotRegistered), and a send is a dead letter with
    /// [`Undelivered::Unreachable`](zctor::Undelivered::Unreachable).
    ///
    /// ```no_run
    /// # use serde::{Deserialize, Serialize};
    /// # use zctor::{ActorEngine, actor};
    /// # use zctor_nats::Bridge;
    /// #[actor(remote)]
    /// #[derive(Serialize, Deserialize)]
    /// pub enum AccountMessage {
    ///     #[reply(u64)]
    ///     Deposit { #[key] account: u64, amount: u64 },
    /// }
    /// # #[derive(Default)]
    /// # struct Account(u64);
    /// # impl AccountHandler for Account {
    /// #     fn deposit(&mut self, _account: u64, amount: u64) -> u64 { self.0 += amount; self.0 }
    /// # }
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// // Both processes in one, for a test.
    /// let (engines, bridge) = ([ActorEngine::new(), ActorEngine::new()], || Bridge::builder("shop").connect());
    /// let bridges = [bridge()?, bridge()?];
    /// for (engine, (bridge, numbers)) in engines.iter().zip(bridges.iter().zip([0..32, 32..64])) {
    ///     engine.pool(4, AccountMessage::actor(Account::default))?;
    ///     bridge.serve_partitions::<AccountMessage>(engine, numbers, 64)?;
    /// }
    /// let (elsewhere, calls) = (ActorEngine::new(), bridge()?);
    /// let accounts = calls.attach_partitions::<AccountMessage>(&elsewhere, 64)?;
    /// accounts.deposit(7, 40)?;
    /// assert_eq!(accounts.deposit(7, 2), Ok(42)); // the same instance of the same process
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`serve`](Bridge::serve), and:
    /// - [`BridgeError::PartitionTaken`]: another process serves one of them. Processes that begin at the same moment may
    ///   both miss that.
    /// - [`BridgeError::Serve`]: there are no such partitions, or this bridge serves the pool already: whole, to a work
    ///   queue, or with other partitions.
    ///
    /// # Blocking
    /// As [`serve`](Bridge::serve).
    #[cfg_attr(feature = "tokio", track_caller)]
    pub fn serve_partitions<M: RemoteMessage>(
        &self,
        engine: &ActorEngine,
        numbers: Range<u32>,
        of: u32,
    ) -> Result<(), BridgeError> {
        self.serve_routes::<M>(engine, Some(Partitions { numbers, of }))
    }

    #[cfg_attr(feature = "tokio", track_caller)]
    fn serve_routes<M: RemoteMessage>(
        &self,
        engine: &ActorEngine,
        partitions: Option<Partitions>,
    ) -> Result<(), BridgeError> {
        check_name(M::WIRE)?;
        self.may_wait()?;
        let mut routes = vec![Route::Turn, Route::Copy];
        routes.extend(partitions.iter().flat_map(Partitions::each).map(Route::Key));
        let is_served = || self.served().names.contains(M::WIRE);
        if !is_served() {
            self.find_owners(M::WIRE, &routes)?;
        }
        self.end.serve::<M>(engine, partitions)?;
        let left = self.served().left;
        if is_served() {
            return Ok(());
        }
        let (done, told) = mpsc::channel();
        let command = Command::Serve { name: M::WIRE, routes, done };
        self.connection.commands.send(command).map_err(|_| BridgeError::Closed)?;
        told.recv().unwrap_or(Err(BridgeError::Closed))?;
        let mut served = self.served();
        if served.left == left {
            served.names.insert(M::WIRE);
        }
        Ok(())
    }

    /// Fails if another process serves one of the partitions.
    fn find_owners(&self, name: &'static str, routes: &[Route]) -> Result<(), BridgeError> {
        let partitions: Vec<_> = routes.iter().filter(|route| matches!(route, Route::Key(_))).copied().collect();
        if partitions.is_empty() {
            return Ok(());
        }
        let (done, told) = mpsc::channel();
        let subjects = partitions.iter().map(|route| wire::subject(&self.namespace, name, *route)).collect();
        self.connection.commands.send(Command::FindOwners { subjects, done }).map_err(|_| BridgeError::Closed)?;
        let owned = told.recv().unwrap_or(Err(BridgeError::Closed))?;
        match owned.into_iter().min().and_then(|index| partitions.get(index)) {
            Some(Route::Key(partition)) => Err(BridgeError::PartitionTaken { name, partition: partition.number }),
            _ => Ok(()),
        }
    }

    /// Makes a pool of `M` in the engine whose messages go to the processes that serve it. From outside at most 1,024
    /// messages are under way; beyond that a sender waits. While sends are acknowledged soon, as by a pool that has room,
    /// up to 7,168 more of them are, with 1 MiB together.
    ///
    /// # Errors
    /// - [`BridgeError::Spawn`]: as [`ActorEngine::pool`].
    /// - [`BridgeError::Name`]: the name of the enum cannot be part of a subject.
    /// - [`BridgeError::Permission`]: the server does not permit the bridge to send messages to this pool.
    ///
    /// # Blocking
    /// Until the server has said whether it permits that; not if the connection is lost just now.
    #[cfg_attr(feature = "tokio", track_caller)]
    pub fn attach<M: RemoteMessage>(&self, engine: &ActorEngine) -> Result<M::Client, BridgeError> {
        self.attach_routes::<M>(engine, None, None)
    }

    /// As [`attach`](Bridge::attach), for a pool that is served by partitions: each message with a `#[key]` goes to the
    /// process that serves the partition of its key, and all others go in turn. `of` is the number of partitions, the
    /// same as at [`serve_partitions`](Bridge::serve_partitions); 0 counts as 1.
    ///
    /// # Errors
    /// As [`attach`](Bridge::attach).
    #[cfg_attr(feature = "tokio", track_caller)]
    pub fn attach_partitions<M: RemoteMessage>(&self, engine: &ActorEngine, of: u32) -> Result<M::Client, BridgeError> {
        self.attach_routes::<M>(engine, Some(of), None)
    }

    /// As [`attach`](Bridge::attach), with another bound for the messages from outside that are under way, and with what
    /// becomes of those beyond it. A call counts until it is answered, or for some 10 ms at most once it is in a mailbox.
    ///
    /// # Errors
    /// As [`attach`](Bridge::attach).
    ///
    /// # Blocking
    /// As [`attach`](Bridge::attach).
    #[cfg_attr(feature = "tokio", track_caller)]
    pub fn attach_bounded<M: RemoteMessage>(
        &self,
        engine: &ActorEngine,
        bound: usize,
        overflow: Overflow,
    ) -> Result<M::Client, BridgeError> {
        self.attach_routes::<M>(engine, None, Some((bound, overflow)))
    }

    /// `stated`: the bound, if it is not that of a link by itself.
    #[cfg_attr(feature = "tokio", track_caller)]
    fn attach_routes<M: RemoteMessage>(
        &self,
        engine: &ActorEngine,
        partitions: Option<u32>,
        stated: Option<(usize, Overflow)>,
    ) -> Result<M::Client, BridgeError> {
        let carrier = NatsCarrier { lends: stated.is_none(), ..self.carrier::<M>()? };
        let (bound, overflow) = stated.unwrap_or((ROOM, Overflow::Wait));
        Ok(self.end.attach::<M>(engine, Arc::new(carrier), partitions, bound, overflow)?)
    }

    /// The way out for the messages of `M`.
    #[cfg_attr(feature = "tokio", track_caller)]
    pub(crate) fn carrier<M: RemoteMessage>(&self) -> Result<NatsCarrier, BridgeError> {
        check_name(M::WIRE)?;
        let turn = wire::subject(&self.namespace, M::WIRE, Route::Turn);
        self.connection.may_publish(turn.clone())?;
        let (namespace, commands) = (self.namespace.clone(), self.connection.commands.clone());
        let state = Arc::clone(&self.connection.session.state);
        Ok(NatsCarrier { namespace, turn: turn.into(), commands, state, lends: false, deadline: self.deadline })
    }

    #[cfg_attr(feature = "tokio", track_caller)]
    pub(crate) fn may_wait(&self) -> Result<(), BridgeError> {
        self.connection.may_wait()
    }

    pub(crate) fn namespace(&self) -> &str {
        &self.namespace
    }

    pub(crate) fn end(&self) -> &Arc<End> {
        &self.end
    }

    pub(crate) fn session(&self) -> &Session {
        &self.connection.session
    }

    pub(crate) fn ack_wait(&self) -> Duration {
        self.ack_wait
    }

    pub(crate) fn queues(&self) -> &Queues {
        &self.queues
    }

    /// Waits until every message that the links of this bridge have taken is acknowledged or a dead letter, for `limit`
    /// at most. Returns the books as they are then.
    ///
    /// A message that still lies in the mailbox of a link is not counted yet: [`settle`](ActorEngine::settle) the
    /// attaching engine first.
    ///
    /// # Blocking
    /// As long as messages are under way.
    #[cfg_attr(feature = "tokio", track_caller)]
    pub fn flush(&self, limit: Duration) -> Books {
        self.connection.assert_may_block();
        self.end.flush(limit)
    }

    /// Returns what this bridge has sent and taken so far.
    pub fn books(&self) -> Books {
        self.end.books()
    }

    /// Whether the bridge has a connection to a server just now, as far as it knows: for what a process says of its own
    /// health. Without one it tries again by itself, as long as it lives. A machine that is gone without a word is found out
    /// by the time: [`guide::running`](crate::guide::running) says by which.
    ///
    /// ```no_run
    /// # use zctor_nats::Bridge;
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let bridge = Bridge::builder("shop").connect()?;
    /// assert!(bridge.is_connected());
    /// # Ok(())
    /// # }
    /// ```
    pub fn is_connected(&self) -> bool {
        self.state() == ConnectionState::Connected
    }

    /// Returns whether the bridge has a connection, as far as it knows, and else since when not and why. So a call that
    /// ended with `NotRegistered` since nobody serves its pool is told apart from one that found no server.
    ///
    /// If a server lets the bridge in no more, a line on standard error says so, once until it is connected again.
    ///
    /// ```no_run
    /// # use zctor_nats::{Bridge, ConnectionState};
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let bridge = Bridge::builder("shop").connect()?;
    /// assert_eq!(bridge.state(), ConnectionState::Connected);
    /// # Ok(())
    /// # }
    /// ```
    pub fn state(&self) -> ConnectionState {
        self.connection.session.state.told()
    }

    /// Stops serving: everything that this bridge has taken is finished, and nothing more is taken. So a process can be
    /// replaced, and nobody notices: what its callers send from then on goes to the other processes that serve the pools.
    /// Returns the books as they are then: [drained](Books::is_drained), unless `limit` was up before.
    ///
    /// First the server stops choosing this process, without a loss of what is on its way. Meanwhile the process may get
    /// some thousand more messages of the server, and handles what is in them as always. Then what waits for room goes into
    /// mailboxes, and the calls are answered. Pools that this bridge has attached are not touched, so handlers that call
    /// other processes can still do so. Pools may be served again. If the books were not drained by then, order is not
    /// kept: a message that still waits for room may be overtaken by later ones.
    ///
    /// The order at the end of a process: leave, shut the engine down, close.
    ///
    /// ```no_run
    /// # use serde::{Deserialize, Serialize};
    /// # use std::time::Duration;
    /// # use zctor::{ActorEngine, actor};
    /// # use zctor_nats::Bridge;
    /// # #[actor(remote)]
    /// # #[derive(Serialize, Deserialize)]
    /// # pub enum JobMessage { Run(u64) }
    /// # struct Job;
    /// # impl JobHandler for Job { fn run(&mut self, _value: u64) {} }
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let engine = ActorEngine::new();
    /// engine.pool(8, JobMessage::actor(|| Job))?;
    /// let bridge = Bridge::builder("shop").connect()?;
    /// bridge.serve::<JobMessage>(&engine)?;
    /// // .. until the process is to end
    /// let books = bridge.leave(Duration::from_secs(10)); // takes no more; calls are answered
    /// assert!(books.is_drained());
    /// engine.shutdown()?; // handles what is in the mailboxes
    /// bridge.close(Duration::from_secs(10)); // sends what its handlers have sent
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// A [`WorkQueue`](crate::WorkQueue) gives this process nothing more, and the handlers that have begun with its messages
    /// are waited for. A message whose handler takes longer than `limit` is given to another process only if the bridge closes,
    /// or its process ends, before the handler has answered.
    ///
    /// While there is no server, nothing is on its way to this process: then only the handlers are waited for. If the bridge
    /// is not closed before the next connection, the server may still choose this process for a moment then, and what it
    /// sends is lost.
    ///
    /// Messages on their way to this process may be lost if the limit is up, if the connection breaks meanwhile, or if the
    /// server does not permit the bridge to publish to the subjects of its own pools. Their senders find that out, as of
    /// messages to a process that was killed. Handlers that have begun go on all the same.
    ///
    /// # Blocking
    /// Until the server sends nothing more and calls are answered, for `limit` at most. A server that is there and silent
    /// is waited for until the limit; one that is gone for the [`patience`](Builder::patience) at most, if messages wait
    /// for it. If a handler of a served pool calls this, or a hook on the bridge's own thread, it waits for itself until
    /// the limit.
    #[cfg_attr(feature = "tokio", track_caller)]
    pub fn leave(&self, limit: Duration) -> Books {
        self.connection.assert_may_block();
        let until = now() + limit.min(LONGEST);
        self.queues.leave(&self.connection.session, limit);
        let (done, left) = mpsc::channel();
        let is_sent = {
            // Under the lock: a pool that is served after this is served again.
            let mut served = self.served();
            served.left += 1;
            self.connection.commands.send(Command::Leave { until, done }).is_ok()
        };
        if is_sent {
            // An error if the time is up, or the bridge is closed.
            let _ = left.recv_timeout(until.saturating_duration_since(now()));
        }
        self.served().names.clear();
        self.end.leave(until.saturating_duration_since(now()))
    }

    /// Closes the bridge, after it has [left](Bridge::leave) what it serves, and has waited for what is under way as
    /// [`flush`](Bridge::flush) does; both within `limit`. Returns the books.
    ///
    /// Calls that are still under way then end with [`CallError::Lost`](zctor::CallError::Lost), and sends are dead
    /// letters with [`Undelivered::Lost`](zctor::Undelivered::Lost). A call that a handler here still has ends at its
    /// caller's deadline, since no reply goes out any more.
    ///
    /// An engine that is shut down while its pools are still served refuses what the server goes on sending to it: calls
    /// end with [`CallError::Stopped`](zctor::CallError::Stopped), and sends are dead letters with
    /// [`Undelivered::Unreachable`](zctor::Undelivered::Unreachable). So leave before the shutdown.
    ///
    /// # Blocking
    /// For `limit` at most, and until the thread of the bridge has ended: while no server takes anything, for some two
    /// times the [`patience`](Builder::patience) more.
    #[cfg_attr(feature = "tokio", track_caller)]
    pub fn close(self, limit: Duration) -> Books {
        let until = now() + limit.min(LONGEST);
        self.leave(limit);
        self.end.flush(until.saturating_duration_since(now()));
        self.connection.close();
        self.end.books()
    }
}

/// By this the server's monitoring tells processes apart.
fn connection_name(namespace: &str) -> String {
    let program = env::current_exe().ok();
    let program = program.as_deref().and_then(Path::file_name).map(OsStr::to_string_lossy).unwrap_or_default();
    format!("zctor {namespace} {program} {}", process::id())
}

pub(crate) fn check_name(name: &str) -> Result<(), BridgeError> {
    if wire::is_name(name) { Ok(()) } else { Err(BridgeError::Name { name: name.to_owned() }) }
}

impl Drop for Bridge {
    fn drop(&mut self) {
        self.connection.close();
    }
}

impl fmt::Debug for Bridge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Bridge({}: {})", self.namespace, self.books())
    }
}
