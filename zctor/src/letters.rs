//! Letters: how messages for one kind of instance are put into envelopes, delivered, gathered to batches, and taken out
//! again.
//!
//! Each is for a type of message and a type of state, which an envelope (`mailbox.rs`) no longer names. This is where both
//! are known.

use std::any::Any;
use std::cell::RefCell;
use std::collections::VecDeque;
use std::marker::PhantomData;
use std::mem::take;
use std::rc::Rc;
use std::sync::Arc;

use crate::address::{Address, Call, How, Seals, Way};
use crate::call::ReplySlot;
use crate::dead_letter::{OnUndelivered, Undelivered};
use crate::error::CallError;
use crate::frame::quietly;
use crate::instance::{AnyInstance, OnTheSpot, Phase, Whole};
use crate::mailbox::{Envelope, Gatherer, Grave, Letter, Mail, Serving, seal};
use crate::message::{Dispatch, Message, Port};
use crate::pool::Pool;
use crate::registry::Pools;
use crate::thread::{Local, send_here};

impl<M, S> Whole<M, S>
where
    M: Dispatch<S, Port: Send> + Send,
    S: 'static,
{
    pub(crate) const SEALS: Seals<M> = Seals {
        send: |place, address, way, how| {
            if way == Way::Here && Self::send_here(place, address, how) {
                return None;
            }
            address.mailbox.push(Self::mail(place, address, how))
        },
        call: |place, address, way, how| {
            let (call, to) = (place.take(), PhantomData);
            let letter = match &address.undelivered {
                None => seal(CallLetter::<M, S, _> { call, undelivered: Nobody, to }),
                Some(hook) => seal(CallLetter::<M, S, _> { call, undelivered: Arc::clone(hook), to }),
            };
            address.deliver(way, Mail::call(address.slot, letter, how))
        },
        batch: |place, address, way, how| {
            let (messages, to) = (place.take().unwrap_or_default().into(), PhantomData);
            let letter = match &address.undelivered {
                None => seal(BatchLetter::<M, S, _> { messages, undelivered: Nobody, to }),
                Some(hook) => seal(BatchLetter::<M, S, _> { messages, undelivered: Arc::clone(hook), to }),
            };
            address.deliver_batch(way, Mail::batch(address.slot, letter, how))
        },
        call_here: |instance, local, message, reply, deadline| match open::<M, S>(instance) {
            Some(instance) => instance.handle_here(local, message, reply, deadline),
            None => OnTheSpot::Busy,
        },
        open_send: |mut letter| {
            let any = letter.as_any_mut();
            if let Some(letter) = any.downcast_mut::<SendLetter<M, S, Nobody>>() {
                return letter.message.take();
            }
            any.downcast_mut::<SendLetter<M, S, Arc<OnUndelivered<M>>>>()?.message.take()
        },
        open_call: |mut letter| {
            let any = letter.as_any_mut();
            if let Some(letter) = any.downcast_mut::<CallLetter<M, S, Nobody>>() {
                return letter.call.take();
            }
            any.downcast_mut::<CallLetter<M, S, Arc<OnUndelivered<M>>>>()?.call.take()
        },
        open_batch: |mut letter| {
            let any = letter.as_any_mut();
            if let Some(letter) = any.downcast_mut::<BatchLetter<M, S, Nobody>>() {
                return Some(take(&mut letter.messages).into());
            }
            let letter = any.downcast_mut::<BatchLetter<M, S, Arc<OnUndelivered<M>>>>()?;
            Some(take(&mut letter.messages).into())
        },
    };

    fn mail(place: &mut Option<M>, address: &Address<M>, how: How) -> Mail {
        let (message, to) = (place.take(), PhantomData);
        let letter = match &address.undelivered {
            None => seal(SendLetter::<M, S, _> { message, undelivered: Nobody, to }),
            Some(hook) => seal(SendLetter::<M, S, _> { message, undelivered: Arc::clone(hook), to }),
        };
        Mail::letter(address.slot, letter, how)
    }

    fn send_here(message: &mut Option<M>, address: &Address<M>, how: How) -> bool {
        let add = |letter: &mut Letter, message: &mut Option<M>| match &address.undelivered {
            None => join::<M, S, _>(letter, message, || Nobody),
            Some(hook) => join::<M, S, _>(letter, message, || Arc::clone(hook)),
        };
        send_here(message, address, how, add, |message| Self::mail(message, address, how))
    }
}

/// Who gets a letter's messages if nobody handles them: nobody, or the hook of the actor that they are for. A letter
/// carries it, since it may outlive that. Without a hook it takes no room.
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

struct SendLetter<M, S, H> {
    message: Option<M>,
    undelivered: H,
    to: PhantomData<fn(S)>,
}

struct CallLetter<M: Message, S, H> {
    call: Option<Call<M>>,
    undelivered: H,
    to: PhantomData<fn(S)>,
}

