//! The way into a simulated world, for the files of `sys/` and for the points of the runtime.
//!
//! A thread of a world is a *member* of it. All that blocks, wakes, starts threads or reads the clock asks first
//! whether its thread is one. Threads that are none use the machine as it is, in the same process.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, Once, Weak};
use std::thread::Builder;
use std::time::{Duration, Instant};

use self::choice::Step;
use self::faults::{INJECTED, Strike};
use self::invariants::{Invariant, is_asking};
use self::record::Record;
use self::setup::Setup;
use self::state::{Alarm, On};
use self::world::World;
use crate::sys::lock::lock;
use crate::sys::operation::Operation;
use crate::sys::outline::choose;
use crate::sys::unwind::Unwound;

mod choice;
pub(crate) mod dice;
pub(crate) mod faults;
pub(crate) mod invariants;
pub(crate) mod planted;
pub(crate) mod record;
mod report;
pub(crate) mod schedule;
pub(crate) mod setup;
pub(crate) mod state;
mod strikes;
pub(crate) mod turns;
mod world;

pub(crate) use self::planted::Planted;

/// How many worlds there are: while there is none, no thread asks whether it is a member.
static WORLDS: AtomicUsize = AtomicUsize::new(0);

/// The worlds that run, to be told of what threads outside do to them.
static RUNNING: Mutex<Vec<Weak<World>>> = Mutex::new(Vec::new());

thread_local! {
    static MEMBER: RefCell<Option<MemberRef>> = const { RefCell::new(None) };
}

thread_local! {
    /// Whether this thread has been one of a world.
    static HAS_LEFT: Cell<bool> = const { Cell::new(false) };
}

/// A member of a world: a thread, by its world and its number there.
#[derive(Clone)]
pub(crate) struct MemberRef {
    world: Arc<World>,
    id: usize,
}

/// Whether there is a world, so that this thread may be a member of one.
#[inline(always)]
pub(crate) fn are_there_worlds() -> bool {
    // Relaxed: a thread of a world was started after its world was counted.
    WORLDS.load(Ordering::Relaxed) != 0
}

/// This thread as a member of its world, if it is one.
#[inline]
pub(crate) fn this_member() -> Option<MemberRef> {
    if are_there_worlds() { find_member() } else { None }
}

#[cold]
#[inline(never)]
fn find_member() -> Option<MemberRef> {
    MEMBER.try_with(|member| member.borrow().clone()).ok().flatten()
}

/// The world that an engine belongs to, by its number; 0 for the real one.
pub(crate) struct WorldId(u64);

impl WorldId {
    /// The world of this thread.
    pub(crate) fn here() -> Self {
        Self(this_member().map_or(0, |member| member.world.number))
    }

    pub(crate) fn is_simulated(&self) -> bool {
        self.0 != 0
    }
}

/// A scheduling point: to be called before an operation on something that other threads can see; never under a lock.
/// `world` is that of the engine that it belongs to.
///
/// While there is no world it is a load and a branch. All else is in functions of their own, so that it does not weigh on
/// the code around the point.
///
/// # Panics
/// If this thread is not of that world: when it comes here would not be in the seed.
#[inline(always)]
pub(crate) fn point(world: &WorldId, object: usize, operation: impl FnOnce() -> Operation) {
    if are_there_worlds() {
        take_step(world, object, operation);
    }
}

/// Whether scheduling points are built in.
pub(crate) const HAS_POINTS: bool = true;

/// Runs the first while there is a world, and otherwise the second, which is the same without points.
#[inline(always)]
pub(crate) fn either<P, R>(place: P, in_world: impl FnOnce(P) -> R, real: impl FnOnce(P) -> R) -> R {
    choose(are_there_worlds(), place, in_world, real)
}

#[cold]
#[inline(never)]
fn take_step(world: &WorldId, object: usize, operation: impl FnOnce() -> Operation) {
    if let Some(member) = member_in(world) {
        member.step_on(object, operation());
    }
}

/// As `point`, for what belongs to no one engine, or to no one thread.
#[inline(always)]
pub(crate) fn point_anywhere(operation: impl FnOnce() -> Operation) {
    if are_there_worlds() {
        take_step_anywhere(operation);
    }
}

#[cold]
#[inline(never)]
fn take_step_anywhere(operation: impl FnOnce() -> Operation) {
    if let Some(member) = find_member() {
        member.step(operation());
    }
}

