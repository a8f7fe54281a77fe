//! Helpers shared by the behaviour tests: bounded waits, a gate, a watchdog, a seeded generator, counters.
//!
//! A test never sleeps to order events. It holds a handler at a [`Gate`], waits for a message on a channel with
//! [`receive`], or lets the engine settle; and all of it runs under [`within`], so that a test that hangs fails with
//! its name instead of holding up the suite.

use std::any::Any;
use std::fmt;
use std::panic::{self, AssertUnwindSafe};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, Once, PoisonError};
use std::thread;
use std::time::Duration;

/// The limit of every wait in a test, generous because the machines are small and shared.
pub const LIMIT: Duration = Duration::from_secs(if cfg!(miri) { 600 } else { 120 });

/// The deadline of a shutdown that comes in time, though the inside is not quiet: of it a quarter, half a second at
/// most, is kept for the threads to end in, and this is the shortest that gives them all of that.
pub const IN_TIME: Duration = Duration::from_secs(2);

/// A deadline that a test waits for to its end, long enough for a handler elsewhere to begin before.
pub const AMPLE: Duration = Duration::from_millis(500);

/// Runs `body` on a thread of its own and fails the test if it does not end within `limit`.
///
/// A panic of `body` becomes the panic of the test. The thread of a body that does not end is left behind, since a
/// thread cannot be killed.
///
/// # Panics
/// With what `body` panicked with, or when the time is up.
#[track_caller]
pub fn within<R: Send + 'static>(limit: Duration, body: impl FnOnce() -> R + Send + 'static) -> R {
    let (give, given) = mpsc::channel();
    // What starts the thread is compiled once, and not anew for the closure of each test.
    run_within(limit, Box::new(move || drop(give.send(body()))));
    given.recv().expect("the body has ended, and gave its value")
}

#[track_caller]
fn run_within(limit: Duration, body: Box<dyn FnOnce() + Send>) {
    let name = thread::current().name().unwrap_or("a test").to_owned();
    let (done, ended) = mpsc::channel::<Result<(), Box<dyn Any + Send>>>();
    thread::Builder::new()
        .name(name.clone())
        .spawn(move || {
            // Nobody listens any more once the limit has passed.
            let _ = done.send(panic::catch_unwind(AssertUnwindSafe(body)));
        })
        .expect("the machine gives a thread to the test");
    match ended.recv_timeout(limit) {
        Ok(Ok(())) => {}
        Ok(Err(payload)) => panic::resume_unwind(payload),
        Err(RecvTimeoutError::Timeout) => panic!("`{name}` did not end within {limit:?}: it hangs"),
        Err(RecvTimeoutError::Disconnected) => panic!("`{name}` ended without a result"),
    }
}

/// [`within`] the usual [`LIMIT`].
///
/// # Panics
/// As [`within`].
#[track_caller]
pub fn bounded<R: Send + 'static>(body: impl FnOnce() -> R + Send + 'static) -> R {
    within(LIMIT, body)
}

/// Has every panic say nothing, from now on and in the whole process, whose text contains `text`: one that a test
/// expects, perhaps by the thousand. Where `RUST_BACKTRACE` is set, each would otherwise be printed with a back trace.
pub fn expect_panics(text: &'static str) {
    static EXPECTED: Mutex<Vec<&'static str>> = Mutex::new(Vec::new());
    static HOOK: Once = Once::new();
    let mut expected = EXPECTED.lock().unwrap_or_else(PoisonError::into_inner);
    if !expected.contains(&text) {
        expected.push(text);
    }
    drop(expected);
    HOOK.call_once(|| {
        let tell = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            let is_expected = |said: &str| {
                EXPECTED.lock().unwrap_or_else(PoisonError::into_inner).iter().any(|text| said.contains(text))
            };
            if !info.payload_as_str().is_some_and(is_expected) {
                tell(info);
            }
        }));
    });
}

/// The next value of `receiver`, which must come within [`LIMIT`].
///
/// # Panics
/// When no value comes in time, or none can come any more.
#[track_caller]
pub fn receive<T>(receiver: &Receiver<T>) -> T {
    match receiver.recv_timeout(LIMIT) {
        Ok(value) => value,
        Err(RecvTimeoutError::Timeout) => panic!("nothing was received within {LIMIT:?}"),
        Err(RecvTimeoutError::Disconnected) => panic!("every sender is gone, so nothing can be received"),
    }
}

/// The next `count` values of `receiver`, each of which must come within [`LIMIT`].
///
/// # Panics
/// As [`receive`].
#[track_caller]
pub fn receive_many<T>(receiver: &Receiver<T>, count: usize) -> Vec<T> {
    let mut values = Vec::with_capacity(count);
    while values.len() < count {
        values.push(receive(receiver));
    }
    values
}

/// A door that handlers wait at until the test opens it; clones are the same door.
///
/// It counts who came to it, so that a test can know that a handler is running before it goes on.
#[derive(Clone, Default)]
pub struct Gate {
    door: Arc<(Mutex<Door>, Condvar)>,
}

#[derive(Default)]
struct Door {
    open: bool,
    arrived: usize,
}

