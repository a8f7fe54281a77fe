//! A snapshot as a page of text.

use std::fmt;
use std::fmt::Write as _;

use crate::look::OLD;
use crate::snapshot::{Event, Room, Snapshot, Thread, Type};

/// How many threads, types, instances and events a page of text shows at most.
const ROWS: usize = 30;
const EVENTS: usize = 10;

impl fmt::Display for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { engine, process, time, window, threads, types, instances, .. } = self;
        write!(f, "zctor `{engine}` in process {process} at {}: ", clock(*time))?;
        writeln!(f, "{} threads, {} types, {instances} instances", threads.len(), types.len())?;
        match *window {
            0.0 => writeln!(f, "shares since each thread started; rates need a second look\n")?,
            window => writeln!(f, "shares and rates of the last {window:.1} s\n")?,
        }
        table(f, &THREAD, self.culprits_first().into_iter().map(|row| thread_cells(row, *window)))?;
        table(f, &TYPE, types.iter().map(type_cells))?;
        let instances = self.top.iter().map(|one| {
            let state = if one.backing_off { "backs off" } else { "" };
            cells([
                &format!("{} {}", one.message, one.instance),
                &one.queued,
                &format!("{:.0}", one.rate),
                &one.handled,
                &one.panicked,
                &state,
            ])
        });
        table(f, &INSTANCE, instances)?;
        if !self.events.is_empty() {
            writeln!(f, "what happened, the newest first")?;
            let events = self.events.iter().take(EVENTS);
            events.clone().try_for_each(|event| writeln!(f, "  {event}"))?;
            writeln!(f)?;
        }
        f.write_str(&self.waits_text)?;
        // Old waits end with the culprit.
        match &self.culprit {
            Some(culprit) if !self.waits_text.ends_with(culprit) => write!(f, "\n\n{culprit}"),
            _ => Ok(()),
        }
    }
}

impl Snapshot {
    /// Whether a thread holds others up: the [`culprit`](Self::culprit) is on it, or a chain of waits that is a second old
    /// ends there.
    ///
    /// ```
    /// use zctor_console::snapshot::{Snapshot, Thread};
    ///
    /// let (mut snapshot, mut thread) = (Snapshot::default(), Thread::default());
    /// thread.thread = "4".to_owned();
    /// assert!(!snapshot.is_culprit(&thread));
    /// snapshot.culprit_thread = Some("4".to_owned());
    /// assert!(snapshot.is_culprit(&thread));
    /// ```
    pub fn is_culprit(&self, thread: &Thread) -> bool {
        // A chain that ends on another engine's thread has no instance: the number is none of this engine's.
        let old = self.waits.iter().filter(|root| root.instance.is_some() && root.longest >= OLD.as_secs_f64());
        old.map(|root| &root.thread).chain(&self.culprit_thread).any(|culprit| *culprit == thread.thread)
    }

    /// The threads as tables show them: those that [hold others up](Self::is_culprit) come first, since a table may have
    /// room for a few of many, and the others follow in spawn order.
    ///
    /// ```
    /// use zctor_console::snapshot::{Snapshot, Thread};
    ///
    /// let mut snapshot = Snapshot::default();
    /// for number in 0..3 {
    ///     let mut thread = Thread::default();
    ///     thread.thread = number.to_string();
    ///     snapshot.threads.push(thread);
    /// }
    /// snapshot.culprit_thread = Some("1".to_owned());
    /// let order: Vec<&str> = snapshot.culprits_first().iter().map(|row| &*row.thread).collect();
    /// assert_eq!(order, ["1", "0", "2"]);
    /// ```
    pub fn culprits_first(&self) -> Vec<&Thread> {
        let (culprits, others): (Vec<_>, Vec<_>) = self.threads.iter().partition(|row| self.is_culprit(row));
        culprits.into_iter().chain(others).collect()
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { since, time, what, count, message } = self;
        write!(f, "{} {message}: {count} {what}", clock(*time))?;
        if time - since >= 1.0 { write!(f, " in {:.0} s", time - since) } else { Ok(()) }
    }
}

impl fmt::Display for Room {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.taken, self.bound)?;
        if self.inside {
            f.write_str(" inside")?;
        }
        if self.waiting > 0 { write!(f, " +{}", self.waiting) } else { Ok(()) }
    }
}

impl Thread {
    /// The age of the oldest message in words, where the snapshot has this window: empty if nothing is queued, and `?` if
    /// nothing is known of it yet.
    ///
    /// ```
    /// use zctor_console::snapshot::Thread;
    ///
    /// let mut thread = Thread::default();
    /// assert_eq!(thread.oldest_text(0.0), "");
    /// thread.queued = 297;
    /// assert_eq!([0.0, 0.5].map(|window| thread.oldest_text(window)), ["?", "<0.5 s"]);
    /// thread.oldest = 12.34;
    /// assert_eq!(thread.oldest_text(0.5), "12.3 s");
    /// ```
    pub fn oldest_text(&self, window: f64) -> String {
        match (self.queued, self.oldest) {
            (0, _) => String::new(),
            // An earlier look, at the begin of the window, had counted none of them.
            (_, 0.0) if window > 0.0 => format!("<{window:.1} s"),
            (_, 0.0) => "?".to_owned(),
            (_, age) => format!("{age:.1} s"),
        }
    }

