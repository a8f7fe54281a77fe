//! What follows a panic, a reset, a stop.

use std::mem::take;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use crate::actor::dispatch::Dispatch;
use crate::actor::factory::{Blueprint, Failure};
use crate::actor::restart::Decision;
use crate::actor::state::Origin;
use crate::actor::state::TypedCell;
use crate::error::CallError;
use crate::event::{End, Ended};
use crate::route::payload::Port;
use crate::route::pool::{KnownPool, known};
use crate::sys::chance::chance;
use crate::sys::clock::{due_in, now};
use crate::sys::unwind::quietly;
use crate::thread::local::{Instance, Local, Phase, Requested};
use crate::thread::undelivered::{give_up, requeue, start_first};
use crate::trace;

impl<M, S> TypedCell<M, S>
where
    M: Dispatch<S, Port: Send> + Send,
    S: 'static,
{
    /// A handler has panicked.
    #[cold]
    pub(super) fn failed(self: Rc<Self>, local: &Rc<Local>, port: Option<M::Port>, text: &Arc<str>) {
        self.account().count_panicked();
        local.mailbox.meter.panicked.add(1);
        self.recover(local, Origin::Handler, text, || {
            if let Some(port) = port {
                quietly(|| port.fail(CallError::Panicked { message: M::NAME, text: Arc::clone(text) }));
            }
        });
    }

    /// Does what the handler that just returned asked for.
    #[cold]
    pub(super) fn fulfil(self: Rc<Self>, local: &Rc<Local>, origin: Origin) {
        match self.common.requested.take() {
            Requested::None => {}
            Requested::Stop => self.end(local),
            Requested::Reset => {
                self.say_goodbye(local);
                self.drop_state(local);
                self.build_again(local, origin);
            }
        }
    }

    /// Builds a fresh state. After a handler its `on_start` comes first in the queue; but a start that leads to another
    /// goes through a timer, behind all that waits by then, so that it starves nobody.
    fn build_again(self: Rc<Self>, local: &Rc<Local>, origin: Origin) {
        if origin == Origin::Start {
            return self.back_off(local, Duration::ZERO);
        }
        match self.build(local) {
            Ok(()) => start_first(local, self.slot(), M::CALL_DEPTH),
            Err(failure) => self.retry(local, failure),
        }
    }

    /// After a panic in the user's code: the state goes, and comes again by the factory, at once or after a rest.
    ///
    /// `answer` tells the caller. It comes after what a caller that tries again must find: that the instance rests, or
    /// has ended; and before a rebuild, which may take its time.
    pub(super) fn recover(self: Rc<Self>, local: &Rc<Local>, origin: Origin, text: &Arc<str>, answer: impl FnOnce()) {
        // What asked for its end before it panicked gets it.
        let why = match self.common.requested.take() {
            Requested::Stop => Some(End::Stopped),
            _ => None,
        };
        let decision = if why.is_some() { Decision::End } else { self.decide() };
        match decision {
            Decision::End => {
                self.drop_state(local);
                self.vacate(local, why.unwrap_or_else(|| End::Panicked(Arc::clone(text))));
                answer();
            }
            Decision::BackOff(backoff) => {
                self.note_restart(local);
                self.back_off(local, backoff);
                answer();
                self.drop_state(local);
            }
            Decision::Rebuild => {
                self.note_restart(local);
                answer();
                self.drop_state(local);
                self.build_again(local, origin);
            }
        }
    }

    /// What becomes of the instance after a panic just now.
    fn decide(&self) -> Decision {
        match self.blueprint() {
            Some(Blueprint { restart, .. }) => {
                let (at, id) = (now(), self.id());
                self.with_extras(|extras| {
                    // It sets instances apart, and the restarts of each.
                    let chance = chance(&(id, extras.panics.decided()));
                    extras.panics.decide(&restart, at, chance)
                })
            }
            // What runs once cannot be built again.
            None => Decision::End,
        }
    }

    fn note_restart(&self, local: &Rc<Local>) {
        local.mailbox.edge.losses.restart();
        quietly(|| trace::restarting(M::NAME, self.id()));
    }

    fn back_off(&self, local: &Rc<Local>, backoff: Duration) {
        if !backoff.is_zero() {
            quietly(|| trace::backing_off(M::NAME, self.id(), backoff));
        }
        self.common.phase.set(Phase::BackingOff);
        self.endpoint.status.set_backing_off();
        let timer = local.timers.set(due_in(backoff), self.slot());
        self.with_extras(|extras| extras.backoff_timer = timer);
    }

    /// The rebuild failed: that counts like a panic. It is tried again from the thread's loop, never at once.
    fn retry(self: Rc<Self>, local: &Rc<Local>, failure: Failure) {
        // A shutdown does not wait for a factory that fails again and again.
        let give_up = matches!(failure, Failure::Spent)
            || !local.mailbox.edge.is_open()
            || self.common.requested.take() == Requested::Stop;
        let why = match failure {
            // It was reset, and nothing panicked.
            Failure::Spent => End::Stopped,
            failure => End::Panicked(failure.into_text(|error| trace::rebuild_failed(M::NAME, self.id(), error))),
        };
        // What the factory set before it failed: timers and pipes.
        self.drop_state(local);
        match self.decide() {
            Decision::BackOff(backoff) if !give_up => {
                self.note_restart(local);
                self.back_off(local, backoff);
            }
            Decision::Rebuild if !give_up => {
                self.note_restart(local);
                self.back_off(local, Duration::ZERO);
            }
            _ => self.vacate(local, why),
        }
    }

    pub(super) fn resume(self: Rc<Self>, local: &Rc<Local>) {
        self.endpoint.status.set_live();
        if let Some(known) = self.pool(local) {
            known.pool.wake_waiting();
        }
        match self.build(local) {
            Ok(()) => {
                requeue(local, self.slot(), M::CALL_DEPTH);
                start_first(local, self.slot(), M::CALL_DEPTH);
            }
            Err(failure) => self.retry(local, failure),
        }
    }

    /// The pool that it is in, if it is in one.
    fn pool(&self, local: &Local) -> Option<Rc<KnownPool<M>>> {
        if self.endpoint.pooled { known(local) } else { None }
    }

    pub(super) fn say_goodbye(self: &Rc<Self>, local: &Rc<Local>) {
        if self.common.phase.get() == Phase::Live {
            // A panic in `on_stop` ends nothing that is not ending anyway.
            let _ = self.work(local, None, M::__on_stop);
            self.common.requested.take();
        }
    }

    /// Drops the state with all that belongs to it: timers and pipes.
    pub(super) fn drop_state(&self, local: &Rc<Local>) {
        let state = self.typed.state.take();
        quietly(|| drop(state));
        let (timers, pipes) = self.if_extras(|extras| (take(&mut extras.timers), take(&mut extras.pipes)));
        for (id, message) in timers {
            local.timers.clear(message.due, id);
            quietly(|| drop(message));
        }
        for pipe in pipes.into_values() {
            quietly(|| drop(pipe));
        }
    }

    /// It will not be built again.
    pub(super) fn drop_factory(&self) {
        let blueprint = self.typed.if_attachments(|attachments| attachments.blueprint.take());
        quietly(|| drop(blueprint));
    }

    /// Leaves the registry and the slot; what still comes for it finds nobody. Those who watch it are told, behind all
    /// that it has sent.
    pub(super) fn vacate(&self, local: &Rc<Local>, why: End) {
        if self.common.phase.replace(Phase::Ended) == Phase::Ended {
            return;
        }
        self.endpoint.status.set_ended(&why);
        self.drop_factory();
        if let Some(known) = self.pool(local) {
            known.pool.remove_one();
        }
        // Who waits for room for it waits in vain.
        local.mailbox.wake_all();
        let removed = local.vacate(self.slot(), &why);
        give_up(local, self.slot());
        let is_news = removed.is_news;
        removed.tell();
        if is_news {
            local.mailbox.edge.losses.ended(&Ended { instance: self.id(), message: M::NAME, why });
        }
    }
}
