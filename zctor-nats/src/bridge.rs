//! [`Bridge`]: an engine's way to the pools of other processes, and theirs to its own.

use std::collections::HashSet;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::time::Duration;

use zctor::remote::transport::End;
use zctor::remote::{Books, RemoteMessage};
use zctor::{ActorEngine, Overflow, now};

use crate::carrier::NatsCarrier;
use crate::connection::{Command, Connection, LONGEST, Session, Settings};
use crate::durable::Queues;
use crate::error::BridgeError;
use crate::wire;

/// For how many messages from outside a link has room by itself.
pub(crate) const ROOM: usize = 1_024;

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
    namespace: String,
    settings: Settings,
    deadline: Duration,
}

impl Builder {
    /// Sets the address of the server; `nats://127.0.0.1:4222` by itself. It may hold a user and a password:
    /// `nats://user:password@host:4222`.
    pub fn server(mut self, address: impl Into<String>) -> Self {
        self.settings.server = address.into();
        self
    }

    /// Sets the deadline of calls that have none: 30 s by itself. There is always one, since nobody may ever tell of a
    /// process that has gone.
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline.min(LONGEST);
        self
    }

    /// Sets how long a message waits for a connection that is lost: 2 s by itself.
    pub fn patience(mut self, patience: Duration) -> Self {
        self.settings.patience = patience.min(LONGEST);
        self
    }

    /// Sets how long after it was last heard of a message that was sent counts as lost: 10 s by itself. The process that
    /// has it, and has no room for it, says so every third of its own such time.
    pub fn ack_wait(mut self, ack_wait: Duration) -> Self {
        self.settings.ack_wait = ack_wait.min(LONGEST);
        self
    }

    /// Connects.
    ///
    /// # Errors
    /// - [`BridgeError::Name`]: the namespace cannot be part of a subject.
    /// - [`BridgeError::Connect`]: the server cannot be reached, or does not let the bridge in.
    /// - [`BridgeError::Thread`]: the system refused a thread.
    ///
    /// # Blocking
    /// Until it is connected, or has failed to.
    pub fn connect(self) -> Result<Bridge, BridgeError> {
        if !wire::is_name(&self.namespace) {
            return Err(BridgeError::Name { name: self.namespace });
        }
        let end = Arc::<End>::default();
        let ack_wait = self.settings.ack_wait;
        let connection = Connection::open(self.settings, &end)?;
        let (namespace, deadline) = (self.namespace, self.deadline);
        let (served, queues) = (Mutex::default(), Queues::default());
        Ok(Bridge { namespace, end, connection, deadline, ack_wait, served, queues })
    }
}

impl fmt::Debug for Builder {
    /// Without the address, which may hold a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Builder({})", self.namespace)
    }
}

/// An engine's way to the pools of other processes, and theirs to its own, over a NATS server.
///
/// Dropping it closes it, without a wait for what is under way. A hook that drops it on the bridge's own thread, such as
/// that for dead letters, does not wait for the end of that thread either.
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
    /// The names that the server has been told of.
    served: Mutex<HashSet<&'static str>>,
    queues: Queues,
}

impl Bridge {
    /// Returns a builder of a bridge. Bridges of one namespace know each other's pools; the namespace is a part of every
    /// subject.
    pub fn builder(namespace: impl Into<String>) -> Builder {
        let settings = Settings {
            server: "nats://127.0.0.1:4222".to_owned(),
            name: "zctor".to_owned(),
            patience: Duration::from_secs(2),
            ack_wait: Duration::from_secs(10),
        };
        Builder { namespace: namespace.into(), settings, deadline: Duration::from_secs(30) }
    }

    /// Serves the engine's pool of `M` to all bridges of the namespace. Several processes may serve the same pool: each
    /// message goes to one of them.
    ///
    /// # Errors
    /// - [`BridgeError::Serve`]: the engine has no pool of this type, or has stopped; or another enum is served under
    ///   this name.
    /// - [`BridgeError::Name`]: the name of the enum cannot be part of a subject. Give it another:
    ///   `#[actor(remote = "..")]`.
    /// - [`BridgeError::Disconnected`]: the server has not said in time that it knows of the pool. It is told with the
    ///   next connection; serve the pool again to wait for that.
    /// - [`BridgeError::Closed`]: the bridge is closed.
    ///
    /// # Blocking
    /// Until the server knows of it.
    pub fn serve<M: RemoteMessage>(&self, engine: &ActorEngine) -> Result<(), BridgeError> {
        self.check_name(M::WIRE)?;
        self.end.serve::<M>(engine)?;
        let mut served = self.served.lock().unwrap_or_else(PoisonError::into_inner);
        if served.contains(M::WIRE) {
            return Ok(());
        }
        let (done, told) = mpsc::channel();
        let command = Command::Serve { namespace: self.namespace.clone(), name: M::WIRE, done };
        self.connection.commands.send(command).map_err(|_| BridgeError::Closed)?;
        told.recv().unwrap_or(Err(BridgeError::Closed))?;
        served.insert(M::WIRE);
        Ok(())
    }

