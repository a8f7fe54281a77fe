//! A handler that waits does not block its thread: the thread serves the lanes below the handler's call depth.
//!
//! So a callee on the same thread, or one that needs this thread, makes progress. ARCHITECTURE.md proves that every
//! call ends, in "Why calls end".

use std::ops::Deref;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Waker;
use std::time::{Duration, Instant};

use crate::mailbox::Mailbox;
use crate::mailbox::engine_shared::EngineShared;
use crate::mailbox::parked::Park;
use crate::mailbox::waits::{Callee, OutsideThread, Waiter};
use crate::reply::oneshot::Receiver;
use crate::sys::awaited::Awaited;
use crate::sys::clock::now;
use crate::sys::frame::Frame;
use crate::sys::outside::wait_outside_noted;
use crate::sys::park::Parker;
use crate::sys::spin::{Budget, Spin, Spun};
use crate::thread::borrowed::{as_actor_thread, is_done};
use crate::thread::carried::{Home, home};
use crate::thread::local::{Local, local};
use crate::thread::run::{at_rest, free_memory, parked};
use crate::thread::serve::serve;
use crate::thread::take_in::{queue_due_timers, take_in};

/// Something that `wait` waits for. The statistics list the waits for replies.
pub(crate) trait WaitedFor: Awaited {
    /// The callee that the reply must come from, and its engine.
    fn callee(&self) -> Option<(Callee, Arc<EngineShared>)> {
        None
    }
}

impl<T> WaitedFor for Receiver<T> {}

/// The same without its type: its outcome is kept beside it. So a wait is compiled once, and not for each type of
/// replies.
trait AnyWaitedFor {
    fn is_ready(&self) -> bool;
    /// Whether the outcome is there, and kept.
    fn poll(&mut self, waker: &Waker) -> bool;
    fn poll_listed(&mut self, parker: &Arc<Parker>, waker: &Waker) -> bool;
    fn spin(&self) -> Spin;
    fn callee(&self) -> Option<(Callee, Arc<EngineShared>)>;
}

/// Something that a thread waits for, with the place for its outcome.
struct Waiting<'a, A: WaitedFor> {
    awaited: &'a mut A,
    outcome: Option<A::Output>,
}

impl<A: WaitedFor> AnyWaitedFor for Waiting<'_, A> {
    fn is_ready(&self) -> bool {
        self.awaited.is_ready()
    }

    fn poll(&mut self, waker: &Waker) -> bool {
        self.outcome = self.awaited.poll(waker);
        self.outcome.is_some()
    }

    fn poll_listed(&mut self, parker: &Arc<Parker>, waker: &Waker) -> bool {
        self.outcome = self.awaited.poll_listed(parker, waker);
        self.outcome.is_some()
    }

    fn spin(&self) -> Spin {
        self.awaited.spin()
    }

    fn callee(&self) -> Option<(Callee, Arc<EngineShared>)> {
        self.awaited.callee()
    }
}

impl Awaited for dyn AnyWaitedFor + '_ {
    type Output = ();

    fn is_ready(&self) -> bool {
        AnyWaitedFor::is_ready(self)
    }

    fn poll(&mut self, waker: &Waker) -> Option<()> {
        AnyWaitedFor::poll(self, waker).then_some(())
    }

    fn poll_listed(&mut self, parker: &Arc<Parker>, waker: &Waker) -> Option<()> {
        AnyWaitedFor::poll_listed(self, parker, waker).then_some(())
    }

    fn spin(&self) -> Spin {
        AnyWaitedFor::spin(self)
    }
}

/// A handler's wait that is listed in the statistics until this is dropped.
struct NotedHandler<B: Deref<Target = Mailbox>> {
    mailbox: B,
    number: u64,
}

impl<B: Deref<Target = Mailbox>> NotedHandler<B> {
    fn new(mailbox: B, waiter: Waiter, callee: Callee, since: Instant) -> Self {
        let number = mailbox.waits.begin(waiter, callee, since);
        Self { mailbox, number }
    }
}

impl<B: Deref<Target = Mailbox>> Drop for NotedHandler<B> {
    fn drop(&mut self) {
        self.mailbox.waits.end(self.number);
    }
}

/// The same of a thread outside the engine of the callee.
struct NotedCaller {
    engine: Arc<EngineShared>,
    number: u64,
}

