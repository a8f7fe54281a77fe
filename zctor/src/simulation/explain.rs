//! Says in words what it takes for a run to fail.

use std::ops::Range;

use crate::simulation::trace::{name, what};
use crate::sys::simulated::state::Record;

/// It fails as it is.
pub(super) fn steady() -> String {
    "it fails in the steady order, in which each thread runs on until it blocks".to_owned()
}

/// It fails whenever these threads are held back.
pub(super) fn held_back(record: &Record, spans: &[(usize, Range<u64>)]) -> String {
    let spans: Vec<String> = spans.iter().map(|(thread, during)| held_back_one(record, *thread, during)).collect();
    let means = match spans.len() {
        1 => "it runs there only while all other threads wait",
        _ => "they run there only while all other threads wait",
    };
    format!("it fails whenever thread {}\n  ({means})", spans.join(",\n  and thread "))
}

/// A thread is held back between the last thing that it does before these decisions and the first one after them.
fn held_back_one(record: &Record, thread: usize, during: &Range<u64>) -> String {
    let step = |decision: u64| {
        let known = usize::try_from(decision).ok().and_then(|decision| record.decided_at.get(decision));
        known.copied().unwrap_or(record.events.len())
    };
    let (start, end) = (step(during.start), step(during.end));
    let of_thread = |&step: &usize| record.events[step].thread == thread;
    let tell = |step: usize| format!("step {step} ({})", what(record, &record.events[step]));
    let before = (0..start).rev().find(of_thread).map_or_else(|| "its start".to_owned(), tell);
    let after = (end..record.events.len()).find(of_thread).map_or_else(|| "the end".to_owned(), tell);
    format!("{} is held back between {before} and {after}", name(record, thread))
}

/// It fails if these decisions are taken.
pub(super) fn decisions(record: &Record) -> String {
    let mut text = format!(
        "it takes {} decisions that differ from the steady order, in which each thread runs on until it blocks:",
        record.deviations.len()
    );
    for deviation in record.deviations.values() {
        let (to, other) = (name(record, deviation.to), name(record, deviation.in_place_of));
        let (step, held_up) = (deviation.step, deviation.held_up);
        let held_up = held_up.map(|next| format!(" before `{next}`")).unwrap_or_default();
        text.push_str(&format!("\n  at step {step} thread {to} goes on, and {other} is held up{held_up}"));
    }
    text
}