/// The scheduling point of an operation that only looks, so that a loop of looks keeps nobody from running.
#[inline]
pub(crate) fn look(what: &'static str) {
    if let Some(member) = this_member() {
        member.look(what);
    }
}

/// Runs this while there is a world, in which code goes another way; `None` if it does not.
#[inline(always)]
pub(crate) fn in_world<R>(code: impl FnOnce() -> Option<R>) -> Option<R> {
    choose(are_there_worlds(), (), |()| code(), |()| None)
}

/// The scheduling point of a handler that begins. `true` if a fault makes the handler panic instead.
pub(crate) fn begin_point(world: &WorldId, object: usize, operation: Operation) -> bool {
    let Some(member) = member_in(world) else { return false };
    member.step_on(object, operation);
    member.strikes(Strike::Panic)
}

/// Panics in place of the handler of this variant.
pub(crate) fn break_handler(variant: &'static str) -> bool {
    let _names_the_handler = Unwound::names(variant);
    panic!("{INJECTED}");
}

/// The scheduling point of a reply, where a fault may have the handler panic that gives it.
#[inline(always)]
pub(crate) fn reply_point(operation: impl FnOnce() -> Operation, may_panic: impl FnOnce() -> bool) {
    if are_there_worlds() {
        reply_step(operation, may_panic);
    }
}

#[cold]
#[inline(never)]
fn reply_step(operation: impl FnOnce() -> Operation, may_panic: impl FnOnce() -> bool) {
    if let Some(member) = find_member() {
        member.step(operation());
        if may_panic() {
            member.may_break();
        }
    }
}

/// A place at which a fault may have a handler panic.
pub(crate) fn may_break() {
    if let Some(member) = find_member() {
        member.may_break();
    }
}

/// Whether a fault stops the instance whose handler begins, when that has ended.
pub(crate) fn stops_behind() -> bool {
    find_member().is_some_and(|member| member.strikes(Strike::Stop))
}

/// Why a state is not built again, if a fault has that fail.
pub(crate) fn failed_rebuild() -> Option<&'static str> {
    this_member().filter(|member| member.strikes(Strike::FailedRebuild)).map(|_| INJECTED)
}

/// Whether a fault drops the task of this thread, which awaits something.
pub(crate) fn drops_task() -> bool {
    this_member().is_some_and(|member| member.strikes(Strike::Cancellation))
}

/// The bound that a mailbox gets if `bound` was asked for: 1 where a fault makes mailboxes small.
pub(crate) fn mailbox_bound(bound: usize) -> usize {
    this_member().map_or(bound, |member| member.world.setup().faults.bound(bound))
}

/// Has a new thread stop the engine whose handler begins here, if this is the first handler after the step that the
/// seed has drawn for it.
pub(crate) fn may_be_stopped<F: FnOnce() + Send + 'static>(stop: impl FnOnce() -> F) {
    let Some(member) = find_member().filter(|member| member.world.is_shutdown_due()) else { return };
    let (stop, builder) = (stop(), Builder::new().name("stopper".to_owned()));
    // If the system refuses the thread, there is no fault.
    let _ = start_in(&member.world, builder, "stopper", move || {
        if let Some(member) = find_member() {
            member.step(Operation::Plain(Strike::Shutdown.text()));
        }
        stop();
    });
}

/// Whether this fault is planted in the world of this thread.
#[inline(always)]
pub(crate) fn is_planted(fault: Planted) -> bool {
    are_there_worlds() && is_planted_here(fault)
}

#[cold]
#[inline(never)]
fn is_planted_here(fault: Planted) -> bool {
    this_member().is_some_and(|member| member.world.setup().planted == Some(fault))
}

/// Panics on a thread of a simulation: this thing of the process outlives each run.
#[track_caller]
pub(crate) fn refuse_what_outlives_a_run(what: &str, instead: &str) {
    if this_member().is_some() {
        panic!("{what} is not for simulations, since it outlives each run; {instead}");
    }
}

/// Fails the run, and panics: this thread is none of it.
fn refuse_foreign(number: u64) -> ! {
    let name = std::thread::current().name().unwrap_or("without a name").to_owned();
    let text = format!(
        "the thread `{name}` uses an engine of the simulation and is no part of it, so when it comes is not in the seed; \
         start it by `Simulation::spawn`"
    );
    let world = lock(&RUNNING).iter().filter_map(Weak::upgrade).find(|world| world.number == number);
    if let Some(world) = world {
        world.fail(text.clone());
    }
    panic!("{text}");
}

