//! Topics: a value to each actor that has subscribed, with subscriptions that come and go at run time.
//!
//! A publisher and the drop of a subscription agree in these steps:
//!
//! 1. A publisher counts itself in at a subscriber, unless that has left (`Gate::enter`), then sends, then counts itself
//!    out.
//! 2. The drop of a subscription says that it has left, and waits until nobody is counted in (`Gate::close`).
//!
//! So no value is sent to it after the drop has returned. No lock is held while a value is cloned, sent or dropped. A
//! send in step 1 never waits, so the wait in step 2 is short. If the drop happens inside a send of the same thread, as
//! in a hook for dead letters, it does not wait: that send is over when the drop's caller has returned.

use std::cell::Cell;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use zctor::{Client, Message, Recipient, sleep};

/// A list of subscribers, each an actor that takes values of type `T` by one of its variants.
///
/// It is no actor and has no thread: a value is sent by the thread that publishes it, so no value waits on the way. It
/// is cheap to clone, and threads can share it; all clones are the same topic.
///
/// ```
/// use zctor::{ActorEngine, actor};
/// use zctor_kit::topic::Topic;
///
/// #[derive(Clone)]
/// pub struct Trade(u64);
///
/// #[actor]
/// pub enum LedgerMessage {
///     Book(Trade),
///     #[reply(u64)]
///     Total,
/// }
/// #[derive(Default)]
/// struct Ledger(u64);
/// impl LedgerHandler for Ledger {
///     fn book(&mut self, trade: Trade) {
///         self.0 += trade.0;
///     }
///     fn total(&mut self) -> u64 {
///         self.0
///     }
/// }
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let engine = ActorEngine::new();
/// let ledger: LedgerClient = engine.start(LedgerMessage::actor(Ledger::default))?;
/// let trades = Topic::new();
/// let subscription = trades.subscribe(&ledger, LedgerMessage::Book);
/// assert_eq!(trades.publish(Trade(5)).reached, 1);
/// drop(subscription);
/// assert_eq!(trades.publish(Trade(7)).reached, 0);
/// assert_eq!(ledger.total()?, 5);
/// # Ok(())
/// # }
/// ```
pub struct Topic<T> {
    members: Arc<Members<T>>,
}

/// The list is replaced as a whole, so that a publisher goes through it without a lock.
type Members<T> = Mutex<Arc<[Arc<Member<T>>]>>;

struct Member<T> {
    gate: Gate,
    to: Recipient<T>,
}

impl<T: Clone + Send + 'static> Topic<T> {
    /// Makes a topic without subscribers.
    pub fn new() -> Self {
        Self { members: Arc::new(Mutex::new(Arc::new([]))) }
    }

    /// Subscribes the actor that `client` sends to, until what this returns is dropped.
    ///
    /// `variant` is the constructor of the variant that holds the value, as for
    /// [`Client::recipient`](zctor::Client::recipient). Subscribe with a client that is bound to one instance, or each
    /// value goes to one of its pool. An actor that subscribes twice gets each value twice.
    #[track_caller]
    pub fn subscribe<M: Message, V>(&self, client: &Client<M, V>, variant: fn(T) -> M) -> Subscription {
        // Never waits for room: a slow subscriber must not hold up the others.
        let member = Arc::new(Member { gate: Gate::default(), to: client.non_blocking().recipient(variant) });
        self.change(|members| members.push(Arc::clone(&member)));
        Subscription { member: Some(Arc::new(Link { topic: Arc::downgrade(&self.members), member })) }
    }

    /// Sends a copy of `value` to each subscriber, in the order in which they subscribed.
    ///
    /// The values of one publisher come to each subscriber in the order in which they were published. One that has ended
    /// is taken off the list. One without room misses this value: see [`Published::refused`]. So does a pool that has no live
    /// instance just now; it stays subscribed, since its places can be filled again.
    ///
    /// # Blocking
    /// Never.
    ///
    /// ```
    /// # use zctor::{ActorEngine, actor};
    /// # use zctor_kit::topic::Topic;
    /// # #[actor]
    /// # pub enum LogMessage { Line(String) }
    /// # struct Log;
    /// # impl LogHandler for Log { fn line(&mut self, _value: String) {} }
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let engine = ActorEngine::new();
    /// let (log, lines) = (engine.start(LogMessage::actor(|| Log))?, Topic::new());
    /// lines.subscribe(&log, LogMessage::Line).detach();
    /// engine.shutdown()?;
    /// let published = lines.publish("too late".to_owned());
    /// assert_eq!((published.reached, published.refused, lines.len()), (0, 1, 0));
    /// # Ok(())
    /// # }
    /// ```
    pub fn publish(&self, value: T) -> Published {
        let members = Arc::clone(&lock(&self.members));
        let (mut published, mut ended) = (Published::default(), Vec::new());
        for member in members.iter() {
            let copy = value.clone();
            let Some(_inside) = member.gate.enter() else { continue };
            match member.to.send(copy) {
                Ok(()) => published.reached += 1,
                Err(refused) => {
                    published.refused += 1;
                    if refused.is_stopped() {
                        ended.push(Arc::clone(member));
                    }
                }
            }
        }
        if !ended.is_empty() {
            self.change(|members| members.retain(|member| !ended.iter().any(|ended| Arc::ptr_eq(ended, member))));
        }
        published
    }

    /// The number of subscribers.
    pub fn len(&self) -> usize {
        lock(&self.members).len()
    }

    /// Whether there are no subscribers.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn change(&self, change: impl FnOnce(&mut Vec<Arc<Member<T>>>)) {
        replace(&self.members, change);
    }
}