impl Gate {
    /// A closed gate.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Opens the gate for good, for those who wait and those who come later.
    pub fn open(&self) {
        self.door().open = true;
        self.door.1.notify_all();
    }

    /// Waits until the gate is open.
    ///
    /// # Panics
    /// When it stays closed for [`LIMIT`].
    #[track_caller]
    pub fn pass(&self) {
        let mut door = self.door();
        door.arrived += 1;
        self.door.1.notify_all();
        self.wait(door, |door| door.open, "the gate was not opened");
    }

    /// Waits until [`pass`](Self::pass) was called `count` times in all, and holds up nobody.
    ///
    /// # Panics
    /// When fewer come within [`LIMIT`].
    #[track_caller]
    pub fn await_arrivals(&self, count: usize) {
        self.wait(self.door(), |door| door.arrived >= count, "too few came to the gate");
    }

    #[track_caller]
    fn wait(&self, door: MutexGuard<'_, Door>, is_met: impl Fn(&Door) -> bool, fault: &str) {
        let (door, timeout) =
            self.door.1.wait_timeout_while(door, LIMIT, |door| !is_met(door)).unwrap_or_else(PoisonError::into_inner);
        drop(door);
        assert!(!timeout.timed_out(), "{fault} within {LIMIT:?}");
    }

    /// A handler that gave up at the gate has poisoned nothing that matters: the door is two plain values.
    fn door(&self) -> MutexGuard<'_, Door> {
        self.door.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let door = self.door();
        f.debug_struct("Gate").field("open", &door.open).field("arrived", &door.arrived).finish()
    }
}

/// A number that many threads raise; clones are the same number.
#[derive(Clone, Debug, Default)]
pub struct Counter {
    count: Arc<AtomicU64>,
}

impl Counter {
    /// A counter at zero.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Raises the count by one and gives what it was before.
    pub fn increment(&self) -> u64 {
        self.add(1)
    }

    /// Raises the count by `amount` and gives what it was before.
    pub fn add(&self, amount: u64) -> u64 {
        self.count.fetch_add(amount, Ordering::SeqCst)
    }

    /// The count.
    #[must_use]
    pub fn get(&self) -> u64 {
        self.count.load(Ordering::SeqCst)
    }

    /// A value that raises this count when it is dropped.
    #[must_use]
    pub fn guard(&self) -> DropGuard {
        DropGuard { counter: self.clone() }
    }
}

/// Raises its [`Counter`] when it is dropped: a field of a message or of a state whose drops a test counts.
#[derive(Debug)]
pub struct DropGuard {
    counter: Counter,
}

impl Drop for DropGuard {
    fn drop(&mut self) {
        self.counter.increment();
    }
}

/// A tiny seeded generator (splitmix64): the same seed gives the same numbers on every machine.
#[derive(Clone, Debug)]
pub struct SplitMix64 {
    state: u64,
}

impl SplitMix64 {
    /// A generator that starts from `seed`.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    /// The next number.
    pub fn next_u64(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// The next number below `bound`, near enough to evenly for a test.
    ///
    /// # Panics
    /// When `bound` is zero.
    pub fn below(&mut self, bound: usize) -> usize {
        let bound = u64::try_from(bound).expect("a usize fits in 64 bits");
        usize::try_from(self.next_u64() % bound).expect("it is below a usize")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn within_gives_the_value_of_its_body() {
        assert_eq!(within(LIMIT, || 3), 3);
    }

    #[test]
    #[should_panic(expected = "the body's own words")]
    fn within_passes_a_panic_on() {
        within(LIMIT, || panic!("the body's own words"));
    }

    #[test]
    #[should_panic(expected = "it hangs")]
    fn within_ends_a_body_that_does_not_end() {
        let gate = Gate::new();
        let closed = gate.clone();
        within(Duration::from_millis(20), move || closed.pass());
    }

    #[test]
    fn expected_panics_still_unwind() {
        expect_panics("expected by the hundred");
        expect_panics("and by the dozen");
        for number in 0..100 {
            let text = if number % 10 == 0 { "and by the dozen" } else { "expected by the hundred" };
            let payload = panic::catch_unwind(|| panic!("{number} {text}")).expect_err("it panics");
            assert!(payload.downcast_ref::<String>().is_some_and(|said| said.ends_with(text)));
        }
    }

    #[test]
    fn a_gate_counts_who_came_and_lets_them_through() {
        let gate = Gate::new();
        let ended = Counter::new();
        thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| {
                    gate.pass();
                    ended.increment();
                });
            }
            gate.await_arrivals(3);
            assert_eq!(ended.get(), 0);
            gate.open();
        });
        assert_eq!(ended.get(), 3);
        gate.pass();
    }

    #[test]
    fn the_generator_gives_the_published_numbers() {
        let mut random = SplitMix64::new(1_234_567);
        assert_eq!(random.next_u64(), 6_457_827_717_110_365_317);
        assert_eq!(random.next_u64(), 3_203_168_211_198_807_973);
        assert!((0..100).all(|_| random.below(7) < 7));
    }

    #[test]
    fn a_guard_counts_its_drop_once() {
        let dropped = Counter::new();
        let guard = dropped.guard();
        assert_eq!(dropped.get(), 0);
        drop(guard);
        assert_eq!(dropped.get(), 1);
    }
}