/// This thread as a member of its world, which must be `world`.
fn member_in(world: &WorldId) -> Option<MemberRef> {
    let member = find_member();
    match (&member, world.0) {
        (None, 0) => {}
        // The destructors of its thread-locals run, or it panics already.
        (None, _) if HAS_LEFT.get() || std::thread::panicking() => {}
        (None, number) => refuse_foreign(number),
        (Some(_), 0) => panic!("a simulation uses a real engine; make the engine in the body of the simulation"),
        (Some(member), number) if member.world.number == number => {}
        (Some(_), _) => panic!("a simulation uses an engine of another one; make an engine in each body"),
    }
    member
}

impl MemberRef {
    /// A step on something that belongs to no one engine, or to no one thread.
    fn step(&self, operation: Operation) {
        self.take_step(0, Step::Acts, operation);
    }

    /// A step on what belongs to the thread with this number.
    fn step_on(&self, object: usize, operation: Operation) {
        self.take_step(object as u64 + 1, Step::Acts, operation);
    }

    /// A step that only looks.
    fn look(&self, what: &'static str) {
        self.take_step(0, Step::Looks, Operation::Plain(what));
    }

    fn take_step(&self, object: u64, step: Step, operation: Operation) {
        assert!(!is_asking(), "an invariant sends, calls or waits; it may only look");
        self.world.step(self.id, object, step, operation);
    }

    fn strikes(&self, strike: Strike) -> bool {
        self.world.strikes(self.id, strike)
    }

    /// Panics here if the seed says so.
    fn may_break(&self) {
        if self.strikes(Strike::Panic) {
            panic!("{INJECTED}");
        }
    }

    pub(crate) fn add_invariant(&self, invariant: Invariant) {
        self.world.add_invariant(invariant);
    }

    pub(crate) fn mark(&self, name: &'static str) {
        self.world.mark(name);
    }

    pub(crate) fn seed(&self) -> u64 {
        self.world.setup().seed
    }

    pub(crate) fn below(&self, n: u64) -> u64 {
        self.world.below(n)
    }

    pub(crate) fn now(&self) -> Instant {
        self.world.now()
    }

    /// Waits until the monitor at this address is notified, or until the time is up.
    pub(crate) fn wait_at(&self, monitor: usize, until: Option<Instant>) {
        self.world.block(self.id, On::Monitor(monitor), until);
    }

    pub(crate) fn notify(&self, monitor: usize) {
        self.world.notify(monitor);
    }

    /// Waits until another thread has taken a step.
    pub(crate) fn wait_for_change(&self) {
        self.world.block(self.id, On::Change, None);
    }

    pub(crate) fn sleep(&self, time: Duration) {
        let until = self.now().checked_add(time);
        while until.is_none_or(|until| self.now() < until) {
            self.world.block(self.id, On::Time, until);
        }
    }

    pub(crate) fn set_alarm(&self, at: Instant, alarm: Alarm) -> (Instant, u64) {
        self.world.set_alarm(at, alarm)
    }

    pub(crate) fn clear_alarm(&self, id: (Instant, u64)) -> Option<Alarm> {
        self.world.clear_alarm(id)
    }

    /// Starts a thread of the same world; gives it as a member.
    pub(crate) fn start(&self, builder: Builder, name: &str, body: impl FnOnce() + Send + 'static) -> io::Result<Self> {
        start_in(&self.world, builder, name, body)
    }

    pub(crate) fn is_gone(&self) -> bool {
        self.world.is_gone(self.id)
    }

    /// Waits until this member has left its world. It is joined then before any other runs on.
    pub(crate) fn until_gone(&self) {
        while !self.is_gone() {
            match this_member() {
                Some(own) if own.id == self.id => return,
                Some(own) => own.world.block(own.id, On::End(self.id), None),
                None => return,
            }
        }
    }
}