impl NotedCaller {
    #[inline]
    fn new(engine: Arc<EngineShared>, callee: Callee, parker: &Arc<Parker>, since: Instant) -> Self {
        let number = engine.callers.begin(OutsideThread(Arc::clone(parker)), callee, since);
        Self { engine, number }
    }
}

impl Drop for NotedCaller {
    fn drop(&mut self) {
        self.engine.callers.end(self.number);
    }
}

/// A wait that an abandonment ends until this is dropped.
struct AbandonmentWatch {
    engine: Arc<EngineShared>,
    number: u64,
}

impl AbandonmentWatch {
    fn new(engine: &Arc<EngineShared>, waker: &Waker) -> Self {
        Self { engine: Arc::clone(engine), number: engine.join_waiters(waker) }
    }
}

impl Drop for AbandonmentWatch {
    fn drop(&mut self) {
        self.engine.leave_waiters(self.number);
    }
}

/// A wait of an actor thread, listed until this is dropped.
struct NotedWait<'l> {
    local: &'l Local,
    /// The variant of the waiting handler. Handlers that are served meanwhile note their own.
    variant: Option<&'static str>,
    _handler: Option<NotedHandler<&'l Mailbox>>,
    _caller: Option<NotedCaller>,
}

impl Drop for NotedWait<'_> {
    fn drop(&mut self) {
        self.local.variant.set(self.variant);
    }
}

/// Lists a wait on this actor thread, for the statistics.
///
/// A wait of an instance is listed as one of its handler. It is listed in the callee's engine too, as one of a thread
/// outside, if that is another engine: there it must be woken when that engine abandons threads. When this thread's own
/// engine does, it wakes all of its threads. A wait of code that is no instance's, on a thread that is
/// borrowed by `here`, is listed only as one of a thread outside.
fn note_wait<'l>(local: &'l Local, awaited: &dyn AnyWaitedFor, since: Instant) -> NotedWait<'l> {
    let (mailbox, variant) = (&*local.mailbox, local.variant.get());
    let mut noted = NotedWait { local, variant, _handler: None, _caller: None };
    if let Some((callee, engine)) = awaited.callee() {
        let is_elsewhere = !Arc::ptr_eq(&engine, &mailbox.engine);
        let waiter = mailbox.meter.running().map(|slot| Waiter { slot, variant, is_elsewhere });
        let is_outside = is_elsewhere || waiter.is_none();
        noted._handler = waiter.map(|waiter| NotedHandler::new(mailbox, waiter, callee, since));
        noted._caller = is_outside.then(|| NotedCaller::new(engine, callee, &mailbox.parker, since));
    }
    noted
}

/// A wait of a thread outside, listed until this is dropped.
#[derive(Default)]
struct NotedOutside {
    _handler: Option<NotedHandler<Arc<Mailbox>>>,
    _caller: Option<NotedCaller>,
    _watched: Option<AbandonmentWatch>,
}

