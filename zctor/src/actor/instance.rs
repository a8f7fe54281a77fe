//! An instance as its thread sees it: one state in its slot on one thread, from its construction to its drop.
//!
//! All methods here run on the instance's own thread. User code runs through `sys::unwind::run_user`, which catches
//! panics. A panic, a reset or a stop is followed up after the user's code has returned, by `actor/recovery.rs`.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::actor::attachments::{AnyBlueprint, Attachments};
use crate::actor::cell::InstanceCell;
use crate::actor::dispatch::Dispatch;
use crate::actor::double;
use crate::actor::factory::{Blueprint, StateFactory};
use crate::actor::handling::{
    Beginning, CAN_BE_NOTED, count_handled, count_taken, dispatch, downcast, return_permit, skip_given_up,
};
use crate::actor::link;
use crate::actor::pipe;
use crate::actor::recovery::{self, Origin, Recover, no_answer};
use crate::actor::simulated::{take, take_first, take_port};
use crate::actor::state::TypedCell;
use crate::actor::timer;
use crate::actor::to_itself;
use crate::client::message::Message;
use crate::error::SpawnError;
use crate::id::{Birth, Slot};
use crate::mailbox::account::Block;
use crate::mailbox::envelope::Serving;
use crate::reply::reply_to::ReplySlot;
use crate::route::contents::{AnyHook, Call, OnUndelivered, WeakHook};
use crate::route::endpoint::{Delivery, Endpoint};
use crate::route::location::{Location, Status};
use crate::route::payload::Port;
use crate::sys::simulated::{in_world, may_break};
use crate::thread::local::{FollowUp, Instance, Local, OnTheSpot, Reserved};
use crate::thread::phase::{Common, Phase, Requested};
use crate::thread::take_in::queue_start;
use crate::trace::spans::{InSpans, forget};
use crate::trace::work::Work;

/// The options of an actor for its instances, beside how they are built.
pub(crate) struct Options<M: Message> {
    /// Its hook for messages that are not delivered.
    pub(crate) undelivered: Option<UndeliveredHook<M>>,
    /// For how long its handlers may run.
    pub(crate) slow: Option<Duration>,
}

impl<M: Message> Default for Options<M> {
    fn default() -> Self {
        Self { undelivered: None, slow: None }
    }
}

impl<M: Message> Clone for Options<M> {
    fn clone(&self) -> Self {
        Self { undelivered: self.undelivered.clone(), slow: self.slow }
    }
}

/// A hook for undelivered messages, with the table by which mail gets to an instance that has one.
pub(crate) struct UndeliveredHook<M: Message> {
    hook: AnyHook,
    delivery: &'static Delivery<M>,
}

impl<M: Message<Port: Send> + Send> UndeliveredHook<M> {
    pub(crate) fn new(hook: OnUndelivered<M>) -> Self {
        Self { hook: Arc::new(Box::new(hook)), delivery: &Delivery::HOOKED }
    }
}

impl<M: Message> Clone for UndeliveredHook<M> {
    fn clone(&self) -> Self {
        Self { hook: Arc::clone(&self.hook), delivery: self.delivery }
    }
}

/// Builds a state on the current thread and gives it a slot; its `on_start` is queued.
pub(crate) fn install<M, S>(
    local: &Rc<Local>,
    pooled: bool,
    factory: StateFactory<'_, M, S>,
    options: Options<M>,
) -> Result<Arc<Endpoint<M>>, SpawnError>
where
    M: Dispatch<S, Port: Send> + Send,
    S: 'static,
{
    install_cell(local, pooled, factory, options).map(|cell| Arc::clone(&cell.endpoint))
}

