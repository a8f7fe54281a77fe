//! A run as text, for `ZCTOR_TRACE` and for the report of a failure.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use crate::id::InstanceId;
use crate::sys::operation::Operation;
use crate::sys::simulated::record::{Call, Event, Record};

/// The steps of a run, a line each. An arrowhead stands where another thread goes on than before.
pub(super) fn trace(record: &Record) -> String {
    let names: Vec<String> = (0..record.names.len()).map(|thread| name(record, thread)).collect();
    let width = names.iter().map(|name| name.chars().count()).max().unwrap_or(0).max("thread".len());
    let mut text = format!("  step          time  {:<width$}  what\n", "thread");
    let mut before = None;
    for (step, event) in record.events.iter().enumerate() {
        let turn = if before.replace(event.thread).is_some_and(|before| before != event.thread) { '>' } else { ' ' };
        let with_error = if returns_error(record, step) { " with an error" } else { "" };
        let (time, what) = (format!("{:?}", event.time), what(record, event) + with_error);
        // It cannot fail: the text is a `String`.
        let _ = writeln!(text, "{turn}{step:5}  {time:>12}  {:<width$}  {what}", names[event.thread]);
    }
    text
}

/// Whether `main` ends at this step with an error. It is no step of its own: two runs are compared by their steps, and by
/// their ends apart from that.
pub(super) fn returns_error(record: &Record, step: usize) -> bool {
    record.failed_at == Some(step) && record.events[step].operation == Operation::Plain("ends")
}

/// A thread, by its number and its name.
pub(super) fn name(record: &Record, thread: usize) -> String {
    format!("{thread} `{}`", record.names[thread])
}

/// The step of a thread, in words.
pub(super) fn what(record: &Record, event: &Event) -> String {
    match event.call {
        Some(Call { thread, from, message, variant, .. }) => {
            let caller = from.map_or_else(|| format!("`{}`", record.names[thread]), |from| from.to_string());
            format!("{} to {message}::{variant} of {caller}", event.operation)
        }
        None => match event.operation {
            Operation::Panics(number) => format!("panics: {}", panic_text(record, number)),
            operation => operation.to_string(),
        },
    }
}

/// The first line of a panic's text, and its place, which stands in parentheses at the end of the last.
pub(super) fn panic_text(record: &Record, number: u32) -> String {
    let panic = usize::try_from(number).ok().and_then(|number| record.panics.get(number));
    let text = panic.map(|panic| panic.text.as_str()).unwrap_or_default();
    match text.split_once('\n') {
        Some((first, rest)) => format!("{first} {}", rest.rfind('(').map(|at| &rest[at..]).unwrap_or_default()),
        None => text.to_owned(),
    }
}

/// The message type of each instance that anything was done with.
pub(super) fn types(record: &Record) -> BTreeMap<InstanceId, &'static str> {
    let known = record.events.iter().filter_map(|event| match event.operation {
        Operation::Deliver { to, message, .. } => Some((to, message)),
        Operation::Begin { instance, message, .. } => Some((instance, message)),
        _ => None,
    });
    known.collect()
}

/// Which actor each instance is, and on which thread it has handled something. Each engine has instances of its own, which
/// may have the same numbers.
pub(super) fn instances(record: &Record) -> String {
    let begun = record.events.iter().filter_map(|event| match event.operation {
        Operation::Begin { instance, message, .. } => Some((instance, message, event.thread)),
        _ => None,
    });
    let begun: BTreeSet<(InstanceId, &str, usize)> = begun.collect();
    let idle =
        types(record).into_iter().filter(|(id, message)| !begun.iter().any(|one| (one.0, one.1) == (*id, *message)));
    let idle = idle.map(|(id, message)| format!("{id} {message}"));
    let at_home = begun.iter().map(|(id, message, thread)| format!("{id} {message} on {}", name(record, *thread)));
    at_home.chain(idle).collect::<Vec<_>>().join(", ")
}
