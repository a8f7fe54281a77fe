//! Recovery: an instance after a panic, a reset or a stop is built again, backs off, or ends.
//!
//! After a panic, in this order:
//!
//! 1. The instance's [`Restart`](crate::Restart) decides: a rebuild at once, a rebuild after a backoff, or the end.
//! 2. A backoff or the end is noted where senders look, before the caller is told: a caller that tries again must find
//!    it.
//! 3. The engine's hook for panics and the watchers are told of the panic, and it is an event.
//! 4. The caller is told of the panic. This comes before a rebuild, since a factory may take its time.
//! 5. The state goes to `on_panic`, which drops it if the user has written no other; its timers and pipes are dropped
//!    (at the end of the instance, before the caller is told).
//! 6. The factory builds a fresh state, unless `on_panic` has asked for the end. The engine's hook for restarts is told.
//!
//! Nothing here depends on the types of messages and states, so it is compiled once, and not for each type.

use std::any::{Any, TypeId};
use std::mem::take;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use crate::actor::attachments::{Attachments, Extras};
use crate::actor::factory::Failure;
use crate::actor::restart::{Decision, History, Restart};
use crate::event::{AfterPanic, End, Ended, PanicEvent, PanicOrigin, Restarted};
use crate::id::Slot;
use crate::mailbox::Mailbox;
use crate::mailbox::account::Account;
use crate::report::instances::BackingOff;
use crate::route::location::Location;
use crate::route::pools::{AnyPool, Pools};
use crate::sys::chance::stable_fraction;
use crate::sys::clock::{due_in, now};
use crate::sys::operation::Operation;
use crate::sys::simulated::{failed_rebuild, point};
use crate::sys::unwind::{ignoring_panic, run_user, take_unwound};
use crate::thread::local::{Instance, Local};
use crate::thread::phase::{Common, Phase, Requested};
use crate::thread::undelivered::{give_up, requeue, start_first};

/// An instance as its recovery knows it, whatever the types of its messages and its state.
pub(super) trait Recover: Instance {
    fn location(&self) -> &Location;
    /// The name of the type of its messages.
    fn message(&self) -> &'static str;
    /// The call depth of its messages.
    fn depth(&self) -> u16;
    fn account(&self) -> &Account;
    fn message_type(&self) -> TypeId;
    /// The parts of the instance that have no types.
    fn parts(&self) -> (&Common, &Attachments);
    /// Builds the state by the instance's own factory, which is in its blueprint.
    fn build(self: Rc<Self>, local: &Rc<Local>, factory: &dyn Any) -> Result<(), Failure>;
    /// Runs a hook on the state, if there is one. An error is the text of a panic.
    fn run_hook(self: Rc<Self>, local: &Rc<Local>, hook: Hook) -> Result<(), Arc<str>>;
    /// Gives the state, if there is one, to its `on_panic`, at depth 0. An error is the text of a panic.
    fn run_on_panic(self: Rc<Self>, local: &Rc<Local>, text: &str) -> Result<(), Arc<str>>;
    /// Drops the state, if there is one. An error is the text of a panic.
    fn drop_state(&self, local: &Local) -> Result<(), Arc<str>>;
}

impl dyn Recover {
    pub(super) fn attachments(&self) -> &Attachments {
        self.parts().1
    }

    /// How often it is built again; `None` if its factory runs once.
    fn restart(&self) -> Option<Restart> {
        self.attachments().restart()
    }

    /// The pool that it is in, if it is in one.
    #[inline]
    fn pool(&self, local: &Local) -> Option<Arc<dyn AnyPool>> {
        if !self.location().pooled {
            return None;
        }
        self.pool_of_type(local)
    }

    #[inline(never)]
    fn pool_of_type(&self, local: &Local) -> Option<Arc<dyn AnyPool>> {
        local.kept.get::<Arc<Pools>>()?.of_type(self.message_type())
    }
}

/// Runs code that an instance seldom runs, at depth 0: it may send, but not wait. An error is the text of a panic.
#[inline(never)]
pub(super) fn run_part(local: &Local, slot: Slot, part: &mut dyn FnMut()) -> Result<(), Arc<str>> {
    local.mailbox.meter.around(slot, || run_user(0, None, part))
}

/// A hook that runs on a state.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Hook {
    Start,
    Stop,
}