/// Replaces the list. What leaves it is dropped outside the lock.
fn replace<T>(members: &Members<T>, change: impl FnOnce(&mut Vec<Arc<Member<T>>>)) {
    let old = {
        let mut place = lock(members);
        let mut list = place.to_vec();
        change(&mut list);
        std::mem::replace(&mut *place, list.into())
    };
    drop(old);
}

impl<T: Clone + Send + 'static> Default for Topic<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> Clone for Topic<T> {
    fn clone(&self) -> Self {
        Self { members: Arc::clone(&self.members) }
    }
}

impl<T> fmt::Debug for Topic<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Topic").field("subscribers", &lock(&self.members).len()).finish()
    }
}

/// The fate of a value that was published: how many subscribers got it, and how many did not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Published {
    /// How many subscribers got it.
    pub reached: usize,
    /// How many did not: they had no room in a bounded mailbox, were a pool without a live instance, or had ended. Those
    /// that had ended are taken off the list.
    pub refused: usize,
}

/// A subscription to a [`Topic`]: dropping it ends it.
///
/// No value is sent to its actor after the drop has returned. Those that were sent before are still handled.
///
/// # Blocking
/// The drop waits for a send to this subscriber that another thread is just making, which itself does not wait.
#[must_use = "dropping a subscription ends it; `detach` it to keep it for the life of its actor"]
pub struct Subscription {
    member: Option<Arc<dyn Leave>>,
}

impl Subscription {
    /// Keeps the subscription until its actor has ended; that of a pool until the engine has stopped.
    pub fn detach(mut self) {
        self.member = None;
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        if let Some(member) = self.member.take() {
            member.leave();
        }
    }
}

impl fmt::Debug for Subscription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Subscription")
    }
}

/// A subscriber, whatever the type of its values.
trait Leave: Send + Sync {
    fn leave(&self);
}

struct Link<T> {
    topic: Weak<Members<T>>,
    member: Arc<Member<T>>,
}

impl<T> Leave for Link<T> {
    fn leave(&self) {
        if let Some(topic) = self.topic.upgrade() {
            replace(&topic, |members| members.retain(|member| !Arc::ptr_eq(member, &self.member)));
        }
        self.member.gate.close();
    }
}

/// Where publishers are counted in and out at one subscriber: steps 1 and 2.
#[derive(Default)]
struct Gate {
    state: Mutex<GateState>,
}

#[derive(Default)]
struct GateState {
    closed: bool,
    inside: usize,
}

thread_local! {
    /// How many sends of any topic are on this thread's stack.
    static SENDING: Cell<usize> = const { Cell::new(0) };
}

struct Inside<'a>(&'a Gate);

impl Gate {
    fn enter(&self) -> Option<Inside<'_>> {
        let mut state = lock(&self.state);
        if state.closed {
            return None;
        }
        state.inside += 1;
        SENDING.set(SENDING.get() + 1);
        Some(Inside(self))
    }

    fn close(&self) {
        lock(&self.state).closed = true;
        // The other thread is in the middle of a send. No condition variable: in a simulation that thread goes on only
        // while this one waits by zctor's own means.
        let mut pause = Duration::from_micros(10);
        while SENDING.get() == 0 && lock(&self.state).inside > 0 {
            sleep(pause);
            pause = (pause * 2).min(Duration::from_millis(1));
        }
    }
}

impl Drop for Inside<'_> {
    fn drop(&mut self) {
        SENDING.set(SENDING.get() - 1);
        lock(&self.0.state).inside -= 1;
    }
}

/// A panic of a value's `clone` poisons nothing: no lock is held then.
fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
