//! The one place to wait: a state word a thread, looked at by all who give it something to do.
//!
//! The protocol, for a thread that waits and others that push to its mailbox or send it a reply:
//!
//! 1. The waiter *announces*: it sets its word to `WATCHING`, and only then looks at what it waits for a last time. A
//!    reply is looked at by polling it with this thread's waker.
//! 2. Whoever gives it something does that first, then looks at the word: from `WATCHING` it sets it to `RUNNING`; from
//!    `PARKED` too, and unparks the thread; `RUNNING` it leaves alone.
//! 3. The waiter spins on its word for a while, then moves it from `WATCHING` to `PARKED` by compare-and-swap, and
//!    parks until it is `RUNNING`.
//!    One that has an event loop of its own to go back to moves it to `STANDBY` instead, and is notified.
//! 4. A thread that ends sets `CLOSED` for good. Whoever pushed and finds that empties the mailbox itself.
//!
//! Nothing is missed: the mailbox's lock (or the reply's own atomic state) orders the push against the last look. If
//! the look came first, the announcement before it is visible to the pusher's look at the word.

use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Wake, Waker};
use std::time::Instant;

use once_cell::sync::{Lazy, OnceCell};

use crate::sys::awaited::Awaited;
use crate::sys::sync::{AtomicU8, Thread, current, park, park_timeout, spin_loop, thread_local, yield_now};
use crate::sys::unwind::{Quiet, quietly};

const RUNNING: u8 = 0;

const WATCHING: u8 = 1;

const PARKED: u8 = 2;

const CLOSED: u8 = 3;

/// As `PARKED`, for a thread that does something of its own meanwhile: it is notified instead of unparked.
const STANDBY: u8 = 4;

/// Turns of looking at the word before a thread parks, 25 to 40 nanoseconds each: together about what a wake-up costs.
const MAX_SPIN: u32 = 2_000;

/// The least, but that from here on each spin in vain is a turn shorter, which counts them.
const MIN_SPIN: u32 = 50;

/// After so many steps down from there a long one is tried again.
const SHORT_SPINS: u32 = 32;

const _: () = assert!(SHORT_SPINS < MIN_SPIN);

/// What is left of a spin for what always comes at once: for an interrupt in between, say.
const SHORT_SPIN: u32 = 400;

/// How long to spin the next time, if something came at this turn.
fn after_success(budget: u32, turn: u32) -> u32 {
    let slowly = budget - budget / 8;
    slowly.max(4 * turn + SHORT_SPIN).min(MAX_SPIN)
}

/// How long to spin the next time, if nothing came.
///
/// After many short ones comes a long one again: two threads that answer each other would else both go on parking, each too
/// late for the other's short spin (measured: 7,400 ns a call instead of 500). Not sooner: where more threads want a core
/// than there are, a long spin takes it from who would answer.
fn after_failure(budget: u32) -> u32 {
    match budget {
        short if short + SHORT_SPINS <= MIN_SPIN => MAX_SPIN,
        short @ ..=MIN_SPIN => short - 1,
        long => (long / 2).max(MIN_SPIN),
    }
}

/// Actor threads of this process that are not parked. Spinning only pays while each of them can have a core.
static AWAKE: std::sync::atomic::AtomicUsize = std::sync::atomic::AtomicUsize::new(0);

static CORES: Lazy<usize> = Lazy::new(crate::available_threads);

thread_local! {
    /// This thread has unparked another since it last spun.
    #[allow(clippy::missing_const_for_thread_local, reason = "loom's macro knows no `const`")]
    static WOKE: Cell<bool> = Cell::new(false);
}

/// How a thread that stands by is told.
pub(crate) type Notify = Quiet<dyn Fn() + Send + Sync>;

/// The state word of one thread, and the handle to wake it by.
#[derive(Default)]
pub(crate) struct Parker {
    word: AtomicU8,
    thread: OnceCell<Thread>,
    /// Whether this thread is one of those counted as awake: an actor thread, as opposed to one that only waits.
    counted: bool,
    /// How to tell a thread that stands by: by its event loop's own way, or by that of the runtime while it waits there.
    notify: std::sync::Mutex<Option<Arc<Notify>>>,
    interrupt: std::sync::Mutex<Option<Arc<Notify>>>,
}

impl Parker {
    pub(crate) fn for_actor_thread() -> Self {
        Self { counted: true, ..Self::default() }
    }

    /// Called once on the thread that this word belongs to, before it first waits.
    pub(crate) fn adopt_current_thread(&self) {
        if self.thread.set(current()).is_ok() {
            self.count_awake();
        }
    }

    /// Step 1. The caller must now look at what it waits for, then `park` or `retract`.
    pub(crate) fn announce(&self) {
        // Release: pairs with the Acquire in `wake`, through the mailbox's lock or the reply's state.
        let _ = self.word.compare_exchange(RUNNING, WATCHING, Ordering::Release, Ordering::Relaxed);
    }