/// The kind of the user's code that has just run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    /// The handler of a message, or a closure that was to make one.
    Handler,
    /// `on_start`.
    Start,
}

/// Tells the caller of a call that its handler has panicked.
pub(super) type Answer<'a> = &'a mut dyn FnMut(&Arc<str>);

/// The caller is told otherwise, or there is none.
pub(super) fn no_answer(_: &Arc<str>) {}

/// Runs `on_start` if it has not run yet.
#[inline]
pub(super) fn start(instance: &Rc<dyn Recover>, local: &Rc<Local>) {
    start_with(instance, instance.parts().0, local);
}

#[inline]
fn start_with(instance: &Rc<dyn Recover>, common: &Common, local: &Rc<Local>) {
    if common.phase.get() != Phase::New {
        return;
    }
    common.phase.set(Phase::Live);
    match Rc::clone(instance).run_hook(local, Hook::Start) {
        Err(text) => cannot_start(instance, local, &text),
        Ok(()) if common.requested.get() != Requested::None => fulfil(instance, local, Origin::Start),
        Ok(()) => {}
    }
}

/// Ends an instance in an orderly way. It has started before it ends.
pub(super) fn end(instance: &Rc<dyn Recover>, local: &Rc<Local>) {
    let (common, _) = instance.parts();
    start_with(instance, common, local);
    if common.phase.get() == Phase::Ended {
        return;
    }
    run_on_stop(instance, common, local, AfterPanic::Ended);
    drop_state(instance, local, AfterPanic::Ended);
    vacate(instance, local, End::Stopped);
}

/// Drops an instance that was never built, or whose thread will not run.
pub(super) fn discard(instance: &Rc<dyn Recover>, local: &Rc<Local>) {
    instance.common().phase.set(Phase::Ended);
    instance.location().status.set_ended(&End::Stopped);
    drop_state(instance, local, AfterPanic::Ended);
    drop_factory(instance, local);
    local.clear(instance.slot()).tell();
}

/// Resumes an instance that backs off, if this timer is the one that ends its backoff.
pub(super) fn resume_by(instance: &Rc<dyn Recover>, local: &Rc<Local>, timer: u64) {
    if instance.attachments().if_extras(|extras| extras.history.backoff_timer == timer) {
        resume(instance, local);
    }
}

/// Follows up a handler's panic: counts it, recovers, and tells the caller by `answer`, if it was a call.
#[cold]
pub(super) fn handler_panicked(instance: &Rc<dyn Recover>, local: &Rc<Local>, text: &Arc<str>, answer: Answer<'_>) {
    // Before any other code of the user's.
    let origin = PanicOrigin::Handler(take_unwound().unwrap_or("?"));
    instance.account().count_panicked();
    local.mailbox.meter.panicked.add(1);
    recover(instance, local, origin, text, answer);
}

/// Does what the handler that has just returned asked for: a stop or a reset.
#[cold]
pub(super) fn fulfil(instance: &Rc<dyn Recover>, local: &Rc<Local>, origin: Origin) {
    match instance.common().requested.take() {
        Requested::None => {}
        Requested::Stop => end(instance, local),
        Requested::Reset => renew(instance, local, origin),
    }
}

/// Drops the state in an orderly way, and builds a fresh one.
pub(super) fn renew(instance: &Rc<dyn Recover>, local: &Rc<Local>, origin: Origin) {
    let next = if instance.restart().is_some() { AfterPanic::Rebuilt } else { AfterPanic::Ended };
    run_on_stop(instance, instance.parts().0, local, next);
    drop_state(instance, local, next);
    build_again(instance, local, origin);
}

/// Builds a fresh state. After a handler, its `on_start` comes first in the queue. After an `on_start`, the build
/// goes through a timer, behind all mail that waits by then: starts that lead to one another must not starve the
/// others.
fn build_again(instance: &Rc<dyn Recover>, local: &Rc<Local>, origin: Origin) {
    if origin == Origin::Start {
        back_off(instance, local, Duration::ZERO);
        return;
    }
    match rebuild(instance, local) {
        Ok(()) => {
            tell_restarted(instance, local);
            start_first(local, instance.slot(), instance.depth());
        }
        Err(failure) => rebuild_failed(instance, local, failure),
    }
}