/// As `install`; gives the instance itself.
pub(crate) fn install_cell<M, S>(
    local: &Rc<Local>,
    pooled: bool,
    factory: StateFactory<'_, M, S>,
    options: Options<M>,
) -> Result<Rc<TypedCell<M, S>>, SpawnError>
where
    M: Dispatch<S, Port: Send> + Send,
    S: 'static,
{
    #[cfg(target_pointer_width = "64")]
    const {
        let beyond = size_of::<TypedCell<M, S>>() - size_of::<RefCell<Option<S>>>();
        assert!(size_of::<Endpoint<M>>() <= 40 && beyond <= 32, "there is one of each for each instance");
    }
    let Reserved { slot, born, ended } = local.reserve();
    let delivery = match (link::delivery::<M, S>(), &options.undelivered) {
        (Some(link), _) => link,
        (None, Some(undelivered)) => undelivered.delivery,
        (None, None) => &Delivery::PLAIN,
    };
    let hook = options.undelivered.as_ref().map(|undelivered| Arc::downgrade(&undelivered.hook));
    let instance = cell_for(local, ended, Newcomer { slot, born, pooled, delivery, hook });
    if let Some(limit) = options.slow {
        local.mailbox.roster.set_slow_limit(slot, limit);
    }
    if let Some(undelivered) = options.undelivered {
        instance.attachments.keep_hook(undelivered.hook);
    }
    // It is in its slot before its state is built, so that messages which its factory sends to it find it there.
    local.occupy(slot, born, M::CALL_DEPTH, M::name(), Rc::clone(&instance) as Rc<dyn Instance>);
    let built = match factory {
        StateFactory::Again(Blueprint { factory, restart }) => {
            let again = Arc::clone(&factory);
            instance.attachments.keep_blueprint(AnyBlueprint { factory, restart });
            instance.build_by(local, &mut |ctx| again(ctx))
        }
        StateFactory::Once(factory) => instance.build_by(local, &mut |_| Ok(factory())),
    };
    if let Err(failure) = built {
        // It never became an instance, so no report counts it.
        instance.discard(local);
        return Err(failure.into_spawn_error(M::name()));
    }
    queue_start(local, slot, M::CALL_DEPTH, instance.account());
    Ok(instance)
}

/// The parts of a new instance that differ among instances of one type.
struct Newcomer<M: Message> {
    slot: Slot,
    born: Birth,
    pooled: bool,
    delivery: &'static Delivery<M>,
    hook: Option<WeakHook>,
}

/// The cell of a new instance: in the memory of one that has ended on this thread, if that is of the same types and
/// nothing holds it any more, as a timer's handle may.
#[inline]
fn cell_for<M, S>(local: &Local, ended: Option<Rc<dyn Instance>>, newcomer: Newcomer<M>) -> Rc<TypedCell<M, S>>
where
    M: Dispatch<S, Port: Send> + Send,
    S: 'static,
{
    if let Some(mut ended) = ended.and_then(|ended| ended.into_any().downcast::<TypedCell<M, S>>().ok()) {
        if let Some(cell) = Rc::get_mut(&mut ended) {
            cell.begin_anew(local, newcomer);
            return ended;
        }
    }
    let Newcomer { slot, born, pooled, delivery, hook } = newcomer;
    let mailbox = Arc::clone(&local.mailbox);
    let common = Common {
        phase: Cell::new(Phase::New),
        requested: Cell::default(),
        busy: Cell::new(false),
        answers_itself: !double::is_double::<M, S>() && !link::is::<M, S>(),
    };
    let endpoint = Arc::new(Endpoint {
        location: Location { mailbox, slot, status: Status::live(), pooled, born },
        delivery,
        undelivered: hook,
    });
    let (block, attachments) = (local.block(slot), Attachments::default());
    Rc::new(InstanceCell { common, endpoint, block, attachments, state: RefCell::new(None) })
}

impl<M, S> TypedCell<M, S>
where
    M: Dispatch<S, Port: Send> + Send,
    S: 'static,
{
    /// Becomes the cell of another instance, since this one has ended: it has no state and no factory any more.
    fn begin_anew(&mut self, local: &Local, Newcomer { slot, born, pooled, delivery, hook }: Newcomer<M>) {
        debug_assert!(self.common.phase.get() == Phase::Ended && self.state.get_mut().is_none());
        if Block::number(self.slot()) != Block::number(slot) {
            self.block = local.block(slot);
        }
        match Arc::get_mut(&mut self.endpoint) {
            Some(endpoint) => {
                endpoint.location.begin_anew(slot, born, pooled);
                (endpoint.delivery, endpoint.undelivered) = (delivery, hook);
            }
            // Clients of the ended instance still hold its endpoint.
            None => {
                let mailbox = Arc::clone(&self.endpoint.mailbox);
                let location = Location { mailbox, slot, status: Status::live(), pooled, born };
                self.endpoint = Arc::new(Endpoint { location, delivery, undelivered: hook });
            }
        }
        self.common.phase.set(Phase::New);
        self.common.requested.set(Requested::None);
        // The end has dropped the timers and pipes, but closures may have made others since; the next instance must
        // inherit none.
        if !self.attachments.is_empty() {
            self.attachments.forget_extras();
        }
    }

    /// The instance as its recovery knows it.
    pub(super) fn erased(self: Rc<Self>) -> Rc<dyn Recover> {
        self
    }
}