    /// The last look found something: no wait after all.
    pub(crate) fn retract(&self) {
        let _ = self.word.compare_exchange(WATCHING, RUNNING, Ordering::Relaxed, Ordering::Relaxed);
    }

    /// Step 2: after something was given to this thread. `false` if it has closed.
    #[inline]
    pub(crate) fn wake(&self) -> bool {
        loop {
            // Acquire: pairs with `announce`, and with `close` so that the closer's emptying is visible.
            match self.word.load(Ordering::Acquire) {
                RUNNING => return true,
                CLOSED => return false,
                seen => {
                    if self.word.compare_exchange(seen, RUNNING, Ordering::AcqRel, Ordering::Relaxed).is_ok() {
                        match seen {
                            PARKED => self.unpark(),
                            STANDBY => self.notify(),
                            _ => {}
                        }
                        return true;
                    }
                }
            }
        }
    }

    fn unpark(&self) {
        // Here and not where it wakes up: until it does it waits for a core, and nobody is to spin on that.
        self.count_awake();
        WOKE.with(|woke| woke.set(true));
        if let Some(thread) = self.thread.get() {
            thread.unpark();
        }
    }

    #[cold]
    pub(crate) fn notify(&self) {
        let interrupt = crate::sys::lock::lock(&self.interrupt).clone();
        let notify = interrupt.or_else(|| crate::sys::lock::lock(&self.notify).clone());
        if let Some(notify) = notify.as_deref().and_then(Quiet::get) {
            quietly(notify);
        }
    }

    /// Sets the way to tell it when it stands by; gives the one before.
    pub(crate) fn notify_by(&self, notify: Option<Arc<Notify>>) -> Option<Arc<Notify>> {
        std::mem::replace(&mut *crate::sys::lock::lock(&self.notify), notify)
    }

    /// Sets the runtime's own way, which comes before the other.
    pub(crate) fn interrupt_by(&self, interrupt: Option<Arc<Notify>>) {
        *crate::sys::lock::lock(&self.interrupt) = interrupt;
    }

    /// Step 3 for a thread that goes back to something of its own. `false`: there is something to do already.
    pub(crate) fn stand_by(&self) -> bool {
        let stands = self.word.compare_exchange(WATCHING, STANDBY, Ordering::AcqRel, Ordering::Acquire).is_ok();
        if stands && self.counted {
            AWAKE.fetch_sub(1, Ordering::Relaxed);
        }
        stands
    }

    /// It is back, after `stand_by` gave `true`.
    pub(crate) fn come_back(&self) {
        let _ = self.word.compare_exchange(STANDBY, RUNNING, Ordering::AcqRel, Ordering::Acquire);
        self.count_awake();
    }

    fn count_awake(&self) {
        if self.counted {
            AWAKE.fetch_add(1, Ordering::Relaxed); // a count, read as a hint
        }
    }

    /// Step 3: returns when woken, or at the deadline. The word is `RUNNING` then.
    pub(crate) fn park(&self, deadline: Option<Instant>) {
        if self.word.compare_exchange(WATCHING, PARKED, Ordering::AcqRel, Ordering::Acquire).is_err() {
            return; // woken meanwhile, or closed
        }
        if self.counted {
            AWAKE.fetch_sub(1, Ordering::Relaxed);
        }
        while self.word.load(Ordering::Acquire) == PARKED {
            match deadline {
                None => park(),
                Some(deadline) => {
                    let left = deadline.saturating_duration_since(crate::sys::clock::now());
                    if left.is_zero() {
                        let by_itself =
                            self.word.compare_exchange(PARKED, RUNNING, Ordering::AcqRel, Ordering::Relaxed);
                        if by_itself.is_ok() {
                            self.count_awake();
                        }
                        break;
                    }
                    park_timeout(left);
                }
            }
        }
    }

    /// As `spin`, for a reply. Who had to unpark the callee does not spin: that one runs sooner on the core that is left to
    /// it than on another that must wake up (measured: 90 of 100 calls within 15 microseconds, and 60 with a spin).
    pub(crate) fn spin_for_reply(&self, budget: &Cell<u32>, ready: impl Fn() -> bool) -> bool {
        !WOKE.with(|woke| woke.replace(false)) && self.spin(budget, ready)
    }

    /// Spins, once announced, while nobody wakes this thread; `true` if something came.
    ///
    /// `budget` is how long it may: some times what it lately took, so that a spin in vain costs little. But who has just
    /// unparked another, which may answer, spins as long as that takes: else two who are always parked stay so. It yields
    /// first: schedulers like to put the woken on the core of who woke it, where it would wait for the end of the spin.
    pub(crate) fn spin(&self, budget: &Cell<u32>, ready: impl Fn() -> bool) -> bool {
        let cores = *CORES;
        let woke = WOKE.with(|woke| woke.replace(false));
        if cores == 1 {
            return false;
        }
        let others = usize::from(!self.counted);
        if woke && AWAKE.load(Ordering::Relaxed) + others <= cores {
            yield_now();
        }
        let turns = if woke { MAX_SPIN } else { budget.get() };
        for turn in 0..turns {
            if self.word.load(Ordering::Acquire) != WATCHING || ready() {
                if !woke {
                    budget.set(after_success(budget.get(), turn));
                }
                return true;
            }
            if turn % 32 == 0 && AWAKE.load(Ordering::Relaxed) + others > cores {
                return false;
            }
            spin_loop();
        }
        if !woke {
            budget.set(after_failure(budget.get()));
        }
        false
    }

