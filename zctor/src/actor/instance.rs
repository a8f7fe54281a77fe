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

use crate::actor::beginning::{take, take_first, take_port};
use crate::actor::cell::{Finished, InstanceCell};
use crate::actor::dispatch::Dispatch;
use crate::actor::double;
use crate::actor::factory::StateFactory;
use crate::actor::handling::{count_handled, count_taken, dispatch, downcast, return_permit, skip_given_up};
use crate::actor::link;
use crate::actor::recovery::{self, Origin, Recover, no_answer};
use crate::actor::state::{Typed, TypedCell};
use crate::error::SpawnError;
use crate::event::PanicOrigin;
use crate::id::{Birth, Slot};
use crate::mailbox::envelope::Serving;
use crate::reply::reply_to::ReplySlot;
use crate::route::contents::{Call, OnUndelivered};
use crate::route::endpoint::{Delivery, Endpoint};
use crate::route::location::{Location, Status};
use crate::route::payload::Port;
use crate::sys::simulated::{in_world, may_break};
use crate::sys::unwind::{catch, ignoring_panic, run_user};
use crate::thread::local::{Common, FollowUp, Instance, Local, OnTheSpot, Phase, Requested};
use crate::thread::serve::queue_start;
use crate::trace::spans::{InSpans, forget};
use crate::trace::work::Work;

/// What an actor may say of its instances beside how they are built.
pub(crate) struct Options<M> {
    /// Its hook for messages that are not delivered.
    pub(crate) undelivered: Option<Arc<OnUndelivered<M>>>,
    /// For how long its handlers may run.
    pub(crate) slow: Option<Duration>,
}

impl<M> Default for Options<M> {
    fn default() -> Self {
        Self { undelivered: None, slow: None }
    }
}

impl<M> Clone for Options<M> {
    fn clone(&self) -> Self {
        Self { undelivered: self.undelivered.clone(), slow: self.slow }
    }
}

/// Builds a state on the current thread and gives it a slot; its `on_start` is queued.
pub(crate) fn install<M, S>(
    local: &Rc<Local>,
    pooled: bool,
    factory: StateFactory<M, S>,
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
    factory: StateFactory<M, S>,
    Options { undelivered, slow }: Options<M>,
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
    let (slot, born) = local.reserve();
    let mailbox = Arc::clone(&local.mailbox);
    let endpoint = Arc::new(Endpoint {
        location: Location { mailbox, slot, status: Status::live(), pooled, born },
        delivery: link::delivery::<M, S>().unwrap_or(&Delivery::ALL),
        undelivered: undelivered.as_ref().map(Arc::downgrade),
    });
    let instance = Rc::new(InstanceCell {
        common: Common {
            phase: Cell::new(Phase::New),
            requested: Cell::default(),
            busy: Cell::new(false),
            answers_itself: !double::is_double::<M, S>() && !link::is::<M, S>(),
        },
        endpoint,
        block: local.add(slot, M::name()),
        typed: Typed { state: RefCell::new(None), attachments: Cell::default() },
    });
    if let Some(limit) = slow {
        local.mailbox.roster.set_slow_limit(slot, limit);
    }
    if undelivered.is_some() {
        instance.with_extras(|extras| extras.undelivered = undelivered);
    }
    // It is in its slot before its state is built, so that messages which its factory sends to it find it there.
    local.occupy(Rc::clone(&instance) as Rc<dyn Instance>, M::CALL_DEPTH);
    if let StateFactory::Again(blueprint) = &factory {
        instance.typed.with_attachments(|attachments| attachments.blueprint = Some(blueprint.clone()));
    }
    if let Err(failure) = instance.build_by(local, factory) {
        // It never became an instance, so no report counts it.
        instance.discard(local);
        return Err(failure.into_spawn_error(M::name()));
    }
    queue_start(local, slot, M::CALL_DEPTH);
    Ok(instance)
}

impl<M, S> TypedCell<M, S>
where
    M: Dispatch<S, Port: Send> + Send,
    S: 'static,
{
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
        if !self.start_if_new(local, || message.as_ref()) {
            return false;
        }
        return_permit(local, serving);
        if !self.breaks(local, message, Option::as_ref, take) {
            self.handle_one(local, message, &mut ReplySlot::Nobody, None, (Work::Send, serving.in_spans));
        }
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
        if !self.start_if_new(local, || call.as_ref().map(|call| &call.message)) {
            return false;
        }
        return_permit(local, serving);
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
        if self.breaks(local, call, |call| call.as_ref().map(|call| &call.message), take_port) {
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
        if !self.start_if_new(local, || messages.front()) {
            return false;
        }
        if self.breaks(local, messages, VecDeque::front, take_first) {
            return_permit(local, serving);
            return messages.is_empty();
        }
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
            budget > 0 && !messages.is_empty() && ctx.may_begin(|| messages.front())
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
        meter.others.add(1);
        let mut slot = ReplySlot::Here(reply);
        // The caller's, which goes on after this.
        let variant = if M::CALL_DEPTH > 0 { local.variant.get() } else { None };
        let in_spans = InSpans::around(Work::CallHere);
        let broken = in_world(|| self.break_on_the_spot(local, message));
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
        if self.common.phase.get() == Phase::BackingOff {
            return recovery::resume_by(&self.erased(), local, id);
        }
        // A shutdown closes the timers. Only those that end a backoff, above, still fire, since held mail waits for
        // that.
        if !local.mailbox.edge.is_open() {
            return;
        }
        // Out of the map while the user's closure runs: it may set and cancel timers.
        let Some(message) = self.if_extras(|extras| extras.timers.remove(id)) else {
            return;
        };
        match message.fire(local, &*self, id) {
            Ok(message) => self.handle_own(local, message, Work::Timer),
            Err(text) => recovery::recover(&self.erased(), local, PanicOrigin::Timer, &text, &mut no_answer),
        }
    }

    fn piped(self: Rc<Self>, local: &Rc<Local>, id: u64) {
        let Some((waker, mut pipe)) = self.if_extras(|extras| extras.pipes.remove(id)) else { return };
        match catch(|| pipe.poll(&waker)) {
            Ok(false) => self.with_extras(|extras| extras.pipes.add(id, (waker, pipe))),
            Ok(true) => match local.mailbox.meter.around(self.slot(), || run_user(0, None, || pipe.finish())) {
                Ok(Finished::Last(message)) => self.handle_own(local, message, Work::Pipe),
                Ok(Finished::More(message, pipe)) => {
                    self.with_extras(|extras| extras.pipes.add(id, (waker, pipe)));
                    self.handle_own(local, message, Work::Pipe);
                }
                Ok(Finished::Nothing) => {}
                Err(text) => recovery::recover(&self.erased(), local, PanicOrigin::Pipe, &text, &mut no_answer),
            },
            Err(_) => debug_assert!(false, "a pipe's own poll runs no user code"),
        }
    }

    fn has_pipe(&self, id: u64) -> bool {
        self.if_extras(|extras| extras.pipes.contains(id))
    }

    fn cancel_pipe(&self, id: u64) -> bool {
        let pipe = self.if_extras(|extras| extras.pipes.remove(id));
        let is_there = pipe.is_some();
        // The closure and the reply are the user's.
        ignoring_panic(|| drop(pipe));
        is_there
    }

    fn follow_up(self: Rc<Self>, local: &Rc<Local>, panic: Option<&Arc<str>>) {
        match panic {
            None => recovery::fulfil(&self.erased(), local, Origin::Handler),
            Some(text) => recovery::handler_panicked(&self.erased(), local, text, &mut no_answer),
        }
    }
}
