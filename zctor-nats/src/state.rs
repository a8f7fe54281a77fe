//! The state of the connection, and the patience with which packets wait for a connection that is lost.

use std::fmt;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;
use std::time::{Duration, Instant};

use tokio::sync::futures::Notified;
use tokio::sync::{Notify, watch};
use tokio::task::{unconstrained, yield_now};
use zctor::now;

/// The connection of a bridge, as far as the bridge knows: see [`Bridge::state`](crate::Bridge::state).
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
        /// The outcome of the last attempt to connect again.
        text: String,
    },
    /// A server is there, and does not let the bridge in any more; or the bridge has no credentials to show.
    Refused {
        /// Since when there is no connection.
        since: Instant,
        /// The outcome of the last attempt to connect again.
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
    /// A refusal was told since there was a connection.
    was_told: bool,
}

pub(crate) struct State {
    /// Since when it is not.
    lost: Mutex<Option<Instant>>,
    /// The outcome of the last attempt to connect, if it failed.
    trouble: Mutex<Option<Trouble>>,
    /// How many connections were lost.
    pub(crate) losses: watch::Sender<u64>,
    changed: Notify,
    /// Since when the client takes no commands.
    stuck: Mutex<Option<Instant>>,
    /// There is no connection, or the client takes no commands.
    is_held: AtomicBool,
    /// How many [`Held`] there are.
    held: AtomicUsize,
    /// How long what is to be published waits for a connection: from its loss on, or from when it was given to the bridge.
    pub(crate) patience: Duration,
}

impl State {
    pub(crate) fn new(patience: Duration) -> Self {
        Self {
            lost: Mutex::default(),
            trouble: Mutex::default(),
            losses: watch::Sender::new(0),
            changed: Notify::new(),
            stuck: Mutex::default(),
            is_held: AtomicBool::new(false),
            held: AtomicUsize::new(0),
            patience,
        }
    }

    pub(crate) fn set(&self, connected: bool) {
        let mut lost = self.lost();
        if !connected {
            // Under the lock: whoever sees the loss sees this.
            self.is_held.store(true, Ordering::Relaxed);
        }
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
        let was_told = trouble.as_ref().is_some_and(|before| before.was_told);
        *trouble = Some(Trouble { text, is_refusal, was_told: was_told || is_refusal });
        is_refusal && !was_told
    }

    pub(crate) fn told(&self) -> ConnectionState {
        let Some(since) = *self.lost() else { return ConnectionState::Connected };
        match self.trouble().clone() {
            Some(Trouble { text, is_refusal: true, .. }) => ConnectionState::Refused { since, text },
            Some(Trouble { text, .. }) => ConnectionState::Away { since, text },
            None => ConnectionState::Away { since, text: "the connection is lost".to_owned() },
        }
    }

