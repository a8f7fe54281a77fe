//! Letters: how messages are put into envelopes, gathered to batches, handed to their instance, and taken out again.
//!
//! A letter knows the type of its messages, which an envelope (`mailbox.rs`) no longer names. The type of the state that
//! handles them is known to the instance alone, which a letter gives its content as `Any`.

use std::any::Any;
use std::collections::VecDeque;
use std::mem::take;
use std::rc::Rc;
use std::sync::Arc;

use crate::actor::instance::AnyInstance;
use crate::client::message::{Message, Port};
use crate::error::CallError;
use crate::mailbox::buffers::Spares;
use crate::mailbox::dead_letters::{OnUndelivered, Undelivered};
use crate::mailbox::{Envelope, Gathered, Grave, Letter, Mail, Serving, seal};
use crate::reply::cancellation::Terms;
use crate::route::endpoint::{Address, Call, How, Seals, Way};
use crate::route::pool::Pool;
use crate::route::registry::Pools;
use crate::sys::frame::quietly;
use crate::thread::local::{Local, send_here};

impl<M: Message<Port: Send> + Send> Seals<M> {
    pub(crate) const ALL: Self = Self {
        send: |place, address, way, how| {
            if way == Way::Here && queue_here(place, address, how) {
                return;
            }
            let mail = single(place, address, how).signed();
            take_back(place, address.mailbox.push(mail));
        },
        call: |place, address, way, how| {
            let terms = place.as_ref().and_then(|call| call.port.terms());
            let on_terms = terms.is_some_and(Terms::can_be_given_up);
            let letter = sealed(take(place), address.undelivered.as_ref());
            take_back(place, address.deliver(way, Mail::call(address.slot, letter, on_terms, how)));
        },
        batch: |messages, address, way, how| {
            let batch = address.mailbox.spares.fill(messages);
            let letter = sealed(batch, address.undelivered.as_ref());
            take_back(messages, address.deliver_batch(way, Mail::batch(address.slot, letter, how)));
        },
    };
}

/// A letter: its content, and who gets that if nobody handles it.
struct Sealed<C, H> {
    content: C,
    undelivered: H,
}

/// Nobody, or the hook of the actor that the letter is for. A letter carries it, since it may outlive that. Without a hook
/// it takes no room.
trait Heir<M>: Clone + Send + 'static {
    fn hook(&self) -> Option<&OnUndelivered<M>>;
}

#[derive(Clone)]
struct Nobody;

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
trait Content: Default + Send + 'static {
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
fn sealed<C: Content>(content: C, undelivered: Option<&Arc<OnUndelivered<C::Message>>>) -> Letter {
    match undelivered {
        None => seal(Sealed { content, undelivered: Nobody }),
        Some(hook) => seal(Sealed { content, undelivered: Arc::clone(hook) }),
    }
}

/// Puts what was in mail that was refused back into its place.
#[inline]
fn take_back<C: Content>(place: &mut C, refused: Option<Mail>) {
    if let Some(refused) = refused {
        *place = refused.into_letter().and_then(opened).unwrap_or_default();
    }
}

#[cold]
fn opened<C: Content>(mut letter: Letter) -> Option<C> {
    let any = letter.as_any_mut();
    if let Some(letter) = any.downcast_mut::<Sealed<C, Nobody>>() {
        return Some(take(&mut letter.content));
    }
    any.downcast_mut::<Sealed<C, Arc<OnUndelivered<C::Message>>>>().map(|letter| take(&mut letter.content))
}

/// Mail with one message.
#[inline(always)]
fn single<M: Message + Send>(place: &mut Option<M>, address: &Address<M>, how: How) -> Mail {
    Mail::letter(address.slot, sealed(take(place), address.undelivered.as_ref()), how)
}

/// Queues a message for an instance of this thread: see `thread::send_here`.
#[inline(always)]
fn queue_here<M: Message + Send>(place: &mut Option<M>, address: &Address<M>, how: How) -> bool {
    let spares = &address.mailbox.spares;
    let add = |letter: &mut Letter, place: &mut Option<M>| match &address.undelivered {
        None => join::<M, Nobody>(letter, place, spares),
        Some(_) => join::<M, Arc<OnUndelivered<M>>>(letter, place, spares),
    };
    send_here(place, address, how, add, |place| single(place, address, how))
}

/// Bulky messages are not gathered: what is boxed is dearer to move into a batch than to leave where it is.
const fn is_bulky<M>() -> bool {
    size_of::<M>() > 256
}

/// Makes a batch of a letter and one message more.
#[inline]
fn join<M: Message + Send, H: Heir<M>>(letter: &mut Letter, place: &mut Option<M>, spares: &Spares) -> bool {
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

/// Gives what rotation had chosen another for to who takes over, by `send`, which puts it back if that one has ended
/// meanwhile. What is left in its place has nobody.
fn hand_over<M: Message, T>(
    pool: &Pool<M>,
    place: &mut Option<T>,
    send: impl Fn(&Address<M>, Way, &mut Option<T>, How),
) {
    while place.is_some() {
        let Some((address, way)) = pool.stand_in() else { return };
        send(&address, way, place, How::TO_STAND_IN);
    }
}

/// Ends a call whose caller had given up before its handler began: that never will.
#[cold]
pub(crate) fn skip<M: Message>(call: Call<M>, address: &Address<M>, local: &Local, from_hook: bool) {
    let (losses, why) = (&local.mailbox.edge.losses, Undelivered::GivenUp);
    losses.count(1, why);
    local.settle_account(address.slot, 1);
    let Call { message, port } = call;
    quietly(|| port.fail(CallError::Timeout { message: M::NAME, begun: false }));
    let grave = Grave { losses, instance: address.id(), why, from_hook };
    grave.lose(message, address.undelivered.as_deref());
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
