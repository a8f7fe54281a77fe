//! How an instance handles one message, one call, one batch; and how each is counted, once.

use std::any::Any;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use crate::actor::context::Context;
use crate::actor::dispatch::Dispatch;
use crate::actor::double;
use crate::actor::recovery::{self, Origin};
use crate::actor::simulated::take;
use crate::actor::state::TypedCell;
use crate::client::message::Message;
use crate::error::CallError;
use crate::event::Undelivered;
use crate::mailbox::account::Account;
use crate::mailbox::envelope::{Serving, Undeliverable};
use crate::mailbox::handling_times::MEASURES;
use crate::mailbox::meter::Meter;
use crate::reply::reply_to::ReplySlot;
use crate::route::contents::{Call, lose, typed};
use crate::route::endpoint::Endpoint;
use crate::route::payload::Port;
use crate::sys::simulated::HAS_POINTS;
use crate::sys::unwind::{count_uncaught, ignoring_panic, tell_caught};
use crate::thread::local::{Instance, Local};
use crate::thread::phase::{Common, Phase, Requested};
use crate::thread::undelivered::write_off;
use crate::trace::spans::{InSpans, SPANS};
use crate::trace::work::Work;

/// The outcome of mail whose contents are of another type than the messages of its instance. Not reached: a slot's generation
/// names one instance, whose messages' type its senders know.
// Always: it is to cost what a plain `return` costs.
#[inline(always)]
pub(super) fn of_another_type() -> bool {
    debug_assert!(false, "mail of another type than that of its instance");
    true
}

/// Ends a call whose caller had given up before its handler began: it is a dead letter, and never handled.
#[cold]
pub(super) fn skip_given_up<M: Message>(call: Call<M>, endpoint: &Endpoint<M>, local: &Local, from_hook: bool) {
    let (incidents, why) = (&local.mailbox.engine.incidents, Undelivered::GivenUp);
    incidents.count(M::name(), 1, why);
    write_off(local, endpoint.slot, 1);
    local.measured.forget(endpoint.slot);
    let Call { message, port } = call;
    ignoring_panic(|| port.fail(CallError::Timeout { message: M::name(), begun: false }));
    let undeliverable = Undeliverable { incidents, instance: endpoint.id(), why, from_hook };
    lose(message, endpoint.hook().as_ref().and_then(typed), undeliverable);
}

