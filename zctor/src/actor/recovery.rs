//! What follows a panic, a reset, a stop.

use std::mem::take;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use crate::actor::dispatch::Dispatch;
use crate::actor::factory::{Blueprint, Failure};
use crate::actor::restart::{Decision, Restart};
use crate::actor::state::Origin;
use crate::actor::state::TypedCell;
use crate::error::CallError;
use crate::event::{AfterPanic, End, Ended, PanicEvent, PanicOrigin};
use crate::report::BackingOff;
use crate::route::payload::Port;
use crate::route::pool::{KnownPool, known};
use crate::sys::chance::chance;
use crate::sys::clock::{due_in, now};
use crate::sys::unwind::{quietly, run_user, take_unwound};
use crate::thread::local::{Instance, Local, Phase, Requested};
use crate::thread::undelivered::{give_up, requeue, start_first};

impl<M, S> TypedCell<M, S>
where
    M: Dispatch<S, Port: Send> + Send,
    S: 'static,
{
    /// A handler has panicked.
    #[cold]
    pub(super) fn failed(self: Rc<Self>, local: &Rc<Local>, port: Option<M::Port>, text: &Arc<str>) {
        // Before any other code of the user's.
        let origin = PanicOrigin::Handler(take_unwound().unwrap_or("?"));
        self.account().count_panicked();
        local.mailbox.meter.panicked.add(1);
        self.recover(local, origin, text, || {
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
                let next = if self.blueprint().is_some() { AfterPanic::Rebuilt } else { AfterPanic::Ended };
                self.say_goodbye(local, next);
                self.drop_state(local, next);
                self.build_again(local, origin);
            }
        }
    }

    /// Builds a fresh state. After a handler its `on_start` comes first in the queue; but a start that leads to another
    /// goes through a timer, behind all that waits by then, so that it starves nobody.
    fn build_again(self: Rc<Self>, local: &Rc<Local>, origin: Origin) {
        if origin == Origin::Start {
            self.back_off(local, Duration::ZERO);
            return;
        }
        match self.build(local) {
            Ok(()) => start_first(local, self.slot(), M::CALL_DEPTH),
            Err(failure) => self.retry(local, failure),
        }
    }

    /// After a panic in the user's code: the state goes, and comes again by the factory, at once or after a rest.
    ///
    /// `answer` tells the caller. It comes after what a caller that tries again must find: that the instance rests, or
    /// has ended, and that those who asked for it are told; and before a rebuild, which may take its time.
    pub(super) fn recover(
        self: Rc<Self>,
        local: &Rc<Local>,
        origin: PanicOrigin,
        text: &Arc<str>,
        answer: impl FnOnce(),
    ) {
        // What asked for its end before it panicked gets it.
        let stops = self.is_to_stop();
        let (decision, in_window) = self.decide();
        match decision {
            Decision::BackOff(backoff) if !stops => {
                self.note_restart(local);
                let next = self.back_off(local, backoff);
                self.tell(local, origin, text, in_window, next);
                answer();
                self.hand_over(local, text, next);
                if self.is_to_stop() {
                    self.vacate(local, End::Stopped);
                }
            }
            Decision::Rebuild if !stops => {
                self.note_restart(local);
                self.tell(local, origin, text, in_window, AfterPanic::Rebuilt);
                answer();
                self.hand_over(local, text, AfterPanic::Rebuilt);
                if self.is_to_stop() {
                    return self.vacate(local, End::Stopped);
                }
                self.build_again(local, if origin == PanicOrigin::OnStart { Origin::Start } else { Origin::Handler });
            }
            _ => {
                self.end_after_panic(local, origin, text, in_window, stops);
                answer();
            }
        }
    }

    /// A panic that ends the instance, unless that `stops` anyway.
    fn end_after_panic(
        self: &Rc<Self>,
        local: &Rc<Local>,
        origin: PanicOrigin,
        text: &Arc<str>,
        in_window: usize,
        stops: bool,
    ) {
        self.tell(local, origin, text, in_window, AfterPanic::Ended);
        self.hand_over(local, text, AfterPanic::Ended);
        self.vacate(local, if stops { End::Stopped } else { End::Panicked(Arc::clone(text)) });
    }

    /// `on_start` has panicked.
    #[cold]
    pub(super) fn cannot_start(self: Rc<Self>, local: &Rc<Local>, text: &Arc<str>) {
        if local.mailbox.edge.is_open() {
            return self.recover(local, PanicOrigin::OnStart, text, || ());
        }
        // A shutdown does not wait for an instance that cannot start.
        let (_, in_window) = self.decide();
        self.end_after_panic(local, PanicOrigin::OnStart, text, in_window, false);
    }

    /// Whether its code has asked for its end.
    fn is_to_stop(&self) -> bool {
        self.common.requested.take() == Requested::Stop
    }

    /// What becomes of the instance after a panic just now, and how many there were in its window.
    fn decide(&self) -> (Decision, usize) {
        match self.blueprint() {
            Some(Blueprint { restart, .. }) => {
                let (at, id) = (now(), self.id());
                self.with_extras(|extras| {
                    // It sets instances apart, and the restarts of each.
                    let chance = chance(&(id, extras.panics.decided()));
                    let decision = extras.panics.decide(&restart, at, chance);
                    (decision, extras.panics.in_window(&restart, at))
                })
            }
            // What runs once cannot be built again.
            None => (Decision::End, 1),
        }
    }

    fn note_restart(&self, local: &Rc<Local>) {
        local.mailbox.edge.losses.restart();
    }

    /// Tells of a panic those who asked to be told.
    fn tell(&self, local: &Local, origin: PanicOrigin, text: &Arc<str>, in_window: usize, next: AfterPanic) {
        let (instance, text) = (self.id(), Arc::clone(text));
        local.mailbox.tell_panic(&PanicEvent { instance, message: M::NAME, origin, text, in_window, next });
    }

    /// As `tell`, of a panic that changes nothing.
    #[cold]
    fn tell_uncounted(&self, local: &Local, origin: PanicOrigin, text: &Arc<str>, next: AfterPanic) {
        let restart = self.blueprint().map_or_else(Restart::never, |blueprint| blueprint.restart);
        let in_window = self.if_extras(|extras| extras.panics.in_window(&restart, now()));
        self.tell(local, origin, text, in_window, next);
    }

    /// It is built again when this time is over.
    fn back_off(&self, local: &Rc<Local>, backoff: Duration) -> AfterPanic {
        self.common.phase.set(Phase::BackingOff);
        self.endpoint.status.set_backing_off();
        let until = due_in(backoff);
        let timer = local.timers.set(until, self.slot());
        self.with_extras(|extras| extras.backoff_timer = timer);
        if backoff.is_zero() {
            return AfterPanic::Rebuilt;
        }
        let since = until.checked_sub(backoff).unwrap_or_else(now);
        let backing_off = BackingOff { instance: self.id(), message: M::NAME, since, until };
        local.mailbox.roster.begin_backoff(self.slot(), backing_off);
        AfterPanic::BackingOff { until, backoff }
    }

    /// The rebuild failed: that counts like a panic. It is tried again from the thread's loop, never at once.
    fn retry(self: Rc<Self>, local: &Rc<Local>, failure: Failure) {
        // A shutdown does not wait for a factory that fails again and again.
        let give_up =
            matches!(failure, Failure::Spent) || !local.mailbox.edge.is_open() || self.is_to_stop();
        let why = match failure {
            // It was reset, and nothing panicked.
            Failure::Spent => End::Stopped,
            failure => End::Panicked(failure.into_text()),
        };
        let (decision, in_window) = self.decide();
        let next = match decision {
            _ if give_up => AfterPanic::Ended,
            Decision::BackOff(backoff) => self.back_off(local, backoff),
            Decision::Rebuild => self.back_off(local, Duration::ZERO),
            Decision::End => AfterPanic::Ended,
        };
        if next != AfterPanic::Ended {
            self.note_restart(local);
        }
        if let End::Panicked(text) = &why {
            self.tell(local, PanicOrigin::Factory, text, in_window, next);
        }
        // What the factory set before it failed: timers and pipes.
        self.drop_state(local, next);
        if next == AfterPanic::Ended {
            self.vacate(local, why);
        }
    }

    pub(super) fn resume(self: Rc<Self>, local: &Rc<Local>) {
        self.endpoint.status.set_live();
        local.mailbox.roster.end_backoff(self.slot());
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

    pub(super) fn say_goodbye(self: &Rc<Self>, local: &Rc<Local>, next: AfterPanic) {
        if self.common.phase.get() == Phase::Live {
            let outcome = self.work(local, None, M::__on_stop);
            // A panic in `on_stop` ends nothing that is not ending anyway.
            if let Some(Err(text)) = outcome {
                self.tell_uncounted(local, PanicOrigin::OnStop, &text, next);
                self.hand_over(local, &text, next);
            }
            self.common.requested.take();
        }
    }

    /// Gives the state whose code has panicked to its `on_panic`, at depth 0, and drops what else belongs to it.
    #[cold]
    fn hand_over(self: &Rc<Self>, local: &Rc<Local>, text: &Arc<str>, next: AfterPanic) {
        if let Some(state) = self.typed.state.take() {
            let mut ctx = self.context(local);
            let meter = &local.mailbox.meter;
            let before = meter.run(self.slot());
            let outcome = run_user(0, None, || M::__on_panic(state, &mut ctx, text));
            meter.resume(before);
            if let Err(text) = outcome {
                // Without an `on_panic` of the user's the state is only dropped there.
                let origin = if take_unwound().is_some() { PanicOrigin::Drop } else { PanicOrigin::OnPanic };
                self.tell_uncounted(local, origin, &text, next);
            }
        }
        self.drop_state(local, next);
    }

    /// Drops the state with all that belongs to it: timers and pipes.
    pub(super) fn drop_state(&self, local: &Rc<Local>, next: AfterPanic) {
        let state = self.typed.state.take();
        self.drop_part(local, state, next);
        let (timers, pipes) = self.if_extras(|extras| (take(&mut extras.timers), take(&mut extras.pipes)));
        for (id, message) in timers {
            local.timers.clear(message.due, id);
            self.drop_part(local, message, next);
        }
        for pipe in pipes.into_values() {
            self.drop_part(local, pipe, next);
        }
    }

    /// Drops something of the user's.
    #[inline]
    fn drop_part<T>(&self, local: &Local, part: T, next: AfterPanic) {
        if let Err(text) = run_user(0, None, || drop(part)) {
            self.tell_uncounted(local, PanicOrigin::Drop, &text, next);
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
        match self.common.phase.replace(Phase::Ended) {
            Phase::Ended => return,
            Phase::BackingOff => local.mailbox.roster.end_backoff(self.slot()),
            Phase::New | Phase::Live => {}
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
