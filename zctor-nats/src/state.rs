//! Whether the client is connected just now, and for how long that is waited for.

use std::fmt;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::Poll;
use std::time::{Duration, Instant};

use tokio::sync::futures::Notified;
use tokio::sync::{Notify, watch};
use tokio::task::unconstrained;
use zctor::now;

/// What a bridge knows of its connection: see [`Bridge::state`](crate::Bridge::state).
///
/// ```
/// use zctor_nats::ConnectionState;
///
/// assert_eq!(ConnectionState::Connected.to_string(), "connected");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ConnectionState {
    /// There is a connection.
    Connected,
    /// No server is there, or none that can be spoken to.
    Away {
        /// Since when.
        since: Instant,
        /// What became of the last attempt to connect again.
        text: String,
    },
    /// A server is there, and does not let the bridge in any more; or the bridge has no credentials to show.
    Refused {
        /// Since when there is no connection.
        since: Instant,
        /// What became of the last attempt to connect again.
        text: String,
    },
}

impl fmt::Display for ConnectionState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ago = |since: &Instant| now().saturating_duration_since(*since).as_secs();
        match self {
            Self::Connected => f.write_str("connected"),
            Self::Away { since, text } => write!(f, "no server for {} s: {text}", ago(since)),
            Self::Refused { since, text } => write!(f, "not let in for {} s: {text}", ago(since)),
        }
    }
}

/// Why there is no connection.
#[derive(Clone)]
struct Trouble {
    text: String,
    is_refusal: bool,
}

pub(crate) struct State {
    /// Since when it is not.
    lost: Mutex<Option<Instant>>,
    /// What became of the last attempt to connect.
    trouble: Mutex<Option<Trouble>>,
    /// How many connections were lost.
    pub(crate) losses: watch::Sender<u64>,
    changed: Notify,
    /// The client has not taken the last command in time.
    is_stuck: AtomicBool,
    /// How long what is to be published waits for a connection, from its loss on.
    pub(crate) patience: Duration,
}

impl State {
    pub(crate) fn new(patience: Duration) -> Self {
        Self {
            lost: Mutex::default(),
            trouble: Mutex::default(),
            losses: watch::Sender::new(0),
            changed: Notify::new(),
            is_stuck: AtomicBool::new(false),
            patience,
        }
    }

    pub(crate) fn set(&self, connected: bool) {
        let mut lost = self.lost();
        *lost = if connected { None } else { lost.or_else(|| Some(now())) };
        drop(lost);
        if connected {
            *self.trouble() = None;
        } else {
            self.losses.send_modify(|losses| *losses += 1);
        }
        self.changed.notify_waiters();
    }

    /// An attempt to connect has failed. Gives whether this is the first refusal since there was a connection.
    pub(crate) fn failed(&self, text: String, is_refusal: bool) -> bool {
        let mut trouble = self.trouble();
        let is_first = is_refusal && !trouble.as_ref().is_some_and(|before| before.is_refusal);
        *trouble = Some(Trouble { text, is_refusal });
        is_first
    }

    pub(crate) fn told(&self) -> ConnectionState {
        let Some(since) = *self.lost() else { return ConnectionState::Connected };
        match self.trouble().clone() {
            Some(Trouble { text, is_refusal: true }) => ConnectionState::Refused { since, text },
            Some(Trouble { text, .. }) => ConnectionState::Away { since, text },
            None => ConnectionState::Away { since, text: "the connection is lost".to_owned() },
        }
    }

    fn trouble(&self) -> MutexGuard<'_, Option<Trouble>> {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lost(&self) -> MutexGuard<'_, Option<Instant>> {
        self.lost.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Is over when the connection is lost, or made again, after this call.
    pub(crate) fn changed(&self) -> Notified<'_> {
        self.changed.notified()
    }

    pub(crate) fn is_connected(&self) -> bool {
        self.lost().is_none()
    }

    /// Waits until the client is connected, however long that takes.
    pub(crate) async fn connected(&self) {
        loop {
            // Before the look, so that a change after it is not missed.
            let changed = self.changed.notified();
            if self.lost().is_none() {
                return;
            }
            changed.await;
        }
    }

    /// Waits until the client is connected, or has not been for too long; gives whether it is.
    pub(crate) async fn await_connected(&self) -> bool {
        loop {
            // Before the look, so that a change after it is not missed.
            let changed = self.changed.notified();
            let lost = *self.lost();
            let Some(lost) = lost else { return true };
            let left = (lost + self.patience).saturating_duration_since(now());
            if left.is_zero() || tokio::time::timeout(left, changed).await.is_err() {
                return self.lost().is_none();
            }
        }
    }

    /// Has the client take a command, with which it waits while it has too many that the server has not taken. `None` if it
    /// waits for too long. From then on nothing waits, until it takes one again: else each of many messages would wait as
    /// long, one after the other.
    pub(crate) async fn patiently<T>(&self, command: impl Future<Output = T>) -> Option<T> {
        // Without a limit on what one task may do at a time, which would look as if the client did not take it.
        let mut command = pin!(unconstrained(command));
        // Mostly there is nothing to wait for, and a timeout begins with a look at the clock.
        let taken = match poll_fn(|task| Poll::Ready(command.as_mut().poll(task))).await {
            Poll::Ready(done) => Some(done),
            // Relaxed: one thread has both.
            Poll::Pending if self.is_stuck.load(Ordering::Relaxed) => None,
            Poll::Pending => tokio::time::timeout(self.patience, command).await.ok(),
        };
        self.is_stuck.store(taken.is_none(), Ordering::Relaxed);
        taken
    }
}