impl<M, S> Instance for TypedCell<M, S>
where
    M: Dispatch<S, Port: Send> + Send,
    S: 'static,
{
    fn into_any(self: Rc<Self>) -> Rc<dyn Any> {
        self
    }

    fn common(&self) -> &Common {
        &self.common
    }

    fn slot(&self) -> Slot {
        self.endpoint.slot
    }

    fn born(&self) -> Birth {
        self.endpoint.born
    }

    fn handle_message(self: Rc<Self>, local: &Rc<Local>, serving: Serving, message: &mut dyn Any) -> bool {
        let Some(message) = message.downcast_mut::<Option<M>>() else {
            return link::handle(self, local, serving, message, false);
        };
        match self.start_if_new(local, serving.in_spans, || message.as_ref()) {
            Beginning::None => return false,
            Beginning::Noted if CAN_BE_NOTED => {
                self.handle_noted(local, serving, message);
                return true;
            }
            Beginning::Plain | Beginning::Noted => {}
        }
        return_permit(local, serving);
        // It would be `Noted` if spans were asked for.
        self.handle_one::<false>(local, message, &mut ReplySlot::Nobody, None, (Work::Send, InSpans::NotAsked));
        true
    }

    fn handle_call(
        self: Rc<Self>,
        local: &Rc<Local>,
        serving: Serving,
        call: &mut dyn Any,
        can_be_given_up: bool,
    ) -> bool {
        let Some(call) = call.downcast_mut::<Option<Call<M>>>() else {
            return link::handle(self, local, serving, call, can_be_given_up);
        };
        if self.start_if_new(local, serving.in_spans, || call.as_ref().map(|call| &call.message)) == Beginning::None {
            return false;
        }
        if serving.permitted {
            local.mailbox.give_back(1);
        }
        let Some(request) = call else { return true };
        let cancellation = if can_be_given_up { request.port.cancellation() } else { None };
        let (deadline, caller) = match cancellation {
            Some(cancellation) if !cancellation.begin() => {
                forget();
                if let Some(call) = call.take() {
                    skip_given_up(call, &self.endpoint, local, serving.is_from_hook());
                }
                return true;
            }
            Some(cancellation) => (cancellation.deadline(), request.port.caller()),
            None => (None, None),
        };
        if self.fault_panics(local, call, |call| call.as_ref().map(|call| &call.message), take_port) {
            return true;
        }
        let outer = caller.map(|caller| local.set_caller(Some((self.slot(), caller))));
        let Some(Call { message, port }) = call.take() else { return true };
        let work = (Work::Call, serving.in_spans);
        self.handle_alone(local, &mut Some(message), &mut ReplySlot::Port(port), deadline, work);
        if let Some(outer) = outer {
            local.set_caller(outer);
        }
        true
    }

    fn handle_batch(self: Rc<Self>, local: &Rc<Local>, serving: Serving, messages: &mut dyn Any) -> bool {
        let Some(messages) = messages.downcast_mut::<VecDeque<M>>() else {
            return link::handle(self, local, serving, messages, false);
        };
        let serving = match self.start_if_new(local, serving.in_spans, || messages.front()) {
            Beginning::None => return false,
            Beginning::Noted if local.mailbox.engine.world.is_simulated() => {
                match self.begin_sent(local, serving, messages, VecDeque::front, take_first) {
                    Some(serving) => serving,
                    None => return messages.is_empty(),
                }
            }
            Beginning::Plain | Beginning::Noted => serving,
        };
        // Messages stay in the envelope until each is begun. Those behind a panic, or behind a handler that asked for a
        // stop or a reset, are left there.
        let mut budget = serving.budget;
        let in_spans = serving.in_spans;
        self.handle(local, &mut ReplySlot::Nobody, None, in_spans, |state, ctx, slot| {
            return_permit(local, serving);
            ctx.begins(messages, VecDeque::front, (Work::Batch, in_spans));
            dispatch(|| messages.pop_front(), state, ctx, slot);
            in_spans.leave();
            budget = budget.saturating_sub(1);
            budget > 0 && !messages.is_empty() && ctx.admit_and_note(|| messages.front())
        });
        let all_done = messages.is_empty();
        if all_done {
            forget();
            local.mailbox.buffers.keep(messages);
        }
        all_done
    }

    fn handle_here(
        self: Rc<Self>,
        local: &Rc<Local>,
        message: &mut dyn Any,
        reply: &mut dyn Any,
        deadline: Option<Instant>,
    ) -> OnTheSpot {
        let account = self.account();
        let Some(message) = downcast::<Option<M>>(message).filter(|_| self.is_free(account)) else {
            return OnTheSpot::Busy;
        };
        let meter = &local.mailbox.meter;
        count_taken(account, meter);
        meter.other_pieces.add(1);
        let mut slot = ReplySlot::Here(reply);
        // The caller's, which goes on after this.
        let variant = if M::CALL_DEPTH > 0 { local.variant.get() } else { None };
        let broken = in_world(|| self.fault_panics_on_the_spot(local, message));
        let in_spans = if broken.is_some() { InSpans::NotAsked } else { InSpans::around_call() };
        let outcome = broken.unwrap_or_else(|| {
            self.work(local, deadline, |state, ctx| {
                // Out of the caller's place where the handler begins: see `route/contents.rs`.
                ctx.begins(message, Option::as_ref, (Work::CallHere, in_spans));
                dispatch(|| message.take(), state, ctx, &mut slot);
                // Its caller does not have the reply yet.
                in_world(|| {
                    may_break();
                    Some(())
                });
                in_spans.leave();
            })
        });
        if M::CALL_DEPTH > 0 {
            local.variant.set(variant);
        }
        match outcome {
            // The caller learns of the panic from the return value.
            Some(Err(text)) => {
                in_spans.unwound();
                OnTheSpot::FollowUp(FollowUp { callee: self, panic: Some(text) })
            }
            Some(Ok(())) | None => {
                count_handled(account, meter);
                match self.common.requested.get() {
                    Requested::None => OnTheSpot::Handled,
                    _ => OnTheSpot::FollowUp(FollowUp { callee: self, panic: None }),
                }
            }
        }
    }

    fn handle_own(self: Rc<Self>, local: &Rc<Local>, message: &mut dyn Any, work: Work) {
        let Some(message) = downcast::<Option<M>>(message) else { return };
        count_taken(InstanceCell::account(&self), &local.mailbox.meter);
        if let (true, Some(message)) = (local.measured.is_on(), &message) {
            local.measured.begin(self.slot(), M::name(), message.variant());
        }
        let slot = self.slot();
        if !self.fault_panics(local, message, Option::as_ref, take) {
            self.handle_alone(local, message, &mut ReplySlot::Nobody, None, (work, InSpans::around_own()));
        }
        local.measured.end(slot);
    }

    fn start(self: Rc<Self>, local: &Rc<Local>) {
        recovery::start(&self.erased(), local);
    }

    fn end(self: Rc<Self>, local: &Rc<Local>) {
        recovery::end(&self.erased(), local);
    }

    fn reset(self: Rc<Self>, local: &Rc<Local>) {
        if self.common.phase.get() == Phase::Live {
            recovery::renew(&self.erased(), local, Origin::Handler);
        }
    }

    fn discard(self: Rc<Self>, local: &Rc<Local>) {
        recovery::discard(&self.erased(), local);
    }

    fn tick(self: Rc<Self>, local: &Rc<Local>, id: u64) {
        to_itself::tick(self, local, id);
    }

    fn cancel_timer(&self, local: &Local, id: u64, may_fire: bool) -> bool {
        timer::cancel(local, &self.attachments, id, may_fire)
    }

    fn piped(self: Rc<Self>, local: &Rc<Local>, id: u64) {
        to_itself::go_on(self, local, id);
    }

    fn has_pipe(&self, id: u64) -> bool {
        pipe::is_under_way(&self.attachments, id)
    }

    fn cancel_pipe(&self, id: u64) -> bool {
        pipe::cancel(&self.attachments, id)
    }

    fn follow_up(self: Rc<Self>, local: &Rc<Local>, panic: Option<&Arc<str>>) {
        match panic {
            None => recovery::fulfil(&self.erased(), local, Origin::Handler),
            Some(text) => recovery::handler_panicked(&self.erased(), local, text, &mut no_answer),
        }
    }
}
