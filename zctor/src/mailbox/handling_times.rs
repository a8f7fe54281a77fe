//! How long handlers take, by variant, while somebody observes.
//!
//! 1. Without an observer no clock is read. The first one sets a bit of the edge (`EngineShared::observe`), at which
//!    each thread looks anyway before it has a message handled; the last one takes the bit back. Each time that
//!    observers are there again begins a period of its own.
//! 2. `begin` is called before a handler, and `end` behind it. While nobody observes, a message that was sent asks for
//!    neither: behind the look at the edge it takes another way if it is measured. A call on the spot asks once. In a batch
//!    the end of one handler is the beginning of the next, so there the clock is read once a message.
//! 3. Handlers nest, since one that waits serves others: the innermost is the last of `begun`. An instance handles one
//!    message at a time, so its slot tells whether the end is that of the innermost: a handler that began unobserved ends
//!    unmeasured.
//! 4. A handler is counted if it began and ended in one period. So each handler that an observer lived to see begin and
//!    end is counted. When the last observer goes in the middle of a batch, `begin` is called no more, and the next
//!    `end` comes behind the batch. By then the period is over in which the measured handler began, so that handler is
//!    not counted: its time would be too long.
//! 5. A row is a variant's, of all threads of an engine, and is never taken away: there are no more than variants in the
//!    program. A thread finds the rows that it has used before without a lock.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, HashMap};
use std::ptr;
use std::sync::Arc;
// Under loom too: they only count.
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Instant;

use crate::id::Slot;
use crate::report::handling_times::HandlingTimes;
use crate::sys::clock::now;
use crate::sys::sync::{Mutex, lock};

/// Whether handlers can be measured.
pub(crate) const MEASURES: bool = true;

type Names = (&'static str, &'static str);

/// The times of one variant. All threads add to it.
#[derive(Default)]
struct Row {
    nanoseconds: AtomicU64,
    buckets: [AtomicU64; 28],
}

impl Row {
    fn add(&self, nanoseconds: u64) {
        self.nanoseconds.fetch_add(nanoseconds, Ordering::Relaxed);
        self.buckets[HandlingTimes::bucket(nanoseconds)].fetch_add(1, Ordering::Relaxed);
    }

    fn read(&self, (message, variant): Names) -> HandlingTimes {
        let buckets = self.buckets.each_ref().map(|bucket| bucket.load(Ordering::Relaxed));
        HandlingTimes::new(message, variant, self.nanoseconds.load(Ordering::Relaxed), buckets)
    }
}

/// The rows of an engine, and how many observe it.
#[derive(Default)]
pub(crate) struct Observed {
    rows: Mutex<BTreeMap<Names, Arc<Row>>>,
    observers: Mutex<usize>,
    is_on: AtomicBool,
    period: AtomicU64,
}

impl Observed {
    /// One more observes, or one less. `set` is told whether anybody does now, if that has changed.
    pub(super) fn change(&self, by: isize, set: impl FnOnce(bool)) {
        let mut observers = lock(&self.observers);
        let before = *observers;
        *observers = before.saturating_add_signed(by);
        let is_on = *observers > 0;
        if is_on != (before > 0) {
            // Relaxed, as all here: a handler that begins or ends meanwhile may be counted or not.
            self.period.fetch_add(1, Ordering::Relaxed);
            self.is_on.store(is_on, Ordering::Relaxed);
            set(is_on);
        }
    }

    /// The times since the engine began, in the order of the names.
    pub(crate) fn handling_times(&self) -> Vec<HandlingTimes> {
        lock(&self.rows).iter().map(|(names, row)| row.read(*names)).collect()
    }
}

/// The handlers of one thread that are measured.
pub(crate) struct Measured {
    observed: Arc<Observed>,
    /// Whether `begun` has any.
    has_begun: Cell<bool>,
    begun: RefCell<Vec<BegunHandler>>,
    /// The rows that this thread has used, and their places by the addresses of the names.
    used: RefCell<Vec<Arc<Row>>>,
    places: RefCell<HashMap<(*const str, *const str), usize>>,
}

struct BegunHandler {
    slot: Slot,
    /// The place of its row in `used`.
    row: usize,
    period: u64,
    at: Instant,
}

impl Measured {
    pub(crate) fn new(observed: &Arc<Observed>) -> Self {
        Self {
            observed: Arc::clone(observed),
            has_begun: Cell::new(false),
            begun: RefCell::default(),
            used: RefCell::default(),
            places: RefCell::default(),
        }
    }

