//! What generated code implements, and what it hands to the runtime: messages, requests, registrations.

use std::any::{Any, TypeId};
use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::marker::PhantomData;
use std::ops::Deref;
use std::sync::Arc;

use crate::actor::context::Context;
use crate::actor::restart::Restart;
use crate::client::Client;
use crate::doubles;
use crate::error::{BoxError, CallError};
use crate::mailbox::dead_letters::{OnUndelivered, Undelivered};
use crate::messaging::pending::{ReplySlot, ReplyTo};
use crate::reply::cancellation::Terms;
use crate::sys::frame::Quiet;

/// An enum of messages, as `#[actor]` makes it: implement it with the attribute, not by hand.
///
/// ```
/// use zctor::{Message, actor};
///
/// #[actor]
/// pub enum MeterMessage {
///     Add(u64),
///     #[reply(u64)]
///     Total,
/// }
///
/// assert_eq!(MeterMessage::NAME, "MeterMessage");
/// assert_eq!(MeterMessage::CALL_DEPTH, 0);
/// assert_eq!(MeterMessage::Add(1).variant(), "Add");
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an enum of messages",
    note = "annotate the enum with `#[zctor::actor]`, or name that enum in place of its state or client",
    note = "`send` takes the plain value of an enum, a request goes to `call` or `pipe`"
)]
pub trait Message: Sized + 'static {
    /// The enum's name, for errors, the registry and traces.
    const NAME: &'static str;
    /// 0 for an actor that calls nobody, otherwise one more than the deepest of those it calls.
    const CALL_DEPTH: u16;
    /// The same, for callers to compute theirs from: all that the compiler says of a cycle of constants is their name.
    #[doc(hidden)]
    const CYCLE_OF_CALLS_SEND_OR_PIPE_ONE_OF_THEM: u16 = 0;
    /// The generated client, whose calls wait.
    type Client: From<Client<Self>> + Deref<Target = Client<Self>> + Clone + fmt::Debug + Send + Sync + 'static;
    /// The generated client, whose calls give a [`Pending`](crate::Pending).
    type NonBlockingClient: From<Client<Self>>
        + Deref<Target = Client<Self>>
        + Clone
        + fmt::Debug
        + Send
        + Sync
        + 'static;
    #[doc(hidden)]
    type Port: Port;
    #[doc(hidden)]
    type Key: ?Sized + 'static;

    /// The name of this message's variant.
    fn variant(&self) -> &'static str;

    #[doc(hidden)]
    fn __key(&self) -> Option<u64> {
        None
    }

    /// The type of the only field of this message's variant.
    #[doc(hidden)]
    fn __payload_type(&self) -> Option<TypeId> {
        None
    }

    /// That field, if it is of this type.
    #[doc(hidden)]
    fn __into_payload<T: 'static>(self) -> Option<T> {
        None
    }
}

/// Moves a message into the right method of its handler; implemented by `#[actor]` for every handler.
///
/// ```
/// use zctor::{Dispatch, actor};
///
/// #[actor]
/// pub enum EchoMessage {
///     #[reply(u8)]
///     Echo(u8),
/// }
/// struct Echo;
/// impl EchoHandler for Echo {
///     fn echo(&mut self, value: u8) -> u8 {
///         value
///     }
/// }
///
/// fn is_handled_by<M: Dispatch<S>, S>() -> bool {
///     true
/// }
/// assert!(is_handled_by::<EchoMessage, Echo>());
/// ```
#[diagnostic::on_unimplemented(
    message = "`{H}` does not handle `{Self}`",
    note = "implement the handler trait that `#[actor]` generated beside `{Self}` for `{H}`"
)]
pub trait Dispatch<H>: Message {
    /// To the method of this variant.
    #[doc(hidden)]
    fn __handle(self, handler: &mut H, ctx: &mut Context<Self>, slot: &mut ReplySlot<'_, Self::Port>);
    /// There, or to the double that stands in for a handler.
    #[doc(hidden)]
    #[inline]
    fn __dispatch(self, handler: &mut H, ctx: &mut Context<Self>, slot: &mut ReplySlot<'_, Self::Port>)
    where
        H: 'static,
    {
        doubles::dispatch(self, handler, ctx, slot);
    }
    #[doc(hidden)]
    fn __on_start(handler: &mut H, ctx: &mut Context<Self>);
    #[doc(hidden)]
    fn __on_stop(handler: &mut H, ctx: &mut Context<Self>);
}

/// Says that handlers of `Caller` may wait for this type; implemented by `calls(..)` in `#[actor]`.
///
/// ```
/// use zctor::{CallableFrom, Message, actor};
///
/// #[actor]
/// pub enum StoreMessage {
///     #[reply(u32)]
///     Load,
/// }
/// #[actor(calls(StoreMessage))]
/// pub enum WebMessage {
///     #[reply(u32)]
///     Show,
/// }
///
/// fn may_call<Caller, Callee: CallableFrom<Caller>>() -> bool {
///     true
/// }
/// assert!(may_call::<WebMessage, StoreMessage>());
/// assert_eq!(WebMessage::CALL_DEPTH, 1);
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` may not be called from `{Caller}`",
    label = "a handler of `{Caller}` may not wait for this",
    note = "add `calls({Self})` to the `#[actor]` of `{Caller}`, or `pipe` the request, which does not wait"
)]
pub trait CallableFrom<Caller> {}

