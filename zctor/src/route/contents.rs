//! The contents of an envelope: a message, a call or a batch; how they are gathered, opened and lost.
//!
//! [`Contents`] know the type of their messages. The [`Envelope`] around them (`mailbox/envelope.rs`) names it no
//! more. The type of the state that handles the messages is known to the instance alone, which gets the content as
//! `Any`.
//!
//! # How seldom a message is moved
//!
//! To move a message costs more than all else that is done with it on its way. So its sender makes it in a place, its
//! handler begins by taking it out of that place, and the code in between passes on the place, not the message:
//!
//! 1. The sender makes the message in a `&mut Option<M>`. With the port for its reply it is a `&mut Option<Call<M>>`.
//! 2. A call that its callee handles on the spot, on the caller's own thread, is taken out of the sender's very place.
//! 3. For all other messages, [`Delivery`](crate::route::endpoint::Delivery) makes one more move: out of the sender's
//!    place into an envelope, which goes into the mailbox in the same step. In the envelope the message lies in an
//!    `Option` again.
//! 4. An envelope holds small messages inline, so to move mail is to move them. Mail that a thread takes in or serves
//!    therefore lies in a place too, an `Option<Mail>`.
//! 5. The instance is lent the place in the envelope, and takes the message out where its handler begins. A message
//!    that it cannot take just now stays in there.
//! 6. If the sender's place is empty afterwards, the message was accepted. A message that was refused, or whose
//!    receiver's thread has ended meanwhile, is back in its sender's place, for the next attempt or for the error.

use std::any::{Any, TypeId};
use std::collections::VecDeque;
use std::mem::take;
use std::sync::{Arc, Weak};

use crate::error::CallError;
use crate::event::{DeadLetter, Undelivered};
use crate::mailbox::buffers::Buffers;
use crate::mailbox::dead_letters::Listener;
use crate::mailbox::envelope::{Envelope, ErasedContents, Gathered, Undeliverable, erase};
use crate::mailbox::hooks::run_hook;
use crate::route::payload::{Payload, Port};
use crate::sys::frame::in_hook;
use crate::sys::unwind::{UserClosure, ignoring_panic};
use crate::trace::spans::{SPANS, SentFrom, may_trace_calls, may_trace_sends, sent_from};

/// The inside of an envelope: its content, the hook that gets the messages if no handler does, and where they come from.
struct Contents<C, H, O = ()> {
    content: C,
    undelivered: H,
    sent_from: O,
}

/// The origin of messages for which no spans are asked for takes no memory.
trait MaybeSentFrom: Send + 'static {
    fn sent_from(&self) -> Option<SentFrom>;
}

impl MaybeSentFrom for () {
    #[inline]
    fn sent_from(&self) -> Option<SentFrom> {
        None
    }
}

impl MaybeSentFrom for SentFrom {
    fn sent_from(&self) -> Option<SentFrom> {
        Some(self.clone())
    }
}

/// The `on_undelivered` hook of the actor that an envelope is for, or none.
///
/// The envelope carries the hook, since it may outlive the instance and its endpoint. Without a hook it takes no
/// memory.
pub(crate) trait Hook<M>: Clone + Send + 'static {
    /// Whether the instance has a hook.
    const IS_ONE: bool;

    /// The hook of an endpoint's instance; `None` if that has ended.
    fn of(undelivered: Option<&WeakHook>) -> Option<Self>;
    fn hook(&self) -> Option<&OnUndelivered<M>>;
}

/// Of an actor without a hook.
#[derive(Clone)]
pub(crate) struct NoHook;

impl<M> Hook<M> for NoHook {
    const IS_ONE: bool = false;

    #[inline(always)]
    fn of(_: Option<&WeakHook>) -> Option<Self> {
        Some(Self)
    }

    fn hook(&self) -> Option<&OnUndelivered<M>> {
        None
    }
}

impl<M: 'static> Hook<M> for AnyHook {
    const IS_ONE: bool = true;

    fn of(undelivered: Option<&WeakHook>) -> Option<Self> {
        undelivered?.upgrade()
    }

    fn hook(&self) -> Option<&OnUndelivered<M>> {
        typed(self)
    }
}

