//! An instance: one state in its slot on one thread, from its construction to its drop.
//!
//! All methods here run on the instance's own thread. User code runs through `frame::run_user`, which catches panics;
//! what follows a panic, a reset or a stop is decided here, after the user's code has returned.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::mem::take;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Waker;
use std::time::{Duration, Instant};

use crate::actor::context::Context;
use crate::actor::restart::{Panics, Restart, Verdict};
use crate::actor::timer::{Alarm, due_in, now};
use crate::client::message::{Dispatch, Message, Port, Rebuild, key_hash};
use crate::client::watch::{End, Ended, Status};
use crate::doubles::is_double;
use crate::error::{BoxError, CallError, SpawnError};
use crate::mailbox::dead_letters::OnUndelivered;
use crate::mailbox::roster::{Account, Page};
use crate::mailbox::{Mail, Meter, Order, Serving, Slot};
use crate::messaging::pending::{ReplySlot, answer_orphans, count_orphans};
use crate::route::contents::skip;
use crate::route::endpoint::{Address, Call, Seals};
use crate::route::pool::KnownPool;
use crate::sys::frame::{catch, quietly, run_user};
use crate::thread::local::{Local, ThreadId};
use crate::thread::slots::Birth;
use crate::trace;

/// Names one instance: its thread, and its place there, which no later tenant shares.
///
/// ```
/// use zctor::{ActorEngine, actor};
///
/// #[actor]
/// pub enum JobMessage {
///     #[reply(())]
///     Run,
/// }
/// struct Job;
/// impl JobHandler for Job {
///     fn run(&mut self) {}
/// }
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let engine = ActorEngine::new();
/// let jobs: JobClient = engine.pool(2, JobMessage::actor(|| Job))?;
/// let ids = jobs.instances();
/// assert_eq!(ids[1].thread().index(), 1);
/// assert_eq!(ids[1].to_string(), "1.0");
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct InstanceId {
    pub(crate) thread: ThreadId,
    pub(crate) slot: Slot,
}

impl InstanceId {
    /// The thread that it lives on.
    pub fn thread(self) -> ThreadId {
        self.thread
    }
}

impl fmt::Display for InstanceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.thread, self.slot.index)?;
        match self.slot.generation {
            0 => Ok(()),
            generation => write!(f, "#{generation}"),
        }
    }
}

impl fmt::Debug for InstanceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "InstanceId({self})")
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Built; `on_start` comes before the first message.
    New,
    Live,
    /// Panicked too often: waits before it is built again. Its mail is held.
    Resting,
    Ended,
}

/// What a handler asked for; done when it has returned.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Wish {
    #[default]
    None,
    Reset,
    Stop,
}

/// What of the user's code has just run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Moment {
    /// A message's handler, or a closure for one.
    Handler,
    /// `on_start`.
    Start,
}

/// The part of an instance that does not depend on its types.
pub(crate) struct Common {
    pub(crate) phase: Cell<Phase>,
    pub(crate) wish: Cell<Wish>,
    /// Its code is on the stack: a message for it must wait its turn.
    busy: Cell<bool>,
    /// Its handlers have answered when they return. A double's have not: a test answers for it.
    answers_itself: bool,
}

/// One state and all that it takes to serve it, in one allocation. `O` is what depends on the state's type.
pub(crate) struct Instance<M: Message, O: ?Sized> {
    pub(crate) common: Common,
    pub(crate) address: Arc<Address<M>>,
    /// With its account.
    page: Arc<Page>,
    own: O,
}

/// An instance as the contexts, timers and pipes of its handlers know it.
pub(crate) type Shared<M> = Instance<M, dyn HasExtras<M>>;

/// An instance whose state's type is known.
pub(crate) type Whole<M, S> = Instance<M, Own<M, S>>;

pub(crate) struct Own<M: Message, S> {
    state: RefCell<Option<S>>,
    /// Taken out for a moment while it is looked at. `None` for what is built once and never had any extras.
    kit: Cell<Option<Box<Kit<M, S>>>>,
}

/// What not every instance has.
struct Kit<M: Message, S> {
    /// Gone when the instance has ended: it holds what the user moved into it. What is built once has none.
    blueprint: Option<Blueprint<M, S>>,
    /// Allocated with the first of them.
    extras: Option<Box<Extras<M>>>,
}

