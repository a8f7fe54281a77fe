//! An instance as its thread sees it: one state in its slot on one thread, from its `on_start` to its drop.
//!
//! All methods here run on the instance's own thread. User code runs through `sys::unwind::run_user`, which catches
//! panics. A panic, a reset or a stop is followed up after the user's code has returned, by `actor/recovery.rs`.

use std::any::Any;
use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use crate::actor::cell::InstanceCell;
use crate::actor::dispatch::Dispatch;
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
use crate::id::{Birth, Slot};
use crate::mailbox::envelope::Serving;
use crate::mailbox::mail::Cancellable;
use crate::reply::reply_to::ReplySlot;
use crate::route::contents::Call;
use crate::route::payload::Port;
use crate::sys::simulated::{in_world, may_break};
use crate::thread::local::{FollowUp, Instance, Local, OnTheSpot};
use crate::thread::phase::{Common, Phase, Requested};
use crate::trace::spans::{InSpans, forget};
use crate::trace::work::Work;

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
            return link::handle(self, local, serving, message);
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
        cancellable: Cancellable,
    ) -> bool {
        let Some(call) = call.downcast_mut::<Option<Call<M>>>() else {
            return link::handle_call(self, local, serving, call, cancellable);
        };
        if self.start_if_new(local, serving.in_spans, || call.as_ref().map(|call| &call.message)) == Beginning::None {
            return false;
        }
        if serving.permitted {
            local.mailbox.give_back_permits(1);
        }
        let Some(request) = call else { return true };
        let cancellation = if cancellable == Cancellable::Yes { request.port.cancellation() } else { None };
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
            return link::handle(self, local, serving, messages);
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