/// What a field of a message must be: its own, and fit to go to another thread.
///
/// ```
/// fn fits<T: zctor::MessageField>() -> bool {
///     true
/// }
/// assert!(fits::<String>());
/// ```
#[diagnostic::on_unimplemented(
    message = "field type `{Self}` cannot be sent to another thread",
    label = "every field of an `#[actor]` message must be `Send + 'static`",
    note = "use `Arc` instead of `Rc`, or send an id and keep the value in the state of one actor"
)]
pub trait MessageField: Send + 'static {}
#[diagnostic::do_not_recommend]
impl<T: Send + 'static> MessageField for T {}

/// What a reply must be: its own, and fit to go back to the caller's thread.
///
/// ```
/// fn fits<T: zctor::ReplyType>() -> bool {
///     true
/// }
/// assert!(fits::<Result<u8, String>>());
/// ```
#[diagnostic::on_unimplemented(
    message = "reply type `{Self}` cannot be sent back to the caller",
    label = "a reply must be `Send + 'static`",
    note = "use `Arc` instead of `Rc`, or reply with owned data"
)]
pub trait ReplyType: Send + 'static {}
#[diagnostic::do_not_recommend]
impl<T: Send + 'static> ReplyType for T {}

/// The view of a client whose methods wait for the reply.
///
/// ```
/// let view: Option<zctor::Blocking> = None;
/// assert!(view.is_none());
/// ```
#[derive(Debug)]
pub enum Blocking {}

/// The view of a client whose methods give a [`Pending`](crate::Pending) at once.
///
/// ```
/// let view: Option<zctor::NonBlocking> = None;
/// assert!(view.is_none());
/// ```
#[derive(Debug)]
pub enum NonBlocking {}

/// A message that wants a typed reply, before it is sent.
///
/// `#[actor]` generates a constructor for each variant with `#[reply(..)]`: `CounterMessage::read()` makes a
/// `Request<CounterMessage, u64>`. Give it to `call`, `request`, `call_all` or `pipe`.
///
/// ```
/// use zctor::{ActorEngine, Request, actor};
///
/// #[actor]
/// pub enum CounterMessage {
///     #[reply(u64)]
///     Read,
/// }
/// struct Counter(u64);
/// impl CounterHandler for Counter {
///     fn read(&mut self) -> u64 {
///         self.0
///     }
/// }
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let engine = ActorEngine::new();
/// engine.pool(1, CounterMessage::actor(|| Counter(7)))?;
/// let request: Request<CounterMessage, u64> = CounterMessage::read();
/// assert_eq!(engine.call(request)?, 7);
/// # Ok(())
/// # }
/// ```
#[must_use = "a request does nothing until it is given to `call`, `request`, `call_all` or `pipe`"]
pub struct Request<M: Message, R: 'static, K = Prompt> {
    pub(crate) message: M,
    pub(crate) port: ToPort<M, R>,
    kind: PhantomData<fn() -> K>,
}

