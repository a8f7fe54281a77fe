//! `Message` and `Request`: what `#[actor]` implements and makes; a request and its reply are of one type.

use std::any::TypeId;
use std::fmt;
use std::marker::PhantomData;
use std::ops::Deref;

use crate::client::Client;
use crate::definition::Definition;
use crate::reply::reply_to::ReplyTo;
use crate::route::payload::{Deferred, Kind, Payload, Port, Prompt, ToPort};

/// An enum of messages. The attribute `#[actor]` implements it; do not implement it by hand.
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
    /// The call depth: 0 if the enum declares no calls, otherwise one more than the deepest type that it declares.
    const CALL_DEPTH: u16;
    /// The same number, from which callers compute theirs. Its name is the advice: of a cycle of constants, the
    /// compiler's error shows only the name.
    #[doc(hidden)]
    const CYCLE_OF_CALLS_SEND_OR_PIPE_ONE_OF_THEM: u16 = 0;
    /// The variants of the enum and the types that it may call: what a [`Map`](crate::map::Map) is drawn from.
    const DEFINITION: &'static Definition;
    /// The generated client in the blocking view: its calls wait.
    type Client: From<Client<Self>> + Deref<Target = Client<Self>> + Clone + fmt::Debug + Send + Sync + 'static;
    /// The generated client in the non-blocking view: its calls give a [`Pending`](crate::Pending).
    type NonBlockingClient: From<Client<Self, NonBlocking>>
        + Deref<Target = Client<Self, NonBlocking>>
        + Clone
        + fmt::Debug
        + Send
        + Sync
        + 'static;
    #[doc(hidden)]
    type Port: Port;
    #[doc(hidden)]
    type Key: ?Sized + 'static;

    /// The enum's name with the parameters of a generic enum, as in `CacheMessage<String, 4>`: what errors, the
    /// registry, statistics, reports and events show.
    ///
    /// ```
    /// use zctor::{Message, actor};
    ///
    /// #[actor]
    /// pub enum TopicMessage<T> {
    ///     Publish(T),
    /// }
    ///
    /// assert_eq!(TopicMessage::<u32>::name(), "TopicMessage<u32>");
    /// assert_eq!(TopicMessage::<Vec<String>>::name(), "TopicMessage<Vec<String>>");
    /// assert_eq!(TopicMessage::<u32>::NAME, "TopicMessage");
    /// ```
    fn name() -> &'static str {
        Self::NAME
    }

    /// Returns the name of this message's variant.
    fn variant(&self) -> &'static str;

    /// A function, since a constant would make rustc evaluate the definitions of all callees.
    #[doc(hidden)]
    fn __definition() -> &'static Definition {
        Self::DEFINITION
    }

    #[doc(hidden)]
    fn __key(&self) -> Option<u64> {
        None
    }

    /// Returns the type of the only field of this message's variant, if it has one field.
    #[doc(hidden)]
    fn __field_type(&self) -> Option<TypeId> {
        None
    }

    /// Returns that field, if it is of this type.
    #[doc(hidden)]
    fn __into_field<T: 'static>(self) -> Option<T> {
        None
    }
}

impl<M: Message> Payload for M {
    fn name() -> &'static str {
        <M as Message>::name()
    }

    const CALL_DEPTH: u16 = M::CALL_DEPTH;
    type Port = M::Port;

    #[inline]
    fn variant(&self) -> &'static str {
        Message::variant(self)
    }

    #[inline]
    fn key(&self) -> Option<u64> {
        self.__key()
    }
}

/// Marks a type that handlers of `Caller` may wait for; implemented by `calls(..)` in `#[actor]`.
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

/// The requirement on a field of a message: it borrows nothing, and it can go to another thread.
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

/// The requirement on a reply: it borrows nothing, and it can go back to the caller's thread.
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

/// The blocking view of a client: its calls wait for the reply, its sends for room.
///
/// ```
/// let view: Option<zctor::Blocking> = None;
/// assert!(view.is_none());
/// ```
#[derive(Debug)]
pub enum Blocking {}

/// The non-blocking view of a client: its methods return at once, a call with a [`Pending`](crate::Pending).
///
/// ```
/// let view: Option<zctor::NonBlocking> = None;
/// assert!(view.is_none());
/// ```
#[derive(Debug)]
pub enum NonBlocking {}

/// A view of a client, [`Blocking`] or [`NonBlocking`], and the generated client of that view.
///
/// ```
/// use zctor::{Client, InstanceId, Message, ClientView};
///
/// fn pinned<M: Message, V: ClientView>(client: &Client<M, V>, instance: InstanceId) -> V::Client<M> {
///     client.pin(instance)
/// }
/// # let _ = pinned::<JobMessage, zctor::NonBlocking>;
/// # #[zctor::actor] pub enum JobMessage { Run }
/// ```
pub trait ClientView: sealed::View + Sized {
    /// The generated client.
    type Client<M: Message>: From<Client<M, Self>>;
}

impl ClientView for Blocking {
    type Client<M: Message> = M::Client;
}

impl ClientView for NonBlocking {
    type Client<M: Message> = M::NonBlockingClient;
}

/// A view whose methods may wait: [`Blocking`].
///
/// A trait of its own only so that `call` in the non-blocking view gets an error that says what to do.
///
/// ```
/// fn waits<V: zctor::Waits>() -> bool {
///     true
/// }
/// assert!(waits::<zctor::Blocking>());
/// ```
#[diagnostic::on_unimplemented(
    message = "the non-blocking view of a client does not wait, so it has no `call`",
    label = "this would wait for the reply",
    note = "use `request`, or a method of a variant: both give a `Pending`, to be awaited, waited for or piped",
    note = "`call` is a method of the client before `non_blocking()`"
)]
pub trait Waits: sealed::View {}

impl Waits for Blocking {}

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

impl<M: Message, R: 'static, K> Request<M, R, K> {
    /// Returns the message, and the function that makes its port.
    pub(crate) fn into_parts(self) -> (M, ToPort<M, R>) {
        (self.message, self.port)
    }
}

impl<M: Message + Clone, R: 'static, K> Clone for Request<M, R, K> {
    fn clone(&self) -> Self {
        Self { message: self.message.clone(), port: self.port, kind: PhantomData }
    }
}

impl<M: Message, R: 'static, K> fmt::Debug for Request<M, R, K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Request({}::{})", M::name(), self.message.variant())
    }
}

/// A [`Request`], as `call`, `request`, `call_all` and `pipe` take it.
///
/// It is a trait of its own so that a plain enum value gets an error that says what to do.
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
    /// The type of the reply.
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

/// A request that its handler answers by returning. In a handler, `ctx.call` takes only such requests.
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

mod sealed {
    pub trait View {}
    impl View for super::Blocking {}
    impl View for super::NonBlocking {}

    pub trait Sealed {}
    impl<M: super::Message, R: 'static, K> Sealed for super::Request<M, R, K> {}
}
