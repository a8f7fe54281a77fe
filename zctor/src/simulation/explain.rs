//! Says in words what it takes for a run to fail.

use std::ops::Range;

use crate::simulation::steps::{name, what};
use crate::sys::simulated::record::Record;
use crate::sys::simulated::turns::{Delay, Turn};

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

/// It fails if these turns come later than in the steady order.
pub(super) fn delayed(record: &Record, delays: &[Delay]) -> String {
    let what = match delays.len() {
        1 => "1 step comes".to_owned(),
        count => format!("{count} steps come"),
    };
    let mut text =
        format!("it fails if {what} later than in the steady order, in which each thread runs on until it blocks:");
    for Delay { turn, behind } in delays {
        let thread = name(record, turn.thread);
        let behind = match behind {
            Some(behind) => format!("behind {} of thread {}", begin(record, behind), name(record, behind.thread)),
            None => "when no other thread can go on".to_owned(),
        };
        text.push_str(&format!("\n  {} of thread {thread} comes {behind}", begin(record, turn)));
    }
    text
}

/// The first operation of a turn, in words.
fn begin(record: &Record, turn: &Turn) -> String {
    let step = record.turns.get(turn).copied();
    let own = |step: &usize| record.events.get(*step).is_some_and(|event| event.thread == turn.thread);
    match (turn.operation, step) {
        (Some(_), Some(step)) if own(&step) => format!("step {step} ({})", what(record, &record.events[step])),
        (Some(operation), _) => format!("`{operation}`, which it does not come to,"),
        (None, _) if turn.earlier == 0 => "the start".to_owned(),
        (None, step) => match (0..step.unwrap_or(record.events.len())).rev().find(own) {
            Some(before) => format!("what follows step {before} ({})", what(record, &record.events[before])),
            None => "the start".to_owned(),
        },
    }
}
