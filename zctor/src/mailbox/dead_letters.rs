//! Dead letters: accepted messages that nobody will handle. Each is counted with its reason, is an event, and is told to the
//! hook for it; without one, a line is logged now and then. Panics and ends are told likewise.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::event::{DeadLetter, Ended, PanicEvent, Undelivered};
use crate::sys::clock::now;
use crate::sys::frame::as_hook;
use crate::sys::lock::lock;
use crate::sys::unwind::{Quiet, quietly};
use crate::trace;

/// One of the engine's hooks.
type Hook<T> = Quiet<dyn Fn(&T) + Send + Sync>;

/// The place of a hook.
enum HookSlot<T> {
    Open(Option<Arc<Hook<T>>>),
    /// The engine has stopped: no hook is kept any more.
    Closed,
}

impl<T> Default for HookSlot<T> {
    fn default() -> Self {
        Self::Open(None)
    }
}

impl<T> HookSlot<T> {
    fn hook(slot: &Mutex<Self>) -> Option<Arc<Hook<T>>> {
        match &*lock(slot) {
            Self::Open(hook) => hook.clone(),
            Self::Closed => None,
        }
    }

    /// What it replaces is dropped by the caller, outside the lock.
    fn put(slot: &Mutex<Self>, hook: Hook<T>) -> Option<Arc<Hook<T>>> {
        let hook = Some(Arc::new(hook));
        match &mut *lock(slot) {
            Self::Open(place) => std::mem::replace(place, hook),
            Self::Closed => hook,
        }
    }

    fn close(slot: &Mutex<Self>) -> Self {
        std::mem::replace(&mut *lock(slot), Self::Closed)
    }
}

/// In the count of dead letters: the report has been made, and no sender outside may add to it.
const CLOSED: u64 = 1 << 63;

/// Engine-wide counts of what does not happen often, and who is told of it. The counts are `Relaxed`: statistics.
#[derive(Default)]
pub(crate) struct Losses {
    letters: AtomicU64,
    skipped: AtomicU64,
    restarts: AtomicU64,
    refused: AtomicU64,
    on_dead_letter: Mutex<HookSlot<DeadLetter>>,
    on_end: Mutex<HookSlot<Ended>>,
    on_panic: Mutex<HookSlot<PanicEvent>>,
    log: Mutex<Log>,
    panic_log: Mutex<Log>,
}

/// The engine's hook for dead letters, if there is one.
pub(crate) struct Listener(Option<Arc<Hook<DeadLetter>>>);

/// Runs a hook of the user's.
pub(crate) fn run_hook(hook: impl FnOnce()) {
    as_hook(true, || quietly(hook));
}

impl Losses {
    /// So many messages are lost, for one reason. First they are counted, then each is told of: user code, in which that
    /// may end.
    pub(crate) fn count(&self, letters: usize, why: Undelivered) {
        let letters = letters as u64;
        self.letters.fetch_add(letters, Ordering::Relaxed);
        if why == Undelivered::GivenUp {
            self.skipped.fetch_add(letters, Ordering::Relaxed);
        }
    }

    /// Counts a message that a sender outside loses at the edge, before it is told of. `None` if the report has been made: then
    /// it was never accepted.
    pub(crate) fn count_at_edge(&self) -> Option<Listener> {
        // The hook first: `finish` closes the count before it lets the hooks go, so what is counted here is told.
        let listener = self.listener();
        let count = |letters: u64| (letters & CLOSED == 0).then_some(letters + 1);
        self.letters.fetch_update(Ordering::AcqRel, Ordering::Relaxed, count).ok()?;
        Some(listener)
    }

    /// Who is to be told of dead letters just now.
    pub(crate) fn listener(&self) -> Listener {
        Listener(HookSlot::hook(&self.on_dead_letter))
    }