/// The content of an envelope: a message, a call, or a batch. The default is an empty one.
pub(super) trait Content: Default + Send + 'static {
    type Message: Payload;
    const IS_CALL: bool;

    fn len(&self) -> usize;
    /// Does what `ErasedContents::gather` does, with the place of a single message.
    fn gather<H: Hook<Self::Message>>(
        &mut self,
        next: &mut Option<Self::Message>,
        hook: &H,
        buffers: &Buffers,
    ) -> Gathered;
    /// Does what `ErasedContents::discard` does.
    fn discard(&mut self, undeliverable: Undeliverable<'_>, hook: Option<&OnUndelivered<Self::Message>>);
}

/// Moves a content from its place into an envelope, which carries the hook of the actor that it is for. `None` if that
/// hook is gone, for the instance has ended: the content stays in its place then, and is refused.
///
/// The caller has found that no spans are asked for (`may_be_traced`). To ask here would make two ways that end in one
/// envelope, so that it has to be moved once more.
#[inline]
pub(super) fn enclose<C: Content, H: Hook<C::Message>>(
    place: &mut C,
    undelivered: Option<&WeakHook>,
) -> Option<Envelope> {
    let hook = H::of(undelivered)?;
    Some(put(place, hook))
}

/// As `enclose`, with the origin of the messages, if spans are asked for.
#[inline]
pub(super) fn enclose_traced<C: Content, H: Hook<C::Message>>(
    place: &mut C,
    undelivered: Option<&WeakHook>,
) -> Option<Envelope> {
    let hook = H::of(undelivered)?;
    let may_be_traced = if C::IS_CALL { may_trace_calls() } else { may_trace_sends() };
    if SPANS && may_be_traced {
        return Some(put_traced(place, hook));
    }
    Some(put(place, hook))
}

#[cfg_attr(not(debug_assertions), inline(always))]
fn put<C: Content, H: Hook<C::Message>>(place: &mut C, undelivered: H) -> Envelope {
    erase(Contents { content: take(place), undelivered, sent_from: () })
}

#[cold]
#[inline(never)]
fn put_traced<C: Content, H: Hook<C::Message>>(place: &mut C, undelivered: H) -> Envelope {
    match sent_from(C::IS_CALL) {
        None => put(place, undelivered),
        Some(sent_from) => erase(Contents { content: take(place), undelivered, sent_from }),
    }
}

/// Moves a content into an envelope without a hook, as `enclose` does.
#[inline]
pub(super) fn bare<C: Content>(place: &mut C) -> Envelope {
    put(place, NoHook)
}

#[cold]
pub(super) fn open<C: Default + 'static>(mut envelope: Envelope) -> Option<C> {
    envelope.content().downcast_mut().map(take)
}

/// Whether messages of this type are too large to gather: they lie in boxes, and to move one out of its box into a
/// batch costs more than to leave it there.
const fn is_bulky<M>() -> bool {
    size_of::<M>() > 256
}

/// Adds one more message to an envelope, which becomes a batch if it held a single message.
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
    if let Some(Contents { content, undelivered, .. }) = any.downcast_mut::<Contents<VecDeque<M>, H>>() {
        content.gather(place, undelivered, buffers)
    } else if let Some(Contents { content, undelivered, .. }) = any.downcast_mut::<Contents<Option<M>, H>>() {
        content.gather(place, undelivered, buffers)
    } else {
        Gathered::Not
    }
}

/// Tells of a message that no handler will get, and that is counted already. It does not tell if a hook has sent the
/// message, or loses it just now: a hook that is told of its own losses could go on losing messages without end.
pub(crate) fn lose<M: Payload>(message: M, hook: Option<&OnUndelivered<M>>, undeliverable: Undeliverable<'_>) {
    tell(message, hook, undeliverable, undeliverable.incidents.listener());
}

/// Counts and tells of a message that is dropped because its mailbox has no room; gives it back if the engine's report
/// has been made, which it would be missing from.
pub(super) fn lose_at_edge<M: Payload>(
    message: M,
    hook: Option<&OnUndelivered<M>>,
    undeliverable: Undeliverable<'_>,
) -> Result<(), M> {
    match undeliverable.incidents.count_at_edge(M::name()) {
        Some(listener) => {
            tell(message, hook, undeliverable, listener);
            Ok(())
        }
        None => Err(message),
    }
}

