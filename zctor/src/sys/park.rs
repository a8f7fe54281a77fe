//! The one way to wait for mail and replies: no wake-up is missed, and an idle thread uses no CPU.
//!
//! Each thread has a state word. A *giver* is a thread that pushes to the waiting thread's mailbox, or sends it a
//! reply. The protocol:
//!
//! 1. The waiter *announces*: it sets its word to `WATCHING`, and only then looks a last time at what it waits for. If a
//!    reply is not there at that look, it leaves its word with the reply. Only room, pipes and the first of several
//!    replies know it by a waker, which is made from the same word.
//! 2. The giver gives first, and then looks at the word. From `WATCHING` it sets the word to `RUNNING`. From `PARKED`
//!    it does so too, and unparks the thread. From `STANDBY` it does so too, and calls the thread's hook. It leaves
//!    `RUNNING` alone.
//! 3. The waiter spins on its word for a while (`spin.rs` says how long), then moves it from `WATCHING` to `PARKED` by
//!    compare-and-swap, and parks until the word is `RUNNING`. A waiter that goes back to an event loop of its own moves
//!    it to `STANDBY` instead.
//! 4. A thread that ends sets `CLOSED` for good; for a thread that is abandoned, the shutdown does. A sender that has
//!    pushed and finds that takes its mail out of the mailbox again.
//!
//! Nothing is missed: the mailbox's lock (or the reply's own atomic state) orders the push against the last look. If
//! the look came first, the announcement before it is visible to the giver's look at the word.

use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Wake, Waker};
use std::time::Instant;

use once_cell::sync::{Lazy, OnceCell};

use crate::sys::clock::now;
use crate::sys::operation::Operation;
use crate::sys::simulated::{Planted, in_world, is_planted, point_anywhere, this_member};
use crate::sys::spawn::ThreadName;
use crate::sys::spin::{Attempt, Budget, Budgets, For, Spin, Spun};
use crate::sys::sync::{AtomicU8, Thread, current, park, park_timeout, spin_loop, thread_local, yield_now};
use crate::sys::unwind::{UserClosure, ignoring_panic, wake};

/// The thread runs, or must look again.
const RUNNING: u8 = 0;

/// The thread has announced that it waits, and spins or looks a last time.
const WATCHING: u8 = 1;

const PARKED: u8 = 2;

const CLOSED: u8 = 3;

/// As `PARKED`, for a thread that is in code of its own meanwhile: its hook is called, and it is not unparked.
const STANDBY: u8 = 4;

/// How many actor threads of this process are not parked. Spinning only pays while each of them can have a core.
static AWAKE: std::sync::atomic::AtomicUsize = std::sync::atomic::AtomicUsize::new(0);

static CORES: Lazy<usize> = Lazy::new(crate::available_threads);

thread_local! {
    /// Whether this thread has unparked another since it last spun.
    #[allow(clippy::missing_const_for_thread_local, reason = "loom's macro knows no `const`")]
    static WOKE: Cell<bool> = Cell::new(false);
}

/// The hook of a thread that stands by.
pub(crate) type Notify = UserClosure<dyn Fn() + Send + Sync>;

/// The state word of one thread, and the ways to wake the thread.
///
/// It has its cache lines for itself. Each sender reads the word, and on the heap a neighbour may be written at each
/// message, such as the queue of the mailbox.
#[derive(Default)]
#[repr(align(128))]
pub(crate) struct Parker {
    word: AtomicU8,
    thread: OnceCell<(Thread, ThreadName)>,
    /// Whether the thread counts in `AWAKE`: an actor thread does, a thread outside that waits does not.
    counted: bool,
    /// The hook that is called while the thread stands by: the user's, which wakes an event loop.
    notify: std::sync::Mutex<Option<Arc<Notify>>>,
    /// The runtime's own hook, which comes before the user's: set while the thread waits for the engine, and not in an
    /// event loop.
    interrupt: std::sync::Mutex<Option<Arc<Notify>>>,
}

impl Parker {
    pub(crate) fn for_actor_thread() -> Self {
        Self { counted: true, ..Self::default() }
    }

    /// Makes the current thread the one of this word. To be called before the thread first waits.
    pub(crate) fn adopt_current_thread(&self) {
        if self.thread.set((current(), ThreadName::of_current())).is_ok() {
            self.count_awake();
        }
    }

