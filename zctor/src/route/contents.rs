//! Letters: how messages are put into envelopes, gathered to batches, handed to their instance, and taken out again.
//!
//! A letter knows the type of its messages, which an envelope (`mailbox.rs`) no longer names. The type of the state that
//! handles them is known to the instance alone, which a letter gives its content as `Any`.

use std::any::Any;
use std::collections::VecDeque;
use std::mem::take;
use std::rc::Rc;
use std::sync::Arc;

use crate::client::message::Message;
use crate::error::CallError;
use crate::event::Undelivered;
use crate::mailbox::buffers::Spares;
use crate::mailbox::envelope::{Envelope, Gathered, Grave, Letter, Serving, seal};
use crate::route::endpoint::Address;
use crate::route::payload::Port;
use crate::route::pool::{Pool, hand_over};
use crate::route::registry::Pools;
use crate::sys::unwind::{Quiet, quietly};
use crate::thread::local::{AnyInstance, Local};

/// A letter: its content, and who gets that if nobody handles it.
struct Sealed<C, H> {
    content: C,
    undelivered: H,
}

/// Nobody, or the hook of the actor that the letter is for. A letter carries it, since it may outlive that. Without a hook
/// it takes no room.
pub(super) trait Heir<M>: Clone + Send + 'static {
    fn hook(&self) -> Option<&OnUndelivered<M>>;
}

#[derive(Clone)]
pub(super) struct Nobody;

impl<M> Heir<M> for Nobody {
    fn hook(&self) -> Option<&OnUndelivered<M>> {
        None
    }
}

impl<M: 'static> Heir<M> for Arc<OnUndelivered<M>> {
    fn hook(&self) -> Option<&OnUndelivered<M>> {
        Some(&**self)
    }
}

/// What a letter may hold: a message, a call, or a batch. Empty by default.
pub(super) trait Content: Default + Send + 'static {
    type Message: Message;

    fn len(&self) -> usize;
    /// As `Envelope::deliver`.
    fn deliver(&mut self, instance: Rc<dyn AnyInstance>, local: &Rc<Local>, serving: Serving) -> bool;
    /// As `Envelope::gather`, for the content of a single message.
    fn gather<H: Heir<Self::Message>>(
        &mut self,
        next: &mut Option<Self::Message>,
        heir: &H,
        spares: &Spares,
    ) -> Gathered;
    /// Gives what is left to others of the pool. What it could not place stays.
    fn forward(&mut self, pool: &Pool<Self::Message>);
    /// As `Envelope::bury`.
    fn bury(&mut self, grave: Grave<'_>, hook: Option<&OnUndelivered<Self::Message>>);
}

#[inline]
pub(super) fn sealed<C: Content>(content: C, undelivered: Option<&Arc<OnUndelivered<C::Message>>>) -> Letter {
    match undelivered {
        None => seal(Sealed { content, undelivered: Nobody }),
        Some(hook) => seal(Sealed { content, undelivered: Arc::clone(hook) }),
    }
}

#[cold]
pub(super) fn opened<C: Content>(mut letter: Letter) -> Option<C> {
    let any = letter.as_any_mut();
    if let Some(letter) = any.downcast_mut::<Sealed<C, Nobody>>() {
        return Some(take(&mut letter.content));
    }
    any.downcast_mut::<Sealed<C, Arc<OnUndelivered<C::Message>>>>().map(|letter| take(&mut letter.content))
}

/// Bulky messages are not gathered: what is boxed is dearer to move into a batch than to leave where it is.
const fn is_bulky<M>() -> bool {
    size_of::<M>() > 256
}

/// Makes a batch of a letter and one message more.
#[inline]
pub(super) fn join<M: Message + Send, H: Heir<M>>(letter: &mut Letter, place: &mut Option<M>, spares: &Spares) -> bool {
    let any = letter.as_any_mut();
    let gathered = if is_bulky::<M>() {
        Gathered::Not
    } else if let Some(Sealed { content, undelivered }) = any.downcast_mut::<Sealed<VecDeque<M>, H>>() {
        content.gather(place, undelivered, spares)
    } else if let Some(Sealed { content, undelivered }) = any.downcast_mut::<Sealed<Option<M>, H>>() {
        content.gather(place, undelivered, spares)
    } else {
        Gathered::Not
    };
    gathered.apply(letter)
}

impl<C: Content, H: Heir<C::Message>> Envelope for Sealed<C, H> {
    fn deliver(&mut self, instance: Rc<dyn AnyInstance>, local: &Rc<Local>, serving: Serving) -> bool {
        self.content.deliver(instance, local, serving)
    }

