//! Which types have sent to which, and started which, since an engine was told to record it.

use std::collections::BTreeMap;

use crate::report::sends::SendStats;
use crate::sys::sync::{Mutex, lock};

/// A row for each pair of types, by their names.
#[derive(Default)]
pub(crate) struct Sends(Mutex<BTreeMap<(&'static str, &'static str), SendStats>>);

/// The ways in which an instance has reached another.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Done {
    Sent,
    Started,
}

impl Sends {
    pub(crate) fn note(&self, message: &'static str, receiver: &'static str, done: Done) {
        let mut rows = lock(&self.0);
        let row = rows.entry((message, receiver));
        let row = row.or_insert(SendStats { message, receiver, sends: false, starts: false });
        *(if done == Done::Sent { &mut row.sends } else { &mut row.starts }) = true;
    }

    pub(crate) fn rows(&self) -> Vec<SendStats> {
        lock(&self.0).values().copied().collect()
    }
}
