//! The ways of a reply: `ReplyTo`, by which a handler sends it, and the slot for a reply that a handler returns.

use std::any::Any;
use std::fmt;
use std::sync::Arc;

use crate::error::CallError;
use crate::reply::cancellation::{Caller, Cancellation};
use crate::reply::oneshot::{self, Gone, Receiver};
use crate::sys::frame::{is_in_handler, on_actor_thread};
use crate::sys::operation::Operation;
use crate::sys::simulated::reply_point;
use crate::sys::unwind::{ignoring_panic, when_caught};

pub(crate) type Outcome<R> = Result<R, CallError>;

/// The place that the reply to one call goes to.
///
/// The handler of a variant with `#[reply(T, deferred)]` gets it as its last parameter. The handler may reply at once,
/// keep it in its state and reply later, move it to another thread, or forward it in a message. If it is dropped, the
/// call ends with [`CallError::NoReply`]; if it is dropped by a panic in a handler, with [`CallError::Panicked`]. A call
/// whose `ReplyTo` is kept on a thread outside goes on after the engine has stopped: give such calls a deadline.
///
/// ```
/// use zctor::{ActorEngine, ReplyTo, actor};
///
/// #[actor]
/// pub enum DoorMessage {
///     /// Answers when the door opens.
///     #[reply(u32, deferred)]
///     Pass,
///     Open(u32),
/// }
/// #[derive(Default)]
/// struct Door {
///     waiting: Vec<ReplyTo<u32>>,
/// }
/// impl DoorHandler for Door {
///     fn pass(&mut self, reply: ReplyTo<u32>) {
///         self.waiting.push(reply);
///     }
///     fn open(&mut self, value: u32) {
///         for reply in self.waiting.drain(..) {
///             reply.send(value);
///         }
///     }
/// }
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let engine = ActorEngine::new();
/// let door: DoorClient = engine.pool(1, DoorMessage::actor(Door::default))?;
/// let passed = door.non_blocking().pass();
/// assert!(passed.try_take().is_none());
/// door.open(7)?;
/// assert_eq!(passed.wait()?, 7);
/// # Ok(())
/// # }
/// ```
#[must_use = "dropping it ends the call without a reply"]
pub struct ReplyTo<R: 'static> {
    /// Taken out by the reply. An `Option` of its own would be a word more in each envelope of a call.
    sender: oneshot::Sender<Outcome<R>>,
}

impl<R: 'static> ReplyTo<R> {
    pub(crate) fn channel(cancellation: Cancellation) -> (Self, Receiver<Outcome<R>>) {
        let (sender, receiver) = oneshot::channel(cancellation);
        (Self { sender }, receiver)
    }

    /// For a message that was sent, not called: no caller waits for a reply.
    #[doc(hidden)]
    pub fn __nobody() -> Self {
        // A channel whose receiver is gone.
        Self::channel(Cancellation::none()).0
    }

    /// Answers the call. If its caller has given up, the reply is dropped.
    pub fn send(mut self, reply: R) {
        // While the sender is in its place: a fault may have the handler panic here.
        reply_point(|| self.reply(), is_in_handler);
        if let Some(sender) = self.sender.take() {
            answer(sender, Ok(reply));
        }
    }

    /// Whether no caller waits for the reply any more, so that the work for it can be saved.
    pub fn is_given_up(&self) -> bool {
        self.sender.is_closed()
    }

    /// The reply, as a simulation is told of it. It is named by where it goes: no other that is under way lies at this address.
    fn reply(&self) -> Operation {
        let place = self.__cancellation().map_or(0, |cancellation| std::ptr::from_ref(cancellation) as usize);
        Operation::Reply { call: place }
    }

    #[doc(hidden)]
    pub fn __cancellation(&self) -> Option<&Cancellation> {
        self.sender.cancellation()
    }

    #[doc(hidden)]
    pub fn __caller(&self) -> Option<Arc<dyn Caller>> {
        self.sender.caller()
    }

    #[doc(hidden)]
    pub fn __fail(mut self, error: CallError) {
        reply_point(|| self.reply(), || false);
        if let Some(sender) = self.sender.take() {
            answer(sender, Err(error));
        }
    }
}

/// The slot for the value that a handler returns. Generated code is given it beside the message.
#[doc(hidden)]
#[derive(Default)]
#[expect(missing_debug_implementations, reason = "only generated code sees it")]
pub enum ReplySlot<'a, P> {
    /// Nowhere: the message was sent, or its port was taken.
    #[default]
    Nobody,
    /// To the port of a call that came as mail.
    Port(P),
    /// To a caller further down this very stack: an `Option` of the reply.
    Here(&'a mut dyn Any),
}

impl<P> ReplySlot<'_, P> {
    /// Takes the port out, if this holds one.
    #[inline]
    pub fn take(&mut self) -> Option<P> {
        match std::mem::take(self) {
            Self::Port(port) => Some(port),
            other => {
                *self = other;
                None
            }
        }
    }

    /// Gives the reply to a caller on this stack, if this holds one. Otherwise no caller waits for it, and it is
    /// dropped.
    #[inline]
    pub fn put<R: 'static>(&mut self, reply: R) {
        if let Self::Here(place) = self {
            if let Some(place) = place.downcast_mut() {
                *place = Some(reply);
            }
        }
    }
}

fn answer<R>(sender: oneshot::Sender<Outcome<R>>, outcome: Outcome<R>) {
    // A reply whose caller is gone comes back, and is dropped here.
    if let Err(outcome) = sender.send(outcome) {
        ignoring_panic(|| drop(outcome));
    }
}

impl<R: 'static> Drop for ReplyTo<R> {
    #[inline]
    fn drop(&mut self) {
        if !self.sender.is_spent() {
            self.end_unanswered();
        }
    }
}

impl<R: 'static> ReplyTo<R> {
    /// Ends the call without a reply.
    #[cold]
    #[inline(never)]
    fn end_unanswered(&mut self) {
        let reply = self.reply();
        let Some(sender) = self.sender.take() else { return };
        if std::thread::panicking() && on_actor_thread() {
            // A handler panics. The text of the panic is known when that has been caught, and goes to the caller then.
            when_caught(Box::new(move |text| {
                // `arrived` puts the name of the message in.
                let error = match text {
                    Some(text) => CallError::Panicked { message: "", text: Arc::clone(text) },
                    None => CallError::NoReply { message: "" },
                };
                reply_point(|| reply, || false);
                answer(sender, Err(error));
            }));
        } else {
            drop(sender);
        }
    }
}

impl<R: 'static> fmt::Debug for ReplyTo<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ReplyTo(..)")
    }
}

/// Turns what the receiver got into the outcome of a call of `message`.
pub(crate) fn arrived<R>(
    outcome: Result<Outcome<R>, Gone>,
    message: fn() -> &'static str,
    timed_out: impl FnOnce(bool),
) -> Outcome<R> {
    match outcome {
        Ok(Ok(reply)) => Ok(reply),
        Ok(Err(CallError::Panicked { text, .. })) => Err(CallError::Panicked { message: message(), text }),
        Ok(Err(CallError::NoReply { .. })) | Err(Gone) => Err(CallError::NoReply { message: message() }),
        Ok(Err(error)) => {
            if let CallError::Timeout { begun, .. } = error {
                timed_out(begun);
            }
            Err(error)
        }
    }
}
