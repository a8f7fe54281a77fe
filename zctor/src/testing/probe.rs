//! `Probe`: a double whose messages the test receives one at a time.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::actor::Actor;
use crate::actor::double::{Double, Role};
use crate::client::message::{Message, Request};
use crate::reply::reply_to::{ReplySlot, ReplyTo};
use crate::sys::clock::{deadline, now};
use crate::sys::monitor::Monitor;
use crate::testing::{Doubled, Port, call_of, reply_of};

/// A double that replaces an actor: the test expects, inspects and answers its messages, one at a time.
///
/// A call waits until the test answers it. The test can answer calls in any order, since the thread of the double does
/// not wait for the answers. Once the probe is dropped, calls end with
/// [`CallError::NoReply`](crate::CallError::NoReply), and messages that are sent are dropped.
///
/// ```
/// use std::time::Duration;
/// use zctor::testing::Probe;
/// use zctor::{ActorEngine, CallError, Context, actor};
///
/// #[actor]
/// #[derive(Debug, PartialEq)]
/// pub enum StoreMessage {
///     #[reply(Option<String>)]
///     Load(u64),
/// }
/// #[actor(calls(StoreMessage))]
/// pub enum PageMessage {
///     #[reply(Result<String, CallError>)]
///     Show(u64),
/// }
///
/// // The actor under test.
/// struct Page;
/// impl PageHandler for Page {
///     fn show(&mut self, ctx: &mut Context<PageMessage>, value: u64) -> Result<String, CallError> {
///         Ok(ctx.call(StoreMessage::load(value))?.unwrap_or("nothing here".to_owned()))
///     }
/// }
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let engine = ActorEngine::new();
/// let store = Probe::<StoreMessage>::new();
/// engine.pool(1, store.actor())?;
/// let page: PageClient = engine.pool(1, PageMessage::actor(|| Page))?;
///
/// let shown = page.non_blocking().show(7);
/// store.expect_request(StoreMessage::load(7), Duration::from_secs(5)).send(None);
/// assert_eq!(shown.wait()??, "nothing here");
/// assert!(store.is_empty());
/// # Ok(())
/// # }
/// ```
pub struct Probe<M: Message> {
    inbox: Arc<Inbox<M>>,
}

struct Inbox<M: Message> {
    arrived: Monitor<Arrived<M>>,
}

struct Arrived<M: Message> {
    queue: VecDeque<Received<M>>,
    /// How many `HeldProbe`s there are.
    holds: usize,
    /// The probe was dropped, so nothing is queued any more.
    closed: bool,
}

impl<M: Doubled> Role<M> for Inbox<M> {
    fn take(&self, message: M, slot: &mut ReplySlot<'_, M::Port>) {
        let received = Received { message, port: slot.take() };
        let mut arrived = self.arrived.lock();
        if arrived.closed {
            drop(arrived);
            drop(received);
        } else {
            arrived.queue.push_back(received);
            self.arrived.notify();
            while arrived.holds > 0 && !arrived.closed {
                arrived = self.arrived.wait(arrived, None);
            }
        }
    }
}

impl<M: Doubled> Default for Probe<M> {
    fn default() -> Self {
        Self::new()
    }
}

impl<M: Doubled> Probe<M> {
    /// Makes a probe that replaces no actor yet.
    ///
    /// ```
    /// # #[zctor::actor]
    /// # pub enum ClockMessage { Wind }
    /// let clock = zctor::testing::Probe::<ClockMessage>::new();
    /// assert!(clock.is_empty());
    /// ```
    pub fn new() -> Self {
        let arrived = Monitor::new(Arrived { queue: VecDeque::new(), holds: 0, closed: false });
        Self { inbox: Arc::new(Inbox { arrived }) }
    }