/// Makes the port of a call from where its reply goes.
pub(crate) type ToPort<M, R> = fn(ReplyTo<R>) -> <M as Message>::Port;

/// The kind of a [`Request`] that its handler answers when it returns.
///
/// ```
/// let kind: Option<zctor::Prompt> = None;
/// assert!(kind.is_none());
/// ```
#[derive(Debug)]
pub enum Prompt {}

/// The kind of a [`Request`] whose handler may answer later, from anywhere: made by `#[reply(T, deferred)]`.
///
/// When that will be says no call depth, so a handler cannot wait for it: `ctx.call` does not compile with it, and a
/// wait by any other way is [`CallError::Undeclared`]. It can be piped or detached there. Outside it is waited for as
/// any other.
///
/// ```
/// let kind: Option<zctor::Deferred> = None;
/// assert!(kind.is_none());
/// ```
#[derive(Debug)]
pub enum Deferred {}

impl<M: Message, R: 'static> Request<M, R> {
    #[doc(hidden)]
    pub fn __new(message: M, port: fn(ReplyTo<R>) -> M::Port) -> Self {
        Self { message, port, kind: PhantomData }
    }
}

impl<M: Message, R: 'static> Request<M, R, Deferred> {
    #[doc(hidden)]
    pub fn __deferred(message: M, port: fn(ReplyTo<R>) -> M::Port) -> Self {
        Self { message, port, kind: PhantomData }
    }
}

impl<M: Message + Clone, R: 'static, K> Clone for Request<M, R, K> {
    fn clone(&self) -> Self {
        Self { message: self.message.clone(), port: self.port, kind: PhantomData }
    }
}

impl<M: Message, R: 'static, K> fmt::Debug for Request<M, R, K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Request({}::{})", M::NAME, self.message.variant())
    }
}

/// A [`Request`]: what `call` and its kin take.
///
/// A trait of its own only so that a plain enum value gets an error that says what to do.
///
/// ```
/// use zctor::{IntoRequest, Message, actor};
///
/// #[actor]
/// pub enum CounterMessage {
///     #[reply(u64)]
///     Read,
/// }
///
/// fn name<Q: IntoRequest>(_request: Q) -> &'static str {
///     Q::Message::NAME
/// }
/// assert_eq!(name(CounterMessage::read()), "CounterMessage");
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is a plain message, not a request",
    label = "expected a request, which knows the type of its reply",
    note = "a variant with `#[reply(..)]` has a constructor of its request, as in `CalculatorMessage::add(10, 5)`; one \
            without has nothing to wait for: `send` it"
)]
pub trait IntoRequest: sealed::Sealed {
    /// The enum of messages.
    type Message: Message;
    /// What comes back.
    type Reply: 'static;
    #[doc(hidden)]
    type Kind: Kind;
    #[doc(hidden)]
    fn __into(self) -> Request<Self::Message, Self::Reply, Self::Kind>;
}

impl<M: Message, R: 'static, K: Kind> IntoRequest for Request<M, R, K> {
    type Message = M;
    type Reply = R;
    type Kind = K;

    fn __into(self) -> Self {
        self
    }
}

/// A request that its handler answers when it returns: what a handler may wait for.
///
/// ```
/// use zctor::{AnsweredInHandler, actor};
///
/// #[actor]
/// pub enum CounterMessage {
///     #[reply(u64)]
///     Read,
/// }
///
/// fn is_answered_in_handler(_: impl AnsweredInHandler) -> bool {
///     true
/// }
/// assert!(is_answered_in_handler(CounterMessage::read()));
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` may be answered later, so a handler cannot wait for it",
    label = "its variant is `#[reply(.., deferred)]`",
    note = "`pipe` the request and go on when the reply comes as a message, or `detach` it"
)]
pub trait AnsweredInHandler: IntoRequest {}
impl<M: Message, R: 'static> AnsweredInHandler for Request<M, R, Prompt> {}

/// Which of the two kinds a request is of.
pub trait Kind: 'static {
    /// Its handler's method returns the reply.
    const IS_PROMPT: bool;
    /// The call depth that a wait for a reply of this kind is checked against.
    fn depth(callee: u16) -> u32;
}

impl Kind for Prompt {
    const IS_PROMPT: bool = true;