/// Builds the state by the instance's own factory. A fault of a simulation may have that fail.
fn rebuild(instance: &Rc<dyn Recover>, local: &Rc<Local>) -> Result<(), Failure> {
    // A copy, so that the factory runs while nothing of ours is borrowed.
    let blueprint = instance.attachments().blueprint().ok_or(Failure::RunsOnce)?;
    match failed_rebuild() {
        Some(text) => Err(Failure::Error(text.into())),
        None => Rc::clone(instance).build(local, &*blueprint.factory),
    }
}

fn tell_restarted(instance: &Rc<dyn Recover>, local: &Local) {
    let restarted = Restarted { instance: instance.location().id(), message: instance.message() };
    local.mailbox.engine.incidents.tell_restarted(&restarted);
}

/// Recovers from a panic of the user's code: see the head of this file. The caller, if there is one, is told by `answer`.
pub(super) fn recover(
    instance: &Rc<dyn Recover>,
    local: &Rc<Local>,
    origin: PanicOrigin,
    text: &Arc<str>,
    answer: Answer<'_>,
) {
    // If the handler asked for a stop before it panicked, the instance ends as stopped.
    let stops = is_to_stop(instance);
    let (decision, in_window) = decide(instance);
    match decision {
        Decision::BackOff(backoff) if !stops => {
            note_restart(instance, local);
            let next = back_off(instance, local, backoff);
            tell(instance, local, origin, text, in_window, next);
            answer(text);
            give_to_on_panic(instance, local, text, next);
            if is_to_stop(instance) {
                vacate(instance, local, End::Stopped);
            }
        }
        Decision::Rebuild if !stops => {
            note_restart(instance, local);
            tell(instance, local, origin, text, in_window, AfterPanic::Rebuilt);
            answer(text);
            give_to_on_panic(instance, local, text, AfterPanic::Rebuilt);
            if is_to_stop(instance) {
                return vacate(instance, local, End::Stopped);
            }
            let origin = if origin == PanicOrigin::OnStart { Origin::Start } else { Origin::Handler };
            build_again(instance, local, origin);
        }
        _ => {
            let why = if stops { End::Stopped } else { End::Panicked(Arc::clone(text)) };
            end_after_panic(instance, local, origin, text, in_window, why);
            answer(text);
        }
    }
}

/// Ends an instance after a panic: for that panic, or since its code had asked for a stop.
fn end_after_panic(
    instance: &Rc<dyn Recover>,
    local: &Rc<Local>,
    origin: PanicOrigin,
    text: &Arc<str>,
    in_window: usize,
    why: End,
) {
    tell(instance, local, origin, text, in_window, AfterPanic::Ended);
    give_to_on_panic(instance, local, text, AfterPanic::Ended);
    vacate(instance, local, why);
}

/// `on_start` has panicked.
#[cold]
fn cannot_start(instance: &Rc<dyn Recover>, local: &Rc<Local>, text: &Arc<str>) {
    if local.mailbox.engine.edge.is_open() {
        return recover(instance, local, PanicOrigin::OnStart, text, &mut no_answer);
    }
    // A shutdown does not wait for an instance that cannot start.
    let (_, in_window) = decide(instance);
    end_after_panic(instance, local, PanicOrigin::OnStart, text, in_window, End::Panicked(Arc::clone(text)));
}

/// Whether its code has asked for its end.
fn is_to_stop(instance: &Rc<dyn Recover>) -> bool {
    instance.common().requested.take() == Requested::Stop
}

/// Decides what becomes of the instance after a panic just now; also gives how many there were in its window.
fn decide(instance: &Rc<dyn Recover>) -> (Decision, usize) {
    // A factory that runs once cannot build it again.
    let Some(restart) = instance.restart() else { return (Decision::End, 1) };
    let (at, id) = (now(), instance.location().id());
    instance.attachments().with_extras(|Extras { history: History { panics, .. }, .. }| {
        // Another number for each instance, and for each panic of one.
        let chance = stable_fraction(&(id, panics.total()));
        let decision = panics.decide(&restart, at, chance);
        (decision, panics.in_window(&restart, at))
    })
}

fn note_restart(instance: &Rc<dyn Recover>, local: &Local) {
    local.mailbox.engine.incidents.count_restart(instance.message());
}