    /// Returns an actor to register, pool or start in place of the real one. The messages of all its instances come to
    /// this probe.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use zctor::{ActorEngine, testing::Probe};
    /// # #[zctor::actor]
    /// # #[derive(Debug, PartialEq)]
    /// # pub enum ClockMessage { Wind }
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let engine = ActorEngine::new();
    /// let probe = Probe::<ClockMessage>::new();
    /// let clock = engine.pool(3, probe.actor())?;
    /// clock.wind()?;
    /// assert_eq!(probe.expect(Duration::from_secs(5)).into_message(), ClockMessage::Wind);
    /// # Ok(())
    /// # }
    /// ```
    pub fn actor(&self) -> Actor<M, Double<M>> {
        let inbox = Arc::clone(&self.inbox);
        Actor::__new(move || Double { role: Arc::<Inbox<M>>::clone(&inbox) })
    }

    /// The state of one double that gives its messages to this probe.
    pub(super) fn double(&self) -> Double<M> {
        Double { role: Arc::<Inbox<M>>::clone(&self.inbox) }
    }

    /// Holds the probe until what this gives is dropped, so that a bounded mailbox fills.
    ///
    /// A thread of the probe stops at the next message that comes to it: the test can take that message, and those
    /// behind it wait in the mailbox. Nothing else on that thread is served meanwhile, and a shutdown waits for it.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use zctor::{ActorEngine, ActorThread, Overflow, testing::Probe};
    /// # #[zctor::actor]
    /// # #[derive(Debug, PartialEq)]
    /// # pub enum ClockMessage { Wind }
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let (engine, probe) = (ActorEngine::new(), Probe::<ClockMessage>::new());
    /// engine.spawn(ActorThread::new().mailbox_bound(2).overflow(Overflow::Refuse).register(probe.actor()))?;
    /// let clock = engine.client::<ClockMessage>()?;
    /// let held = probe.hold();
    /// clock.wind()?;
    /// probe.expect(Duration::from_secs(5)); // the thread is held at this one
    /// clock.wind()?;
    /// clock.wind()?;
    /// assert!(clock.wind().is_err_and(|error| error.is_full()));
    /// drop(held);
    /// assert_eq!(probe.expect(Duration::from_secs(5)).into_message(), ClockMessage::Wind);
    /// # Ok(())
    /// # }
    /// ```
    pub fn hold(&self) -> HeldProbe<M> {
        self.inbox.arrived.lock().holds += 1;
        HeldProbe { inbox: Arc::clone(&self.inbox) }
    }

    /// Waits for the next message, which must come within `limit`, and returns it.
    ///
    /// # Panics
    /// If no message comes in that time.
    ///
    /// # Blocking
    /// Waits until there is a message. This is no wait of zctor's own: if a handler waits here, its thread serves no
    /// instances meanwhile.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use zctor::{ActorEngine, testing::Probe};
    /// # #[zctor::actor]
    /// # pub enum ClockMessage { Wind, #[reply(u64)] Now { zone: u8 } }
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let engine = ActorEngine::new();
    /// let probe = Probe::<ClockMessage>::new();
    /// let clock = engine.start(probe.actor())?;
    /// let _now = clock.non_blocking().now(2);
    /// let received = probe.expect(Duration::from_secs(5));
    /// assert!(received.is_call());
    /// assert!(matches!(received.message(), ClockMessage::Now { zone: 2 }));
    /// # Ok(())
    /// # }
    /// ```
    #[track_caller]
    pub fn expect(&self, limit: Duration) -> Received<M> {
        match self.next_within(limit) {
            Some(received) => received,
            None => panic!("no message came to the probe of `{}` within {limit:?}", M::name()),
        }
    }

