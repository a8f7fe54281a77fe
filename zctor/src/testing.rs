//! Doubles of actors, for tests: a [`Probe`] hands its messages to the test one at a time, a [`Mock`] records them and
//! answers from a script.
//!
//! Both are made from the same definition as the actor that they stand in for, and are registered as it would be. This
//! needs zctor's feature `testing`, which belongs among the dev-dependencies:
//!
//! ```toml
//! [dev-dependencies]
//! zctor = { path = "..", features = ["testing"] }
//! ```
//!
//! While it is on, every enum's handler is implemented for a [`Double`]: a program's own implementation for all types would
//! overlap with that.
//!
//! What a call is answered with is typed by its port: [`Port<StoreMessage>`](Port) has a variant for each variant of
//! `StoreMessage` with a reply, and holds the [`ReplyTo`] of its type.
//!
//! ```
//! use std::time::Duration;
//! use zctor::testing::{Mock, Port, Probe};
//! use zctor::{ActorEngine, actor};
//!
//! #[actor]
//! #[derive(Debug, PartialEq)]
//! pub enum StoreMessage {
//!     #[reply(Option<String>)]
//!     Load { id: u64 },
//!     Save(u64, String),
//! }
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! const LIMIT: Duration = Duration::from_secs(5);
//!
//! let engine = ActorEngine::new();
//! let probe = Probe::<StoreMessage>::new();
//! let store = engine.start(probe.actor())?;
//! let pending = store.non_blocking().load(7);
//! match probe.expect(LIMIT).into_parts() {
//!     (StoreMessage::Load { id: 7 }, Some(Port::<StoreMessage>::Load(reply))) => reply.send(Some("seven".to_owned())),
//!     (other, _) => panic!("{other:?}"),
//! }
//! assert_eq!(pending.wait()?.as_deref(), Some("seven"));
//!
//! let mock = Mock::<StoreMessage>::new().script(Port::<StoreMessage>::Load, [Some("first".to_owned()), None]);
//! let store = engine.start(mock.actor())?;
//! assert_eq!(store.load(1)?.as_deref(), Some("first"));
//! assert_eq!(store.load(2)?, None);
//! assert_eq!(mock.messages(), [StoreMessage::Load { id: 1 }, StoreMessage::Load { id: 2 }]);
//! # Ok(())
//! # }
//! ```

use std::any::Any;
use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::mem::{Discriminant, discriminant};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use crate::actor::context::Context;
use crate::client::message::{Actor, Dispatch, Message, Request};
use crate::messaging::pending::{ReplySlot, ReplyTo};
use crate::sys::lock::lock;

/// Where the replies of an enum go: a variant for each of its variants with a reply, by the same name.
///
/// ```
/// use zctor::ReplyTo;
/// use zctor::testing::Port;
///
/// #[zctor::actor]
/// pub enum ClockMessage {
///     #[reply(u64)]
///     Now,
///     Wind,
/// }
///
/// // The constructor of such a variant says which call is meant, and of which type its reply is.
/// let now: fn(ReplyTo<u64>) -> Port<ClockMessage> = Port::<ClockMessage>::Now;
/// # let _ = now;
/// ```
///
/// An answer of another type does not compile:
///
/// ```compile_fail,E0308
/// # use zctor::testing::{Mock, Port};
/// # #[zctor::actor]
/// # pub enum ClockMessage { #[reply(u64)] Now }
/// let clock = Mock::<ClockMessage>::new().script(Port::<ClockMessage>::Now, ["noon"]);
/// ```
pub type Port<M> = <M as Message>::Port;

/// The state of a double. Made by [`Probe::actor`] and [`Mock::actor`], and of no use by itself.
///
/// ```
/// use zctor::testing::{Double, Probe};
/// use zctor::Actor;
///
/// #[zctor::actor]
/// pub enum ClockMessage {
///     Wind,
/// }
///
/// let double: Actor<ClockMessage, Double<ClockMessage>> = Probe::new().actor();
/// assert_eq!(format!("{double:?}"), "Actor(ClockMessage)");
/// ```
pub struct Double<M: Message> {
    role: Arc<dyn Role<M>>,
}

/// Whether a state of this type is a double of `M`.
pub(crate) fn is_double<M: Message, S: 'static>() -> bool {
    std::any::TypeId::of::<S>() == std::any::TypeId::of::<Double<M>>()
}

impl<M: Message> fmt::Debug for Double<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Double({})", M::NAME)
    }
}