/// Tells the hook and the watchers of a panic.
fn tell(
    instance: &Rc<dyn Recover>,
    local: &Local,
    origin: PanicOrigin,
    text: &Arc<str>,
    in_window: usize,
    next: AfterPanic,
) {
    let (id, message, text) = (instance.location().id(), instance.message(), Arc::clone(text));
    let panic = PanicEvent { instance: id, message, origin, text, in_window, next };
    local.mailbox.engine.incidents.tell_panicked(&panic);
    local.mailbox.roster.tell_panic(&panic);
}

/// As `tell`, of a panic that changes nothing.
#[cold]
fn tell_uncounted(instance: &Rc<dyn Recover>, local: &Local, origin: PanicOrigin, text: &Arc<str>, next: AfterPanic) {
    let restart = instance.restart().unwrap_or_else(Restart::never);
    let in_window = instance.attachments().if_extras(|extras| extras.history.panics.in_window(&restart, now()));
    tell(instance, local, origin, text, in_window, next);
}

/// Begins a backoff. One of no time at all is only a rebuild from the thread's loop.
fn back_off(instance: &Rc<dyn Recover>, local: &Rc<Local>, backoff: Duration) -> AfterPanic {
    instance.common().phase.set(Phase::BackingOff);
    instance.location().status.set_backing_off();
    let until = due_in(backoff);
    let timer = local.timers.set(until, instance.slot());
    instance.attachments().with_extras(|extras| extras.history.backoff_timer = timer);
    if backoff.is_zero() {
        return AfterPanic::Rebuilt;
    }
    let since = until.checked_sub(backoff).unwrap_or_else(now);
    let backing_off = BackingOff { instance: instance.location().id(), message: instance.message(), since, until };
    local.mailbox.roster.begin_backoff(instance.slot(), backing_off);
    AfterPanic::BackingOff { until, backoff }
}

/// Follows up a rebuild that failed, which counts like a panic. The next try comes from the thread's loop, never at
/// once.
fn rebuild_failed(instance: &Rc<dyn Recover>, local: &Rc<Local>, failure: Failure) {
    // A shutdown does not wait for a factory that fails again and again.
    let give_up = matches!(failure, Failure::RunsOnce) || !local.mailbox.engine.edge.is_open() || is_to_stop(instance);
    let why = match failure {
        // The instance was reset; there was no panic.
        Failure::RunsOnce => End::Stopped,
        failure => End::Panicked(failure.into_text()),
    };
    let (decision, in_window) = decide(instance);
    let next = match decision {
        _ if give_up => AfterPanic::Ended,
        Decision::BackOff(backoff) => back_off(instance, local, backoff),
        Decision::Rebuild => back_off(instance, local, Duration::ZERO),
        Decision::End => AfterPanic::Ended,
    };
    if next != AfterPanic::Ended {
        note_restart(instance, local);
    }
    if let End::Panicked(text) = &why {
        tell(instance, local, PanicOrigin::Factory, text, in_window, next);
    }
    // Drops the timers and pipes that the factory set before it failed.
    drop_state(instance, local, next);
    if next == AfterPanic::Ended {
        vacate(instance, local, why);
    }
}

/// Ends the backoff: builds the state, and returns the held mail to the queue.
fn resume(instance: &Rc<dyn Recover>, local: &Rc<Local>) {
    instance.location().status.set_live();
    local.mailbox.roster.end_backoff(instance.slot());
    if let Some(pool) = instance.pool(local) {
        pool.wake_waiting();
    }
    match rebuild(instance, local) {
        Ok(()) => {
            tell_restarted(instance, local);
            requeue(local, instance.slot(), instance.depth());
            start_first(local, instance.slot(), instance.depth());
        }
        Err(failure) => rebuild_failed(instance, local, failure),
    }
}

/// Runs `on_stop`, if the instance is live. A stop or a reset that it asks for is ignored: one is under way.
#[inline]
fn run_on_stop(instance: &Rc<dyn Recover>, common: &Common, local: &Rc<Local>, next: AfterPanic) {
    if common.phase.get() == Phase::Live {
        if let Err(text) = Rc::clone(instance).run_hook(local, Hook::Stop) {
            on_stop_panicked(instance, local, &text, next);
        }
        common.requested.take();
    }
}