impl<M, S> TypedCell<M, S>
where
    M: Dispatch<S, Port: Send> + Send,
    S: 'static,
{
    /// Handles messages that came as mail. Each `next` runs the handler of one, and says whether another may follow. To
    /// the runtime they all are one piece of the user's code, whose beginning and end cost more than a small handler.
    #[cfg_attr(not(debug_assertions), inline(always))]
    pub(super) fn handle(
        self: Rc<Self>,
        local: &Rc<Local>,
        slot: &mut ReplySlot<'_, M::Port>,
        deadline: Option<Instant>,
        in_spans: InSpans,
        mut next: impl FnMut(&mut S, &mut Context<M>, &mut ReplySlot<'_, M::Port>) -> bool,
    ) {
        let (account, meter) = (self.account(), &local.mailbox.meter);
        let outcome = self.work(local, deadline, |state, ctx| {
            let older = count_uncaught();
            loop {
                let goes_on = next(state, ctx, slot);
                count_handled(account, meter);
                if !goes_on || self.common.requested.get() != Requested::None {
                    break;
                }
                tell_caught(older, None);
            }
        });
        match outcome {
            // The caller of `handle` ends the measurement of this handler.
            Some(Ok(())) if self.common.requested.get() == Requested::None => {}
            Some(Ok(())) => self.fulfil(local),
            // The panic was the last handler's: all messages but that one were counted as handled.
            Some(Err(text)) => self.handler_panicked(local, slot.take(), &text, in_spans),
            // Not reached: messages are handled by live instances only, and those have a state.
            None => debug_assert!(false, "delivered to an instance without a state"),
        }
    }

    /// Does what the handler that has just returned asked for.
    // Neither this nor the two below are inlined: their stack would cost each message.
    #[cold]
    #[inline(never)]
    fn fulfil(self: Rc<Self>, local: &Rc<Local>) {
        local.measured.end(self.slot());
        recovery::fulfil(&self.erased(), local, Origin::Handler);
    }

    /// Follows up a handler's panic, and tells the caller by `port`, if it was a call.
    #[cold]
    #[inline(never)]
    fn handler_panicked(
        self: Rc<Self>,
        local: &Rc<Local>,
        mut port: Option<M::Port>,
        text: &Arc<str>,
        in_spans: InSpans,
    ) {
        local.measured.end(self.slot());
        in_spans.unwound();
        recovery::handler_panicked(&self.erased(), local, text, &mut |text| {
            if let Some(port) = port.take() {
                ignoring_panic(|| port.fail(CallError::Panicked { message: M::name(), text: Arc::clone(text) }));
            }
        });
    }

    /// Handles one message, which is taken out of its place where its handler begins: see `route/contents.rs`.
    ///
    /// `APART` changes nothing but the number of copies that are compiled: with one copy a caller, the code that catches
    /// panics is inlined in each. As a function of its own it costs a message 50 instructions.
    #[cfg_attr(not(debug_assertions), inline(always))]
    pub(super) fn handle_one<const APART: bool>(
        self: Rc<Self>,
        local: &Rc<Local>,
        message: &mut Option<M>,
        slot: &mut ReplySlot<'_, M::Port>,
        deadline: Option<Instant>,
        (work, in_spans): (Work, InSpans),
    ) {
        self.handle(local, slot, deadline, in_spans, |state, ctx, slot| {
            ctx.begins(message, Option::as_ref, (work, in_spans));
            dispatch(|| message.take(), state, ctx, slot);
            in_spans.leave();
            false
        });
    }

    /// As `handle_one`, by a function that is compiled once for a type: for all but plain messages, which cost least.
    #[inline(never)]
    pub(super) fn handle_alone(
        self: Rc<Self>,
        local: &Rc<Local>,
        message: &mut Option<M>,
        slot: &mut ReplySlot<'_, M::Port>,
        deadline: Option<Instant>,
        work: (Work, InSpans),
    ) {
        self.handle_one::<{ !cfg!(debug_assertions) }>(local, message, slot, deadline, work);
    }

    /// Handles a message that was sent, and that has a scheduling point before its handler, or a measurement of it, or
    /// perhaps a span around it.
    #[cold]
    #[inline(never)]
    pub(super) fn handle_noted(self: Rc<Self>, local: &Rc<Local>, serving: Serving, message: &mut Option<M>) {
        let slot = self.slot();
        if let Some(serving) = self.begin_sent(local, serving, message, Option::as_ref, take) {
            return_permit(local, serving);
            let work = (Work::Send, serving.in_spans);
            self.handle_alone(local, message, &mut ReplySlot::Nobody, None, work);
        }
        local.measured.end(slot);
    }

    /// Runs `on_start` if that is due, since it comes before all else. Says how the message begins then.
    #[inline]
    pub(super) fn start_if_new<'a>(
        self: &Rc<Self>,
        local: &Rc<Local>,
        in_spans: InSpans,
        message: impl FnOnce() -> Option<&'a M>,
    ) -> Beginning {
        if self.common.phase.get() == Phase::New {
            self.start_new(local, in_spans);
        }
        if self.common.phase.get() != Phase::Live {
            return Beginning::None;
        }
        let engine = &local.mailbox.engine;
        if engine.edge.is_plain() {
            return if in_spans.is_asked() { Beginning::Noted } else { Beginning::Plain };
        }
        match self.admit_and_note(local, message()) {
            false => Beginning::None,
            true if in_spans.is_asked() || engine.world.is_simulated() || local.measured.has_begun() => {
                Beginning::Noted
            }
            true => Beginning::Plain,
        }
    }

    #[cold]
    #[inline(never)]
    fn start_new(self: &Rc<Self>, local: &Rc<Local>, in_spans: InSpans) {
        in_spans.keep(|| Rc::clone(self).start(local));
    }

    /// Whether the instance can handle a call that is made now, on the spot.
    ///
    /// It can if four things hold. All mail that is queued for it comes behind the call. Its code is not on the stack. It
    /// is live: it has started, and has neither ended nor to back off. And it answers when its handler returns; a test
    /// double answers later.
    #[inline]
    pub(super) fn is_free(&self, account: &Account) -> bool {
        let Common { phase, busy, answers_itself, .. } = &self.common;
        account.has_nothing_queued() && !busy.get() && phase.get() == Phase::Live && *answers_itself
    }
}

/// How the handler of a message begins.
///
/// The edge is asked once, so what is seldom asked for costs the other messages nothing.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Beginning {
    /// It does not: the instance takes no messages now.
    None,
    Plain,
    /// It has its scheduling point first (see `actor/simulated.rs`), or it is measured, or spans may be asked for.
    Noted,
}

/// Whether a message may begin otherwise than plainly: without the code for it, a type of messages is smaller.
pub(super) const CAN_BE_NOTED: bool = HAS_POINTS || MEASURES || SPANS;

/// Counts a message as taken in, which is handled at once.
#[inline]
pub(super) fn count_taken(account: &Account, meter: &Meter) {
    account.add_load(1);
    meter.taken.add(1);
}

/// Counts a message as handled. This comes before any other code of the user's, which may never return; so the message
/// is counted, and counted once.
#[inline]
pub(super) fn count_handled(account: &Account, meter: &Meter) {
    account.count_handled();
    meter.handled.add(1);
}

/// Takes a message out of its place, and gives it to its handler.
#[cfg_attr(not(debug_assertions), inline(always))]
pub(super) fn dispatch<M: Dispatch<S>, S: 'static>(
    take: impl FnOnce() -> Option<M>,
    state: &mut S,
    ctx: &mut Context<M>,
    slot: &mut ReplySlot<'_, M::Port>,
) {
    if let Some(message) = take() {
        double::dispatch(message, state, ctx, slot);
    }
}

/// The content of an envelope, or the place of a caller on this thread, as the type that it has.
#[inline]
pub(super) fn downcast<T: 'static>(content: &mut dyn Any) -> Option<&mut T> {
    let content = content.downcast_mut();
    debug_assert!(content.is_some(), "a slot's generation names one instance, whose messages' type its senders know");
    content
}

/// Notes that a message is begun: it gives its permit back, if it has one. `Mailbox::give_back` does that with a
/// scheduling point: in a simulation a message that was sent has called it before (`actor/simulated.rs`), and has none
/// here.
#[inline]
pub(super) fn return_permit(local: &Local, serving: Serving) {
    if serving.permitted {
        if let Some(permits) = &local.mailbox.permits {
            permits.give_back(1);
        }
    }
}
