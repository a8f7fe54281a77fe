//! Dead letters: accepted messages that no handler will get. Each is counted once, and reported once unless a
//! hook has sent it.
//!
//! A dead letter is an event, and is reported to the engine's hook for dead letters. Without a hook a line is logged, at most
//! one a second. Counting comes first: the hook is user code, and may never return. A message that a hook has sent is
//! only counted, so that no loss leads to another without end. Panics are reported likewise.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use crate::error::Refusal;
use crate::event::{DeadLetter, Ended, PanicEvent, Restarted, Undelivered};
use crate::mailbox::hooks::{Hook, HookPlace, run_hook};
use crate::mailbox::log::Log;
use crate::mailbox::tally::Tally;
use crate::report::types::TypeStats;
use crate::sys::clock::now;
use crate::sys::lock::lock;
use crate::sys::unwind::{UserClosure, ignoring_panic};
use crate::trace;

/// A bit in the count of dead letters: the report is being made, and no sender outside may add to the count.
const CLOSED: u64 = 1 << 63;

/// The counts of one engine for rare events, and the hooks that are told of them. The counts are `Relaxed`: statistics.
#[derive(Default)]
pub(crate) struct Incidents {
    /// The dead letters, with the bit `CLOSED`.
    dead_letters: AtomicU64,
    /// The dead letters that were calls, and that their callers had given up.
    skipped: AtomicU64,
    restarts: AtomicU64,
    refused: AtomicU64,
    timed_out: AtomicU64,
    /// The same by message type.
    tally: Tally,
    on_dead_letter: HookPlace<DeadLetter>,
    on_end: HookPlace<Ended>,
    on_panic: HookPlace<PanicEvent>,
    on_restart: HookPlace<Restarted>,
    log: Mutex<Log>,
    panic_log: Mutex<Log>,
}

/// The engine's hook for dead letters, if there is one just now.
pub(crate) struct Listener(Option<Arc<Hook<DeadLetter>>>);

impl Incidents {
    /// Counts messages of one type that are lost for one reason. The caller then reports each by `tell_dead_letter`,
    /// which runs user code and may not return.
    pub(crate) fn count(&self, message: &'static str, messages: usize, why: Undelivered) {
        let messages = messages as u64;
        self.tally.lost(message, messages, why);
        self.dead_letters.fetch_add(messages, Ordering::Relaxed);
        if why == Undelivered::GivenUp {
            self.skipped.fetch_add(messages, Ordering::Relaxed);
        }
    }

    /// Counts a message that a full mailbox drops at the edge, and gives the hook that it is to be reported to. `None`
    /// if the report of the engine is being made: the message was never accepted then.
    pub(crate) fn count_at_edge(&self, message: &'static str) -> Option<Listener> {
        // The hook is read first. `finish` closes the count before it drops the hooks, so a message that is counted
        // here finds the hook.
        let listener = self.listener();
        let count = |letters: u64| (letters & CLOSED == 0).then_some(letters + 1);
        self.dead_letters.fetch_update(Ordering::AcqRel, Ordering::Relaxed, count).ok()?;
        self.tally.lost(message, 1, Undelivered::Full);
        Some(listener)
    }

    /// The hook that dead letters are reported to just now.
    pub(crate) fn listener(&self) -> Listener {
        Listener(self.on_dead_letter.hook())
    }

    /// Reports a message that was counted as lost.
    pub(crate) fn tell_dead_letter(&self, Listener(hook): Listener, letter: &DeadLetter) {
        trace::dead_letter(letter);
        match hook {
            Some(hook) => run_hook(|| hook.get().into_iter().for_each(|hook| hook(letter))),
            // The caller knows of a call that it has given up.
            None if letter.why == Undelivered::GivenUp => {}
            None => self.write(&self.log, letter),
        }
    }