    /// Whether handlers that begin now are to be measured.
    #[inline(always)]
    pub(crate) fn is_on(&self) -> bool {
        self.observed.is_on.load(Ordering::Relaxed)
    }

    /// The handler of a message begins. If its instance has handled another of the same batch, that one has ended.
    #[cold]
    #[inline(never)]
    pub(crate) fn begin(&self, slot: Slot, message: &'static str, variant: &'static str) {
        let (row, at) = (self.place((message, variant)), now());
        self.pop(slot, Some(at));
        let period = self.period();
        self.begun.borrow_mut().push(BegunHandler { slot, row, period, at });
        self.has_begun.set(true);
    }

    /// Whether any handler on this thread has begun and is measured.
    #[inline(always)]
    pub(crate) fn has_begun(&self) -> bool {
        self.has_begun.get()
    }

    /// The handler of an instance has ended: it has returned, or panicked.
    #[inline(always)]
    pub(crate) fn end(&self, slot: Slot) {
        if self.has_begun() {
            self.end_measured(slot);
        }
    }

    #[cold]
    #[inline(never)]
    fn end_measured(&self, slot: Slot) {
        self.pop(slot, Some(now()));
    }

    /// The message whose handler was to begin is not handled.
    pub(crate) fn forget(&self, slot: Slot) {
        self.pop(slot, None);
    }

    /// Takes the innermost out, if it is of this instance; it has ended now, if a time is given.
    fn pop(&self, slot: Slot, ended: Option<Instant>) {
        let mut begun = self.begun.borrow_mut();
        if begun.last().is_none_or(|innermost| innermost.slot != slot) {
            return;
        }
        let Some(innermost) = begun.pop() else { return };
        self.has_begun.set(!begun.is_empty());
        if let Some(ended) = ended.filter(|_| innermost.period == self.period()) {
            let nanoseconds = ended.saturating_duration_since(innermost.at).as_nanos();
            self.used.borrow()[innermost.row].add(u64::try_from(nanoseconds).unwrap_or(u64::MAX));
        }
    }

    fn period(&self) -> u64 {
        self.observed.period.load(Ordering::Relaxed)
    }

    /// The place of a variant's row.
    fn place(&self, names: Names) -> usize {
        let addresses = (ptr::from_ref(names.0), ptr::from_ref(names.1));
        let place = |used: &mut Vec<Arc<Row>>| {
            let mut rows = lock(&self.observed.rows);
            used.push(Arc::clone(rows.entry(names).or_default()));
            used.len() - 1
        };
        *self.places.borrow_mut().entry(addresses).or_insert_with(|| place(&mut self.used.borrow_mut()))
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    const SLOT: Slot = Slot { index: 0, generation: 0 };

    fn measured() -> (Arc<Observed>, Measured) {
        let observed = Arc::default();
        let measured = Measured::new(&observed);
        (observed, measured)
    }

    fn counts(observed: &Observed) -> Vec<u64> {
        observed.handling_times().into_iter().map(|times| times.count).collect()
    }

    #[test]
    fn it_is_on_from_the_first_observer_to_the_last() {
        let (observed, measured) = measured();
        let told = RefCell::new(Vec::new());
        let change = |by| observed.change(by, |is_on| told.borrow_mut().push(is_on));
        assert!(!measured.is_on());
        for (by, is_on) in [(1, true), (1, true), (-1, true), (-1, false), (1, true), (-1, false)] {
            change(by);
            assert_eq!(measured.is_on(), is_on);
        }
        assert_eq!(told.into_inner(), [true, false, true, false]);
    }

    #[test]
    fn the_end_of_another_handler_is_none_of_the_innermost() {
        let (observed, measured) = measured();
        observed.change(1, |_| ());
        measured.begin(SLOT, "JobMessage", "Run");
        measured.end(Slot { index: 1, generation: 0 });
        measured.end(Slot { index: 0, generation: 1 });
        assert_eq!(counts(&observed), [0]);
        measured.end(SLOT);
        measured.end(SLOT);
        assert_eq!(counts(&observed), [1]);
    }

    #[test]
    fn what_the_observers_have_left_is_not_measured_by_the_next() {
        let (observed, measured) = measured();
        for ends_observed in [false, true] {
            observed.change(1, |_| ());
            measured.begin(SLOT, "JobMessage", "Run");
            observed.change(-1, |_| ());
            if ends_observed {
                observed.change(1, |_| ());
            }
            measured.end(SLOT);
            assert_eq!(counts(&observed), [0]);
        }
    }
}
