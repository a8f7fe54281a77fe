//! The way into a simulated world, for the files of `sys/` and for the points of the runtime.
//!
//! A thread of a world has a *seat* there. All that blocks, wakes, starts threads or reads the clock asks for the seat
//! of its thread first. Threads without one use the machine as it is, in the same process.

use std::cell::RefCell;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Once};
use std::thread::Builder;
use std::time::{Duration, Instant};

use self::state::{Alarm, On, Record, Setup};
use self::world::World;

pub(crate) mod dice;
pub(crate) mod schedule;
pub(crate) mod state;
mod world;

/// How many worlds there are: while there is none, nobody looks for its seat.
static WORLDS: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    static SEAT: RefCell<Option<Seat>> = const { RefCell::new(None) };
}

/// The place of a thread in a world.
#[derive(Clone)]
pub(crate) struct Seat {
    world: Arc<World>,
    id: usize,
}

/// The seat of this thread, if it is one of a world.
#[inline]
pub(crate) fn seat() -> Option<Seat> {
    // Relaxed: a thread of a world was started after its world was counted.
    if WORLDS.load(Ordering::Relaxed) == 0 { None } else { find_seat() }
}

#[cold]
#[inline(never)]
fn find_seat() -> Option<Seat> {
    SEAT.try_with(|seat| seat.borrow().clone()).ok().flatten()
}

/// A scheduling point: to be called before an operation on something that other threads can see; never under a lock.
#[inline]
pub(crate) fn point(object: u64, what: impl FnOnce() -> String) {
    if let Some(seat) = seat() {
        seat.world.step(seat.id, object + 1, false, what);
    }
}

/// As `point`, if the condition holds.
#[inline]
pub(crate) fn point_if(object: u64, condition: impl FnOnce() -> bool, what: impl FnOnce() -> String) {
    if let Some(seat) = seat().filter(|_| condition()) {
        seat.world.step(seat.id, object + 1, false, what);
    }
}

/// The scheduling point of an operation that only looks, so that a loop of looks keeps nobody from running.
#[inline]
pub(crate) fn look(what: impl FnOnce() -> String) {
    if let Some(seat) = seat() {
        seat.world.step(seat.id, 0, true, what);
    }
}

impl Seat {
    pub(crate) fn seed(&self) -> u64 {
        self.world.seed()
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

    /// Starts a thread of the same world; gives its seat.
    pub(crate) fn start(&self, builder: Builder, name: &str, body: impl FnOnce() + Send + 'static) -> io::Result<Self> {
        start_in(&self.world, builder, name, body)
    }

    pub(crate) fn is_gone(&self) -> bool {
        self.world.is_gone(self.id)
    }

    /// Waits until the thread of this seat has left its world. It is joined then before any other runs on.
    pub(crate) fn until_gone(&self) {
        while !self.is_gone() {
            match seat() {
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
) -> io::Result<Seat> {
    let seat = Seat { world: Arc::clone(world), id: world.add(name) };
    let own = seat.clone();
    let handle = builder.spawn(move || {
        let _ = SEAT.try_with(|place| place.replace(Some(own.clone())));
        own.world.enter(own.id);
        let _leaving = Leaving(own);
        body();
    });
    match handle {
        Ok(handle) => world.started(seat.id, handle),
        Err(error) => {
            world.remove_last();
            return Err(error);
        }
    }
    Ok(seat)
}

/// Leaves the world when it is dropped, however the thread ends.
struct Leaving(Seat);

impl Drop for Leaving {
    fn drop(&mut self) {
        self.0.world.leave(self.0.id);
        let own = SEAT.try_with(RefCell::take);
        drop(own);
    }
}

/// How long a thread may take for a step, in real time, before the world is given up.
const PATIENCE: Duration = Duration::from_secs(10);

/// Runs `main` in a new world, and waits until no thread of that runs any more.
pub(crate) fn run(setup: Setup, main: impl FnOnce(&Seat) -> Result<(), String> + Send + 'static) -> io::Result<Record> {
    silence_panics();
    WORLDS.fetch_add(1, Ordering::Relaxed);
    let record = run_counted(setup, main);
    WORLDS.fetch_sub(1, Ordering::Relaxed);
    record
}

#[expect(clippy::disallowed_methods, reason = "the origin of the world's own time")]
fn run_counted(setup: Setup, main: impl FnOnce(&Seat) -> Result<(), String> + Send + 'static) -> io::Result<Record> {
    let world = World::new(setup, Instant::now());
    let outcome = Arc::new(std::sync::Mutex::new(None));
    let told = Arc::clone(&outcome);
    start_in(&world, Builder::new().name("main".to_owned()), "main", move || {
        let result = match find_seat() {
            Some(seat) => catch_unwind(AssertUnwindSafe(|| main(&seat))),
            None => Ok(Ok(())),
        };
        let result = match result {
            Ok(result) => result,
            Err(_) => Err("main has panicked".to_owned()),
        };
        *crate::sys::lock::lock(&told) = result.err();
    })?;
    world.begin();
    let mut record = world.until_over(PATIENCE);
    let failed = crate::sys::lock::lock(&outcome).take();
    record.failure = record.failure.or(failed);
    Ok(record)
}

/// Has the panics of simulated threads written down and not printed: those of thousands of runs help nobody.
fn silence_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| match find_seat() {
            Some(seat) => {
                let payload = info.payload();
                let text = payload.downcast_ref::<&str>().copied();
                let text = text.or_else(|| payload.downcast_ref::<String>().map(String::as_str));
                let place = info.location().map(|at| format!("{}:{}", at.file(), at.line())).unwrap_or_default();
                seat.world.note_panic(format!("{} ({place})", text.unwrap_or("a panic without a text")));
            }
            None => before(info),
        }));
    });
}

/// A thread to be unparked, of a world or of the system.
pub(crate) enum Thread {
    Os(std::thread::Thread),
    Simulated(Seat),
}

impl Thread {
    pub(crate) fn unpark(&self) {
        match self {
            Self::Os(thread) => thread.unpark(),
            Self::Simulated(seat) => seat.world.unpark(seat.id),
        }
    }
}

pub(crate) fn current() -> Thread {
    seat().map_or_else(|| Thread::Os(std::thread::current()), Thread::Simulated)
}

pub(crate) fn park() {
    match seat() {
        Some(seat) => seat.world.block(seat.id, On::Park, None),
        None => std::thread::park(),
    }
}

pub(crate) fn park_timeout(time: Duration) {
    match seat() {
        Some(seat) => seat.world.block(seat.id, On::Park, seat.now().checked_add(time)),
        None => std::thread::park_timeout(time),
    }
}