/// Lists what a thread outside waits for.
#[inline]
fn note_outside(awaited: &(dyn AnyWaitedFor + '_), parker: &Arc<Parker>) -> NotedOutside {
    let since = now();
    let Some((callee, engine)) = awaited.callee() else { return NotedOutside::default() };
    match home() {
        None => {
            NotedOutside { _caller: Some(NotedCaller::new(engine, callee, parker, since)), ..NotedOutside::default() }
        }
        Some(home) => note_carried(&home, (callee, engine), parker, since),
    }
}

/// Lists what carried code waits for: as a wait of its handler, whose thread is not this one.
#[cold]
fn note_carried(
    home: &Home,
    (callee, engine): (Callee, Arc<EngineShared>),
    parker: &Arc<Parker>,
    since: Instant,
) -> NotedOutside {
    let is_elsewhere = !Arc::ptr_eq(&engine, &home.mailbox.engine);
    let handler = NotedHandler::new(Arc::clone(&home.mailbox), home.waiter(is_elsewhere), callee, since);
    let watched = (!is_elsewhere).then(|| AbandonmentWatch::new(&engine, &Waker::from(Arc::clone(parker))));
    let caller = is_elsewhere.then(|| NotedCaller::new(engine, callee, parker, since));
    NotedOutside { _handler: Some(handler), _caller: caller, _watched: watched }
}

/// Waits for `awaited`. An actor thread serves the lanes below the current handler's call depth meanwhile. `None` at
/// the deadline, or when the waiting thread itself must end or was abandoned.
pub(crate) fn wait<A: WaitedFor>(awaited: &mut A, until: Option<Instant>) -> Option<A::Output> {
    // A callee on this thread has answered already.
    if awaited.is_ready() {
        if let Some(output) = awaited.poll(Waker::noop()) {
            return Some(output);
        }
    }
    let mut waiting = Waiting { awaited, outcome: None };
    wait_for_any(&mut waiting, until);
    waiting.outcome
}

#[inline(never)]
fn wait_for_any(awaited: &mut dyn AnyWaitedFor, until: Option<Instant>) {
    let _: Option<()> = match local() {
        Some(local) if !is_done(&local) || Frame::current().is_user_code() => {
            as_actor_thread(&local, || wait_here(&local, Frame::current().serves_below(), awaited, until))
        }
        _ => wait_outside_noted(awaited, until, note_outside),
    };
}

/// Waits on an actor thread, and serves the lanes below a call depth meanwhile.
fn wait_here(local: &Rc<Local>, below: u32, awaited: &mut dyn AnyWaitedFor, deadline: Option<Instant>) -> Option<()> {
    let parker = &local.mailbox.parker;
    let due = || [deadline, local.next_timer()].into_iter().flatten().min();
    let spin = local.mailbox.engine.spin.no_later_than(due);
    let (mut may_serve, mut budget) = spin_here(local, below, awaited, spin);
    if awaited.is_ready() && awaited.poll(Waker::noop()) {
        return Some(());
    }
    // Only a wait that serves or parks is listed.
    let since = now();
    let _wait = note_wait(local, awaited, since);
    // The first turn serves what is queued, if anything is. Then it looks at the mailbox behind the announcement, and
    // parks at the time that the wait is listed with.
    let mut first = Some(since);
    loop {
        if awaited.is_ready() && awaited.poll(Waker::noop()) {
            return Some(());
        }
        let since = first.take();
        if since.is_none() {
            take_in(local);
            queue_due_timers(local);
        }
        let served = may_serve && serve(local, below, 1) > 0;
        may_serve = true;
        if deadline.is_some_and(|deadline| deadline <= now()) || is_told_to_end(local, below) {
            return awaited.poll(Waker::noop()).then_some(());
        }
        if served {
            continue;
        }
        parker.announce();
        if awaited.poll_listed(parker, &local.waker) {
            parker.retract();
            return Some(());
        }
        if !take_in(local) || local.has_mail(below) {
            parker.retract();
            continue;
        }
        let time = park_here(local, below, since, due);
        budget.take().into_iter().for_each(|budget| budget.parked_for(time));
    }
}

/// Spins for the reply, unless mail can be served, which comes first: the reply may depend on it. Gives whether there is
/// such mail, and the budget of a spin in vain.
#[cfg_attr(not(debug_assertions), inline(always))]
fn spin_here<'l>(
    local: &'l Rc<Local>,
    below: u32,
    awaited: &dyn AnyWaitedFor,
    spin: Spin,
) -> (bool, Option<&'l Budget>) {
    if matches!(spin, Spin::UpTo(_)) {
        // A push that came before the announcement does not end the spin, and this one may be long.
        take_in(local);
    }
    if local.has_mail(below) {
        return (true, None);
    }
    match local.mailbox.parker.spin_for_reply(&local.budgets, spin, || awaited.is_ready()) {
        Spun::Came => (false, None),
        Spun::Nothing(budget) => (false, budget),
    }
}

/// Whether code that serves this depth is outside every handler. It runs on an actor thread only by `here`.
fn is_loop(below: u32) -> bool {
    below == u32::MAX
}

/// Whether the wait must end: its thread is closed, or the engine has told the calling thread of `here` to end.
fn is_told_to_end(local: &Local, below: u32) -> bool {
    local.mailbox.parker.is_closed() || (is_loop(below) && local.ending.get())
}

/// Parks a thread that waits here, until it is woken or something is due. Gives for how long it was parked.
#[cfg_attr(not(debug_assertions), inline(always))]
fn park_here(local: &Rc<Local>, below: u32, since: Option<Instant>, due: impl FnOnce() -> Option<Instant>) -> Duration {
    let is_loop = is_loop(below);
    let park = if is_loop { Park::Idle } else { Park::Waiting };
    let mut time = Duration::ZERO;
    // That code is outside: while it waits, and no mail is held, its thread is at rest.
    let rests = is_loop && local.held.is_empty();
    if rests {
        free_memory(local);
    }
    at_rest(local, rests, || time = parked(local, park, since.unwrap_or_else(now), due()));
    time
}