struct BatchLetter<M, S, H> {
    messages: VecDeque<M>,
    undelivered: H,
    to: PhantomData<fn(S)>,
}

/// Makes a batch of a letter and the one behind it, if both are of messages sent, for the same kind of instance.
fn gather<M, S, H>(letter: &mut Letter, next: &mut Letter) -> bool
where
    M: Dispatch<S, Port: Send> + Send,
    S: 'static,
    H: Heir<M>,
{
    if is_bulky::<M>() {
        return false;
    }
    match next.as_any_mut().downcast_mut::<SendLetter<M, S, H>>() {
        Some(SendLetter { message, undelivered, .. }) => join::<M, S, H>(letter, message, || undelivered.clone()),
        None => false,
    }
}

/// Bulky messages are not gathered: what is boxed is dearer to move into a batch than to leave where it is.
const fn is_bulky<M>() -> bool {
    size_of::<M>() > 256
}

/// Makes a batch of a letter and one message more.
#[inline]
fn join<M, S, H>(letter: &mut Letter, place: &mut Option<M>, heir: impl FnOnce() -> H) -> bool
where
    M: Dispatch<S, Port: Send> + Send,
    S: 'static,
    H: Heir<M>,
{
    if is_bulky::<M>() {
        return false;
    }
    let any = letter.as_any_mut();
    if let Some(batch) = any.downcast_mut::<BatchLetter<M, S, H>>() {
        if let Some(message) = place.take() {
            batch.messages.push_back(message);
        }
        return true;
    }
    let Some(first) = any.downcast_mut::<SendLetter<M, S, H>>() else { return false };
    let mut messages: VecDeque<M> = take_spare();
    messages.extend(first.message.take());
    messages.extend(place.take());
    *letter = seal(BatchLetter::<M, S, H> { messages, undelivered: heir(), to: PhantomData });
    true
}

thread_local! {
    /// The room of a batch of some type.
    static SPARE: RefCell<Option<Box<dyn Any>>> = const { RefCell::new(None) };
}

/// What a spare batch may hold on to.
const SPARE_BYTES: usize = 64 * 1024;

/// An empty batch: the one served last on this thread, if it was for such messages.
fn take_spare<M: 'static>() -> VecDeque<M> {
    let take = |spare: &RefCell<Option<Box<dyn Any>>>| {
        spare.borrow_mut().as_mut().and_then(|spare| spare.downcast_mut().map(take))
    };
    SPARE.try_with(take).ok().flatten().unwrap_or_default()
}

/// Keeps the room of a batch that was served for the next, so that those of one type allocate nothing in steady state.
fn keep_spare<M: 'static>(batch: &mut VecDeque<M>) {
    if batch.capacity() * size_of::<M>() > SPARE_BYTES {
        return;
    }
    let keep = |spare: &RefCell<Option<Box<dyn Any>>>| {
        let mut spare = spare.borrow_mut();
        match spare.as_mut().and_then(|spare| spare.downcast_mut::<VecDeque<M>>()) {
            Some(spare) if spare.capacity() >= batch.capacity() => {}
            Some(spare) => std::mem::swap(spare, batch),
            None => *spare = Some(Box::new(take(batch))),
        }
    };
    let _ = SPARE.try_with(keep);
}

/// The instance that a letter was sealed for.
#[inline]
fn open<M, S>(instance: Rc<dyn AnyInstance>) -> Option<Rc<Whole<M, S>>>
where
    M: Dispatch<S, Port: Send> + Send,
    S: 'static,
{
    let instance = instance.into_any().downcast().ok();
    debug_assert!(instance.is_some(), "a slot's generation names one instance, whose type its letters know");
    instance
}

/// Has the instance handle what `handle` hands over, if it takes messages now; `true` if nothing of that is left.
#[inline]
fn serve<M, S>(instance: Rc<dyn AnyInstance>, local: &Rc<Local>, handle: impl FnOnce(Rc<Whole<M, S>>) -> bool) -> bool
where
    M: Dispatch<S, Port: Send> + Send,
    S: 'static,
{
    let Some(instance) = open::<M, S>(instance) else { return true };
    let phase = || instance.common.phase.get();
    // `on_start` comes before all else.
    if phase() == Phase::New {
        Rc::clone(&instance).start(local);
    }
    phase() == Phase::Live && !local.mailbox.edge.is_sealed() && handle(instance)
}

