//! Recovery: an instance after a panic, a reset or a stop is built again, backs off, or ends.
//!
//! After a panic, in this order:
//!
//! 1. The instance's [`Restart`](crate::Restart) decides: a rebuild at once, a rebuild after a backoff, or the end.
//! 2. A backoff or the end is noted where senders look, before the caller is told: a caller that tries again must find
//!    it.
//! 3. The panic is an event, and those are told that asked for it: the engine's hook, and the watchers.
//! 4. The caller is told of the panic. This comes before a rebuild, since a factory may take its time.
//! 5. The state goes to `on_panic`, which drops it if the user has written no other; its timers and pipes are dropped
//!    (at the end of the instance, before the caller is told).
//! 6. The factory builds a fresh state, unless `on_panic` has asked for the end. The engine's hook for restarts is told.

use std::mem::{needs_drop, take};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use crate::actor::dispatch::Dispatch;
use crate::actor::factory::{Blueprint, Failure};
use crate::actor::restart::{Decision, Restart};
use crate::actor::state::Origin;
use crate::actor::state::TypedCell;
use crate::error::CallError;
use crate::event::{AfterPanic, End, Ended, PanicEvent, PanicOrigin, Restarted};
use crate::mailbox::Mailbox;
use crate::report::instances::BackingOff;
use crate::route::known_pool::{KnownPool, known_pool};
use crate::route::payload::Port;
use crate::sys::chance::stable_fraction;
use crate::sys::clock::{due_in, now};
use crate::sys::operation::Operation;
use crate::sys::simulated::point;
use crate::sys::unwind::{ignoring_panic, run_user, take_unwound};
use crate::thread::local::{Instance, Local, Phase, Requested};
use crate::thread::undelivered::{give_up, requeue, start_first};
use crate::trace::work::Work;