/// A panic in `on_stop` changes nothing: the state is dropped next in any case.
#[cold]
fn on_stop_panicked(instance: &Rc<dyn Recover>, local: &Rc<Local>, text: &Arc<str>, next: AfterPanic) {
    tell_uncounted(instance, local, PanicOrigin::OnStop, text, next);
    give_to_on_panic(instance, local, text, next);
}

/// Gives the state whose code has panicked to its `on_panic`, and drops all else that belongs to it.
#[cold]
fn give_to_on_panic(instance: &Rc<dyn Recover>, local: &Rc<Local>, text: &Arc<str>, next: AfterPanic) {
    if let Err(text) = Rc::clone(instance).run_on_panic(local, text) {
        // Without an `on_panic` of the user's the state is only dropped there.
        let origin = if take_unwound().is_some() { PanicOrigin::Drop } else { PanicOrigin::OnPanic };
        tell_uncounted(instance, local, origin, &text, next);
    }
    drop_state(instance, local, next);
}

/// Drops the state with its timers and pipes.
#[cfg_attr(not(debug_assertions), inline(always))]
fn drop_state(instance: &Rc<dyn Recover>, local: &Local, next: AfterPanic) {
    if let Err(text) = instance.drop_state(local) {
        tell_uncounted(instance, local, PanicOrigin::Drop, &text, next);
    }
    if !instance.attachments().is_empty() {
        drop_timers_and_pipes(instance, local, next);
    }
}

fn drop_timers_and_pipes(instance: &Rc<dyn Recover>, local: &Local, next: AfterPanic) {
    let tell = |dropped: Result<(), Arc<str>>| {
        if let Err(text) = dropped {
            tell_uncounted(instance, local, PanicOrigin::Drop, &text, next);
        }
    };
    let parts = instance.attachments().if_extras(|extras| Some((take(&mut extras.timers), take(&mut extras.pipes))));
    let Some((timers, pipes)) = parts else { return };
    let drop_part = |part: &mut dyn FnMut()| tell(run_part(local, instance.slot(), part));
    for (id, timer) in timers.into_entries() {
        local.timers.clear(timer.due, id);
        let mut timer = Some(timer);
        drop_part(&mut || drop(timer.take()));
    }
    for (_, pipe) in pipes.into_entries() {
        let mut pipe = Some(pipe);
        drop_part(&mut || drop(pipe.take()));
    }
}

/// Drops the factory and the hook of an instance that will not be built again, and its history. Mail for it that is still
/// under way carries the hook.
fn drop_factory(instance: &Rc<dyn Recover>, local: &Local) {
    if let Some(blueprint) = instance.attachments().take_blueprint() {
        local.mailbox.meter.around(instance.slot(), || ignoring_panic(|| drop(blueprint)));
    }
    instance.attachments().forget_extras();
}

/// Ends the instance, whose state is dropped: it leaves the registry and its slot, and mail that still comes for it
/// has no receiver. Its watchers are told, after all messages that it has sent.
fn vacate(instance: &Rc<dyn Recover>, local: &Rc<Local>, why: End) {
    let Mailbox { thread, engine, roster, .. } = &*local.mailbox;
    let location = instance.location();
    let slot = location.slot;
    let (common, attachments) = instance.parts();
    point(&engine.world, thread.index(), || Operation::To("end an instance of", instance.message()));
    match common.phase.replace(Phase::Ended) {
        Phase::Ended => return,
        Phase::BackingOff => roster.end_backoff(slot),
        Phase::New | Phase::Live => {}
    }
    location.status.set_ended(&why);
    let panicked = matches!(why, End::Panicked(_));
    let stops_engine = panicked && instance.restart().is_some_and(|restart| restart.stops_engine());
    if !attachments.is_empty() {
        drop_factory(instance, local);
    }
    if instance.pool(local).is_some_and(|pool| pool.remove_one()) {
        // Senders that wait for room in the pool find that it is empty. A sender that waits for this instance alone
        // watches it.
        local.mailbox.wake_all();
    }
    let removed = local.vacate(slot, &why);
    give_up(local, slot);
    let is_first_report = removed.is_first_report;
    removed.tell();
    if is_first_report {
        engine.incidents.tell_ended(|| Ended { instance: location.id(), message: instance.message(), why });
    }
    if stops_engine {
        Arc::clone(&local.owner).stop();
    }
}