impl<M: Message, S> Default for Kit<M, S> {
    fn default() -> Self {
        Self { blueprint: None, extras: None }
    }
}

impl<M: Message, S> Own<M, S> {
    /// Runs none of the user's code.
    fn with_kit(&self, f: impl FnOnce(&mut Kit<M, S>)) {
        let mut kit = self.kit.take().unwrap_or_default();
        f(&mut kit);
        self.kit.set(Some(kit));
    }

    /// As `with_kit`, if it has one.
    fn if_kit<R>(&self, f: impl FnOnce(&mut Kit<M, S>) -> Option<R>) -> Option<R> {
        let mut kit = self.kit.take()?;
        let result = f(&mut kit);
        self.kit.set(Some(kit));
        result
    }
}

/// Where an instance's extras are, whatever the type of its state.
pub(crate) trait HasExtras<M> {
    fn take(&self) -> Option<Box<Extras<M>>>;
    fn put(&self, extras: Box<Extras<M>>);
}

impl<M: Message, S> HasExtras<M> for Own<M, S> {
    fn take(&self) -> Option<Box<Extras<M>>> {
        self.if_kit(|kit| kit.extras.take())
    }

    fn put(&self, extras: Box<Extras<M>>) {
        self.with_kit(|kit| kit.extras = Some(extras));
    }
}

/// How a state is built again.
pub(crate) struct Blueprint<M: Message, S> {
    pub(crate) factory: Arc<Rebuild<M, S>>,
    pub(crate) restart: Restart,
}

impl<M: Message, S> Clone for Blueprint<M, S> {
    fn clone(&self) -> Self {
        Self { factory: Arc::clone(&self.factory), restart: self.restart }
    }
}

/// How an instance comes by its state.
pub(crate) enum Factory<M: Message, S> {
    Again(Blueprint<M, S>),
    Once(Box<dyn FnOnce() -> S>),
}

impl<M: Message, O: ?Sized> Instance<M, O> {
    pub(crate) fn slot(&self) -> Slot {
        self.address.slot
    }

    fn account(&self) -> &Account {
        self.page.account(self.slot())
    }
}

impl<M: Message, O: HasExtras<M> + ?Sized> Instance<M, O> {
    /// Looks at what most instances have not, or changes it; runs none of the user's code.
    pub(crate) fn with_extras<R>(&self, f: impl FnOnce(&mut Extras<M>) -> R) -> R {
        let mut extras = self.own.take().unwrap_or_default();
        let result = f(&mut extras);
        self.own.put(extras);
        result
    }

    /// As `with_extras`, if it has them.
    pub(crate) fn if_extras<R: Default>(&self, f: impl FnOnce(&mut Extras<M>) -> R) -> R {
        let Some(mut extras) = self.own.take() else { return R::default() };
        let result = f(&mut extras);
        self.own.put(extras);
        result
    }
}

/// What an instance has under way beside its messages, and what it keeps if it has panicked.
pub(crate) struct Extras<M> {
    pub(crate) timers: BTreeMap<u64, Alarm<M>>,
    /// The timer whose closure runs just now.
    pub(crate) firing: Option<u64>,
    /// Each with the waker that brings it back here.
    pub(crate) pipes: BTreeMap<u64, WakingPipe<M>>,
    panics: Panics,
    /// The timer that ends its rest.
    alarm: u64,
    /// Mail that waits for the end of its rest.
    held: VecDeque<Mail>,
}

impl<M> Default for Extras<M> {
    fn default() -> Self {
        Self {
            timers: BTreeMap::new(),
            firing: None,
            pipes: BTreeMap::new(),
            panics: Panics::default(),
            alarm: 0,
            held: VecDeque::new(),
        }
    }
}

type WakingPipe<M> = (Waker, Box<dyn PipeTask<M>>);

/// A pipe: something awaited, and what turns its outcome into a message.
pub(crate) trait PipeTask<M> {
    /// Looks whether the outcome is there; `waker` is woken when to look again.
    fn poll(&mut self, waker: &Waker) -> bool;
    /// Runs the user's closure.
    fn finish(self: Box<Self>) -> M;
}