    fn trouble(&self) -> MutexGuard<'_, Option<Trouble>> {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn stuck(&self) -> MutexGuard<'_, Option<Instant>> {
        self.stuck.lock().unwrap_or_else(PoisonError::into_inner)
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

    /// The time, if what is given to the bridge now may have to wait. So it can be held for as long as any other, and its
    /// sender with it, however long nothing has gone out.
    pub(crate) fn hold(self: &Arc<Self>) -> Option<Held> {
        // Relaxed: what is given just before this is set waits from then on.
        self.is_held.load(Ordering::Relaxed).then(|| {
            // Relaxed: it only counts.
            self.held.fetch_add(1, Ordering::Relaxed);
            Held { since: now(), state: Arc::clone(self) }
        })
    }

    /// Whether a packet that holds no sender back is refused before it is given to the bridge: nothing has gone out for too
    /// long, and packets that may wait for longer are before it. The first of those finds out whether the client goes on;
    /// without one the packet itself has to.
    pub(crate) fn refuses(&self) -> bool {
        // Relaxed: a sender sees what it has given itself.
        if self.held.load(Ordering::Relaxed) == 0 {
            return false;
        }
        let is_over =
            |since: Option<Instant>| since.is_some_and(|since| now().saturating_duration_since(since) >= self.patience);
        is_over(*self.lost()) || is_over(*self.stuck())
    }

    /// Until when what was given to the bridge then waits, if it could not go out from `held` on.
    fn until(&self, since: Option<Instant>, held: Instant) -> Instant {
        since.map_or(held, |since| since.max(held)) + self.patience
    }

    /// Waits until the client is connected, or has not been for too long; gives whether it is. `since`: when that which
    /// waits was given to the bridge; otherwise it waits from the loss of the connection on.
    pub(crate) async fn await_connected(&self, since: Option<Instant>) -> bool {
        loop {
            // Before the look, so that a change after it is not missed.
            let changed = self.changed.notified();
            let lost = *self.lost();
            let Some(lost) = lost else { return true };
            let left = self.until(since, lost).saturating_duration_since(now());
            if left.is_zero() || tokio::time::timeout(left, changed).await.is_err() {
                return self.lost().is_none();
            }
        }
    }

    /// Has the client take a command, with which it waits while it has too many that the server has not taken. `None` if it
    /// waits for too long. From then on nothing waits, until it takes one again, but for what was given to the bridge since
    /// then: else each of many messages would wait as long, one after the other.
    pub(crate) async fn patiently<T>(&self, since: Option<Instant>, command: impl Future<Output = T>) -> Option<T> {
        // Without a limit on what one task may do at a time, which would look as if the client did not take it.
        let mut command = pin!(unconstrained(command));
        // Mostly there is nothing to wait for, and a timeout begins with a look at the clock.
        let mut taken = now_or_never(command.as_mut()).await;
        if taken.is_none() {
            self.is_held.store(true, Ordering::Relaxed);
            let stuck = *self.stuck().get_or_insert_with(now);
            let left = self.until(since, stuck).saturating_duration_since(now());
            if !left.is_zero() {
                taken = tokio::time::timeout(left, command.as_mut()).await.ok();
            }
        }
        // The client's task, which alone makes room, is on this thread, and comes to its turn only if this one yields. It
        // has to be woken first: by the socket, which the runtime looks at when all tasks have had their turn.
        for _ in 0..2 {
            if taken.is_none() {
                yield_now().await;
                taken = now_or_never(command.as_mut()).await;
            }
        }
        if taken.is_some() && self.is_held.load(Ordering::Relaxed) {
            *self.stuck() = None;
            self.is_held.store(!self.is_connected(), Ordering::Relaxed);
        }
        taken
    }
}

/// Marks a packet that was given to the bridge while nothing went out, until it has gone out or is refused.
pub(crate) struct Held {
    /// When it was given.
    pub(crate) since: Instant,
    state: Arc<State>,
}

impl Drop for Held {
    fn drop(&mut self) {
        // Relaxed: it only counts.
        self.state.held.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The output of the future, if it has one without a wait.
async fn now_or_never<T>(mut future: Pin<&mut impl Future<Output = T>>) -> Option<T> {
    poll_fn(|task| {
        Poll::Ready(match future.as_mut().poll(task) {
            Poll::Ready(done) => Some(done),
            Poll::Pending => None,
        })
    })
    .await
}

#[cfg(test)]
mod tests {
    use std::thread;

    use tokio::sync::{mpsc, oneshot};

    use super::*;

    const PATIENCE: Duration = Duration::from_millis(1);

    fn in_runtime(test: impl Future<Output = ()>) {
        tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime").block_on(test);
    }

    /// A client that takes nothing more, until it is told so.
    fn stalled() -> (mpsc::Sender<u64>, oneshot::Sender<()>) {
        let (give, mut given) = mpsc::channel(4);
        (0..4).for_each(|number| give.try_send(number).expect("there is room"));
        let (go_on, goes_on) = oneshot::channel::<()>();
        tokio::spawn(async move {
            drop(goes_on.await);
            while given.recv().await.is_some() {}
        });
        (give, go_on)
    }

    /// Issue #17: all that waited was refused before the client had a turn.
    #[test]
    fn what_comes_after_a_stall_is_refused_no_more() {
        in_runtime(async {
            let state = State::new(PATIENCE);
            let (give, go_on) = stalled();
            for number in 0..100 {
                assert!(state.patiently(None, give.send(number)).await.is_none(), "the client takes nothing");
            }
            go_on.send(()).unwrap_or_default();
            for number in 0..1_000 {
                assert!(state.patiently(None, give.send(number)).await.is_some(), "{number}");
            }
        });
    }

    /// Issue #17: the process was stopped for a while, and the server had taken all of it long before it went on.
    #[test]
    fn a_client_that_could_take_it_in_time_has_its_turn() {
        in_runtime(async {
            let state = Arc::new(State::new(PATIENCE));
            let (give, go_on) = stalled();
            tokio::spawn(async move {
                tokio::time::sleep(PATIENCE).await;
                go_on.send(()).unwrap_or_default();
            });
            // Both times are up when this thread looks at them again.
            tokio::spawn(async { thread::park_timeout(20 * PATIENCE) });
            assert!(state.patiently(None, give.send(1)).await.is_some());
        });
    }

    #[test]
    fn a_call_is_refused_at_once_behind_what_waits_and_is_tried_otherwise() {
        in_runtime(async {
            let state = Arc::new(State::new(PATIENCE));
            let (give, go_on) = stalled();
            assert!(state.hold().is_none() && !state.refuses(), "all goes out");
            assert!(state.patiently(None, give.send(1)).await.is_none(), "the client takes nothing");
            assert!(!state.refuses(), "nothing else would find out that the client goes on");
            let held = state.hold().expect("nothing goes out");
            assert!(state.refuses(), "it would wait for as long");
            go_on.send(()).unwrap_or_default();
            assert!(state.patiently(Some(held.since), give.send(2)).await.is_some());
            assert!(!state.refuses(), "the client goes on");
            state.set(false);
            while !state.refuses() {
                tokio::time::sleep(PATIENCE).await;
            }
            drop(held);
            assert!(!state.refuses());
        });
    }

    /// Issue #17: whatever else had failed in between, each refusal was told.
    #[test]
    fn the_first_refusal_of_each_connection_is_told() {
        let state = State::new(PATIENCE);
        let failed = |is_refusal| state.failed("text".to_owned(), is_refusal);
        assert!(!failed(false) && failed(true) && !failed(true));
        assert!(!failed(false) && !failed(true), "it was told");
        state.set(true);
        state.set(false);
        assert!(failed(true));
    }
}