impl<M, S> TypedCell<M, S>
where
    M: Dispatch<S, Port: Send> + Send,
    S: 'static,
{
    /// Follows up a handler's panic: counts it, recovers, and tells the caller by `port`, if it was a call.
    #[cold]
    pub(super) fn handler_panicked(self: Rc<Self>, local: &Rc<Local>, port: Option<M::Port>, text: &Arc<str>) {
        // Before any other code of the user's.
        let origin = PanicOrigin::Handler(take_unwound().unwrap_or("?"));
        self.account().count_panicked();
        local.mailbox.meter.panicked.add(1);
        self.recover(local, origin, text, port);
    }

    /// Does what the handler that has just returned asked for: a stop or a reset.
    #[cold]
    pub(super) fn fulfil(self: Rc<Self>, local: &Rc<Local>, origin: Origin) {
        match self.common.requested.take() {
            Requested::None => {}
            Requested::Stop => self.end(local),
            Requested::Reset => self.renew(local, origin),
        }
    }

    /// Drops the state in an orderly way, and builds a fresh one.
    pub(super) fn renew(self: Rc<Self>, local: &Rc<Local>, origin: Origin) {
        let next = if self.blueprint().is_some() { AfterPanic::Rebuilt } else { AfterPanic::Ended };
        self.run_on_stop(local, next);
        self.drop_state(local, next);
        self.build_again(local, origin);
    }

    /// Builds a fresh state. After a handler, its `on_start` comes first in the queue. After an `on_start`, the build
    /// goes through a timer, behind all mail that waits by then: starts that lead to one another must not starve the
    /// others.
    fn build_again(self: Rc<Self>, local: &Rc<Local>, origin: Origin) {
        if origin == Origin::Start {
            self.back_off(local, Duration::ZERO);
            return;
        }
        match self.build(local) {
            Ok(()) => {
                self.tell_restarted(local);
                start_first(local, self.slot(), M::CALL_DEPTH);
            }
            Err(failure) => self.rebuild_failed(local, failure),
        }
    }

    fn tell_restarted(&self, local: &Local) {
        local.mailbox.edge.losses.restarted(&Restarted { instance: self.id(), message: M::name() });
    }

    /// Recovers from a panic of the user's code: see the head of this file. The caller, if there is one, is told by `port`.
    pub(super) fn recover(
        self: Rc<Self>,
        local: &Rc<Local>,
        origin: PanicOrigin,
        text: &Arc<str>,
        port: Option<M::Port>,
    ) {
        let answer = || {
            if let Some(port) = port {
                ignoring_panic(|| port.fail(CallError::Panicked { message: M::name(), text: Arc::clone(text) }));
            }
        };
        // If the handler asked for a stop before it panicked, the instance ends as stopped.
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
            return self.recover(local, PanicOrigin::OnStart, text, None);
        }
        // A shutdown does not wait for an instance that cannot start.
        let (_, in_window) = self.decide();
        self.end_after_panic(local, PanicOrigin::OnStart, text, in_window, false);
    }

    /// Whether its code has asked for its end.
    fn is_to_stop(&self) -> bool {
        self.common.requested.take() == Requested::Stop
    }

    /// Decides what becomes of the instance after a panic just now; also gives how many there were in its window.
    fn decide(&self) -> (Decision, usize) {
        match self.blueprint() {
            Some(Blueprint { restart, .. }) => {
                let (at, id) = (now(), self.id());
                self.with_extras(|extras| {
                    // Another number for each instance, and for each panic of one.
                    let chance = stable_fraction(&(id, extras.panics.total()));
                    let decision = extras.panics.decide(&restart, at, chance);
                    (decision, extras.panics.in_window(&restart, at))
                })
            }
            // A factory that runs once cannot build it again.
            None => (Decision::End, 1),
        }
    }

    fn note_restart(&self, local: &Rc<Local>) {
        local.mailbox.edge.losses.restart(M::name());
    }

    /// Tells of a panic those who asked to be told.
    fn tell(&self, local: &Local, origin: PanicOrigin, text: &Arc<str>, in_window: usize, next: AfterPanic) {
        let (instance, text) = (self.id(), Arc::clone(text));
        local.mailbox.tell_panic(&PanicEvent { instance, message: M::name(), origin, text, in_window, next });
    }

    /// As `tell`, of a panic that changes nothing.
    #[cold]
    fn tell_uncounted(&self, local: &Local, origin: PanicOrigin, text: &Arc<str>, next: AfterPanic) {
        let restart = self.blueprint().map_or_else(Restart::never, |blueprint| blueprint.restart);
        let in_window = self.if_extras(|extras| extras.panics.in_window(&restart, now()));
        self.tell(local, origin, text, in_window, next);
    }

    /// Begins a backoff. One of no time at all is only a rebuild from the thread's loop.
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
        let backing_off = BackingOff { instance: self.id(), message: M::name(), since, until };
        local.mailbox.roster.begin_backoff(self.slot(), backing_off);
        AfterPanic::BackingOff { until, backoff }
    }

    /// Follows up a rebuild that failed, which counts like a panic. The next try comes from the thread's loop, never at
    /// once.
    fn rebuild_failed(self: Rc<Self>, local: &Rc<Local>, failure: Failure) {
        // A shutdown does not wait for a factory that fails again and again.
        let give_up = matches!(failure, Failure::RunsOnce) || !local.mailbox.edge.is_open() || self.is_to_stop();
        let why = match failure {
            // The instance was reset; there was no panic.
            Failure::RunsOnce => End::Stopped,
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
        // Drops the timers and pipes that the factory set before it failed.
        self.drop_state(local, next);
        if next == AfterPanic::Ended {
            self.vacate(local, why);
        }
    }

    /// Ends the backoff: builds the state, and returns the held mail to the queue.
    pub(super) fn resume(self: Rc<Self>, local: &Rc<Local>) {
        self.endpoint.status.set_live();
        local.mailbox.roster.end_backoff(self.slot());
        if let Some(known) = self.pool(local) {
            known.pool.wake_waiting();
        }
        match self.build(local) {
            Ok(()) => {
                self.tell_restarted(local);
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
    pub(super) fn run_on_stop(self: &Rc<Self>, local: &Rc<Local>, next: AfterPanic) {
        if self.common.phase.get() == Phase::Live {
            let outcome = self.work_as_hook(local, Work::Stop, M::__on_stop);
            // A panic in `on_stop` changes nothing: the state is dropped next in any case.
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

    /// Drops the state with its timers and pipes.
    pub(super) fn drop_state(&self, local: &Rc<Local>, next: AfterPanic) {
        let state = self.typed.state.take();
        self.drop_part(local, state, next);
        let extras = self.if_extras(|extras| Some((take(&mut extras.timers), take(&mut extras.pipes))));
        let Some((timers, pipes)) = extras else { return };
        for (id, message) in timers.into_values() {
            local.timers.clear(message.due, id);
            self.drop_part(local, message, next);
        }
        for (_, pipe) in pipes.into_values() {
            self.drop_part(local, pipe, next);
        }
    }

    /// Drops something of the user's.
    #[inline]
    fn drop_part<T>(&self, local: &Local, part: T, next: AfterPanic) {
        // Without code to run, nothing can panic.
        if !needs_drop::<T>() {
            return;
        }
        if let Err(text) = run_user(0, None, || drop(part)) {
            self.tell_uncounted(local, PanicOrigin::Drop, &text, next);
        }
    }

    /// Drops the factory and the hook of an instance that will not be built again. Mail for it that is still under way
    /// carries the hook.
    pub(super) fn drop_factory(&self) {
        if let Some(blueprint) = self.typed.if_attachments(|attachments| attachments.blueprint.take()) {
            ignoring_panic(|| drop(blueprint));
        }
        drop(self.if_extras(|extras| extras.undelivered.take()));
    }

    /// Ends the instance, whose state is dropped: it leaves the registry and its slot, and mail that still comes for it
    /// has no receiver. Its watchers are told, after all messages that it has sent.
    pub(super) fn vacate(&self, local: &Rc<Local>, why: End) {
        let Mailbox { thread, edge, .. } = &*local.mailbox;
        point(&edge.home, thread.index(), || Operation::To("end an instance of", M::name()));
        match self.common.phase.replace(Phase::Ended) {
            Phase::Ended => return,
            Phase::BackingOff => local.mailbox.roster.end_backoff(self.slot()),
            Phase::New | Phase::Live => {}
        }
        self.endpoint.status.set_ended(&why);
        let stops_engine = matches!(why, End::Panicked(_))
            && self.blueprint().is_some_and(|blueprint| blueprint.restart.stops_engine());
        self.drop_factory();
        if self.pool(local).is_some_and(|known| known.pool.remove_one()) {
            // Senders that wait for room in the pool find that it is empty. A sender that waits for this instance alone
            // watches it.
            local.mailbox.wake_all();
        }
        let removed = local.vacate(self.slot(), &why);
        give_up(local, self.slot());
        let is_first_report = removed.is_first_report;
        removed.tell();
        if is_first_report {
            local.mailbox.edge.losses.ended(|| Ended { instance: self.id(), message: M::name(), why });
        }
        if stops_engine {
            Arc::clone(&local.parent).stop();
        }
    }
}
