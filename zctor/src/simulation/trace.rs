//! The steps of a run as text, a line each.

use std::fmt::Write;

use crate::sys::simulated::state::{Call, Event, Record};

/// The steps of a run, a line each. A mark stands where another thread goes on than before.
pub(super) fn trace(record: &Record) -> String {
    let names: Vec<String> = (0..record.names.len()).map(|thread| name(record, thread)).collect();
    let width = names.iter().map(|name| name.chars().count()).max().unwrap_or(0).max("thread".len());
    let mut text = format!("  step          time  {:<width$}  what\n", "thread");
    let mut before = None;
    for (step, event) in record.events.iter().enumerate() {
        let turn = if before.replace(event.thread).is_some_and(|before| before != event.thread) { '>' } else { ' ' };
        let (time, what) = (format!("{:?}", event.time), what(record, event));
        // It cannot fail: the text is a `String`.
        let _ = writeln!(text, "{turn}{step:5}  {time:>12}  {:<width$}  {what}", names[event.thread]);
    }
    text
}

/// A thread, by its number and its name.
pub(super) fn name(record: &Record, thread: usize) -> String {
    format!("{thread} `{}`", record.names[thread])
}

/// What a thread has done.
pub(super) fn what(record: &Record, event: &Event) -> String {
    match event.call {
        Some(Call { thread, from, message, variant, .. }) => {
            let caller = from.map_or_else(|| format!("`{}`", record.names[thread]), |from| from.to_string());
            format!("{} to {message}::{variant} of {caller}", event.operation)
        }
        None => event.operation.to_string(),
    }
}
