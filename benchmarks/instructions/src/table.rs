//! The committed table, and how what is counted compares with it.

use std::fmt;

/// By how much a path may grow. The counts of one binary differ by one in a hundred from run to run.
const ALLOWED_PERCENT: f64 = 5.0;

/// By how much a path may grow on which threads park: its counts of one binary were seen to differ by seven in a hundred,
/// as a thread finds its reply before it parks or behind that. And a pipe, whose count was seen to move by as much with code
/// that has nothing to do with it, since the allocator merged free blocks at other times.
const ALLOWED_UNSTEADY_PERCENT: f64 = 12.0;

/// By how much any path may grow, in instructions: a short one differs by two from run to run.
const ALLOWED_INSTRUCTIONS: f64 = 2.5;

/// Whether the counts of a path are the same whatever the order of events.
pub(crate) fn is_steady(path: &str) -> bool {
    !path.contains("parking") && !path.contains("piped")
}

/// What a path may cost more.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Allowed {
    percent: f64,
    /// For each send and each handling in it, on top of that.
    instructions: f64,
}

impl Allowed {
    /// In the library without features, and in one that could be simulated.
    pub(crate) const USUAL: Self = Self { percent: ALLOWED_PERCENT, instructions: 0.0 };
    /// With the feature `observe`, while nobody observes: one in a hundred; by another one the counts differ from run to run.
    pub(crate) const UNOBSERVED: Self = Self { percent: 2.0, instructions: 0.0 };
    /// With the feature `tracing`, while no subscriber listens; by one in a hundred the counts differ from run to run.
    pub(crate) const UNHEARD: Self = Self { percent: 1.0, instructions: 12.0 };

    /// By how much this row may grow, in percent.
    fn percent(self, before: &Row) -> f64 {
        let noise = if is_steady(&before.path) { 0.0 } else { ALLOWED_UNSTEADY_PERCENT };
        let in_percent = |instructions: f64| 100.0 * instructions / before.instructions;
        let more = in_percent(self.instructions * before.sends_and_handlings());
        (self.percent.max(in_percent(ALLOWED_INSTRUCTIONS)) + more).max(noise)
    }
}

/// One thread's part in a path.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Row {
    pub(crate) path: String,
    pub(crate) side: String,
    pub(crate) instructions: f64,
}

impl Row {
    /// How many sends and handlings are in it: one on a side that does one of the two.
    fn sends_and_handlings(&self) -> f64 {
        match (&*self.side, &*self.path) {
            ("both", path) if path.contains("piped") => 6.0, // the call, its pipe, and the message that comes of it
            ("both", path) if path.contains("`ctx.start`, a message") => 4.0, // the two hooks, and the message
            ("both", _) => 2.0,
            _ => 1.0,
        }
    }
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Table {
    /// The versions of what the counts depend on.
    pub(crate) tools: String,
    pub(crate) rows: Vec<Row>,
}

const TOOLS: &str = "Counted with: ";

impl Table {
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let tools = text.lines().find_map(|line| line.strip_prefix(TOOLS))?.to_owned();
        let cells = text.lines().filter_map(|line| line.strip_prefix("| ")?.strip_suffix(" |"));
        let rows = cells.skip(2).map(|line| {
            let mut cells = line.split(" | ");
            let (path, side) = (cells.next()?.to_owned(), cells.next()?.to_owned());
            Some(Row { path, side, instructions: cells.next()?.parse().ok()? })
        });
        Some(Self { tools, rows: rows.collect::<Option<_>>()? })
    }

    fn find(&self, row: &Row) -> Option<&Row> {
        self.rows.iter().find(|other| other.path == row.path && other.side == row.side)
    }

    /// Whether it counted the same, within what is allowed either way.
    pub(crate) fn allows(&self, row: &Row, allowed: Allowed) -> bool {
        self.find(row).is_some_and(|before| percent(row, before).abs() <= allowed.percent(before))
    }
}

/// By how much a row has grown.
fn percent(row: &Row, before: &Row) -> f64 {
    100.0 * (row.instructions / before.instructions - 1.0)
}

const ABOUT: &str = "\
# What each choice costs

Instructions a message, a call or an instance, counted by callgrind in steady state; a message carries three words where \
nothing else is said. They say what the processor does, not how long: a wake-up of a parked thread, some microseconds to some \
tens, comes on top, and so does what lies outside the caches. They hardly differ from run to run, so a check holds the code to \
them: `cargo run --release -p zctor-instructions`, which with `-- --accept` writes this table. The library is compiled in \
one part for it (`codegen-units = 1`): in several, as a release build is by default, what is put in line changes with how the \
compiler cuts a crate, and a row is up to a tenth lower or higher.";

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{ABOUT}\n\n{TOOLS}{}\n\n| what | who | instructions |\n| --- | --- | --: |", self.tools)?;
        self.rows.iter().try_for_each(|row| writeln!(f, "| {} | {} | {:.0} |", row.path, row.side, row.instructions))
    }
}

/// What a comparison gives: what must not be, and what is worth knowing.
#[derive(Debug, Default)]
pub(crate) struct Verdict {
    pub(crate) faults: Vec<String>,
    pub(crate) notes: Vec<String>,
}

