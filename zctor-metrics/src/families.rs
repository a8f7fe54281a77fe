//! The metrics: their names, what they say, and where each value comes from.

use std::fmt;
use std::time::Duration;

use prometheus_client::encoding::{DescriptorEncoder, EncodeGaugeValue, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::Unit;

use crate::highest::Raising;
use crate::scrape::{Labels, Scrape};

/// A family before its rows: its name without the suffixes, its help, its unit.
type Head = (&'static str, &'static str, Option<Unit>);

pub(crate) fn types(scrape: &Scrape, to: &mut DescriptorEncoder<'_>, highest: &mut Raising<'_>) -> fmt::Result {
    let handled = ("zctor_messages_handled", "Messages handled", None);
    counter(to, highest, handled, scrape.types(|row| row.handled))?;
    let panicked = ("zctor_messages_panicked", "Messages whose handlers panicked", None);
    counter(to, highest, panicked, scrape.types(|row| row.panicked))?;
    let refused = ("zctor_messages_refused", "Sends and calls that were refused with an error", None);
    let reasons = scrape.types_by("reason", |row| {
        let refused = row.refused;
        [
            ("not_registered", refused.not_registered),
            ("full", refused.full),
            ("stopped", refused.stopped),
            ("unfit", refused.unfit),
        ]
    });
    counter(to, highest, refused, reasons)?;
    let lost = ("zctor_dead_letters", "Accepted messages that no handler got", None);
    let reasons = scrape.types_by("reason", |row| {
        let lost = row.dead_letters;
        [
            ("ended", lost.ended),
            ("stopped", lost.stopped),
            ("given_up", lost.given_up),
            ("full", lost.full),
            ("conflated", lost.conflated),
            ("unreachable", lost.unreachable),
            ("lost", lost.lost),
            ("unfit", lost.unfit),
        ]
    });
    counter(to, highest, lost, reasons)?;
    let timed_out = ("zctor_calls_timed_out", "Calls whose callers waited to the deadline in vain", None);
    let begun = scrape.types_by("begun", |row| [("true", row.timed_out.begun), ("false", row.timed_out.not_begun)]);
    counter(to, highest, timed_out, begun)?;
    let restarts = ("zctor_restarts", "Rebuilds of a state after a panic", None);
    counter(to, highest, restarts, scrape.types(|row| row.restarts))?;
    let ended = ("zctor_instances_ended", "Instances that have ended", None);
    counter(to, highest, ended, scrape.types(|row| row.ended))?;
    gauge(to, ("zctor_instances", "Instances that live", None), scrape.types(|row| row.instances))?;
    let queued = ("zctor_messages_queued", "Messages that wait or are being handled", None);
    gauge(to, queued, scrape.types(|row| row.queued))
}

pub(crate) fn waits(scrape: &Scrape, to: &mut DescriptorEncoder<'_>) -> fmt::Result {
    gauge(to, ("zctor_waits", "Handlers that wait for a reply of another type", None), scrape.waits())?;
    let handlers = ("zctor_wait_root_handlers", "Handlers that wait for this one in the end", None);
    gauge(to, handlers, scrape.roots(|root| root.handlers.len()))?;
    let callers = ("zctor_wait_root_callers", "Threads outside that wait for this handler in the end", None);
    gauge(to, callers, scrape.roots(|root| root.callers.len()))?;
    let longest = ("zctor_wait_root", "The longest wait for this handler", Some(Unit::Seconds));
    let longest_wait = |root: &zctor::WaitRoot| {
        let waits =
            root.handlers.iter().map(|one| one.wait.lasted).chain(root.callers.iter().map(|one| one.caller.lasted));
        waits.max().unwrap_or_default().as_secs_f64()
    };
    gauge(to, longest, scrape.roots(longest_wait))?;
    // As the console tells it. How long a handler has run is not always known in full: then it has done so for the longest
    // wait at least.
    let stuck =
        ("zctor_wait_root_stuck", "The time for which this handler has run or is waited for", Some(Unit::Seconds));
    gauge(to, stuck, scrape.roots(|root| longest_wait(root).max(root.lasted.as_secs_f64())))
}

pub(crate) fn threads(scrape: &Scrape, to: &mut DescriptorEncoder<'_>, highest: &mut Raising<'_>) -> fmt::Result {
    let busy = ("zctor_thread_busy", "Time for which the thread ran handlers", Some(Unit::Seconds));
    counter(to, highest, busy, scrape.threads(|thread| nanoseconds(thread.busy())))?;
    let waiting = ("zctor_thread_waiting", "Time for which a handler of the thread waited", Some(Unit::Seconds));
    counter(to, highest, waiting, scrape.threads(|thread| nanoseconds(thread.waiting)))?;
    let idle = ("zctor_thread_idle", "Time for which the thread had nothing to do", Some(Unit::Seconds));
    counter(to, highest, idle, scrape.threads(|thread| nanoseconds(thread.idle)))?;
    let queued = ("zctor_queue_messages", "Messages that wait on the thread or are being handled", None);
    gauge(to, queued, scrape.threads(|thread| thread.queued))?;
    let oldest =
        ("zctor_queue_oldest", "The time for which the oldest of them has waited, at least", Some(Unit::Seconds));
    gauge(to, oldest, scrape.threads(|thread| thread.oldest.as_secs_f64()))?;
    gauge(to, ("zctor_thread_timers", "Timers that are set", None), scrape.threads(|thread| thread.timers))?;
    let bound = ("zctor_mailbox_bound", "Messages that there is room for", None);
    gauge(to, bound, scrape.rooms(|room| room.bound))?;
    let taken = ("zctor_mailbox_taken", "Messages that take room", None);
    gauge(to, taken, scrape.rooms(|room| room.taken))?;
    let waiting = ("zctor_mailbox_waiting_senders", "Senders that wait for room", None);
    gauge(to, waiting, scrape.rooms(|room| room.waiting))
}

fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

/// Writes a family of counters. The rows of one in seconds are in nanoseconds.
fn counter(
    to: &mut DescriptorEncoder<'_>,
    highest: &mut Raising<'_>,
    head: Head,
    rows: Vec<(Labels, u64)>,
) -> fmt::Result {
    let (name, help, unit) = head;
    let mut family = to.encode_descriptor(name, help, unit.as_ref(), MetricType::Counter)?;
    rows.iter().try_for_each(|(labels, value)| {
        let value = highest.at_least(name, labels, *value);
        let mut row = family.encode_family(labels)?;
        match unit {
            Some(_) => row.encode_counter::<NoLabelSet, _, u64>(&Duration::from_nanos(value).as_secs_f64(), None),
            None => row.encode_counter::<NoLabelSet, _, u64>(&value, None),
        }
    })
}

fn gauge<V: EncodeGaugeValue>(to: &mut DescriptorEncoder<'_>, head: Head, rows: Vec<(Labels, V)>) -> fmt::Result {
    let (name, help, unit) = head;
    let mut family = to.encode_descriptor(name, help, unit.as_ref(), MetricType::Gauge)?;
    rows.iter().try_for_each(|(labels, value)| family.encode_family(labels)?.encode_gauge(value))
}