    fn depth(callee: u16) -> u32 {
        u32::from(callee)
    }
}

impl Kind for Deferred {
    const IS_PROMPT: bool = false;

    fn depth(_: u16) -> u32 {
        // Above that of any handler, below the outside.
        u32::MAX - 1
    }
}

/// How `#[actor]`'s `actor(..)` and `try_actor(..)` describe an instance: a factory that can build its state again.
///
/// ```
/// use zctor::{ActorEngine, ActorThread, actor};
///
/// #[actor]
/// pub enum CounterMessage {
///     #[reply(u64)]
///     Next,
/// }
/// #[derive(Default)]
/// struct Counter(u64);
/// impl CounterHandler for Counter {
///     fn next(&mut self) -> u64 {
///         self.0 += 1;
///         self.0
///     }
/// }
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let counter = CounterMessage::actor(Counter::default);
/// let engine = ActorEngine::new();
/// engine.spawn(ActorThread::new().register(counter.clone()).register(counter))?;
/// assert_eq!(engine.registry().to_string(), "CounterMessage -> [0, 0]");
/// # Ok(())
/// # }
/// ```
pub struct Actor<M: Message, S> {
    pub(crate) factory: Arc<Rebuild<M, S>>,
    pub(crate) restart: Restart,
    pub(crate) undelivered: Option<Arc<OnUndelivered<M>>>,
}

/// A factory that can run again.
pub(crate) type Rebuild<M, S> = dyn Fn(&mut Context<M>) -> Result<S, BoxError> + Send + Sync;

impl<M: Dispatch<S>, S: 'static> Actor<M, S> {
    #[doc(hidden)]
    pub fn __new(factory: impl Fn() -> S + Send + Sync + 'static) -> Self {
        Self { factory: Arc::new(move |_| Ok(factory())), restart: Restart::default(), undelivered: None }
    }

    #[doc(hidden)]
    pub fn __try_new(factory: impl Fn(&mut Context<M>) -> Result<S, BoxError> + Send + Sync + 'static) -> Self {
        Self { factory: Arc::new(factory), restart: Restart::default(), undelivered: None }
    }
}

impl<M: Message, S> Actor<M, S> {
    /// What happens when a handler panics; without it, [`Restart::always`].
    ///
    /// ```
    /// use std::time::Duration;
    /// use zctor::{ActorEngine, CallError, Restart, actor};
    ///
    /// #[actor]
    /// pub enum FragileMessage {
    ///     #[reply(())]
    ///     Touch,
    /// }
    /// struct Fragile;
    /// impl FragileHandler for Fragile {
    ///     fn touch(&mut self) {
    ///         panic!("broken");
    ///     }
    /// }
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let engine = ActorEngine::new();
    /// let fragile: FragileClient =
    ///     engine.pool(1, FragileMessage::actor(|| Fragile).restart(Restart::at_most(1, Duration::from_secs(60))))?;
    /// assert!(matches!(fragile.touch(), Err(CallError::Panicked { .. }))); // built again
    /// assert!(matches!(fragile.touch(), Err(CallError::Panicked { .. }))); // once too often
    /// assert_eq!(fragile.touch(), Err(CallError::NotRegistered { message: "FragileMessage" }));
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn restart(mut self, restart: Restart) -> Self {
        self.restart = restart;
        self
    }

