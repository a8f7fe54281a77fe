//! Envelopes: how messages are put into envelopes, gathered to batches, handed to their instance, and taken out again.
//!
//! An envelope knows the type of its messages, which an envelope (`mailbox.rs`) no longer names. The type of the state that
//! handles them is known to the instance alone, which an envelope gives its content as `Any`.

use std::any::{Any, TypeId};
use std::collections::VecDeque;
use std::mem::take;
use std::sync::Arc;

use crate::error::CallError;
use crate::event::{DeadLetter, Undelivered};
use crate::mailbox::buffers::Buffers;
use crate::mailbox::dead_letters::{Listener, run_hook};
use crate::mailbox::envelope::{Envelope, ErasedContents, Gathered, Undeliverable, erase};
use crate::route::payload::Payload;
use crate::route::payload::Port;
use crate::sys::frame::in_hook;
use crate::sys::unwind::{Quiet, quietly};

/// An envelope: its content, and who gets that if nobody handles it.
struct Contents<C, H> {
    content: C,
    undelivered: H,
}

/// Nobody, or the hook of the actor that the envelope is for. An envelope carries it, since it may outlive that. Without a hook
/// it takes no room.
pub(super) trait Hook<M>: Clone + Send + 'static {
    fn hook(&self) -> Option<&OnUndelivered<M>>;
}

#[derive(Clone)]
pub(super) struct NoHook;

impl<M> Hook<M> for NoHook {
    fn hook(&self) -> Option<&OnUndelivered<M>> {
        None
    }
}

impl<M: 'static> Hook<M> for Arc<OnUndelivered<M>> {
    fn hook(&self) -> Option<&OnUndelivered<M>> {
        Some(&**self)
    }
}

/// What an envelope may hold: a message, a call, or a batch. Empty by default.
pub(super) trait Content: Default + Send + 'static {
    type Message: Payload;

    fn len(&self) -> usize;
    /// As `ErasedContents::gather`, for the content of a single message.
    fn gather<H: Hook<Self::Message>>(
        &mut self,
        next: &mut Option<Self::Message>,
        hook: &H,
        buffers: &Buffers,
    ) -> Gathered;
    /// As `ErasedContents::discard`.
    fn discard(&mut self, undeliverable: Undeliverable<'_>, hook: Option<&OnUndelivered<Self::Message>>);
}

#[inline]
pub(super) fn enclose<C: Content>(content: C, undelivered: Option<&Arc<OnUndelivered<C::Message>>>) -> Envelope {
    match undelivered {
        None => erase(Contents { content, undelivered: NoHook }),
        Some(hook) => erase(Contents { content, undelivered: Arc::clone(hook) }),
    }
}

#[cold]
pub(super) fn open<C: Content>(mut envelope: Envelope) -> Option<C> {
    let any = envelope.as_any_mut();
    if let Some(envelope) = any.downcast_mut::<Contents<C, NoHook>>() {
        return Some(take(&mut envelope.content));
    }
    any.downcast_mut::<Contents<C, Arc<OnUndelivered<C::Message>>>>().map(|envelope| take(&mut envelope.content))
}

/// Bulky messages are not gathered: what is boxed is dearer to move into a batch than to leave where it is.
const fn is_bulky<M>() -> bool {
    size_of::<M>() > 256
}

/// Makes a batch of an envelope and one message more.
#[inline]
pub(super) fn join<M: Payload + Send, H: Hook<M>>(
    envelope: &mut Envelope,
    place: &mut Option<M>,
    buffers: &Buffers,
) -> Gathered {
    if is_bulky::<M>() {
        return Gathered::Not;
    }
    let any = envelope.as_any_mut();
    if let Some(Contents { content, undelivered }) = any.downcast_mut::<Contents<VecDeque<M>, H>>() {
        content.gather(place, undelivered, buffers)
    } else if let Some(Contents { content, undelivered }) = any.downcast_mut::<Contents<Option<M>, H>>() {
        content.gather(place, undelivered, buffers)
    } else {
        Gathered::Not
    }
}

/// A message that nobody will handle, and that is counted: tells of it, unless a hook lost it.
pub(crate) fn lose<M: Payload>(message: M, hook: Option<&OnUndelivered<M>>, undeliverable: Undeliverable<'_>) {
    tell(message, hook, undeliverable, undeliverable.losses.listener());
}