/// What a thread does with an instance whatever its types.
pub(crate) trait AnyInstance {
    fn common(&self) -> &Common;
    fn slot(&self) -> Slot;
    fn born(&self) -> Birth;
    /// Handles the message in an `Option` of its type, if it takes messages now; `true` if nothing is left of that.
    fn handle_message(self: Rc<Self>, local: &Rc<Local>, serving: Serving, message: &mut dyn Any) -> bool;
    /// As `handle_message`, for the call in an `Option<Call>`. One whose caller has given up is skipped.
    fn handle_call(self: Rc<Self>, local: &Rc<Local>, serving: Serving, call: &mut dyn Any) -> bool;
    /// As `handle_message`, for those in a `VecDeque`, one after the other while it takes them and `serving` allows.
    fn handle_batch(self: Rc<Self>, local: &Rc<Local>, serving: Serving, messages: &mut dyn Any) -> bool;
    /// Handles the message in an `Option`, called on this thread just now, if it is free to, under a deadline; `reply` is its
    /// caller's place for that, an `Option` too.
    fn handle_here(
        self: Rc<Self>,
        local: &Rc<Local>,
        message: &mut dyn Any,
        reply: &mut dyn Any,
        deadline: Option<Instant>,
    ) -> OnTheSpot;
    /// Runs `on_start` if it is due.
    fn start(self: Rc<Self>, local: &Rc<Local>);
    /// Ends it in order: `on_stop`, drop.
    fn end(self: Rc<Self>, local: &Rc<Local>);
    /// Drops it as it is, and frees its slot: the thread never came to run, or its factory failed.
    fn discard(&self, local: &Rc<Local>);
    fn tick(self: Rc<Self>, local: &Rc<Local>, id: u64);
    fn piped(self: Rc<Self>, local: &Rc<Local>, id: u64);
    /// Does what follows the end of a handler, if that panicked or asked for something.
    fn settle(self: Rc<Self>, local: &Rc<Local>, panic: Option<&Arc<str>>);
    /// Keeps mail while it rests.
    fn hold(&self, mail: Mail);
    fn take_held(&self) -> VecDeque<Mail>;
    fn holds_mail(&self) -> bool;
}

/// What became of a call that its caller's thread was to handle on the spot.
pub(crate) enum OnTheSpot {
    Handled,
    /// The callee must handle something else first.
    Busy,
    Unsettled(Unsettled),
}

/// The callee has panicked, or asked for something.
pub(crate) struct Unsettled {
    callee: Rc<dyn AnyInstance>,
    panic: Option<Arc<str>>,
}

impl Unsettled {
    /// Does what follows from it; gives the panic's text.
    #[cold]
    pub(crate) fn settle(self, local: &Rc<Local>) -> Option<Arc<str>> {
        self.callee.settle(local, self.panic.as_ref());
        self.panic
    }
}

/// Builds a state on the current thread and gives it a slot; its `on_start` is queued.
pub(crate) fn install<M, S>(
    local: &Rc<Local>,
    pooled: bool,
    factory: Factory<M, S>,
    undelivered: Option<Arc<OnUndelivered<M>>>,
) -> Result<Arc<Address<M>>, SpawnError>
where
    M: Dispatch<S, Port: Send> + Send,
    S: 'static,
{
    #[cfg(target_pointer_width = "64")]
    const {
        let beyond = size_of::<Whole<M, S>>() - size_of::<RefCell<Option<S>>>();
        assert!(size_of::<Address<M>>() <= 40 && beyond <= 32, "there is one of each for each instance");
    }
    let (slot, born) = local.reserve();
    let address = Arc::new(Address {
        mailbox: Arc::clone(&local.mailbox),
        slot,
        seals: &Seals::ALL,
        undelivered,
        status: Status::live(),
        pooled,
        born,
    });
    let instance = Rc::new(Instance {
        common: Common {
            phase: Cell::new(Phase::New),
            wish: Cell::default(),
            busy: Cell::new(false),
            answers_itself: !is_double::<M, S>(),
        },
        address: Arc::clone(&address),
        page: local.enrol(slot, M::NAME),
        own: Own { state: RefCell::new(None), kit: Cell::default() },
    });
    // In its slot before it is built, so that what its factory sends to it finds it there.
    local.settle_in(Rc::clone(&instance) as Rc<dyn AnyInstance>, M::CALL_DEPTH);
    let built = match factory {
        Factory::Again(blueprint) => {
            instance.own.with_kit(|kit| kit.blueprint = Some(blueprint));
            instance.build(local)
        }
        Factory::Once(factory) => instance.build_by(local, |_| Ok(factory())),
    };
    if let Err(failure) = built {
        // It never was an instance: no report counts it.
        instance.discard(local);
        return Err(failure.into_spawn_error(M::NAME));
    }
    local.enqueue(Mail::order(slot, Order::Start));
    Ok(address)
}