    /// Gives `hook` the messages that were accepted for this actor's instances and that nobody will handle, each with the
    /// reason: to keep them, count them, or send them elsewhere.
    ///
    /// It runs on whichever thread finds that out, one of several at once perhaps. It may send, not wait. What it loses
    /// in turn is counted, and told to nobody. It should hold no client bound to an instance of this actor, which would
    /// hold the hook in turn, for ever; an [`EngineHandle`](crate::EngineHandle) holds nothing.
    ///
    /// ```
    /// use std::sync::mpsc;
    /// use zctor::{ActorEngine, Context, Undelivered, actor};
    ///
    /// #[actor(ctx)]
    /// #[derive(Debug, PartialEq)]
    /// pub enum MailMessage {
    ///     Deliver(String),
    ///     Close,
    /// }
    /// struct Mail;
    /// impl MailHandler for Mail {
    ///     fn deliver(&mut self, _ctx: &mut Context<MailMessage>, _text: String) {}
    ///     fn close(&mut self, ctx: &mut Context<MailMessage>) {
    ///         ctx.stop();
    ///     }
    /// }
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let (keep, kept) = mpsc::channel();
    /// let engine = ActorEngine::new();
    /// let mail: MailClient = engine.start(
    ///     MailMessage::actor(|| Mail).on_undelivered(move |message, why| keep.send((message, why)).unwrap_or_default()),
    /// )?;
    /// mail.send_all([MailMessage::Close, MailMessage::Deliver("too late".into())])?;
    /// assert_eq!(kept.recv()?, (MailMessage::Deliver("too late".into()), Undelivered::Ended));
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn on_undelivered(mut self, hook: impl Fn(M, Undelivered) + Send + Sync + 'static) -> Self {
        self.undelivered = Some(Arc::new(Quiet::new(Box::new(hook))));
        self
    }
}

impl<M: Message, S> Clone for Actor<M, S> {
    fn clone(&self) -> Self {
        Self { factory: Arc::clone(&self.factory), restart: self.restart, undelivered: self.undelivered.clone() }
    }
}

impl<M: Message, S> fmt::Debug for Actor<M, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Actor({})", M::NAME)
    }
}

/// How `#[actor]`'s `actor_once(..)` describes an instance: a factory that runs once, so that what it moves in (a
/// socket, a receiver) need not be built again. A panic or `reset` ends the instance, and a pool does not take it.
///
/// ```
/// use zctor::{ActorEngine, actor};
///
/// #[actor]
/// pub enum FeedMessage {
///     #[reply(Option<u8>)]
///     Next,
/// }
/// struct Feed(std::vec::IntoIter<u8>);
/// impl FeedHandler for Feed {
///     fn next(&mut self) -> Option<u8> {
///         self.0.next()
///     }
/// }
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let bytes = vec![7].into_iter();
/// let engine = ActorEngine::new();
/// let feed: FeedClient = engine.start(FeedMessage::actor_once(move || Feed(bytes)))?;
/// assert_eq!((feed.next()?, feed.next()?), (Some(7), None));
/// # Ok(())
/// # }
/// ```
pub struct ActorOnce<M: Message, S> {
    pub(crate) factory: Box<dyn FnOnce() -> S + Send>,
    pub(crate) undelivered: Option<Arc<OnUndelivered<M>>>,
}

impl<M: Dispatch<S>, S: 'static> ActorOnce<M, S> {
    #[doc(hidden)]
    pub fn __new(factory: impl FnOnce() -> S + Send + 'static) -> Self {
        Self { factory: Box::new(factory), undelivered: None }
    }

    /// There is none: an error that says so teaches more than one of a missing method.
    #[doc(hidden)]
    #[must_use]
    pub fn restart(self, _restart: Restart) -> Self
    where
        Self: Restartable,
    {
        self
    }

    /// As [`Actor::on_undelivered`].
    #[must_use]
    pub fn on_undelivered(mut self, hook: impl Fn(M, Undelivered) + Send + Sync + 'static) -> Self {
        self.undelivered = Some(Arc::new(Quiet::new(Box::new(hook))));
        self
    }
}

impl<M: Message, S> fmt::Debug for ActorOnce<M, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ActorOnce({})", M::NAME)
    }
}

/// What `restart` asks of an actor: nothing that `actor_once` makes.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is never built again, so it has no `restart`",
    label = "its factory runs once",
    note = "a panic or `reset` ends what `actor_once(..)` made; `actor(..)` takes a factory that can run again: capture a \
            value to clone, or make it inside"
)]
pub trait Restartable {}

/// What a factory must be that builds states again, on whatever thread its instances live.
#[diagnostic::on_unimplemented(
    message = "this factory cannot be shared among threads",
    label = "it captures something that is not `Send + Sync + 'static`, such as an `Rc` or a `Cell`",
    note = "a factory builds the state on the actor's own thread, and builds it again after a panic: make what it needs inside \
            it, or capture an `Arc` or a value to clone",
    note = "`actor_once` takes a factory that runs once and need not be `Sync`, `Context::start` and `Here::start` a closure that stays on its thread"
)]
pub trait Factory: Send + Sync + 'static {}
#[diagnostic::do_not_recommend]
impl<F: Send + Sync + 'static> Factory for F {}

