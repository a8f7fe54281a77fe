//! The argument of a simulation's body: its chance, and threads outside the engines.

use std::any::Any;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::{Arc, Mutex};

use crate::sys::lock::lock;
use crate::sys::simulated::MemberRef;
use crate::sys::simulated::invariants::Invariant;
use crate::sys::spawn::{Started, start_thread};

/// The simulation that a body runs in: what the body asks for that is not of an engine.
///
/// ```
/// use zctor::simulation::simulate;
///
/// simulate(|simulation| {
///     let seller = simulation.clone();
///     let sold = simulation.spawn("seller", move || seller.below(10)).join();
///     assert!(sold < 10);
///     Ok(())
/// })
/// .seeds(0..20)
/// .run();
/// ```
#[derive(Clone)]
pub struct Simulation(pub(super) MemberRef);

impl fmt::Debug for Simulation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Simulation(seed {})", self.seed())
    }
}

impl Simulation {
    /// Returns the seed of this run.
    ///
    /// ```
    /// zctor::simulation::simulate(|simulation| {
    ///     assert!(simulation.seed() < 5);
    ///     Ok(())
    /// })
    /// .seeds(0..5)
    /// .run();
    /// ```
    pub fn seed(&self) -> u64 {
        self.0.seed()
    }

    /// Draws a number below `n` from the seed, for a program's own chance; 0 if `n` is 0.
    ///
    /// ```
    /// zctor::simulation::simulate(|simulation| {
    ///     assert!(simulation.below(6) < 6);
    ///     Ok(())
    /// })
    /// .seeds(0..5)
    /// .run();
    /// ```
    pub fn below(&self, n: u64) -> u64 {
        self.0.below(n)
    }

    /// Has a condition looked at after each step of this run, from now on. The run fails where it does not hold.
    ///
    /// A step is what a thread does between two operations that others can see. The condition may look at what the
    /// program shares with it, such as counters. It must not send, call or wait; and it must not take a lock that the
    /// program holds across a send or a call.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use std::sync::atomic::{AtomicU32, Ordering};
    /// use zctor::simulation::simulate;
    ///
    /// let failure = simulate(|simulation| {
    ///     let sold = Arc::new(AtomicU32::new(0));
    ///     let seen = Arc::clone(&sold);
    ///     simulation.invariant("at most one is sold", move || seen.load(Ordering::Relaxed) <= 1);
    ///     let sellers = [1, 2].map(|_| {
    ///         let sold = Arc::clone(&sold);
    ///         simulation.spawn("seller", move || sold.fetch_add(1, Ordering::Relaxed))
    ///     });
    ///     sellers.map(|seller| seller.join());
    ///     Ok(())
    /// })
    /// .seeds(0..10)
    /// .outcome()
    /// .unwrap_err();
    /// assert!(failure.text().contains("the invariant `at most one is sold` does not hold"));
    /// ```
    pub fn invariant(&self, name: &'static str, holds: impl Fn() -> bool + Send + Sync + 'static) {
        self.0.add_invariant(Invariant { name, holds: Box::new(holds) });
    }

    /// Notes that this run has come here: for [`must_reach`](crate::simulation::Search::must_reach), and for
    /// [`Summary::reached`](crate::simulation::Summary::reached).
    ///
    /// ```
    /// let search = zctor::simulation::simulate(|simulation| {
    ///     if simulation.below(10) == 7 {
    ///         simulation.mark("seven");
    ///     }
    ///     Ok(())
    /// });
    /// assert!(search.seeds(0..200).outcome().unwrap().reached("seven") > 0);
    /// ```
    pub fn mark(&self, name: &'static str) {
        self.0.mark(name);
    }

    /// Starts a thread of the simulation, outside the engines, as a client of theirs.
    ///
    /// A thread that is started in any other way is no part of the simulation, since when it runs is not in the seed: it
    /// is refused, by a panic, where it sends to an engine of the simulation.
    ///
    /// # Panics
    /// If the system refuses the thread.
    ///
    /// ```
    /// zctor::simulation::simulate(|simulation| {
    ///     let sum = simulation.spawn("adder", || 2 + 3);
    ///     assert_eq!(sum.join(), 5);
    ///     Ok(())
    /// })
    /// .seeds(0..5)
    /// .run();
    /// ```
    pub fn spawn<T: Send + 'static>(&self, name: &str, f: impl FnOnce() -> T + Send + 'static) -> Outside<T> {
        let place = Arc::new(Mutex::new(None));
        let result = Arc::clone(&place);
        let thread = start_thread(name, None, move || {
            let outcome = catch_unwind(AssertUnwindSafe(f));
            *lock(&result) = Some(outcome);
        });
        match thread {
            Ok(thread) => Outside { thread, place },
            Err(error) => panic!("the system refuses the thread `{name}`: {error}"),
        }
    }
}

type Place<T> = Arc<Mutex<Option<Result<T, Box<dyn Any + Send>>>>>;

/// A thread that [`Simulation::spawn`] has started.
///
/// ```
/// zctor::simulation::simulate(|simulation| {
///     assert_eq!(simulation.spawn("one", || 1).join(), 1);
///     Ok(())
/// })
/// .seeds(0..5)
/// .run();
/// ```
#[must_use = "`join` it: the run fails if this thread waits for anything, a timer too, when `main` has ended"]
pub struct Outside<T> {
    thread: Started,
    place: Place<T>,
}

impl<T> fmt::Debug for Outside<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Outside")
    }
}

impl<T> Outside<T> {
    /// Waits until the thread has ended, and gives what it returned. A panic of the thread goes on here.
    ///
    /// ```
    /// zctor::simulation::simulate(|simulation| {
    ///     assert_eq!(simulation.spawn("two", || 2).join(), 2);
    ///     Ok(())
    /// })
    /// .seeds(0..5)
    /// .run();
    /// ```
    pub fn join(self) -> T {
        self.thread.until_gone();
        match lock(&self.place).take() {
            Some(Ok(value)) => value,
            Some(Err(panic)) => resume_unwind(panic),
            None => unreachable!("a thread writes down its outcome before it ends"),
        }
    }
}
