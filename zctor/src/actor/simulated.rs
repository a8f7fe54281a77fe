//! The beginning of a handler in a simulation: its scheduling point, and the faults that strike there.
//!
//! It stands before the runtime enters the user's code. A scheduling point inside that code would slow every message,
//! simulated or not: it took 20 instructions of 240 (measured), and a second copy of that code for simulations took 11,
//! since the compiler puts a handler in line only where it is called once. For messages that are sent not even the
//! question whether this is a simulation is asked: the look at the edge, which each message takes anyway, answers it.

use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::Arc;

use crate::actor::dispatch::Dispatch;
use crate::actor::state::TypedCell;
use crate::client::message::Message;
use crate::mailbox::Mailbox;
use crate::mailbox::envelope::Serving;
use crate::reply::reply_to::ReplySlot;
use crate::route::contents::Call;
use crate::sys::operation::Operation;
use crate::sys::simulated::{begin_point, break_handler, in_world, may_be_stopped, stops_behind};
use crate::thread::local::Local;
use crate::thread::phase::Requested;
use crate::trace::spans::InSpans;

impl<M, S> TypedCell<M, S>
where
    M: Dispatch<S, Port: Send> + Send,
    S: 'static,
{
    /// The scheduling point of the handler of the message in this place. `true` if a fault has it panic in place of its
    /// code: the message is taken out then, as the handler would, and with it the port if it has one.
    #[cfg_attr(not(debug_assertions), inline(always))]
    pub(super) fn fault_panics<P>(
        self: &Rc<Self>,
        local: &Rc<Local>,
        place: &mut P,
        message: fn(&P) -> Option<&M>,
        take: fn(&mut P) -> Option<M::Port>,
    ) -> bool {
        in_world(|| self.fault_panics_cold(local, place, message, take)).is_some()
    }

    /// As `fault_panics`, for a message that was sent, which first gives its permit back, with a scheduling point.
    /// Gives how it is to be handled then; `None` if a fault had its handler panic.
    #[cold]
    #[inline(never)]
    pub(super) fn begin_sent<P>(
        self: &Rc<Self>,
        local: &Rc<Local>,
        serving: Serving,
        place: &mut P,
        message: fn(&P) -> Option<&M>,
        take: fn(&mut P) -> Option<M::Port>,
    ) -> Option<Serving> {
        if serving.permitted {
            local.mailbox.give_back_permits(1);
        }
        let is_broken = self.fault_panics(local, place, message, take);
        (!is_broken).then_some(Serving { permitted: false, ..serving })
    }

    fn fault_panics_cold<P>(
        self: &Rc<Self>,
        local: &Rc<Local>,
        place: &mut P,
        message: fn(&P) -> Option<&M>,
        take: fn(&mut P) -> Option<M::Port>,
    ) -> Option<()> {
        let variant = message(place).map_or("_", Message::variant);
        self.begin(local, variant)?;
        Rc::clone(self).handle(local, &mut ReplySlot::Nobody, None, InSpans::NotAsked, |_, _, slot| {
            if let Some(port) = take(place) {
                *slot = ReplySlot::Port(port);
            }
            break_handler(variant)
        });
        Some(())
    }

    /// As `fault_panics`, for a call that is handled on the spot. Gives what has come of it, as `work` does.
    pub(super) fn fault_panics_on_the_spot(
        self: &Rc<Self>,
        local: &Rc<Local>,
        message: &mut Option<M>,
    ) -> Option<Option<Result<(), Arc<str>>>> {
        let variant = message.as_ref().map_or("_", Message::variant);
        self.begin(local, variant)?;
        let broken = self.work(local, None, |_, _| {
            drop(message.take());
            let _: bool = break_handler(variant);
        });
        Some(broken)
    }

    /// `Some` if the handler panics.
    fn begin(&self, local: &Local, variant: &'static str) -> Option<()> {
        let Mailbox { thread, engine, .. } = &*local.mailbox;
        may_be_stopped(|| {
            let owner = Arc::clone(&local.owner);
            move || owner.stop()
        });
        let operation = Operation::Begin { instance: self.endpoint.id(), message: M::name(), variant };
        let panics = begin_point(&engine.world, thread.index(), operation);
        if stops_behind() {
            // As if the handler had called `ctx.stop()`: that takes effect when it has ended.
            self.common.requested.set(Requested::Stop);
        }
        panics.then_some(())
    }
}

/// Takes a message that was sent out of its place.
pub(super) fn take<M, P>(place: &mut Option<M>) -> Option<P> {
    drop(place.take());
    None
}

/// Takes the first message of a batch.
pub(super) fn take_first<M, P>(place: &mut VecDeque<M>) -> Option<P> {
    drop(place.pop_front());
    None
}

/// Takes a call, whose port is left.
pub(super) fn take_port<M: Message>(place: &mut Option<Call<M>>) -> Option<M::Port> {
    let Call { message, port } = place.take()?;
    drop(message);
    Some(port)
}