    /// Tells of a message that was counted as lost.
    pub(crate) fn tell(&self, Listener(hook): Listener, letter: &DeadLetter) {
        trace::dead_letter(letter);
        match hook {
            Some(hook) => run_hook(|| hook.get().into_iter().for_each(|hook| hook(letter))),
            // A call that was given up is known to its caller.
            None if letter.why == Undelivered::GivenUp => {}
            None => self.write(&self.log, letter),
        }
    }

    /// Tells of a panic in the code of an instance.
    pub(crate) fn panicked(&self, panic: &PanicEvent) {
        trace::panicked(panic);
        match HookSlot::hook(&self.on_panic) {
            Some(hook) => run_hook(|| hook.get().into_iter().for_each(|hook| hook(panic))),
            None => self.write(&self.panic_log, panic),
        }
    }

    fn write(&self, log: &Mutex<Log>, event: &dyn fmt::Display) {
        if self.letters.load(Ordering::Relaxed) & CLOSED != 0 {
            return; // the last line was written
        }
        let due = lock(log).due(now());
        if let Some(more) = due {
            quietly(|| trace::line(event, more));
        }
    }

    /// An instance has ended.
    pub(crate) fn ended(&self, ended: &Ended) {
        if let Some(hook) = HookSlot::hook(&self.on_end) {
            run_hook(|| hook.get().into_iter().for_each(|hook| hook(ended)));
        }
    }

    pub(crate) fn on_dead_letter(&self, hook: Box<dyn Fn(&DeadLetter) + Send + Sync>) {
        drop(HookSlot::put(&self.on_dead_letter, Quiet::new(hook)));
    }

    pub(crate) fn on_end(&self, hook: Box<dyn Fn(&Ended) + Send + Sync>) {
        drop(HookSlot::put(&self.on_end, Quiet::new(hook)));
    }

    pub(crate) fn on_panic(&self, hook: Box<dyn Fn(&PanicEvent) + Send + Sync>) {
        drop(HookSlot::put(&self.on_panic, Quiet::new(hook)));
    }

    /// The engine has stopped: what its hooks hold, clients of its own perhaps, is let go. Says what was not yet logged.
    pub(crate) fn finish(&self) {
        self.letters.fetch_or(CLOSED, Ordering::AcqRel); // before the hooks go, see `lose_at_edge`
        drop(HookSlot::close(&self.on_dead_letter));
        drop(HookSlot::close(&self.on_end));
        drop(HookSlot::close(&self.on_panic));
        for (log, what) in [(&self.log, "dead letters"), (&self.panic_log, "panics")] {
            let more = std::mem::take(&mut lock(log).more);
            if more > 0 {
                quietly(|| trace::more_lines(more, what));
            }
        }
    }

    pub(crate) fn restart(&self) {
        self.restarts.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn refuse(&self, messages: usize) {
        self.refused.fetch_add(messages as u64, Ordering::Relaxed);
    }

    pub(crate) fn letters(&self) -> u64 {
        self.letters.load(Ordering::Relaxed) & !CLOSED
    }

    pub(crate) fn skipped(&self) -> u64 {
        self.skipped.load(Ordering::Relaxed)
    }

    pub(crate) fn restarts(&self) -> u64 {
        self.restarts.load(Ordering::Relaxed)
    }

    pub(crate) fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }
}

/// Lets one line a second through.
#[derive(Default)]
struct Log {
    last: Option<Instant>,
    /// Events since the last line.
    more: u64,
}

impl Log {
    /// Whether a line is due for one more event: then the number of those passed over before it.
    fn due(&mut self, at: Instant) -> Option<u64> {
        if self.last.is_some_and(|last| at.saturating_duration_since(last) < Duration::from_secs(1)) {
            self.more += 1;
            return None;
        }
        self.last = Some(at);
        Some(std::mem::take(&mut self.more))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_a_second_tells_of_those_passed_over() {
        let start = now();
        let at = |ms| start + Duration::from_millis(ms);
        let mut log = Log::default();
        let lines = [0, 1, 999, 1_000, 1_500, 2_000].map(|ms| log.due(at(ms)));
        assert_eq!(lines, [Some(0), None, None, Some(2), None, Some(1)]);
    }
}