/// Of the paths that are selected.
pub(crate) fn compare(committed: &Table, counted: &[Row], selects: &dyn Fn(&str) -> bool, allowed: Allowed) -> Verdict {
    let mut verdict = Verdict::default();
    for row in counted {
        let name = format!("{}, {}", row.path, row.side);
        let Some(before) = committed.find(row) else {
            verdict.faults.push(format!("{name}: not in the committed table"));
            continue;
        };
        let percent = percent(row, before);
        let text =
            format!("{name}: {:.0} instructions, {:.0} before ({percent:+.1} %", row.instructions, before.instructions);
        let allowed = allowed.percent(before);
        if percent > allowed {
            verdict.faults.push(format!("{text}, allowed are {allowed:+.1} %)"));
        } else if percent < -allowed {
            verdict.notes.push(format!("{text}); --accept keeps the gain"));
        }
    }
    let is_counted = |row: &Row| counted.iter().any(|other| other.path == row.path && other.side == row.side);
    for row in committed.rows.iter().filter(|row| selects(&row.path) && !is_counted(row)) {
        verdict.faults.push(format!("{}, {}: in the committed table, but not counted", row.path, row.side));
    }
    verdict
}

#[cfg(test)]
mod tests {
    use super::{Allowed, Row, Table, compare, is_steady};

    fn table(rows: &[(&str, &str, f64)]) -> Table {
        let row = |&(path, side, instructions): &(&str, &str, f64)| Row {
            path: path.into(),
            side: side.into(),
            instructions,
        };
        Table { tools: "rustc 1.2.3, host: here".into(), rows: rows.iter().map(row).collect() }
    }

    #[test]
    fn a_table_is_read_as_it_was_written() {
        let table = table(&[("send, from outside", "the sender", 500.0), ("call", "the caller", 1_234.0)]);
        assert_eq!(Table::parse(&table.to_string()), Some(table));
    }

    #[test]
    fn a_path_that_grew_is_named_with_the_amount() {
        let committed = table(&[("send", "the sender", 500.0), ("send", "the receiver", 600.0)]);
        let counted = table(&[("send", "the sender", 530.0), ("send", "the receiver", 625.0)]);
        let verdict = compare(&committed, &counted.rows, &|_| true, Allowed::USUAL);
        assert_eq!(verdict.faults, ["send, the sender: 530 instructions, 500 before (+6.0 %, allowed are +5.0 %)"]);
        assert!(verdict.notes.is_empty());
    }

    #[test]
    fn a_path_that_parks_and_a_short_one_may_differ_more() {
        let committed = table(&[("call, parking", "both", 1_000.0), ("batch", "a", 21.0)]);
        let faults = |parking, batch| {
            let counted = table(&[("call, parking", "both", parking), ("batch", "a", batch)]);
            compare(&committed, &counted.rows, &|_| true, Allowed::USUAL).faults.len()
        };
        assert_eq!((faults(1_110.0, 23.0), faults(1_130.0, 24.0)), (0, 2));
    }

    #[test]
    fn a_feature_that_is_not_used_may_cost_each_send_and_each_handling_so_much() {
        let committed = table(&[("send", "sender", 300.0), ("call", "both", 400.0)]);
        let faults = |allowed, sender, both| {
            let counted = table(&[("send", "sender", sender), ("call", "both", both)]);
            compare(&committed, &counted.rows, &|_| true, allowed).faults.len()
        };
        assert_eq!((faults(Allowed::UNHEARD, 314.9, 427.9), faults(Allowed::UNHEARD, 315.1, 428.1)), (0, 2));
        assert_eq!((faults(Allowed::UNOBSERVED, 305.9, 407.9), faults(Allowed::UNOBSERVED, 306.1, 408.1)), (0, 2));
    }

    #[test]
    fn a_pipe_may_differ_as_a_path_that_parks_with_each_feature() {
        let committed = table(&[("call, piped", "both", 5_000.0)]);
        for allowed in [Allowed::USUAL, Allowed::UNHEARD, Allowed::UNOBSERVED] {
            let faults = |both| {
                compare(&committed, &table(&[("call, piped", "both", both)]).rows, &|_| true, allowed).faults.len()
            };
            assert_eq!((faults(5_599.0), faults(5_601.0)), (0, 1));
        }
    }

    #[test]
    fn a_path_that_parks_is_not_steady_nor_is_a_pipe() {
        let steady =
            ["send, from outside", "call, to another thread, parking", "call, same thread, piped"].map(is_steady);
        assert_eq!(steady, [true, false, false]);
    }

    #[test]
    fn a_path_that_shrank_is_a_note() {
        let verdict =
            compare(&table(&[("send", "a", 500.0)]), &table(&[("send", "a", 400.0)]).rows, &|_| true, Allowed::USUAL);
        assert!(verdict.faults.is_empty());
        assert_eq!(verdict.notes, ["send, a: 400 instructions, 500 before (-20.0 %); --accept keeps the gain"]);
    }

    #[test]
    fn a_path_on_one_side_only_is_a_fault() {
        let verdict =
            compare(&table(&[("old", "a", 1.0)]), &table(&[("new", "a", 1.0)]).rows, &|_| true, Allowed::USUAL);
        assert_eq!(verdict.faults.len(), 2);
        assert!(
            compare(&table(&[("old", "a", 1.0)]), &[], &|path| path.contains("new"), Allowed::USUAL).faults.is_empty()
        );
    }
}