fn start_in(
    world: &Arc<World>,
    builder: Builder,
    name: &str,
    body: impl FnOnce() + Send + 'static,
) -> io::Result<MemberRef> {
    let member = MemberRef { world: Arc::clone(world), id: world.add(name) };
    let own = member.clone();
    let handle = builder.spawn(move || {
        let _ = MEMBER.try_with(|place| place.replace(Some(own.clone())));
        own.world.enter(own.id);
        let _leaving = Leaving(own);
        body();
    });
    match handle {
        Ok(handle) => world.started(member.id, handle),
        Err(error) => {
            world.remove_last();
            return Err(error);
        }
    }
    Ok(member)
}

/// Leaves the world when it is dropped, however the thread ends.
struct Leaving(MemberRef);

impl Drop for Leaving {
    fn drop(&mut self) {
        self.0.world.leave(self.0.id);
        HAS_LEFT.set(true);
        let own = MEMBER.try_with(RefCell::take);
        drop(own);
    }
}

/// Runs `main` in a new world, and waits until no thread of that runs any more.
pub(crate) fn run(
    setup: Setup,
    main: impl FnOnce(&MemberRef) -> Result<(), String> + Send + 'static,
) -> io::Result<Record> {
    silence_panics();
    WORLDS.fetch_add(1, Ordering::Relaxed);
    let record = run_counted(setup, main);
    WORLDS.fetch_sub(1, Ordering::Relaxed);
    record
}

#[expect(clippy::disallowed_methods, reason = "the origin of the world's own time")]
fn run_counted(
    setup: Setup,
    main: impl FnOnce(&MemberRef) -> Result<(), String> + Send + 'static,
) -> io::Result<Record> {
    /// The number of the last world.
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    let number = 1 + NUMBER.fetch_add(1, Ordering::Relaxed);
    let world = World::new(number, setup, Instant::now());
    lock(&RUNNING).push(Arc::downgrade(&world));
    start_in(&world, Builder::new().name("main".to_owned()), "main", move || {
        let Some(member) = find_member() else { return };
        match catch_unwind(AssertUnwindSafe(|| main(&member))) {
            Ok(Ok(())) => {}
            Ok(Err(error)) => member.world.main_returns(error),
            Err(payload) => member.world.main_panics(text_of(&*payload)),
        }
    })?;
    world.begin();
    let record = world.until_over();
    lock(&RUNNING).retain(|other| other.upgrade().is_some_and(|other| other.number != number));
    Ok(record)
}

/// Runs `work` on so many threads at a time, outside every world, and waits for all of them. Fewer, if the system
/// refuses some.
pub(crate) fn side_by_side(threads: usize, work: impl Fn() + Sync) {
    std::thread::scope(|scope| {
        let others = (1..threads).map(|_| Builder::new().name("zctor-search".to_owned()).spawn_scoped(scope, &work));
        let others: Vec<_> = others.collect();
        work();
        drop(others);
    });
}

/// Has the panics of simulated threads written down and not printed: those of thousands of runs help nobody.
fn silence_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| match find_member() {
            Some(member) => {
                let place = info.location().map(|at| format!("{}:{}", at.file(), at.line())).unwrap_or_default();
                member.world.note_panic(member.id, format!("{} ({place})", text_of(info.payload())));
            }
            None => before(info),
        }));
    });
}

/// The text of a panic.
fn text_of(payload: &dyn Any) -> &str {
    let text = payload.downcast_ref::<&str>().copied();
    let text = text.or_else(|| payload.downcast_ref::<String>().map(String::as_str));
    text.unwrap_or("a panic without a text")
}

/// A thread to be unparked, of a world or of the system.
pub(crate) enum Thread {
    Os(std::thread::Thread),
    Simulated(MemberRef),
}

impl Thread {
    pub(crate) fn unpark(&self) {
        match self {
            Self::Os(thread) => thread.unpark(),
            Self::Simulated(member) => member.world.unpark(member.id),
        }
    }
}

pub(crate) fn current() -> Thread {
    this_member().map_or_else(|| Thread::Os(std::thread::current()), Thread::Simulated)
}

pub(crate) fn park() {
    let parked = in_world(|| this_member().map(|member| member.world.block(member.id, On::Park, None)));
    parked.unwrap_or_else(std::thread::park);
}

pub(crate) fn park_timeout(time: Duration) {
    let until = |member: &MemberRef| member.now().checked_add(time);
    let parked = in_world(|| this_member().map(|member| member.world.block(member.id, On::Park, until(&member))));
    parked.unwrap_or_else(|| std::thread::park_timeout(time));
}