    /// Step 4. Everything pushed from now on is its pusher's to take out again.
    pub(crate) fn close(&self) {
        // AcqRel: pushes seen by the emptying that follows are complete, and later pushers see `CLOSED`.
        match self.word.swap(CLOSED, Ordering::AcqRel) {
            PARKED => self.unpark(),
            STANDBY => self.notify(),
            _ => {}
        }
    }

    #[inline]
    pub(crate) fn is_closed(&self) -> bool {
        self.word.load(Ordering::Acquire) == CLOSED
    }

    /// The thread that this word belongs to ends.
    pub(crate) fn leave(&self) {
        if self.counted {
            AWAKE.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

/// A reply's waker is made from the same word, so that replies and mail are waited for in one place.
impl Wake for Parker {
    fn wake(self: Arc<Self>) {
        Self::wake(&self);
    }

    fn wake_by_ref(self: &Arc<Self>) {
        Self::wake(self);
    }
}

pub(crate) const FIRST_SPIN: u32 = MAX_SPIN;

thread_local! {
    /// The word of a thread outside the engine, made when it first waits.
    static OUTSIDE: Outside = Outside::new();
}

pub(crate) struct Outside {
    pub(crate) parker: Arc<Parker>,
    waker: Waker,
    budget: Cell<u32>,
}

impl Outside {
    fn new() -> Self {
        let parker = Arc::new(Parker::default());
        parker.adopt_current_thread();
        Self { waker: Waker::from(Arc::clone(&parker)), parker, budget: Cell::new(FIRST_SPIN) }
    }
}

/// Waits on a thread outside the engine. `None` at the deadline.
pub(crate) fn wait_outside<A: Awaited>(awaited: &mut A, deadline: Option<Instant>) -> Option<A::Output> {
    // A thread whose locals are gone already (a wait in a destructor of one) waits with a word of its own.
    OUTSIDE
        .try_with(|outside| outside.wait(awaited, deadline))
        .unwrap_or_else(|_| Outside::new().wait(awaited, deadline))
}

impl Outside {
    pub(crate) fn wait<A: Awaited>(&self, awaited: &mut A, deadline: Option<Instant>) -> Option<A::Output> {
        // The first turns look at the reply alone: a waker need not be registered for a reply that comes at once.
        self.parker.announce();
        let came = self.parker.spin_for_reply(&self.budget, || awaited.is_ready());
        self.parker.retract();
        if came {
            if let Some(value) = awaited.poll(Waker::noop()) {
                return Some(value);
            }
        }
        loop {
            self.parker.announce();
            if let Some(value) = awaited.poll(&self.waker) {
                self.parker.retract();
                return Some(value);
            }
            if deadline.is_some_and(|deadline| deadline <= crate::sys::clock::now()) {
                self.parker.retract();
                return None;
            }
            self.parker.park(deadline);
        }
    }
}

#[cfg(all(test, loom))]
pub(crate) mod loom_models;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wake_between_announcing_and_parking_is_not_lost() {
        let parker = Parker::default();
        parker.adopt_current_thread();
        parker.announce();
        assert!(parker.wake());
        parker.park(None); // returns at once, or hangs
    }

    #[test]
    fn spins_in_vain_get_short_and_stay_so_for_a_while() {
        let mut budget = FIRST_SPIN;
        let mut spins = vec![budget];
        loop {
            budget = after_failure(budget);
            if budget == MAX_SPIN {
                break;
            }
            spins.push(budget);
        }
        let long = spins.iter().filter(|spin| **spin > MIN_SPIN).count();
        let short = spins.len() - long;
        assert!(spins.is_sorted_by(|a, b| a > b), "{spins:?}");
        assert_eq!((long, short), (6, 33), "{spins:?}");
    }

    #[test]
    fn a_spin_that_was_worth_it_lasts_some_times_what_it_took() {
        assert_eq!(after_success(MIN_SPIN, 100), 4 * 100 + SHORT_SPIN);
        assert_eq!(after_success(MAX_SPIN, 100), MAX_SPIN - MAX_SPIN / 8, "and gets shorter slowly");
        assert_eq!(after_success(MAX_SPIN, MAX_SPIN), MAX_SPIN);
    }

    #[test]
    fn a_closed_word_stays_closed() {
        let parker = Parker::default();
        parker.adopt_current_thread();
        parker.close();
        parker.announce();
        parker.retract();
        assert!(!parker.wake());
        assert!(parker.is_closed());
        parker.park(None);
        assert!(parker.is_closed());
    }
}