    /// The code that runs, in words, and how many instances back off.
    ///
    /// ```
    /// use zctor_console::snapshot::Thread;
    ///
    /// let mut thread = Thread::default();
    /// thread.backing_off = 1;
    /// assert_eq!(thread.runs_text(), "(1 backs off)");
    /// ```
    pub fn runs_text(&self) -> String {
        let back_off = match self.backing_off {
            0 => None,
            1 => Some("(1 backs off)".to_owned()),
            many => Some(format!("({many} back off)")),
        };
        let runs = Some(self.runs.clone()).filter(|runs| !runs.is_empty());
        runs.into_iter().chain(back_off).collect::<Vec<_>>().join(" ")
    }
}

/// The heads of the columns. The first and the last are to the left, numbers to the right.
const THREAD: [&str; 9] = ["THREAD", "busy", "waits", "queued", "oldest", "room", "handled", "/s", "runs"];
const TYPE: [&str; 9] = ["TYPE", "instances", "queued", "handled", "/s", "panics", "restarts", "dead letters", "else"];
const INSTANCE: [&str; 6] = ["TOP INSTANCES", "queued", "/s", "handled", "panics", ""];

pub(crate) fn cells<const N: usize>(values: [&dyn fmt::Display; N]) -> [String; N] {
    values.map(ToString::to_string)
}

fn thread_cells(row: &Thread, window: f64) -> [String; 9] {
    let rooms: Vec<String> = row.rooms.iter().map(Room::to_string).collect();
    cells([
        &format!("{} `{}`", row.thread, row.name),
        &percent(row.busy),
        &percent(row.waiting),
        &row.queued,
        &row.oldest_text(window),
        &rooms.join(" "),
        &row.handled,
        &format!("{:.0}", row.rate),
        &row.runs_text(),
    ])
}

fn type_cells(row: &Type) -> [String; 9] {
    let rare = [(row.refused, "refused"), (row.timed_out, "timed out"), (row.ended, "ended")];
    let rare: Vec<String> =
        rare.iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!("{count} {what}")).collect();
    cells([
        &row.message,
        &row.instances,
        &row.queued,
        &row.handled,
        &format!("{:.0}", row.rate),
        &row.panicked,
        &row.restarts,
        &row.dead_letters,
        &rare.join(", "),
    ])
}

fn percent(share: f64) -> String {
    format!("{:.0} %", share * 100.0)
}

/// Writes rows under their heads, each column as wide as its widest cell.
pub(crate) fn table<const N: usize>(
    f: &mut dyn fmt::Write,
    head: &[&str; N],
    rows: impl Iterator<Item = [String; N]>,
) -> fmt::Result {
    let mut rows: Vec<[String; N]> = [head.map(str::to_owned)].into_iter().chain(rows).collect();
    let more = rows.len().saturating_sub(1 + ROWS);
    rows.truncate(1 + ROWS);
    let widths: [usize; N] =
        std::array::from_fn(|at| rows.iter().map(|row| row[at].chars().count()).max().unwrap_or_default());
    for row in &rows {
        let mut line = String::new();
        for (at, (cell, width)) in row.iter().zip(widths).enumerate() {
            let gap = if at == 0 { "" } else { "  " };
            match at {
                0 => write!(line, "{gap}{cell:<width$}")?,
                _ if at == N - 1 => write!(line, "{gap}{cell}")?,
                _ => write!(line, "{gap}{cell:>width$}")?,
            }
        }
        writeln!(f, "{}", line.trim_end())?;
    }
    if more > 0 {
        writeln!(f, "and {more} more, in the JSON")?;
    }
    writeln!(f)
}

/// The time of day, in UTC.
fn clock(time: f64) -> String {
    let seconds = time as u64 % 86_400;
    format!("{:02}:{:02}:{:02} UTC", seconds / 3_600, seconds / 60 % 60, seconds % 60)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::snapshot::WaitRoot;

    #[test]
    fn the_threads_that_hold_others_up_are_among_the_rows_of_a_page_however_many_there_are() {
        let mut snapshot = Snapshot::default();
        for number in 0..2 * ROWS {
            let mut thread = Thread::default();
            (thread.thread, thread.name) = (number.to_string(), format!("worker-{number}"));
            snapshot.threads.push(thread);
        }
        let root = |thread: &str, instance: Option<&str>, longest: f64| {
            let (thread, instance) = (thread.to_owned(), instance.map(str::to_owned));
            WaitRoot { thread, instance, longest, ..WaitRoot::default() }
        };
        // One is new, and one is on a thread of another engine, whose numbers are its own.
        snapshot.waits = vec![root("57", Some("1.0"), 0.5), root("58", None, 9.0), root("55", Some("3.0"), 1.0)];
        snapshot.culprit_thread = Some("59".to_owned());
        let text = snapshot.to_string();
        let mut rows = text.lines().skip_while(|line| !line.starts_with("THREAD")).skip(1);
        let names = rows.by_ref().take(4).map(|row| row.split_whitespace().next().unwrap_or_default());
        assert_eq!(names.collect::<Vec<_>>(), ["55", "59", "0", "1"], "{text}");
        assert!(text.contains(&format!("and {ROWS} more, in the JSON")) && !text.contains("57 `worker-57`"), "{text}");
    }
}