/// What a double does with a message. The port stays where it is if the call should end with a panic of this.
trait Role<M: Message>: Send + Sync {
    fn take(&self, message: M, slot: &mut ReplySlot<'_, M::Port>);
}

/// Gives a message to its handler, or past it to the double that stands in for one.
pub(crate) fn dispatch<M: Dispatch<H>, H: 'static>(
    message: M,
    handler: &mut H,
    ctx: &mut Context<M>,
    slot: &mut ReplySlot<'_, M::Port>,
) {
    match (handler as &mut dyn Any).downcast_ref::<Double<M>>() {
        Some(double) => double.role.take(message, slot),
        None => message.__handle(handler, ctx, slot),
    }
}

/// An enum with a double: every one, while the feature `testing` is on.
///
/// ```
/// fn has_a_double<M: zctor::testing::Doubled>() -> bool {
///     true
/// }
///
/// #[zctor::actor]
/// pub enum ClockMessage {
///     Wind,
/// }
/// assert!(has_a_double::<ClockMessage>());
/// ```
pub trait Doubled: Dispatch<Double<Self>, Port: Replies + Send> + Send {}
impl<M: Dispatch<Double<M>, Port: Replies + Send> + Send> Doubled for M {}

/// What is asked of a port whose variant is known; implemented by `#[actor]`.
#[doc(hidden)]
pub trait Replies {
    /// The name of the variant, raw where it is written so.
    fn variant(&self) -> &'static str;
    fn into_reply(self) -> Box<dyn Any>;
}

/// The port's reply, if it is that of this variant.
fn reply_of<P: Replies, R: 'static>(port: P, variant: fn(ReplyTo<R>) -> P) -> Result<ReplyTo<R>, P> {
    if discriminant(&port) != key(variant) {
        return Err(port);
    }
    Ok(*port.into_reply().downcast().unwrap_or_else(|_| unreachable!("a variant holds one type")))
}

fn key<P, R: 'static>(variant: fn(ReplyTo<R>) -> P) -> Discriminant<P> {
    discriminant(&variant(ReplyTo::__nobody()))
}

/// A call as panics name it.
fn call_of<M: Doubled, R: 'static>(variant: fn(ReplyTo<R>) -> Port<M>) -> String {
    let port = variant(ReplyTo::__nobody());
    let name = port.variant();
    format!("a call of `{}::{}`", M::NAME, name.strip_prefix("r#").unwrap_or(name))
}

/// Stands in for an actor and lets a test expect, inspect and answer its messages, one at a time.
///
/// Calls wait until the test answers them, in whatever order it likes; the probe's thread does not. Once the probe is
/// dropped, calls end with [`CallError::NoReply`](crate::CallError::NoReply), and what is sent is dropped.
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
    arrived: Mutex<Arrived<M>>,
    more: Condvar,
}

struct Arrived<M: Message> {
    queue: VecDeque<Received<M>>,
    /// Nobody will look any more.
    closed: bool,
}

impl<M: Doubled> Role<M> for Inbox<M> {
    fn take(&self, message: M, slot: &mut ReplySlot<'_, M::Port>) {
        let received = Received { message, port: slot.take() };
        let mut arrived = lock(&self.arrived);
        if arrived.closed {
            drop(arrived);
            drop(received);
        } else {
            arrived.queue.push_back(received);
            drop(arrived);
            self.more.notify_one();
        }
    }
}

impl<M: Doubled> Default for Probe<M> {
    fn default() -> Self {
        Self::new()
    }
}

impl<M: Doubled> Probe<M> {
    /// A probe that stands in for nobody yet.
    ///
    /// ```
    /// # #[zctor::actor]
    /// # pub enum ClockMessage { Wind }
    /// let clock = zctor::testing::Probe::<ClockMessage>::new();
    /// assert!(clock.is_empty());
    /// ```
    pub fn new() -> Self {
        let arrived = Mutex::new(Arrived { queue: VecDeque::new(), closed: false });
        Self { inbox: Arc::new(Inbox { arrived, more: Condvar::new() }) }
    }

    /// What to register, pool or start in place of the actor. The messages of all instances come to this probe.
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