    fn gather(&mut self, next: &mut Letter, spares: &Spares) -> Gathered {
        if is_bulky::<C::Message>() {
            return Gathered::Not;
        }
        match next.as_any_mut().downcast_mut::<Sealed<Option<C::Message>, H>>() {
            Some(next) => self.content.gather(&mut next.content, &self.undelivered, spares),
            None => Gathered::Not,
        }
    }

    fn len(&self) -> usize {
        self.content.len()
    }

    fn forward(&mut self, pools: &Pools) {
        if let Some(pool) = pools.get::<C::Message>() {
            self.content.forward(&pool);
        }
    }

    fn bury(&mut self, grave: Grave<'_>) {
        self.content.bury(grave, self.undelivered.hook());
    }

    fn as_any_mut(&mut self) -> &mut dyn Any {
        self
    }
}

/// A message.
impl<M: Message + Send> Content for Option<M> {
    type Message = M;

    fn len(&self) -> usize {
        usize::from(self.is_some())
    }

    #[inline]
    fn deliver(&mut self, instance: Rc<dyn AnyInstance>, local: &Rc<Local>, serving: Serving) -> bool {
        instance.handle_message(local, serving, self)
    }

    fn gather<H: Heir<M>>(&mut self, next: &mut Self, heir: &H, spares: &Spares) -> Gathered {
        let mut messages: VecDeque<M> = spares.take(2);
        messages.extend(self.take());
        messages.extend(next.take());
        Gathered::Batch(seal(Sealed { content: messages, undelivered: heir.clone() }))
    }

    fn forward(&mut self, pool: &Pool<M>) {
        hand_over(pool, self, Address::send);
    }

    fn bury(&mut self, grave: Grave<'_>, hook: Option<&OnUndelivered<M>>) {
        if let Some(message) = self.take() {
            grave.lose(message, hook);
        }
    }
}

/// A call.
impl<M: Message<Port: Send> + Send> Content for Option<Call<M>> {
    type Message = M;

    fn len(&self) -> usize {
        usize::from(self.is_some())
    }

    fn deliver(&mut self, instance: Rc<dyn AnyInstance>, local: &Rc<Local>, serving: Serving) -> bool {
        instance.handle_call(local, serving, self)
    }

    fn gather<H: Heir<M>>(&mut self, _: &mut Option<M>, _: &H, _: &Spares) -> Gathered {
        Gathered::Not
    }

    fn forward(&mut self, pool: &Pool<M>) {
        hand_over(pool, self, Address::call);
    }

    fn bury(&mut self, grave: Grave<'_>, hook: Option<&OnUndelivered<M>>) {
        if let Some(Call { message, port }) = self.take() {
            quietly(|| port.fail(CallError::Stopped { message: M::NAME }));
            grave.lose(message, hook);
        }
    }
}

/// A batch.
impl<M: Message + Send> Content for VecDeque<M> {
    type Message = M;

    fn len(&self) -> usize {
        VecDeque::len(self)
    }

    fn deliver(&mut self, instance: Rc<dyn AnyInstance>, local: &Rc<Local>, serving: Serving) -> bool {
        let done = instance.handle_batch(local, serving, self);
        if done {
            local.mailbox.spares.keep(self);
        }
        done
    }

    #[inline]
    fn gather<H: Heir<M>>(&mut self, next: &mut Option<M>, _: &H, _: &Spares) -> Gathered {
        if let Some(message) = next.take() {
            self.push_back(message); // `extend` would move it twice
        }
        Gathered::Joined
    }

    fn forward(&mut self, pool: &Pool<M>) {
        while let Some(message) = self.pop_front() {
            let mut place = Some(message);
            hand_over(pool, &mut place, Address::send);
            // Nobody is left for the rest: they are buried.
            if let Some(back) = place {
                self.push_front(back);
                break;
            }
        }
    }

    fn bury(&mut self, grave: Grave<'_>, hook: Option<&OnUndelivered<M>>) {
        for message in self.drain(..) {
            grave.lose(message, hook);
        }
    }
}

/// A call on its way: the message, and where its reply goes.
pub(crate) struct Call<M: Message> {
    pub(crate) message: M,
    pub(crate) port: M::Port,
}

/// What an actor does with its own undelivered messages.
pub(crate) type OnUndelivered<M> = Quiet<dyn Fn(M, Undelivered) + Send + Sync>;
