//! `Mock`: a double that records its messages and answers calls from a script.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::mem::{Discriminant, discriminant};
use std::sync::{Arc, Mutex};

use crate::actor::Actor;
use crate::actor::double::{Double, Role};
use crate::client::message::Message;
use crate::reply::reply_to::{ReplySlot, ReplyTo};
use crate::sys::lock::lock;
use crate::testing::{Doubled, Port, reply_of, variant_of};

/// A double that replaces an actor: it records the messages and answers the calls from a script.
///
/// A call for which the script has no answer, or no further one, ends with
/// [`CallError::Panicked`](crate::CallError::Panicked), whose text says so. Clones of a mock share its script and its
/// record.
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

/// Finds the reply to a message. It returns a closure that gives the reply to the port, to be called when the message
/// has been recorded.
type Answer<M> = Arc<dyn Fn(&M) -> Deliver<M> + Send + Sync>;

type Deliver<M> = Box<dyn FnOnce(<M as Message>::Port)>;

impl<M: Doubled> Role<M> for Script<M> {
    fn take(&self, message: M, slot: &mut ReplySlot<'_, M::Port>) {
        let send = match slot {
            ReplySlot::Port(waiting) => {
                // The lock is not held while the answer runs, which is user code.
                let answer = lock(&self.answers).get(&discriminant(waiting)).cloned();
                let variant = message.variant();
                let answer =
                    answer.unwrap_or_else(|| panic!("the mock has no answer to a call of `{}::{variant}`", M::name()));
                Some(answer(&message))
            }
            // No reply is wanted. (It is never `Here`: a double is not called on the spot.)
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
    /// Makes a mock that records its messages and has no answer to any call.
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

    /// Returns an actor to register, pool or start in place of the real one. All its instances share the mock's script
    /// and record.
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

    /// Answers each call of this variant, from now on, with the reply that `answer` returns for its message.
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
        let before = lock(&self.script.answers).insert(variant_of(variant), Arc::new(answer));
        drop(before);
        self
    }

    /// Answers the calls of this variant, from now on, with these replies, one after the other.
    ///
    /// When the replies are used up, calls end with [`CallError::Panicked`](crate::CallError::Panicked), whose text
    /// says so.
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

    /// Takes out all messages that were recorded so far, in the order in which they came.
    ///
    /// These are the messages of sends and of calls. The message of a call is recorded before the call is answered. A
    /// call without an answer is not recorded.
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
        write!(f, "Mock({})", M::name())
    }
}

fn used_up<M: Message>(variant: &'static str) -> ! {
    panic!("the script of the mock has no further answer to a call of `{}::{variant}`", M::name())
}