/// A message is begun.
#[inline]
fn begin(local: &Local, serving: Serving) {
    if serving.permitted {
        local.mailbox.give_back(1);
    }
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

/// A message that nobody will handle, and that is counted.
fn lose<M: Message>(message: M, grave: Grave<'_>, heir: &impl Heir<M>) {
    let Grave { losses, instance, why, from_hook } = grave;
    losses.tell(message, instance, why, from_hook, heir.hook());
}

impl<M, S, H> Envelope for SendLetter<M, S, H>
where
    M: Dispatch<S, Port: Send> + Send,
    S: 'static,
    H: Heir<M>,
{
    fn deliver(&mut self, instance: Rc<dyn AnyInstance>, local: &Rc<Local>, serving: Serving) -> bool {
        serve::<M, S>(instance, local, |instance| {
            begin(local, serving);
            instance.handle_one(local, &mut self.message, &mut ReplySlot::Nobody, None);
            true
        })
    }

    fn gatherer(&self) -> Gatherer {
        gather::<M, S, H>
    }

    fn len(&self) -> usize {
        usize::from(self.message.is_some())
    }

    fn forward(&mut self, pools: &Pools) {
        if let Some(pool) = pools.get::<M>() {
            hand_over(&pool, &mut self.message, Address::send);
        }
    }

    fn bury(&mut self, grave: Grave<'_>) {
        if let Some(message) = self.message.take() {
            lose(message, grave, &self.undelivered);
        }
    }

    fn as_any_mut(&mut self) -> &mut dyn Any {
        self
    }
}

impl<M, S, H> Envelope for CallLetter<M, S, H>
where
    M: Dispatch<S, Port: Send> + Send,
    S: 'static,
    H: Heir<M>,
{
    fn deliver(&mut self, instance: Rc<dyn AnyInstance>, local: &Rc<Local>, serving: Serving) -> bool {
        serve::<M, S>(instance, local, |instance| {
            begin(local, serving);
            let Some((message, port, terms)) = self.call.take() else { return true };
            let deadline = match &terms {
                Some(terms) if !terms.begin() => {
                    let losses = &local.mailbox.edge.losses;
                    let why = Undelivered::GivenUp;
                    losses.count(1, why);
                    local.settle_account(instance.slot(), 1);
                    quietly(|| port.fail(CallError::Timeout { message: M::NAME, begun: false }));
                    let from_hook = serving.from_hook;
                    lose(message, Grave { losses, instance: instance.id(), why, from_hook }, &self.undelivered);
                    return true;
                }
                Some(terms) => terms.deadline(),
                None => None,
            };
            instance.handle_one(local, &mut Some(message), &mut ReplySlot::Port(port), deadline);
            true
        })
    }

    fn gatherer(&self) -> Gatherer {
        |_, _| false
    }

    fn len(&self) -> usize {
        usize::from(self.call.is_some())
    }

    fn forward(&mut self, pools: &Pools) {
        if let Some(pool) = pools.get::<M>() {
            hand_over(&pool, &mut self.call, Address::call);
        }
    }

    fn bury(&mut self, grave: Grave<'_>) {
        if let Some((message, port, _)) = self.call.take() {
            quietly(|| port.fail(CallError::Stopped { message: M::NAME }));
            lose(message, grave, &self.undelivered);
        }
    }

    fn as_any_mut(&mut self) -> &mut dyn Any {
        self
    }
}

impl<M, S, H> Envelope for BatchLetter<M, S, H>
where
    M: Dispatch<S, Port: Send> + Send,
    S: 'static,
    H: Heir<M>,
{
    fn deliver(&mut self, instance: Rc<dyn AnyInstance>, local: &Rc<Local>, serving: Serving) -> bool {
        serve::<M, S>(instance, local, |instance| {
            // They stay in the letter until each is begun: what comes after a panic or a wish is left there.
            let mut budget = serving.budget;
            instance.handle(local, &mut ReplySlot::Nobody, None, |state, ctx, slot| {
                begin(local, serving);
                if let Some(message) = self.messages.pop_front() {
                    message.__dispatch(state, ctx, slot);
                }
                budget = budget.saturating_sub(1);
                budget > 0 && !self.messages.is_empty() && !local.mailbox.edge.is_sealed()
            });
            let done = self.messages.is_empty();
            if done {
                keep_spare(&mut self.messages);
            }
            done
        })
    }

    fn gatherer(&self) -> Gatherer {
        gather::<M, S, H>
    }

    fn len(&self) -> usize {
        self.messages.len()
    }

    fn forward(&mut self, pools: &Pools) {
        let Some(pool) = pools.get::<M>() else { return };
        while let Some(message) = self.messages.pop_front() {
            let mut place = Some(message);
            hand_over(&pool, &mut place, Address::send);
            // Nobody is left for the rest: they are buried.
            if let Some(back) = place {
                self.messages.push_front(back);
                break;
            }
        }
    }

    fn bury(&mut self, grave: Grave<'_>) {
        for message in self.messages.drain(..) {
            lose(message, grave, &self.undelivered);
        }
    }

    fn as_any_mut(&mut self) -> &mut dyn Any {
        self
    }
}

const _: () = assert!(size_of::<Letter>() <= 64, "an envelope stays within a cache line");