    /// The next message, which must come within `limit`.
    ///
    /// # Panics
    /// If none does.
    ///
    /// # Blocking
    /// Until there is one. This is no wait of zctor's: a handler that waits here serves nobody meanwhile.
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
            None => panic!("no message came to the probe of `{}` within {limit:?}", M::NAME),
        }
    }

    /// The next message, which must be a call of this variant and come within `limit`: the message, and where its reply
    /// goes.
    ///
    /// # Panics
    /// If none comes, or it is something else.
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

    /// The next message, which must be this request and come within `limit`: where its reply goes.
    ///
    /// # Panics
    /// If none comes, or it is something else.
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

    /// The next message, if one is there.
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
    /// engine.settle(); // what was sent has come to the probe
    /// assert!(probe.try_next().is_some());
    /// assert!(probe.try_next().is_none());
    /// # Ok(())
    /// # }
    /// ```
    pub fn try_next(&self) -> Option<Received<M>> {
        lock(&self.inbox.arrived).queue.pop_front()
    }

    /// Whether no message is there. After [`settle`](crate::ActorEngine::settle) none is under way either.
    ///
    /// ```
    /// # #[zctor::actor]
    /// # pub enum ClockMessage { Wind }
    /// assert!(zctor::testing::Probe::<ClockMessage>::new().is_empty());
    /// ```
    pub fn is_empty(&self) -> bool {
        lock(&self.inbox.arrived).queue.is_empty()
    }

    fn next_within(&self, limit: Duration) -> Option<Received<M>> {
        let arrived = lock(&self.inbox.arrived);
        let waited = self.inbox.more.wait_timeout_while(arrived, limit, |arrived| arrived.queue.is_empty());
        waited.unwrap_or_else(PoisonError::into_inner).0.queue.pop_front()
    }
}

impl<M: Message> Drop for Probe<M> {
    fn drop(&mut self) {
        let mut arrived = lock(&self.inbox.arrived);
        arrived.closed = true;
        let unread = std::mem::take(&mut arrived.queue);
        // Messages are the user's, and may do anything when they are dropped.
        drop(arrived);
        drop(unread);
    }
}

impl<M: Message> fmt::Debug for Probe<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Probe({})", M::NAME)
    }
}

/// A message that came to a [`Probe`], and the reply that its sender may be waiting for.
///
/// Dropped unanswered, it ends the call with [`CallError::NoReply`](crate::CallError::NoReply).
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
    /// The message.
    pub fn message(&self) -> &M {
        &self.message
    }

    /// Whether its sender waits for a reply: it was called, not sent.
    pub fn is_call(&self) -> bool {
        self.port.is_some()
    }

    /// The message; a call ends unanswered.
    pub fn into_message(self) -> M {
        self.message
    }

    /// The message, and for a call its port: to be matched on together, as the [module](self) does.
    pub fn into_parts(self) -> (M, Option<Port<M>>) {
        (self.message, self.port)
    }
}

impl<M: Doubled> Received<M> {
    /// The message and where its reply goes.
    ///
    /// # Errors
    /// Itself, if it is not a call of this variant.
    pub fn into_call<R: 'static>(self, variant: fn(ReplyTo<R>) -> Port<M>) -> Result<(M, ReplyTo<R>), Self> {
        let Self { message, port } = self;
        match port.map(|port| reply_of(port, variant)) {
            Some(Ok(reply)) => Ok((message, reply)),
            Some(Err(port)) => Err(Self { message, port: Some(port) }),
            None => Err(Self { message, port: None }),
        }
    }

    /// Answers a call of this variant, and gives its message.
    ///
    /// # Panics
    /// If it is something else.
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

/// Names the variant, since a message need not be `Debug`.
impl<M: Message> fmt::Debug for Received<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = if self.is_call() { "call" } else { "send" };
        write!(f, "a {kind} of `{}::{}`", M::NAME, self.message.variant())
    }
}

/// Stands in for an actor: records its messages, and answers its calls from a script.
///
/// A call that the script has no answer for, or none any more, ends with
/// [`CallError::Panicked`](crate::CallError::Panicked) and says so. Clones share script and record.
///
/// ```
/// use zctor::testing::{Mock, Port};
/// use zctor::{ActorEngine, CallError, actor};
///
/// #[actor]
/// #[derive(Debug, PartialEq)]
/// pub enum StoreMessage {
///     #[reply(Option<String>)]
///     Load(u64),
///     #[reply(usize)]
///     Len,
///     #[reply(bool)]
///     Delete(u64),
///     Save(u64, String),
/// }
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// type To = Port<StoreMessage>;
///
/// let mock = Mock::<StoreMessage>::new()
///     .on(To::Load, |message| match message {
///         StoreMessage::Load(7) => Some("seven".to_owned()),
///         _ => None,
///     })
///     .script(To::Len, [1, 2]);
/// let engine = ActorEngine::new();
/// let store = engine.start(mock.actor())?;
///
/// assert_eq!(store.load(7)?.as_deref(), Some("seven"));
/// assert_eq!(store.load(8)?, None);
/// assert_eq!((store.len()?, store.len()?), (1, 2));
/// store.save(3, "three".to_owned())?;
/// engine.settle();
/// assert_eq!(
///     mock.messages(),
///     [
///         StoreMessage::Load(7),
///         StoreMessage::Load(8),
///         StoreMessage::Len,
///         StoreMessage::Len,
///         StoreMessage::Save(3, "three".to_owned())
///     ]
/// );
/// assert!(matches!(store.delete(3), Err(CallError::Panicked { .. }))); // not in the script
/// # Ok(())
/// # }
/// ```
pub struct Mock<M: Message> {
    script: Arc<Script<M>>,
}

