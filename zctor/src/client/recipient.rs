//! Recipients: the type of the enum is erased behind the constructor of one variant.

use std::any::TypeId;
use std::fmt;
use std::panic::Location;
use std::sync::Arc;

use crate::client::Client;
use crate::client::message::Message;
use crate::error::{Refused, SendError};

/// A handle typed by the field of one variant: code that holds it needs to know neither the enum nor its crate.
///
/// [`Client::recipient`] makes it from the constructor of a variant with one field. It is cheap to clone, threads can
/// share it, and it keeps no instance alive.
///
/// ```
/// use zctor::{ActorEngine, Recipient, SendError, actor};
///
/// /// Knows of no actor.
/// fn greet(log: &Recipient<String>) -> Result<(), SendError<String>> {
///     log.send("hello".to_owned())
/// }
///
/// #[actor]
/// pub enum LogMessage {
///     Line(String),
///     #[reply(usize)]
///     Count,
/// }
/// #[derive(Default)]
/// struct Log(usize);
/// impl LogHandler for Log {
///     fn line(&mut self, _value: String) {
///         self.0 += 1;
///     }
///     fn count(&mut self) -> usize {
///         self.0
///     }
/// }
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let engine = ActorEngine::new();
/// let log: LogClient = engine.pool(1, LogMessage::actor(Log::default))?;
/// let lines: Recipient<String> = log.recipient(LogMessage::Line);
/// greet(&lines)?;
/// assert_eq!(log.count()?, 1);
///
/// engine.shutdown()?;
/// assert_eq!(greet(&lines).unwrap_err().into_inner(), "hello"); // a refused value comes back
/// # Ok(())
/// # }
/// ```
pub struct Recipient<T> {
    to: Arc<dyn Deliver<T>>,
}

impl<T: 'static> Recipient<T> {
    pub(crate) fn new<M: Message>(client: Client<M>, variant: fn(T) -> M, made: &'static Location<'static>) -> Self {
        Self { to: Arc::new(Variant { client, variant, made }) }
    }

    /// Sends a value, as [`Client::send`] sends the variant that holds it.
    ///
    /// # Errors
    /// As [`Client::send`]. The value is in the error, which names the message's type.
    ///
    /// # Panics
    /// If the function given to [`Client::recipient`] is not the constructor of a variant with one field. Then every
    /// call panics before it sends, whether the message would be accepted or not.
    ///
    /// # Blocking
    /// As [`Client::send`].
    ///
    /// ```
    /// # use zctor::{ActorEngine, actor};
    /// # #[actor]
    /// # pub enum JobMessage { Run(u32) }
    /// # struct Job;
    /// # impl JobHandler for Job { fn run(&mut self, _value: u32) {} }
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let engine = ActorEngine::new();
    /// let numbers = engine.pool(2, JobMessage::actor(|| Job))?.recipient(JobMessage::Run);
    /// numbers.send(7)?;
    /// engine.settle();
    /// assert_eq!(engine.stats().handled(), 1);
    /// # Ok(())
    /// # }
    /// ```
    pub fn send(&self, value: T) -> Result<(), SendError<T>> {
        self.to.send(value)
    }
}

impl<T> Clone for Recipient<T> {
    fn clone(&self) -> Self {
        Self { to: Arc::clone(&self.to) }
    }
}

impl<T> fmt::Debug for Recipient<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Recipient({})", self.to.message())
    }
}

impl<M: Message, V> Client<M, V> {
    /// Returns a handle typed by the field of one variant, for code that should know neither the enum nor its crate.
    ///
    /// `variant` is the constructor of a variant with one field, as in `client.recipient(LogMessage::Line)`. For a
    /// named field, it is a closure that captures nothing: `|text: String| LogMessage::Line { text }`. With any other
    /// function, [`send`](Recipient::send) panics.
    ///
    /// ```
    /// # use zctor::{ActorEngine, Recipient, actor};
    /// # #[actor]
    /// # pub enum JobMessage { Run(u32), Name { name: String } }
    /// # struct Job;
    /// # impl JobHandler for Job { fn run(&mut self, _value: u32) {} fn name(&mut self, _name: String) {} }
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let engine = ActorEngine::new();
    /// let jobs: JobClient = engine.pool(2, JobMessage::actor(|| Job))?;
    /// let numbers: Recipient<u32> = jobs.recipient(JobMessage::Run);
    /// let names: Recipient<String> = jobs.recipient(|name| JobMessage::Name { name });
    /// numbers.send(7)?;
    /// names.send("seven".to_owned())?;
    /// engine.settle();
    /// assert_eq!(engine.stats().handled(), 2);
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    #[track_caller]
    pub fn recipient<T: 'static>(&self, variant: fn(T) -> M) -> Recipient<T> {
        Recipient::new(self.clone().seen(), variant, Location::caller())
    }
}

/// A client whose enum is erased.
trait Deliver<T>: Send + Sync {
    fn send(&self, value: T) -> Result<(), SendError<T>>;
    fn message(&self) -> &'static str;
}

struct Variant<M: Message, T> {
    client: Client<M>,
    variant: fn(T) -> M,
    /// Where the recipient was made: the panic about a wrong function names this place.
    made: &'static Location<'static>,
}

impl<M: Message, T: 'static> Deliver<T> for Variant<M, T> {
    fn send(&self, value: T) -> Result<(), SendError<T>> {
        let message = (self.variant)(value);
        // Checked before each send, although the field is needed only after a refusal: so a wrong function shows on its
        // first use.
        assert!(
            message.__field_type() == Some(TypeId::of::<T>()),
            "the recipient made at {} needs the constructor of a variant with one field; its function made a `{}::{}` of \
             something else",
            self.made,
            M::name(),
            message.variant(),
        );
        self.client.send(message).map_err(|error| match error {
            SendError::NotRegistered(refused) => SendError::NotRegistered(back(refused)),
            SendError::Full(refused) => SendError::Full(back(refused)),
            SendError::Stopped(refused) => SendError::Stopped(back(refused)),
        })
    }

    fn message(&self) -> &'static str {
        M::name()
    }
}

/// Takes the value out of a refused message, whose variant was checked before it was sent.
fn back<M: Message, T: 'static>(refused: Refused<M>) -> Refused<T> {
    let name = refused.message();
    let value = refused.into_inner().__into_field().unwrap_or_else(|| unreachable!("its only field is of this type"));
    Refused::new(name, value)
}