    /// Waits for the next message, which must be a call of this variant and come within `limit`.
    ///
    /// It returns the message, and the [`ReplyTo`] that answers the call.
    ///
    /// # Panics
    /// If no message comes in that time, or the next one is something else.
    ///
    /// # Blocking
    /// As [`expect`](Probe::expect).
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use zctor::{ActorEngine, testing::{Port, Probe}};
    /// # #[zctor::actor]
    /// # #[derive(Debug, PartialEq)]
    /// # pub enum ClockMessage { Wind, #[reply(u64)] Now { zone: u8 } }
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let engine = ActorEngine::new();
    /// let probe = Probe::<ClockMessage>::new();
    /// let clock = engine.start(probe.actor())?;
    /// let now = clock.non_blocking().now(2);
    /// let (message, reply) = probe.expect_call(Port::<ClockMessage>::Now, Duration::from_secs(5));
    /// assert_eq!(message, ClockMessage::Now { zone: 2 });
    /// reply.send(1200);
    /// assert_eq!(now.wait()?, 1200);
    /// # Ok(())
    /// # }
    /// ```
    #[track_caller]
    pub fn expect_call<R: 'static>(&self, variant: fn(ReplyTo<R>) -> Port<M>, limit: Duration) -> (M, ReplyTo<R>) {
        let Some(received) = self.next_within(limit) else {
            panic!("{} was expected, and nothing came to the probe within {limit:?}", call_of::<M, R>(variant));
        };
        match received.into_call(variant) {
            Ok(call) => call,
            Err(other) => panic!("{} was expected, and {other:?} came to the probe", call_of::<M, R>(variant)),
        }
    }

    /// Waits for the next message, which must be this request and come within `limit`.
    ///
    /// It returns the [`ReplyTo`] that answers the call. The enum must be `Debug` and `PartialEq`.
    ///
    /// # Panics
    /// If no message comes in that time, or the next one is something else.
    ///
    /// # Blocking
    /// As [`expect`](Probe::expect).
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use zctor::{ActorEngine, testing::Probe};
    /// # #[zctor::actor]
    /// # #[derive(Debug, PartialEq)]
    /// # pub enum ClockMessage { Wind, #[reply(u64)] Now { zone: u8 } }
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let engine = ActorEngine::new();
    /// let probe = Probe::<ClockMessage>::new();
    /// let clock = engine.start(probe.actor())?;
    /// let now = clock.non_blocking().now(2);
    /// probe.expect_request(ClockMessage::now(2), Duration::from_secs(5)).send(1200);
    /// assert_eq!(now.wait()?, 1200);
    /// # Ok(())
    /// # }
    /// ```
    #[track_caller]
    pub fn expect_request<R: 'static, K>(&self, request: Request<M, R, K>, limit: Duration) -> ReplyTo<R>
    where
        M: PartialEq + fmt::Debug,
    {
        let (message, reply) = self.expect_call(request.port, limit);
        assert_eq!(message, request.message, "another request (left) came to the probe than was expected (right)");
        reply
    }

    /// Returns the next message, if one is there.
    ///
    /// ```
    /// # use zctor::{ActorEngine, testing::Probe};
    /// # #[zctor::actor]
    /// # pub enum ClockMessage { Wind }
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let engine = ActorEngine::new();
    /// let probe = Probe::<ClockMessage>::new();
    /// let clock = engine.start(probe.actor())?;
    /// clock.wind()?;
    /// engine.settle(); // the message has come to the probe
    /// assert!(probe.try_next().is_some());
    /// assert!(probe.try_next().is_none());
    /// # Ok(())
    /// # }
    /// ```
    pub fn try_next(&self) -> Option<Received<M>> {
        self.inbox.arrived.lock().queue.pop_front()
    }

    /// Returns whether no message is there. After [`settle`](crate::ActorEngine::settle), no message is on its way
    /// either.
    ///
    /// ```
    /// # #[zctor::actor]
    /// # pub enum ClockMessage { Wind }
    /// assert!(zctor::testing::Probe::<ClockMessage>::new().is_empty());
    /// ```
    pub fn is_empty(&self) -> bool {
        self.inbox.arrived.lock().queue.is_empty()
    }

    fn next_within(&self, limit: Duration) -> Option<Received<M>> {
        let until = deadline(limit);
        let mut arrived = self.inbox.arrived.lock();
        while arrived.queue.is_empty() && until.is_none_or(|until| until > now()) {
            arrived = self.inbox.arrived.wait(arrived, until);
        }
        arrived.queue.pop_front()
    }
}

impl<M: Message> Drop for Probe<M> {
    fn drop(&mut self) {
        let mut arrived = self.inbox.arrived.lock();
        arrived.closed = true;
        let unread = std::mem::take(&mut arrived.queue);
        // The drop of a message is user code, so the lock is released first.
        drop(arrived);
        self.inbox.arrived.notify();
        drop(unread);
    }
}