enum Failure {
    Error(BoxError),
    Panic(Arc<str>),
    /// A factory that runs once has run.
    Spent,
}

impl Failure {
    /// What is told of it. An error is shown to `note`, and dropped.
    fn into_text(self, note: impl FnOnce(&BoxError)) -> Arc<str> {
        match self {
            Self::Error(error) => {
                // It is the user's: its `Display` and its drop may panic.
                let text = run_user(0, None, || {
                    note(&error);
                    error.to_string()
                });
                quietly(|| drop(error));
                text.map_or_else(|panic| panic, Arc::from)
            }
            Self::Panic(text) => text,
            Self::Spent => "what was built once cannot be built again".into(),
        }
    }

    fn into_spawn_error(self, message: &'static str) -> SpawnError {
        match self {
            Self::Error(source) => SpawnError::Factory { message, source },
            Self::Panic(text) => SpawnError::FactoryPanicked { message, text },
            Self::Spent => SpawnError::FactoryPanicked { message, text: "the factory has run already".into() },
        }
    }
}

impl<M, S> Whole<M, S>
where
    M: Dispatch<S, Port: Send> + Send,
    S: 'static,
{
    /// How it is built again: a copy of the factory, which may run with nothing of ours borrowed, and what limits it.
    fn blueprint(&self) -> Option<Blueprint<M, S>> {
        self.own.if_kit(|kit| kit.blueprint.clone())
    }

    /// Builds a state by the factory that can do so again.
    fn build(self: &Rc<Self>, local: &Rc<Local>) -> Result<(), Failure> {
        let Blueprint { factory, .. } = self.blueprint().ok_or(Failure::Spent)?;
        self.build_by(local, |ctx| factory(ctx))
    }

    /// Runs a factory, at depth 0: it may send, not wait.
    fn build_by(
        self: &Rc<Self>,
        local: &Rc<Local>,
        factory: impl FnOnce(&mut Context<M>) -> Result<S, BoxError>,
    ) -> Result<(), Failure> {
        let mut ctx = self.context(local);
        let built = run_user(0, None, || factory(&mut ctx)).map_err(Failure::Panic)?;
        self.own.state.replace(Some(built.map_err(Failure::Error)?));
        self.common.wish.set(Wish::None);
        self.common.phase.set(Phase::New);
        Ok(())
    }

    /// What its code is given while it runs.
    #[inline]
    fn context(self: &Rc<Self>, local: &Rc<Local>) -> Context<M> {
        Context::new(Rc::clone(local), Rc::clone(self) as Rc<Shared<M>>)
    }

    /// Runs a piece of the user's code on the state, and does what it asked for. The outcome says whether it panicked.
    #[inline(always)]
    fn work<R>(
        self: &Rc<Self>,
        local: &Rc<Local>,
        deadline: Option<Instant>,
        f: impl FnOnce(&mut S, &mut Context<M>) -> R,
    ) -> Option<Result<R, Arc<str>>> {
        let mut state = self.own.state.borrow_mut();
        let state = state.as_mut()?;
        let mut ctx = self.context(local);
        let meter = &local.mailbox.meter;
        self.common.busy.set(true);
        let before = meter.run(self.slot());
        let outcome = run_user(M::CALL_DEPTH, deadline, || f(state, &mut ctx));
        meter.resume(before);
        self.common.busy.set(false);
        Some(outcome)
    }

    /// Handles messages that had come as mail: each time, `next` runs the handler of one, and says whether another may
    /// follow. All of it is one piece of the user's code, whose beginning and end cost more than a small handler.
    #[inline(always)]
    fn handle(
        self: Rc<Self>,
        local: &Rc<Local>,
        slot: &mut ReplySlot<'_, M::Port>,
        deadline: Option<Instant>,
        mut next: impl FnMut(&mut S, &mut Context<M>, &mut ReplySlot<'_, M::Port>) -> bool,
    ) {
        let (account, meter) = (self.account(), &local.mailbox.meter);
        let outcome = self.work(local, deadline, |state, ctx| {
            let orphans = count_orphans();
            loop {
                let goes_on = next(state, ctx, slot);
                count_handled(account, meter);
                if !goes_on || self.common.wish.get() != Wish::None {
                    break;
                }
                answer_orphans(orphans, None);
            }
        });
        match outcome {
            Some(Ok(())) if self.common.wish.get() == Wish::None => {}
            Some(Ok(())) => self.grant(local, Moment::Handler),
            // Only the last is not counted as handled.
            Some(Err(text)) => self.failed(local, slot.take(), &text),
            // Not reached: a letter is delivered to live instances only, and those have a state.
            None => debug_assert!(false, "delivered to an instance without a state"),
        }
    }

    /// Handles one message, which is taken out of its place where its handler begins, so that it is moved once.
    #[inline(always)]
    fn handle_one(
        self: Rc<Self>,
        local: &Rc<Local>,
        message: &mut Option<M>,
        slot: &mut ReplySlot<'_, M::Port>,
        deadline: Option<Instant>,
    ) {
        self.handle(local, slot, deadline, |state, ctx, slot| {
            if let Some(message) = message.take() {
                message.__dispatch(state, ctx, slot);
            }
            false
        });
    }

    /// A handler has panicked.
    #[cold]
    fn failed(self: Rc<Self>, local: &Rc<Local>, port: Option<M::Port>, text: &Arc<str>) {
        self.account().count_panicked();
        Meter::add(&local.mailbox.meter.panicked, 1);
        self.recover(local, Moment::Handler, text, || {
            if let Some(port) = port {
                quietly(|| port.fail(CallError::Panicked { message: M::NAME, text: Arc::clone(text) }));
            }
        });
    }

    /// Handles a message of its own: a timer's or a pipe's.
    fn handle_own(self: Rc<Self>, local: &Rc<Local>, message: M) {
        count_taken(self.account(), &local.mailbox.meter);
        self.handle_one(local, &mut Some(message), &mut ReplySlot::Nobody, None);
    }

    /// Runs `on_start` if that is due, since it comes before all else; gives whether it takes messages then.
    #[inline]
    fn get_ready(self: &Rc<Self>, local: &Rc<Local>) -> bool {
        if self.common.phase.get() == Phase::New {
            Rc::clone(self).start(local);
        }
        self.common.phase.get() == Phase::Live && !local.mailbox.edge.is_sealed()
    }

    /// Nothing is queued for it that would come before a call made now, and it can handle that at once: its code is not on
    /// the stack, and it has started, and neither rests nor has it ended.
    #[inline]
    fn is_free(&self, account: &Account) -> bool {
        let Common { phase, busy, answers_itself, .. } = &self.common;
        account.is_unburdened() && !busy.get() && phase.get() == Phase::Live && *answers_itself
    }

    /// Does what the handler that just returned asked for.
    #[cold]
    fn grant(self: Rc<Self>, local: &Rc<Local>, moment: Moment) {
        match self.common.wish.take() {
            Wish::None => {}
            Wish::Stop => self.end(local),
            Wish::Reset => {
                self.say_goodbye(local);
                self.drop_state(local);
                self.build_again(local, moment);
            }
        }
    }

    /// Builds a fresh state. After a handler its `on_start` comes first in the queue; but a start that leads to another
    /// goes through a timer, behind all that waits by then, so that it starves nobody.
    fn build_again(self: Rc<Self>, local: &Rc<Local>, moment: Moment) {
        if moment == Moment::Start {
            return self.rest(local, Duration::ZERO);
        }
        match self.build(local) {
            Ok(()) => local.start_first(self.slot(), M::CALL_DEPTH),
            Err(failure) => self.mend(local, failure),
        }
    }

    /// After a panic in the user's code: the state goes, and comes again by the factory, at once or after a rest.
    ///
    /// `answer` tells the caller. It comes after what a caller that tries again must find: that the instance rests, or
    /// has ended; and before a rebuild, which may take its time.
    fn recover(self: Rc<Self>, local: &Rc<Local>, moment: Moment, text: &Arc<str>, answer: impl FnOnce()) {
        // What asked for its end before it panicked gets it.
        let why = match self.common.wish.take() {
            Wish::Stop => Some(End::Stopped),
            _ => None,
        };
        let verdict = if why.is_some() { Verdict::End } else { self.judge() };
        match verdict {
            Verdict::End => {
                self.drop_state(local);
                self.vacate(local, why.unwrap_or_else(|| End::Panicked(Arc::clone(text))));
                answer();
            }
            Verdict::Rest(rest) => {
                self.note_restart(local);
                self.rest(local, rest);
                answer();
                self.drop_state(local);
            }
            Verdict::Rebuild => {
                self.note_restart(local);
                answer();
                self.drop_state(local);
                self.build_again(local, moment);
            }
        }
    }

    /// What becomes of the instance after a panic just now.
    fn judge(&self) -> Verdict {
        match self.blueprint() {
            Some(Blueprint { restart, .. }) => {
                let at = now();
                // The low digits of the time are chance enough to set instances apart.
                let chance = f64::from(key_hash(&(at, self.id())) as u32) / f64::from(u32::MAX);
                self.with_extras(|extras| extras.panics.judge(&restart, at, chance))
            }
            // What runs once cannot be built again.
            None => Verdict::End,
        }
    }

    fn note_restart(&self, local: &Rc<Local>) {
        local.count_restart();
        quietly(|| trace::restarting(M::NAME, self.id()));
    }

    fn rest(&self, local: &Rc<Local>, rest: Duration) {
        if !rest.is_zero() {
            quietly(|| trace::resting(M::NAME, self.id(), rest));
        }
        self.common.phase.set(Phase::Resting);
        self.address.status.set_resting();
        let alarm = local.set_timer(due_in(rest), self.slot());
        self.with_extras(|extras| extras.alarm = alarm);
    }

    /// The rebuild failed: that counts like a panic. It is tried again from the thread's loop, never at once.
    fn mend(self: Rc<Self>, local: &Rc<Local>, failure: Failure) {
        // A shutdown does not wait for a factory that fails again and again.
        let give_up =
            matches!(failure, Failure::Spent) || !local.mailbox.edge.is_open() || self.common.wish.take() == Wish::Stop;
        let why = match failure {
            // It was reset, and nothing panicked.
            Failure::Spent => End::Stopped,
            failure => End::Panicked(failure.into_text(|error| trace::rebuild_failed(M::NAME, self.id(), error))),
        };
        // What the factory set before it failed: timers and pipes.
        self.drop_state(local);
        match self.judge() {
            Verdict::Rest(rest) if !give_up => {
                self.note_restart(local);
                self.rest(local, rest);
            }
            Verdict::Rebuild if !give_up => {
                self.note_restart(local);
                self.rest(local, Duration::ZERO);
            }
            _ => self.vacate(local, why),
        }
    }

    fn revive(self: Rc<Self>, local: &Rc<Local>) {
        self.address.status.set_live();
        if let Some(known) = self.pool(local) {
            known.pool.call_waiting();
        }
        match self.build(local) {
            Ok(()) => {
                local.requeue(M::CALL_DEPTH, self.take_held());
                local.start_first(self.slot(), M::CALL_DEPTH);
            }
            Err(failure) => self.mend(local, failure),
        }
    }

    /// The pool that it is in, if it is in one.
    fn pool(&self, local: &Local) -> Option<Rc<KnownPool<M>>> {
        if self.address.pooled { local.pool::<M>() } else { None }
    }

    fn say_goodbye(self: &Rc<Self>, local: &Rc<Local>) {
        if self.common.phase.get() == Phase::Live {
            // A panic in `on_stop` ends nothing that is not ending anyway.
            let _ = self.work(local, None, M::__on_stop);
            self.common.wish.take();
        }
    }

    /// Drops the state with all that belongs to it: timers and pipes.
    fn drop_state(&self, local: &Rc<Local>) {
        let state = self.own.state.take();
        quietly(|| drop(state));
        let (timers, pipes) = self.if_extras(|extras| (take(&mut extras.timers), take(&mut extras.pipes)));
        for (id, alarm) in timers {
            local.clear_timer(alarm.due, id);
            quietly(|| drop(alarm));
        }
        for pipe in pipes.into_values() {
            quietly(|| drop(pipe));
        }
    }

    /// It will not be built again.
    fn drop_factory(&self) {
        let blueprint = self.own.if_kit(|kit| kit.blueprint.take());
        quietly(|| drop(blueprint));
    }

    /// Leaves the registry and the slot; what still comes for it finds nobody. Those who watch it are told, behind all
    /// that it has sent.
    fn vacate(&self, local: &Rc<Local>, why: End) {
        if self.common.phase.replace(Phase::Ended) == Phase::Ended {
            return;
        }
        self.address.status.set_ended(&why);
        self.drop_factory();
        if let Some(known) = self.pool(local) {
            known.pool.remove_one();
        }
        // Who waits for room for it waits in vain.
        local.mailbox.call_all();
        let held = self.take_held();
        let struck = local.vacate(self.slot(), &why);
        local.give_up(self.slot(), held);
        let is_news = struck.is_news;
        struck.tell();
        if is_news {
            local.mailbox.edge.losses.ended(&Ended { instance: self.id(), message: M::NAME, why });
        }
    }

    pub(crate) fn id(&self) -> InstanceId {
        self.address.id()
    }
}

impl<M, S> AnyInstance for Whole<M, S>
where
    M: Dispatch<S, Port: Send> + Send,
    S: 'static,
{
    fn common(&self) -> &Common {
        &self.common
    }

    fn slot(&self) -> Slot {
        self.address.slot
    }

    fn born(&self) -> Birth {
        self.address.born
    }

    fn handle_message(self: Rc<Self>, local: &Rc<Local>, serving: Serving, message: &mut dyn Any) -> bool {
        let Some(message) = known(message) else { return true };
        if !self.get_ready(local) {
            return false;
        }
        begin(local, serving);
        self.handle_one(local, message, &mut ReplySlot::Nobody, None);
        true
    }

    fn handle_call(self: Rc<Self>, local: &Rc<Local>, serving: Serving, call: &mut dyn Any) -> bool {
        let Some(call) = known::<Option<Call<M>>>(call) else { return true };
        if !self.get_ready(local) {
            return false;
        }
        begin(local, serving);
        let Some(call) = call.take() else { return true };
        let terms = if serving.on_terms { call.port.terms() } else { None };
        let deadline = match terms {
            Some(terms) if !terms.begin() => {
                skip(call, &self.address, local, serving.from_hook);
                return true;
            }
            Some(terms) => terms.deadline(),
            None => None,
        };
        let Call { message, port } = call;
        self.handle_one(local, &mut Some(message), &mut ReplySlot::Port(port), deadline);
        true
    }

    fn handle_batch(self: Rc<Self>, local: &Rc<Local>, serving: Serving, messages: &mut dyn Any) -> bool {
        let Some(messages) = known::<VecDeque<M>>(messages) else { return true };
        if !self.get_ready(local) {
            return false;
        }
        // They stay in the letter until each is begun: what comes after a panic or a wish is left there.
        let mut budget = serving.budget;
        self.handle(local, &mut ReplySlot::Nobody, None, |state, ctx, slot| {
            begin(local, serving);
            if let Some(message) = messages.pop_front() {
                message.__dispatch(state, ctx, slot);
            }
            budget = budget.saturating_sub(1);
            budget > 0 && !messages.is_empty() && !local.mailbox.edge.is_sealed()
        });
        messages.is_empty()
    }

    fn handle_here(
        self: Rc<Self>,
        local: &Rc<Local>,
        message: &mut dyn Any,
        reply: &mut dyn Any,
        deadline: Option<Instant>,
    ) -> OnTheSpot {
        let account = self.account();
        let Some(message) = known::<Option<M>>(message).filter(|_| self.is_free(account)) else {
            return OnTheSpot::Busy;
        };
        let meter = &local.mailbox.meter;
        count_taken(account, meter);
        let mut slot = ReplySlot::Here(reply);
        let outcome = self.work(local, deadline, |state, ctx| {
            // Taken out of its place here, so that it is moved once.
            if let Some(message) = message.take() {
                message.__dispatch(state, ctx, &mut slot);
            }
        });
        match outcome {
            // Its caller is told by what this gives.
            Some(Err(text)) => OnTheSpot::Unsettled(Unsettled { callee: self, panic: Some(text) }),
            Some(Ok(())) | None => {
                count_handled(account, meter);
                match self.common.wish.get() {
                    Wish::None => OnTheSpot::Handled,
                    _ => OnTheSpot::Unsettled(Unsettled { callee: self, panic: None }),
                }
            }
        }
    }

    fn start(self: Rc<Self>, local: &Rc<Local>) {
        if self.common.phase.get() != Phase::New {
            return;
        }
        self.common.phase.set(Phase::Live);
        match self.work(local, None, M::__on_start) {
            // A shutdown does not wait for an instance that cannot start.
            Some(Err(text)) if !local.mailbox.edge.is_open() => {
                self.drop_state(local);
                self.vacate(local, End::Panicked(text));
            }
            Some(Err(text)) => self.recover(local, Moment::Start, &text, || ()),
            _ => self.grant(local, Moment::Start),
        }
    }

    fn end(self: Rc<Self>, local: &Rc<Local>) {
        if self.common.phase.get() == Phase::Ended {
            return;
        }
        self.say_goodbye(local);
        self.drop_state(local);
        self.vacate(local, End::Stopped);
    }

    fn discard(&self, local: &Rc<Local>) {
        self.common.phase.set(Phase::Ended);
        self.address.status.set_ended(&End::Stopped);
        self.drop_state(local);
        self.drop_factory();
        local.leave(self.slot(), &End::Stopped, |_| ()).tell();
    }

    fn tick(self: Rc<Self>, local: &Rc<Local>, id: u64) {
        if self.common.phase.get() == Phase::Resting {
            if self.if_extras(|extras| extras.alarm == id) {
                self.revive(local);
            }
            return;
        }
        // A shutdown closes the timers; only an instance that rests still comes back to serve what it holds.
        if !local.mailbox.edge.is_open() {
            return;
        }
        // Out of the map while the user's closure runs: it may set and cancel timers.
        let Some(alarm) = self.if_extras(|extras| extras.timers.remove(&id)) else {
            return;
        };
        match alarm.fire(local, &*self, id) {
            Ok(message) => self.handle_own(local, message),
            Err(text) => self.recover(local, Moment::Handler, &text, || ()),
        }
    }

    fn piped(self: Rc<Self>, local: &Rc<Local>, id: u64) {
        let Some((waker, mut pipe)) = self.if_extras(|extras| extras.pipes.remove(&id)) else { return };
        match catch(|| pipe.poll(&waker)) {
            Ok(false) => self.with_extras(|extras| drop(extras.pipes.insert(id, (waker, pipe)))),
            Ok(true) => match run_user(0, None, || pipe.finish()) {
                Ok(message) => self.handle_own(local, message),
                Err(text) => self.recover(local, Moment::Handler, &text, || ()),
            },
            Err(_) => debug_assert!(false, "a pipe's own poll runs no user code"),
        }
    }

    fn settle(self: Rc<Self>, local: &Rc<Local>, panic: Option<&Arc<str>>) {
        match panic {
            None => self.grant(local, Moment::Handler),
            Some(text) => self.failed(local, None, text),
        }
    }

    fn hold(&self, mail: Mail) {
        self.with_extras(|extras| extras.held.push_back(mail));
    }

    fn take_held(&self) -> VecDeque<Mail> {
        self.if_extras(|extras| take(&mut extras.held))
    }

    fn holds_mail(&self) -> bool {
        self.if_extras(|extras| !extras.held.is_empty())
    }
}

/// A message is taken in that is handled at once.
#[inline]
fn count_taken(account: &Account, meter: &Meter) {
    account.take_in(1);
    Meter::add(&meter.taken, 1);
}

/// A message is done with: counted before any other code of the user's, which may never return, so that it is counted
/// once.
#[inline]
fn count_handled(account: &Account, meter: &Meter) {
    account.count_handled();
    Meter::add(&meter.handled, 1);
}

/// What a letter or a caller hands over, as the type that it has.
#[inline]
fn known<T: 'static>(content: &mut dyn Any) -> Option<&mut T> {
    let content = content.downcast_mut();
    debug_assert!(content.is_some(), "a slot's generation names one instance, whose messages' type its senders know");
    content
}

/// A message is begun.
#[inline]
fn begin(local: &Local, serving: Serving) {
    if serving.permitted {
        local.mailbox.give_back(1);
    }
}
