//! Recovery: an instance after a panic, a reset or a stop is built again, backs off, or ends.
//!
//! After a panic, in this order:
//!
//! 1. The instance's [`Restart`](crate::Restart) decides: a rebuild at once, a rebuild after a backoff, or the end.
//! 2. A backoff or the end is noted where senders look, before the caller is told: a caller that tries again must find
//!    it.
//! 3. The caller is told of the panic. This comes before a rebuild, since a factory may take its time.
//! 4. The state is dropped with its timers and pipes (at the end of the instance, before the caller is told).
//! 5. The factory builds a fresh state.

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
use crate::route::pool::{KnownPool, known_pool};
use crate::sys::chance::stable_fraction;
use crate::sys::clock::{due_in, now};
use crate::sys::unwind::ignoring_panic;
use crate::thread::local::{Instance, Local, Phase, Requested};
use crate::thread::undelivered::{give_up, requeue, start_first};
use crate::trace;

impl<M, S> TypedCell<M, S>
where
    M: Dispatch<S, Port: Send> + Send,
    S: 'static,
{
    /// Follows up a handler's panic: counts it, recovers, and tells the caller by `port`, if it was a call.
    #[cold]
    pub(super) fn handler_panicked(self: Rc<Self>, local: &Rc<Local>, port: Option<M::Port>, text: &Arc<str>) {
        self.account().count_panicked();
        local.mailbox.meter.panicked.add(1);
        self.recover(local, Origin::Handler, text, || {
            if let Some(port) = port {
                ignoring_panic(|| port.fail(CallError::Panicked { message: M::name(), text: Arc::clone(text) }));
            }
        });
    }

    /// Does what the handler that has just returned asked for: a stop or a reset.
    #[cold]
    pub(super) fn fulfil(self: Rc<Self>, local: &Rc<Local>, origin: Origin) {
        match self.common.requested.take() {
            Requested::None => {}
            Requested::Stop => self.end(local),
            Requested::Reset => {
                self.run_on_stop(local);
                self.drop_state(local);
                self.build_again(local, origin);
            }
        }
    }

    /// Builds a fresh state. After a handler, its `on_start` comes first in the queue. After an `on_start`, the build
    /// goes through a timer, behind all mail that waits by then: starts that lead to one another must not starve the
    /// others.
    fn build_again(self: Rc<Self>, local: &Rc<Local>, origin: Origin) {
        if origin == Origin::Start {
            return self.back_off(local, Duration::ZERO);
        }
        match self.build(local) {
            Ok(()) => start_first(local, self.slot(), M::CALL_DEPTH),
            Err(failure) => self.rebuild_failed(local, failure),
        }
    }

    /// Recovers from a panic of the user's code: see the head of this file. `answer` tells the caller.
    pub(super) fn recover(self: Rc<Self>, local: &Rc<Local>, origin: Origin, text: &Arc<str>, answer: impl FnOnce()) {
        // If the handler asked for a stop before it panicked, the instance ends as stopped.
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

    /// Decides what becomes of the instance after a panic just now.
    fn decide(&self) -> Decision {
        match self.blueprint() {
            Some(Blueprint { restart, .. }) => {
                let (at, id) = (now(), self.id());
                self.with_extras(|extras| {
                    // Another number for each instance, and for each panic of one.
                    let chance = stable_fraction(&(id, extras.panics.total()));
                    extras.panics.decide(&restart, at, chance)
                })
            }
            // A factory that runs once cannot build it again.
            None => Decision::End,
        }
    }

    fn note_restart(&self, local: &Rc<Local>) {
        local.mailbox.edge.losses.restart();
        ignoring_panic(|| trace::restarting(M::name(), self.id()));
    }

    /// Begins a backoff. One of no time at all is only a rebuild from the thread's loop.
    fn back_off(&self, local: &Rc<Local>, backoff: Duration) {
        if !backoff.is_zero() {
            ignoring_panic(|| trace::backing_off(M::name(), self.id(), backoff));
        }
        self.common.phase.set(Phase::BackingOff);
        self.endpoint.status.set_backing_off();
        let timer = local.timers.set(due_in(backoff), self.slot());
        self.with_extras(|extras| extras.backoff_timer = timer);
    }

    /// Follows up a rebuild that failed, which counts like a panic. The next try comes from the thread's loop, never at
    /// once.
    fn rebuild_failed(self: Rc<Self>, local: &Rc<Local>, failure: Failure) {
        // A shutdown does not wait for a factory that fails again and again.
        let give_up = matches!(failure, Failure::RunsOnce)
            || !local.mailbox.edge.is_open()
            || self.common.requested.take() == Requested::Stop;
        let why = match failure {
            // The instance was reset; there was no panic.
            Failure::RunsOnce => End::Stopped,
            failure => End::Panicked(failure.into_text(|error| trace::rebuild_failed(M::name(), self.id(), error))),
        };
        // Drops the timers and pipes that the factory set before it failed.
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

    /// Ends the backoff: builds the state, and returns the held mail to the queue.
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
            Err(failure) => self.rebuild_failed(local, failure),
        }
    }

    /// The pool that the instance is in, if it is in one.
    fn pool(&self, local: &Local) -> Option<Rc<KnownPool<M>>> {
        if self.endpoint.pooled { known_pool(local) } else { None }
    }

    /// Runs `on_stop`, if the instance is live. A stop or a reset that it asks for is ignored: one is under way.
    pub(super) fn run_on_stop(self: &Rc<Self>, local: &Rc<Local>) {
        if self.common.phase.get() == Phase::Live {
            // A panic in `on_stop` changes nothing: the state is dropped next in any case.
            let _ = self.work(local, None, M::__on_stop);
            self.common.requested.take();
        }
    }

    /// Drops the state with its timers and pipes.
    pub(super) fn drop_state(&self, local: &Rc<Local>) {
        let state = self.typed.state.take();
        ignoring_panic(|| drop(state));
        let (timers, pipes) = self.if_extras(|extras| (take(&mut extras.timers), take(&mut extras.pipes)));
        for (id, message) in timers {
            local.timers.clear(message.due, id);
            ignoring_panic(|| drop(message));
        }
        for pipe in pipes.into_values() {
            ignoring_panic(|| drop(pipe));
        }
    }

    /// Drops the factory: the instance will not be built again.
    pub(super) fn drop_factory(&self) {
        let blueprint = self.typed.if_attachments(|attachments| attachments.blueprint.take());
        ignoring_panic(|| drop(blueprint));
    }

    /// Ends the instance, whose state is dropped: it leaves the registry and its slot, and mail that still comes for it
    /// has no receiver. Its watchers are told, after all messages that it has sent.
    pub(super) fn vacate(&self, local: &Rc<Local>, why: End) {
        if self.common.phase.replace(Phase::Ended) == Phase::Ended {
            return;
        }
        self.endpoint.status.set_ended(&why);
        self.drop_factory();
        if let Some(known) = self.pool(local) {
            known.pool.remove_one();
        }
        // Wakes the senders that wait for room in its mailbox: those that wait for this instance find that it has
        // ended.
        local.mailbox.wake_all();
        let removed = local.vacate(self.slot(), &why);
        give_up(local, self.slot());
        let is_first_report = removed.is_first_report;
        removed.tell();
        if is_first_report {
            local.mailbox.edge.losses.ended(&Ended { instance: self.id(), message: M::name(), why });
        }
    }
}