    /// The name of its thread, if that has one.
    pub(crate) fn thread_name(&self) -> Option<&str> {
        self.thread.get().and_then(|(_, name)| name.get())
    }

    /// Step 1: announces a wait. The caller must now look at what it waits for, then `park` or `retract`.
    pub(crate) fn announce(&self) {
        // Release: pairs with the Acquire in `wake`, through the mailbox's lock or the reply's state.
        let _ = self.word.compare_exchange(RUNNING, WATCHING, Ordering::Release, Ordering::Relaxed);
    }

    /// Takes the announcement back: the last look has found something.
    pub(crate) fn retract(&self) {
        let _ = self.word.compare_exchange(WATCHING, RUNNING, Ordering::Relaxed, Ordering::Relaxed);
    }

    /// Step 2: wakes the thread, to which something was given before. `false` if its word is closed.
    #[inline]
    pub(crate) fn wake(&self) -> bool {
        loop {
            // Acquire: pairs with `announce`; and with `close`, so that what the closer did before is visible.
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
        // Counted here, and not where the thread wakes up: until then it waits for a core, on which no other thread is
        // to spin.
        self.count_awake();
        WOKE.with(|woke| woke.set(true));
        if let Some((thread, _)) = self.thread.get() {
            thread.unpark();
        }
    }

    /// Calls the hook of the thread.
    #[cold]
    pub(crate) fn notify(&self) {
        let interrupt = crate::sys::lock::lock(&self.interrupt).clone();
        let notify = interrupt.or_else(|| crate::sys::lock::lock(&self.notify).clone());
        if let Some(notify) = notify.as_deref().and_then(UserClosure::get) {
            ignoring_panic(notify);
        }
    }

    /// Sets the user's hook; gives the one before.
    pub(crate) fn notify_by(&self, notify: Option<Arc<Notify>>) -> Option<Arc<Notify>> {
        std::mem::replace(&mut *crate::sys::lock::lock(&self.notify), notify)
    }

    /// Sets the runtime's own hook, which comes before the user's.
    pub(crate) fn interrupt_by(&self, interrupt: Option<Arc<Notify>>) {
        *crate::sys::lock::lock(&self.interrupt) = interrupt;
    }

    /// Step 3, for a thread that goes back to code of its own. `false`: there is something to do already.
    pub(crate) fn stand_by(&self) -> bool {
        let stands = self.word.compare_exchange(WATCHING, STANDBY, Ordering::AcqRel, Ordering::Acquire).is_ok();
        if stands && self.counted {
            AWAKE.fetch_sub(1, Ordering::Relaxed);
        }
        stands
    }

    /// Ends the standing by, after `stand_by` gave `true`: the thread has come back.
    pub(crate) fn come_back(&self) {
        let _ = self.word.compare_exchange(STANDBY, RUNNING, Ordering::AcqRel, Ordering::Acquire);
        self.count_awake();
    }

    fn count_awake(&self) {
        if self.counted {
            AWAKE.fetch_add(1, Ordering::Relaxed); // a count, read as a hint
        }
    }

    /// Step 3: parks until the thread is woken, or until the deadline. The word is `RUNNING` then, unless it was
    /// closed.
    pub(crate) fn park(&self, deadline: Option<Instant>) {
        let loses_wake_up = in_world(|| {
            point_anywhere(|| Operation::Park);
            is_planted(Planted::LostWakeUp).then_some(())
        });
        if loses_wake_up.is_some() {
            self.word.store(PARKED, Ordering::Release);
        } else if self.word.compare_exchange(WATCHING, PARKED, Ordering::AcqRel, Ordering::Acquire).is_err() {
            return; // woken meanwhile, or closed
        }
        if self.counted {
            AWAKE.fetch_sub(1, Ordering::Relaxed);
        }
        while self.word.load(Ordering::Acquire) == PARKED {
            match deadline {
                None => park(),
                Some(deadline) => {
                    let left = deadline.saturating_duration_since(now());
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

    /// Spins for a reply: until it is ready, or the thread is woken, or its time is up. The word is announced meanwhile.
    ///
    /// A caller that had to unpark its callee does not adapt a spin to that: the callee runs sooner on the core that the
    /// caller leaves to it than on another core that must wake up (measured: 90 of 100 calls within 15 microseconds, and
    /// 60 with a spin).
    pub(crate) fn spin_for_reply<'a>(&self, budgets: &'a Budgets, spin: Spin, ready: impl Fn() -> bool) -> Spun<'a> {
        let woke = WOKE.with(|woke| woke.replace(false));
        if woke && spin == Spin::Adapt {
            return Spun::Nothing(None);
        }
        let budget = budgets.get(For::Reply);
        let came = may_spin(budget, spin).is_some_and(|attempt| {
            self.announce();
            let came = self.looks(attempt, woke, ready);
            self.retract();
            came
        });
        if came { Spun::Came } else { Spun::Nothing(Some(budget)) }
    }

    /// Spins for mail: after `announce`, until the thread is woken or its time is up.
    #[inline]
    pub(crate) fn spin<'a>(&self, budgets: &'a Budgets, spin: Spin) -> Spun<'a> {
        let woke = WOKE.with(|woke| woke.replace(false));
        let budget = budgets.get(if woke { For::MailAfterWaking } else { For::Mail });
        let came = may_spin(budget, spin).is_some_and(|attempt| self.looks(attempt, woke, || false));
        if came { Spun::Came } else { Spun::Nothing(Some(budget)) }
    }

    /// Takes the looks of a spin. `true`: the thread was woken, or what it waits for is ready.
    ///
    /// A thread that has just unparked another, which may answer, yields first, since schedulers like to put the woken
    /// thread on the core of its waker, where it would wait for the end of the spin.
    ///
    /// Not in line: most waits of a thread whose mail comes seldom take none.
    #[inline(never)]
    fn looks(&self, attempt: Attempt<'_>, woke: bool, ready: impl Fn() -> bool) -> bool {
        let others = usize::from(!self.counted);
        let has_core = || AWAKE.load(Ordering::Relaxed) + others <= *CORES;
        if woke && has_core() {
            yield_now();
        }
        let mut turn = 0;
        while attempt.goes_on(turn) {
            if self.word.load(Ordering::Acquire) != WATCHING || ready() {
                attempt.succeeded(turn);
                return true;
            }
            if turn % 32 == 0 && !has_core() {
                return false;
            }
            spin_loop();
            turn = turn.wrapping_add(1);
        }
        attempt.failed();
        false
    }

    /// Step 4: closes the word. A sender that pushes from now on must take its mail out again.
    pub(crate) fn close(&self) {
        // AcqRel: the pushes that the closer finds when it empties the mailbox are complete, and later pushers see
        // `CLOSED`.
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

    /// Takes the thread of this word out of `AWAKE`: it ends.
    pub(crate) fn leave(&self) {
        if self.counted {
            AWAKE.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

/// Begins a spin, if it would take a look. In a simulation no other thread runs meanwhile, and on one core neither.
fn may_spin(budget: &Budget, spin: Spin) -> Option<Attempt<'_>> {
    if in_world(|| this_member().map(drop)).is_some() {
        return None;
    }
    Attempt::begin(budget, spin).filter(|_| *CORES > 1)
}

/// The waker of a thread sets the word that its mail sets too, so a thread waits at once for mail and for what knows a
/// waiter by its waker: room, pipes, the first of several replies.
impl Wake for Parker {
    fn wake(self: Arc<Self>) {
        Self::wake(&self);
    }

    fn wake_by_ref(self: &Arc<Self>) {
        Self::wake(self);
    }
}

/// Whom to wake when something is there: a thread that waits by its word, or a task.
pub(crate) enum Waiter {
    /// It is known for what it is, since the way to it through a waker is longer: a waker may be the user's code.
    Thread(Arc<Parker>),
    Task(Waker),
}

impl Waiter {
    pub(crate) fn wake(self) {
        match self {
            Self::Thread(parker) => drop(Parker::wake(&parker)),
            Self::Task(waker) => wake(waker),
        }
    }

    /// Lets it go unwoken. A waker may be the user's, and so is its drop.
    pub(crate) fn forget(self) {
        match self {
            Self::Thread(parker) => drop(parker),
            Self::Task(waker) => ignoring_panic(|| drop(waker)),
        }
    }
}

#[cfg(all(test, loom))]
mod loom_models;

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