impl<M: Message> fmt::Debug for Probe<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Probe({})", M::name())
    }
}

/// A probe that is held, made by [`Probe::hold`]. Dropping it lets the probe go on.
///
/// ```
/// # #[zctor::actor]
/// # pub enum ClockMessage { Wind }
/// let clock = zctor::testing::Probe::<ClockMessage>::new();
/// assert_eq!(format!("{:?}", clock.hold()), "HeldProbe(ClockMessage)");
/// ```
#[must_use = "dropping it lets the probe go on"]
pub struct HeldProbe<M: Message> {
    inbox: Arc<Inbox<M>>,
}

impl<M: Message> Drop for HeldProbe<M> {
    fn drop(&mut self) {
        self.inbox.arrived.lock().holds -= 1;
        self.inbox.arrived.notify();
    }
}

impl<M: Message> fmt::Debug for HeldProbe<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HeldProbe({})", M::name())
    }
}

/// A message that came to a [`Probe`]; for a call, with the port to which its reply goes.
///
/// If it is dropped without an answer, the call ends with [`CallError::NoReply`](crate::CallError::NoReply).
///
/// ```
/// use std::time::Duration;
/// use zctor::testing::{Port, Probe};
/// use zctor::{ActorEngine, CallError};
///
/// #[zctor::actor]
/// pub enum ClockMessage {
///     #[reply(u64)]
///     Now,
/// }
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let engine = ActorEngine::new();
/// let probe = Probe::<ClockMessage>::new();
/// let clock = engine.start(probe.actor())?;
/// let (first, second) = (clock.non_blocking().now(), clock.non_blocking().now());
/// drop(probe.expect(Duration::from_secs(5)));
/// assert_eq!(first.wait(), Err(CallError::NoReply { message: "ClockMessage" }));
/// probe.expect(Duration::from_secs(5)).answer(Port::<ClockMessage>::Now, 7);
/// assert_eq!(second.wait(), Ok(7));
/// # Ok(())
/// # }
/// ```
pub struct Received<M: Message> {
    message: M,
    port: Option<M::Port>,
}

impl<M: Message> Received<M> {
    pub(super) fn new(message: M, port: Option<M::Port>) -> Self {
        Self { message, port }
    }

    /// Returns the message.
    pub fn message(&self) -> &M {
        &self.message
    }

    /// Returns whether it is a call: its caller wants a reply.
    pub fn is_call(&self) -> bool {
        self.port.is_some()
    }

    /// Returns the message. A call ends without an answer.
    pub fn into_message(self) -> M {
        self.message
    }

    /// Returns the message, and for a call its port, to match on both together, as the example of the
    /// [module](crate::testing) does.
    pub fn into_parts(self) -> (M, Option<Port<M>>) {
        (self.message, self.port)
    }
}

impl<M: Doubled> Received<M> {
    /// Returns the message, and the [`ReplyTo`] that answers the call.
    ///
    /// # Errors
    /// If it is not a call of this variant, it is given back.
    pub fn into_call<R: 'static>(self, variant: fn(ReplyTo<R>) -> Port<M>) -> Result<(M, ReplyTo<R>), Self> {
        let Self { message, port } = self;
        match port.map(|port| reply_of(port, variant)) {
            Some(Ok(reply)) => Ok((message, reply)),
            Some(Err(port)) => Err(Self { message, port: Some(port) }),
            None => Err(Self { message, port: None }),
        }
    }

    /// Answers a call of this variant, and returns its message.
    ///
    /// # Panics
    /// If it is not a call of this variant.
    #[track_caller]
    pub fn answer<R: 'static>(self, variant: fn(ReplyTo<R>) -> Port<M>, reply: R) -> M {
        match self.into_call(variant) {
            Ok((message, to)) => {
                to.send(reply);
                message
            }
            Err(other) => panic!("{other:?} cannot be answered as {}", call_of::<M, R>(variant)),
        }
    }
}

/// Names the variant only, since a message need not be `Debug`.
impl<M: Message> fmt::Debug for Received<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = if self.is_call() { "call" } else { "send" };
        write!(f, "a {kind} of `{}::{}`", M::name(), self.message.variant())
    }
}