/// A message for which there is no room at the edge, and that is dropped. It comes back if the report has been made.
pub(super) fn lose_at_edge<M: Payload>(
    message: M,
    hook: Option<&OnUndelivered<M>>,
    undeliverable: Undeliverable<'_>,
) -> Result<(), M> {
    match undeliverable.losses.count_at_edge() {
        Some(listener) => {
            tell(message, hook, undeliverable, listener);
            Ok(())
        }
        None => Err(message),
    }
}

fn tell<M: Payload>(message: M, hook: Option<&OnUndelivered<M>>, undeliverable: Undeliverable<'_>, listener: Listener) {
    let Undeliverable { losses, instance, why, from_hook } = undeliverable;
    if from_hook || in_hook() {
        return quietly(|| drop(message));
    }
    losses.tell(listener, &DeadLetter { message: M::NAME, variant: message.variant(), instance, why });
    match hook.and_then(Quiet::get) {
        Some(hook) => run_hook(|| hook(message, why)),
        None => quietly(|| drop(message)),
    }
}

impl<C: Content, H: Hook<C::Message>> ErasedContents for Contents<C, H> {
    fn content(&mut self) -> &mut dyn Any {
        &mut self.content
    }

    fn message(&self) -> TypeId {
        TypeId::of::<C::Message>()
    }

    fn gather(&mut self, next: &mut Envelope, buffers: &Buffers) -> Gathered {
        if is_bulky::<C::Message>() {
            return Gathered::Not;
        }
        match next.as_any_mut().downcast_mut::<Contents<Option<C::Message>, H>>() {
            Some(next) => self.content.gather(&mut next.content, &self.undelivered, buffers),
            None => Gathered::Not,
        }
    }

    fn len(&self) -> usize {
        self.content.len()
    }

    fn discard(&mut self, undeliverable: Undeliverable<'_>) {
        self.content.discard(undeliverable, self.undelivered.hook());
    }

    fn as_any_mut(&mut self) -> &mut dyn Any {
        self
    }
}

/// A message.
impl<M: Payload + Send> Content for Option<M> {
    type Message = M;

    fn len(&self) -> usize {
        usize::from(self.is_some())
    }

    fn gather<H: Hook<M>>(&mut self, next: &mut Self, hook: &H, buffers: &Buffers) -> Gathered {
        let mut messages: VecDeque<M> = buffers.take(2);
        messages.extend(self.take());
        messages.extend(next.take());
        Gathered::Batch(erase(Contents { content: messages, undelivered: hook.clone() }))
    }

    fn discard(&mut self, undeliverable: Undeliverable<'_>, hook: Option<&OnUndelivered<M>>) {
        if let Some(message) = self.take() {
            lose(message, hook, undeliverable);
        }
    }
}

/// A call.
impl<M: Payload<Port: Send> + Send> Content for Option<Call<M>> {
    type Message = M;

    fn len(&self) -> usize {
        usize::from(self.is_some())
    }

    fn gather<H: Hook<M>>(&mut self, _: &mut Option<M>, _: &H, _: &Buffers) -> Gathered {
        Gathered::Not
    }

    fn discard(&mut self, undeliverable: Undeliverable<'_>, hook: Option<&OnUndelivered<M>>) {
        if let Some(Call { message, port }) = self.take() {
            quietly(|| port.fail(CallError::Stopped { message: M::NAME }));
            lose(message, hook, undeliverable);
        }
    }
}

/// A batch.
impl<M: Payload + Send> Content for VecDeque<M> {
    type Message = M;

    fn len(&self) -> usize {
        VecDeque::len(self)
    }

    #[inline]
    fn gather<H: Hook<M>>(&mut self, next: &mut Option<M>, _: &H, _: &Buffers) -> Gathered {
        if let Some(message) = next.take() {
            self.push_back(message); // `extend` would move it twice
        }
        Gathered::Joined
    }

    fn discard(&mut self, undeliverable: Undeliverable<'_>, hook: Option<&OnUndelivered<M>>) {
        for message in self.drain(..) {
            lose(message, hook, undeliverable);
        }
    }
}

/// A call on its way: the message, and where its reply goes.
pub(crate) struct Call<M: Payload> {
    pub(crate) message: M,
    pub(crate) port: M::Port,
}

/// What an actor does with its own undelivered messages.
pub(crate) type OnUndelivered<M> = Quiet<dyn Fn(M, Undelivered) + Send + Sync>;
