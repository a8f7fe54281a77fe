//! The counts of rare events by message type: restarts, dead letters, refusals, timeouts.

use std::collections::BTreeMap;
use std::sync::Mutex;

use crate::error::Refusal;
use crate::event::Undelivered;
use crate::report::types::TypeStats;
use crate::sys::lock::lock;

/// A row for each message type of which something was counted, by its name.
#[derive(Default)]
pub(super) struct Tally(Mutex<BTreeMap<&'static str, TypeStats>>);

impl Tally {
    fn change(&self, message: &'static str, change: impl FnOnce(&mut TypeStats)) {
        change(lock(&self.0).entry(message).or_insert_with(|| TypeStats::new(message)));
    }

    pub(super) fn lost(&self, message: &'static str, messages: u64, why: Undelivered) {
        self.change(message, |row| *row.dead_letters.place(why) += messages);
    }

    pub(super) fn refused(&self, message: &'static str, messages: u64, why: Refusal) {
        self.change(message, |TypeStats { refused, .. }| match why {
            Refusal::NotRegistered => refused.not_registered += messages,
            Refusal::Full => refused.full += messages,
            Refusal::Stopped => refused.stopped += messages,
        });
    }

    pub(super) fn unfit(&self, message: &'static str) {
        self.change(message, |row| row.refused.unfit += 1);
    }

    pub(super) fn restarted(&self, message: &'static str) {
        self.change(message, |row| row.restarts += 1);
    }

    pub(super) fn timed_out(&self, message: &'static str, begun: bool) {
        self.change(message, |TypeStats { timed_out, .. }| {
            *(if begun { &mut timed_out.begun } else { &mut timed_out.not_begun }) += 1;
        });
    }

    /// A copy of all rows.
    pub(super) fn rows(&self) -> BTreeMap<&'static str, TypeStats> {
        lock(&self.0).clone()
    }
}