struct Script<M: Message> {
    answers: Mutex<HashMap<Discriminant<M::Port>, Answer<M>>>,
    seen: Mutex<Vec<M>>,
}

/// Finds the reply to a message, and gives it to the port when the message has been recorded.
type Answer<M> = Arc<dyn Fn(&M) -> Deliver<M> + Send + Sync>;
type Deliver<M> = Box<dyn FnOnce(<M as Message>::Port)>;

impl<M: Doubled> Role<M> for Script<M> {
    fn take(&self, message: M, slot: &mut ReplySlot<'_, M::Port>) {
        let send = match slot {
            ReplySlot::Port(waiting) => {
                // The lock is not held while the answer runs: it is the user's.
                let answer = lock(&self.answers).get(&discriminant(waiting)).cloned();
                let variant = message.variant();
                let answer =
                    answer.unwrap_or_else(|| panic!("the mock has no answer to a call of `{}::{variant}`", M::NAME));
                Some(answer(&message))
            }
            // Nobody asks: what is called on the spot is never a double.
            ReplySlot::Nobody | ReplySlot::Here(_) => None,
        };
        lock(&self.seen).push(message);
        if let (Some(send), Some(port)) = (send, slot.take()) {
            send(port);
        }
    }
}

impl<M: Doubled> Default for Mock<M> {
    fn default() -> Self {
        Self::new()
    }
}

impl<M: Doubled> Mock<M> {
    /// A mock that records what is sent, and has no answer to any call.
    ///
    /// ```
    /// # #[zctor::actor]
    /// # #[derive(Debug, PartialEq)]
    /// # pub enum ClockMessage { Wind }
    /// let clock = zctor::testing::Mock::<ClockMessage>::new();
    /// assert_eq!(clock.messages(), []);
    /// ```
    pub fn new() -> Self {
        Self { script: Arc::new(Script { answers: Mutex::default(), seen: Mutex::default() }) }
    }

    /// What to register, pool or start in place of the actor. All instances share one script and one record.
    ///
    /// ```
    /// # use zctor::{ActorEngine, testing::Mock};
    /// # #[zctor::actor]
    /// # pub enum ClockMessage { Wind }
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let engine = ActorEngine::new();
    /// let mock = Mock::<ClockMessage>::new();
    /// let clock = engine.pool(3, mock.actor())?;
    /// (0..6).try_for_each(|_| clock.wind())?;
    /// engine.settle();
    /// assert_eq!(mock.messages().len(), 6);
    /// # Ok(())
    /// # }
    /// ```
    pub fn actor(&self) -> Actor<M, Double<M>> {
        let script = Arc::clone(&self.script);
        Actor::__new(move || Double { role: Arc::<Script<M>>::clone(&script) })
    }