    /// Makes a pool of `M` in the engine whose messages go to the processes that serve it. From outside at most 1,024
    /// messages are under way; beyond that a sender waits.
    ///
    /// # Errors
    /// - [`BridgeError::Spawn`]: as [`ActorEngine::pool`].
    /// - [`BridgeError::Name`]: the name of the enum cannot be part of a subject.
    pub fn attach<M: RemoteMessage>(&self, engine: &ActorEngine) -> Result<M::Client, BridgeError> {
        self.attach_bounded::<M>(engine, ROOM, Overflow::Wait)
    }

    /// As [`attach`](Bridge::attach), with another bound for the messages from outside that are under way, and with what
    /// becomes of those beyond it.
    ///
    /// # Errors
    /// As [`attach`](Bridge::attach).
    pub fn attach_bounded<M: RemoteMessage>(
        &self,
        engine: &ActorEngine,
        bound: usize,
        overflow: Overflow,
    ) -> Result<M::Client, BridgeError> {
        let carrier = Arc::new(self.carrier::<M>()?);
        Ok(self.end.attach::<M>(engine, carrier, bound, overflow)?)
    }

    /// The way out for the messages of `M`.
    pub(crate) fn carrier<M: RemoteMessage>(&self) -> Result<NatsCarrier, BridgeError> {
        self.check_name(M::WIRE)?;
        let (namespace, commands) = (self.namespace.clone(), self.connection.commands.clone());
        Ok(NatsCarrier { namespace, commands, deadline: self.deadline })
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

    fn check_name(&self, name: &str) -> Result<(), BridgeError> {
        if wire::is_name(name) { Ok(()) } else { Err(BridgeError::Name { name: name.to_owned() }) }
    }

    /// Waits until every message that the links of this bridge have taken is acknowledged or a dead letter, for `limit`
    /// at most. Returns the books as they are then.
    ///
    /// A message that still lies in the mailbox of a link is not counted yet: [`settle`](ActorEngine::settle) the
    /// attaching engine first.
    ///
    /// # Blocking
    /// As long as messages are under way.
    pub fn flush(&self, limit: Duration) -> Books {
        self.end.flush(limit)
    }

    /// Returns what this bridge has sent and taken so far.
    pub fn books(&self) -> Books {
        self.end.books()
    }

    /// Closes the bridge, after it has waited for what is under way as [`flush`](Bridge::flush) does. Returns the books.
    ///
    /// Calls that are under way then end with [`CallError::Lost`](zctor::CallError::Lost), and sends are dead letters
    /// with [`Undelivered::Lost`](zctor::Undelivered::Lost). Shut the engines down before, if their handlers are to
    /// answer what they have.
    ///
    /// # A process that leaves
    /// The server goes on choosing this process for messages to the pools that it serves until the bridge is closed.
    /// So other processes lose messages at each rolling restart today, even though others serve the same pool:
    ///
    /// - Between the engine's shutdown and `close`, calls end with [`CallError::Stopped`](zctor::CallError::Stopped), and
    ///   sends are dead letters with [`Undelivered::Unreachable`](zctor::Undelivered::Unreachable). None of them ran:
    ///   they can be tried again. Close right after the shutdown, so that they are few.
    /// - A message that is on its way to this process while the bridge closes is told of by nobody. A send is a dead
    ///   letter with `Lost` at its sender after that one's [`ack_wait`](Builder::ack_wait), and a call ends at its
    ///   deadline.
    /// - If the bridge is closed first, calls that handlers still have end at their deadlines too, since no reply goes
    ///   out any more.
    ///
    /// A [`WorkQueue`](crate::WorkQueue) loses nothing then: `close` waits for the handlers that have begun with its
    /// messages, and what is not through after `limit` is given to another process.
    ///
    /// # Blocking
    /// For `limit` at most, and until the thread of the bridge has ended.
    pub fn close(self, limit: Duration) -> Books {
        let begun = now();
        self.queues.leave(&self.connection.session, limit);
        self.end.flush(limit.saturating_sub(now() - begun));
        self.connection.close();
        self.end.books()
    }
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