    /// Tells of a panic in the code of an instance.
    pub(crate) fn tell_panicked(&self, panic: &PanicEvent) {
        trace::panicked(panic);
        match self.on_panic.hook() {
            Some(hook) => run_hook(|| hook.get().into_iter().for_each(|hook| hook(panic))),
            None => self.write(&self.panic_log, panic),
        }
    }

    fn write(&self, log: &Mutex<Log>, event: &dyn fmt::Display) {
        if self.dead_letters.load(Ordering::Relaxed) & CLOSED != 0 {
            return; // the last line was written
        }
        let due = lock(log).due(now());
        if let Some(more) = due {
            ignoring_panic(|| trace::line(event, more));
        }
    }

    /// Tells the engine's hook that an instance has ended.
    #[inline]
    pub(crate) fn tell_ended(&self, ended: impl FnOnce() -> Ended) {
        if let Some(hook) = self.on_end.hook() {
            let ended = ended();
            run_hook(|| hook.get().into_iter().for_each(|hook| hook(&ended)));
        }
    }

    /// Tells the engine's hook that the state of an instance was built again.
    pub(crate) fn tell_restarted(&self, restarted: &Restarted) {
        if let Some(hook) = self.on_restart.hook() {
            run_hook(|| hook.get().into_iter().for_each(|hook| hook(restarted)));
        }
    }

    pub(crate) fn on_dead_letter(&self, hook: Box<dyn Fn(&DeadLetter) + Send + Sync>) {
        drop(self.on_dead_letter.put(UserClosure::new(hook)));
    }

    pub(crate) fn on_end(&self, hook: Box<dyn Fn(&Ended) + Send + Sync>) {
        drop(self.on_end.put(UserClosure::new(hook)));
    }

    pub(crate) fn on_panic(&self, hook: Box<dyn Fn(&PanicEvent) + Send + Sync>) {
        drop(self.on_panic.put(UserClosure::new(hook)));
    }

    pub(crate) fn on_restart(&self, hook: Box<dyn Fn(&Restarted) + Send + Sync>) {
        drop(self.on_restart.put(UserClosure::new(hook)));
    }

    /// Closes the count, and drops the hooks, which may hold clients of this engine: it has stopped. Logs how many
    /// events were passed over.
    pub(crate) fn finish(&self) {
        self.dead_letters.fetch_or(CLOSED, Ordering::AcqRel); // before the hooks are dropped, see `count_at_edge`
        drop(self.on_dead_letter.close());
        drop(self.on_end.close());
        drop(self.on_panic.close());
        drop(self.on_restart.close());
        for (log, what) in [(&self.log, "dead letters"), (&self.panic_log, "panics")] {
            let more = std::mem::take(&mut lock(log).more);
            if more > 0 {
                ignoring_panic(|| trace::more_lines(more, what));
            }
        }
    }

    /// Counts a restart of an instance of this type.
    pub(crate) fn count_restart(&self, message: &'static str) {
        self.tally.restarted(message);
        self.restarts.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts messages of one type that were refused.
    pub(crate) fn count_refusal(&self, message: &'static str, messages: usize, why: Refusal) {
        self.tally.refused(message, messages as u64, why);
        self.refused.fetch_add(messages as u64, Ordering::Relaxed);
    }

    /// Counts a request of this type that its instance cannot take.
    #[cold]
    pub(crate) fn count_unfit(&self, message: &'static str) {
        self.tally.unfit(message);
        self.refused.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts a call that ended at its deadline.
    #[cold]
    pub(crate) fn count_timeout(&self, message: &'static str, begun: bool) {
        self.tally.timed_out(message, begun);
        self.timed_out.fetch_add(1, Ordering::Relaxed);
    }

    /// The counts by message type.
    pub(crate) fn by_type(&self) -> BTreeMap<&'static str, TypeStats> {
        self.tally.rows()
    }

    pub(crate) fn dead_letters(&self) -> u64 {
        self.dead_letters.load(Ordering::Relaxed) & !CLOSED
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

    pub(crate) fn timed_out(&self) -> u64 {
        self.timed_out.load(Ordering::Relaxed)
    }
}