    /// Answers each call of this variant with what `answer` gives for its message, from now on.
    ///
    /// ```
    /// # use zctor::{ActorEngine, testing::{Mock, Port}};
    /// # #[zctor::actor]
    /// # pub enum ClockMessage { #[reply(u64)] Now { zone: u8 } }
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let engine = ActorEngine::new();
    /// let mock = Mock::<ClockMessage>::new().on(Port::<ClockMessage>::Now, |message| match message {
    ///     ClockMessage::Now { zone } => 1200 + 100 * u64::from(*zone),
    /// });
    /// let clock = engine.start(mock.actor())?;
    /// assert_eq!((clock.now(0)?, clock.now(2)?), (1200, 1400));
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn on<R: 'static>(
        self,
        variant: fn(ReplyTo<R>) -> Port<M>,
        answer: impl Fn(&M) -> R + Send + Sync + 'static,
    ) -> Self {
        let answer = move |message: &M| -> Deliver<M> {
            let reply = answer(message);
            Box::new(move |port| {
                if let Ok(to) = reply_of(port, variant) {
                    to.send(reply);
                }
            })
        };
        let before = lock(&self.script.answers).insert(key(variant), Arc::new(answer));
        drop(before);
        self
    }

    /// Answers the calls of this variant with these replies, one after the other, from now on. When they are used up,
    /// calls end with a panic that says so.
    ///
    /// ```
    /// # use zctor::{ActorEngine, CallError, testing::{Mock, Port}};
    /// # #[zctor::actor]
    /// # pub enum ClockMessage { #[reply(u64)] Now }
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let engine = ActorEngine::new();
    /// let mock = Mock::<ClockMessage>::new().script(Port::<ClockMessage>::Now, [3, 5]);
    /// let clock = engine.start(mock.actor())?;
    /// assert_eq!((clock.now()?, clock.now()?), (3, 5));
    /// assert!(matches!(clock.now(), Err(CallError::Panicked { .. })));
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn script<R: Send + 'static>(
        self,
        variant: fn(ReplyTo<R>) -> Port<M>,
        replies: impl IntoIterator<Item = R>,
    ) -> Self {
        let replies: Mutex<VecDeque<R>> = Mutex::new(replies.into_iter().collect());
        self.on(variant, move |message| {
            let next = lock(&replies).pop_front();
            next.unwrap_or_else(|| used_up::<M>(message.variant()))
        })
    }

    /// Takes the messages out that were recorded so far, sent and called, in the order they came. A message is recorded
    /// before its call is answered; one without an answer is not.
    ///
    /// ```
    /// # use zctor::{ActorEngine, testing::{Mock, Port}};
    /// # #[zctor::actor]
    /// # #[derive(Debug, PartialEq)]
    /// # pub enum ClockMessage { Wind, #[reply(u64)] Now }
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let engine = ActorEngine::new();
    /// let mock = Mock::<ClockMessage>::new().on(Port::<ClockMessage>::Now, |_| 3);
    /// let clock = engine.start(mock.actor())?;
    /// clock.wind()?;
    /// clock.now()?;
    /// assert_eq!(mock.messages(), [ClockMessage::Wind, ClockMessage::Now]);
    /// assert_eq!(mock.messages(), [], "they were taken out");
    /// # Ok(())
    /// # }
    /// ```
    pub fn messages(&self) -> Vec<M> {
        std::mem::take(&mut *lock(&self.script.seen))
    }
}

impl<M: Message> Clone for Mock<M> {
    fn clone(&self) -> Self {
        Self { script: Arc::clone(&self.script) }
    }
}

impl<M: Message> fmt::Debug for Mock<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Mock({})", M::NAME)
    }
}

fn used_up<M: Message>(variant: &'static str) -> ! {
    panic!("the script of the mock has no further answer to a call of `{}::{variant}`", M::NAME)
}

/// A double's messages do not come to its handler's methods.
#[doc(hidden)]
pub fn __past() -> ! {
    unreachable!("a double is given its messages before they are dispatched")
}

/// Makes `Double<Enum>` a handler, as far as types go, and lets a reply be found in its port.
#[doc(hidden)]
#[macro_export]
macro_rules! __double {
    (
        $(#[$attr:meta])*
        [$($params:tt)*] [$($bounds:tt)*] $message:ty: $handler:path {
            $(fn $method:ident($($ty:ty),* $(,)?) -> $reply:ty;)*
        }
        $port:ty { $($called:ident)* $(| $never:ident)? }
    ) => {
        $(#[$attr])*
        #[automatically_derived]
        impl $($params)* $handler for $crate::testing::Double<$message> $($bounds)* {
            $(fn $method(&mut self $(, _: $ty)*) -> $reply {
                $crate::testing::__past()
            })*
        }

        $(#[$attr])*
        #[automatically_derived]
        impl $($params)* $crate::testing::Replies for $port $($bounds)* {
            fn variant(&self) -> &'static ::core::primitive::str {
                match *self {
                    $(Self::$called(_) => ::core::stringify!($called),)*
                    $(Self::$never(_, never) => match never {},)?
                }
            }

            fn into_reply(self) -> ::std::boxed::Box<dyn ::core::any::Any> {
                match self {
                    $(Self::$called(to) => ::std::boxed::Box::new(to),)*
                    $(Self::$never(_, never) => match never {},)?
                }
            }
        }
    };
}