/// What a factory must be that builds one state, on another thread.
#[diagnostic::on_unimplemented(
    message = "this factory cannot be sent to another thread",
    label = "it captures something that is not `Send + 'static`, such as an `Rc`",
    note = "a factory builds the state on the actor's own thread: make what it needs inside it, or capture an `Arc`",
    note = "`Context::start` and `Here::start` take a closure that stays on its thread"
)]
pub trait FactoryOnce: Send + 'static {}
#[diagnostic::do_not_recommend]
impl<F: Send + 'static> FactoryOnce for F {}

/// How a port answers for a handler that did not: implemented by `#[actor]` for the enum of reply ports.
pub trait Port: 'static {
    /// Ends the call with `error`.
    fn fail(self, error: CallError);
    /// The call's terms, which its reply lies beside.
    fn terms(&self) -> Option<&Terms>;
}

/// The key type of an enum with `#[key]` fields of type `K`.
#[derive(Debug)]
pub struct Keyed<K: ?Sized>(PhantomData<K>);

/// The key type of an enum without `#[key]`: anything that can be hashed.
#[derive(Debug)]
pub struct Unkeyed;

/// What [`Client::keyed`](crate::Client::keyed) takes for a key: what the `#[key]` fields borrow as, or anything where
/// the enum has none.
#[diagnostic::on_unimplemented(
    message = "`{Q}` is not what the `#[key]` fields of this enum borrow as",
    note = "pass a reference to the fields' own type, or to what it borrows as: `&str` for `String`"
)]
pub trait KeyOf<Q: ?Sized> {}
impl<K: std::borrow::Borrow<Q> + ?Sized, Q: ?Sized> KeyOf<Q> for Keyed<K> {}
impl<Q: ?Sized> KeyOf<Q> for Unkeyed {}

/// What a `#[key]` field must be: its hash is the route.
#[diagnostic::on_unimplemented(
    message = "key type `{Self}` has no hash",
    label = "a `#[key]` field must be `Hash`",
    note = "derive `Hash` for it, bound a parameter by it, or put the key on an id that has one"
)]
pub trait KeyField: Hash {}
#[diagnostic::do_not_recommend]
impl<K: Hash + ?Sized> KeyField for K {}

/// The hash that routes a key: equal for equal keys throughout a process.
pub fn key_hash<K: KeyField + ?Sized>(key: &K) -> u64 {
    let mut hasher = DefaultHasher::new();
    key.hash(&mut hasher);
    hasher.finish()
}

/// The value, if both are one type.
pub fn same<F: 'static, T: 'static>(value: F) -> Option<T> {
    let mut value = Some(value);
    (&mut value as &mut dyn Any).downcast_mut::<Option<T>>().and_then(Option::take)
}

/// One more than the deepest of `callees`.
pub const fn call_depth(callees: &[u16]) -> u16 {
    let mut deepest = 0;
    let mut i = 0;
    while i < callees.len() {
        if callees[i] > deepest {
            deepest = callees[i];
        }
        i += 1;
    }
    deepest + 1
}

/// Compiles for what a field may be, and points at the field where it may not.
pub const fn assert_field<T: MessageField>() {}

/// Compiles for what a reply may be, and points at the reply where it may not.
pub const fn assert_reply<T: ReplyType>() {}

/// Marks a message whose declared calls lead to no cycle. For a generic enum the callees must be so too, and a cycle
/// among them has no finite proof: rustc refuses it without evaluating any constant.
#[doc(hidden)]
pub trait Acyclic {}

/// As [`Mention`], for what takes a key.
#[doc(hidden)]
pub trait MentionKey<Q: ?Sized> {
    /// Never called.
    fn mention();
}

/// What generated code mentions here is not dead code, however little of it a program uses.
#[doc(hidden)]
pub trait Mention<H> {
    /// Never called.
    fn mention();
}

mod sealed {
    pub trait Sealed {}
    impl<M: super::Message, R: 'static, K> Sealed for super::Request<M, R, K> {}
}