fn tell<M: Payload>(message: M, hook: Option<&OnUndelivered<M>>, undeliverable: Undeliverable<'_>, listener: Listener) {
    let Undeliverable { incidents, instance, why, from_hook } = undeliverable;
    if from_hook || in_hook() {
        return ignoring_panic(|| drop(message));
    }
    incidents.tell_dead_letter(listener, &DeadLetter { message: M::name(), variant: message.variant(), instance, why });
    match hook.and_then(UserClosure::get) {
        Some(hook) => run_hook(|| hook(message, why)),
        None => ignoring_panic(|| drop(message)),
    }
}

impl<C: Content, H: Hook<C::Message>, O: MaybeSentFrom> ErasedContents for Contents<C, H, O> {
    fn content(&mut self) -> &mut dyn Any {
        &mut self.content
    }

    fn message(&self) -> TypeId {
        TypeId::of::<C::Message>()
    }

    fn name(&self) -> &'static str {
        C::Message::name()
    }

    fn gather(&mut self, next: &mut Envelope, buffers: &Buffers) -> Gathered {
        // A message with an origin of its own joins no batch.
        if is_bulky::<C::Message>() || TypeId::of::<O>() != TypeId::of::<()>() {
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

    fn sent_from(&self) -> Option<SentFrom> {
        self.sent_from.sent_from()
    }

    fn as_any_mut(&mut self) -> &mut dyn Any {
        self
    }
}

/// A message.
impl<M: Payload + Send> Content for Option<M> {
    type Message = M;
    const IS_CALL: bool = false;

    fn len(&self) -> usize {
        usize::from(self.is_some())
    }

    fn gather<H: Hook<M>>(&mut self, next: &mut Self, hook: &H, buffers: &Buffers) -> Gathered {
        let mut messages: VecDeque<M> = buffers.take(2);
        for place in [self, next] {
            if let Some(message) = place.take() {
                messages.push_back(message);
            }
        }
        Gathered::Batch(erase(Contents { content: messages, undelivered: hook.clone(), sent_from: () }))
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
    const IS_CALL: bool = true;

    fn len(&self) -> usize {
        usize::from(self.is_some())
    }

    fn gather<H: Hook<M>>(&mut self, _: &mut Option<M>, _: &H, _: &Buffers) -> Gathered {
        Gathered::Not
    }

    fn discard(&mut self, undeliverable: Undeliverable<'_>, hook: Option<&OnUndelivered<M>>) {
        if let Some(Call { message, port }) = self.take() {
            let error = match undeliverable.why {
                Undelivered::Full => CallError::Full { message: M::name() },
                _ => CallError::Stopped { message: M::name() },
            };
            ignoring_panic(|| port.fail(error));
            lose(message, hook, undeliverable);
        }
    }
}

/// A batch.
impl<M: Payload + Send> Content for VecDeque<M> {
    type Message = M;
    const IS_CALL: bool = false;

    fn len(&self) -> usize {
        VecDeque::len(self)
    }

    #[inline]
    fn gather<H: Hook<M>>(&mut self, next: &mut Option<M>, _: &H, _: &Buffers) -> Gathered {
        if let Some(message) = next.take() {
            self.push_back(message); // `extend` would move the message twice
        }
        Gathered::Joined
    }

    fn discard(&mut self, undeliverable: Undeliverable<'_>, hook: Option<&OnUndelivered<M>>) {
        // Not `drain`, which is much code for each type of messages.
        while let Some(message) = self.pop_front() {
            lose(message, hook, undeliverable);
        }
    }
}

/// A call on its way: its message, and the port for its reply.
pub(crate) struct Call<M: Payload> {
    pub(crate) message: M,
    pub(crate) port: M::Port,
}

/// The hook of an actor for its own undelivered messages.
pub(crate) type OnUndelivered<M> = UserClosure<dyn Fn(M, Undelivered) + Send + Sync>;

/// The same whose type is erased, as it is kept: so what drops it is compiled once, and not for each type of messages.
/// In a box, so that an endpoint, of which each instance has one, has a thin pointer.
pub(crate) type AnyHook = Arc<Box<dyn Any + Send + Sync>>;

/// The hook as an endpoint has it.
pub(crate) type WeakHook = Weak<Box<dyn Any + Send + Sync>>;

/// The hook for messages of this type.
pub(crate) fn typed<M: 'static>(hook: &AnyHook) -> Option<&OnUndelivered<M>> {
    hook.downcast_ref()
}
