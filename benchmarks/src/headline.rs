//! The results as the README and the guide show them: one table and one chart, and the way there.

use std::fmt::Write as _;
use std::fs;
use std::io;
use std::path::Path;

use zctor_benchmarks::libraries::{ENTRANTS, Kind, OURS};
use zctor_benchmarks::measure::CPU;

use crate::build::home;
use crate::chart::{self, colour, escape};
use crate::claims::figure;
use crate::machine;
use crate::results::Results;

/// A row of the table: a workload, one of its columns, and how the row is called.
struct Row {
    workload: &'static str,
    column: &'static str,
    label: &'static str,
    /// Only on several threads.
    is_across: bool,
    /// Has a panel in the chart.
    charted: bool,
}

const fn row(workload: &'static str, label: &'static str, charted: bool) -> Row {
    Row { workload, column: "", label, is_across: false, charted }
}

const fn column(workload: &'static str, column: &'static str, label: &'static str) -> Row {
    Row { workload, column, label, is_across: false, charted: false }
}

const fn across(workload: &'static str, label: &'static str) -> Row {
    Row { workload, column: "", label, is_across: true, charted: false }
}

const ROWS: &[Row] = &[
    row("one-way", "message from outside", true),
    row("one-way-batched", "the same in batches of 64", false),
    row("one-way-inside", "message to another thread", false),
    row("one-way-same-thread", "message on one thread", false),
    column("curve-instances", "60", "message to each of 60 in turn"),
    row("call", "call from outside", true),
    row("call-inside", "call to another thread", false),
    row("call-same-thread", "call on one thread", false),
    row("ping-pong", "ping-pong, a message", true),
    across("ping-pong", "ping-pong between two threads"),
    row("ring", "ring of 100, a hop", true),
    across("ring", "ring of 100 between two threads"),
    row("fan-in", "fan-in of 60, a message", true),
    row("big", "'big', a message", false),
    across("big", "'big' on two threads"),
    row("create", "create and stop an instance", true),
    row("broadcast", "broadcast to 8, a copy", false),
    column("latency-100us", "p50", "a call every 100 µs: p50, µs"),
    column("latency-100us", CPU, "the same: CPU time a call, µs"),
    column("latency-1ms", CPU, "a call every millisecond: CPU time a call, µs"),
    column("latency-idle", "p99.9", "a call every 500 µs: p99.9, µs"),
    column("latency-loaded", "p99.9", "the same under load: p99.9, µs"),
    row("memory-instance", "idle instance, bytes", false),
    row("memory-message", "queued message, bytes", false),
];

const BARE: &str = "no library";

/// Where the README shows the table.
const MARKS: [&str; 2] = ["<!-- figures -->\n", "<!-- /figures -->\n"];
const README: &str = "../README.md";
const GUIDE: &str = "../zctor/src/guide/performance_figures.md";
pub(crate) const FILE: &str = "headline.md";

/// The best figure of each in a row: ours, each library, and the quickest program without one.
fn values(results: &Results, row: &Row) -> Vec<(&'static str, Option<f64>)> {
    let best = |name: &str| results.best_on(|threads| !row.is_across || threads > 1, row.workload, name, row.column);
    let libraries = ENTRANTS.iter().filter(|entrant| matches!(entrant.kind, Kind::Ours | Kind::Library));
    let bare = ENTRANTS.iter().filter(|entrant| matches!(entrant.kind, Kind::Mark | Kind::Floor));
    let bare = bare.filter_map(|entrant| best(entrant.name)).min_by(f64::total_cmp);
    libraries.map(|entrant| (entrant.name, best(entrant.name))).chain([(BARE, bare)]).collect()
}

/// The page; nothing if a row has not been measured.
pub(crate) fn page(results: &Results, rounds: usize, note: &str) -> Option<String> {
    let mut names = Vec::new();
    let mut body = String::new();
    for row in ROWS {
        let values = values(results, row);
        results.best(row.workload, OURS, row.column)?;
        let libraries = values.iter().filter(|(name, _)| *name != BARE);
        let measured: Vec<f64> = libraries.filter_map(|&(_, value)| value).collect();
        let least = measured.iter().copied().min_by(f64::total_cmp).filter(|_| measured.len() > 1);
        // A String takes whatever is written.
        let _ = write!(body, "| {} |", row.label);
        for (name, value) in &values {
            let text = value.map_or_else(String::new, figure);
            let is_first = *name != BARE && least.is_some() && *value == least;
            let _ = if is_first { write!(body, " **{text}** |") } else { write!(body, " {text} |") };
        }
        body.push('\n');
        names = values.iter().map(|(name, _)| *name).collect();
    }
    let rule = " --: |".repeat(names.len());
    let table = format!("| | {} |\n| --- |{rule}\n{body}", names.join(" | "));
    Some(format!("# Beside the others\n\n{}\n\n{table}\n{}\n", about(rounds, note), chart(results)))
}

fn about(rounds: usize, note: &str) -> String {
    let fact = |name| machine::facts().into_iter().find(|(known, _)| *known == name).map_or_else(String::new, |f| f.1);
    let is_peer = |package: &str| ENTRANTS.iter().any(|known| known.package == package && known.kind == Kind::Library);
    let versions = machine::versions().into_iter().filter(|(package, _)| is_peer(package));
    let versions: Vec<String> = versions.map(|(package, version)| format!("{package} {version}")).collect();
    let note = if note.is_empty() { String::new() } else { format!("{note} ") };
    let rounds = if rounds == 1 { "Figures of one round".to_owned() } else { format!("Medians of {rounds} rounds") };
    format!(
        "{note}{rounds}, in nanoseconds where no other unit is named, of each library on the number of threads that \
         serves it best; the best library of a row is bold. The last column is the best program without a \
         library, which has a thread or a task for each actor and a bare channel. A bar that ends in … is cut. {}, {} cores; {}; {}. {}.",
        fact("processor"),
        fact("cores to run on"),
        fact("rustc"),
        fact("date"),
        versions.join(", ")
    )
}

/// Small panels of bars, for light pages and dark ones: the text has the page's colour, and nothing lies behind it.
/// Without an empty line, which would end it in Markdown.
fn chart(results: &Results) -> String {
    const COLUMNS: usize = 2;
    const WIDTH: f64 = 380.0;
    const LABELS: f64 = 86.0;
    const VALUES: f64 = 76.0;
    const BAR: f64 = 14.0;
    let rows = ROWS.iter().filter(|row| row.charted);
    let mut body = String::new();
    let (mut height, mut line_height) = (0.0_f64, 0.0_f64);
    for (index, row) in rows.enumerate() {
        let values = values(results, row);
        let shown: Vec<_> = values.iter().filter_map(|&(name, value)| Some((name, value?))).collect();
        let limit = chart::limit(shown.iter().map(|&(_, value)| (value, value)));
        let column = index % COLUMNS;
        if column == 0 {
            height += line_height;
            line_height = 0.0;
        }
        let (left, top) = (WIDTH * column as f64, height + 14.0);
        let _ = writeln!(
            body,
            "<text x=\"{left}\" y=\"{top}\" font-weight=\"bold\" fill=\"currentColor\">{}, ns</text>",
            escape(row.label)
        );
        for (place, (name, value)) in shown.iter().enumerate() {
            let y = top + 6.0 + BAR * place as f64;
            let length = value.min(limit) / limit * (WIDTH - LABELS - VALUES - 20.0);
            let (start, text_y, bar) = (left + LABELS, y + BAR - 4.0, BAR - 3.0);
            let colour = if *name == BARE { "#94a3b8" } else { colour(name) };
            let cut = if *value > limit { " …" } else { "" };
            let _ = writeln!(
                body,
                "<text x=\"{}\" y=\"{text_y}\" text-anchor=\"end\" fill=\"currentColor\">{name}</text>\n\
                 <rect x=\"{start}\" y=\"{y}\" width=\"{:.1}\" height=\"{bar}\" fill=\"{colour}\"/>\n\
                 <text x=\"{:.1}\" y=\"{text_y}\" fill=\"currentColor\">{}{cut}</text>",
                start - 6.0,
                length.max(1.0),
                start + length.max(1.0) + 5.0,
                figure(*value)
            );
        }
        line_height = line_height.max(BAR * shown.len() as f64 + 34.0);
    }
    format!(
        "<div>\n<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {} {}\" font-family=\"sans-serif\" \
         font-size=\"11\" role=\"img\" aria-label=\"The same as bars\">\n{body}</svg>\n</div>",
        WIDTH * COLUMNS as f64,
        height + line_height
    )
}

/// Copies the page of a whole run to the guide, and its table to the README.
pub(crate) fn publish() -> io::Result<()> {
    let page = fs::read_to_string(home().join("results").join(FILE))?;
    let readme = home().join(README);
    let text =
        with_table(&fs::read_to_string(&readme)?, &page).ok_or_else(|| io::Error::other("no marks in README"))?;
    fs::write(readme, text)?;
    fs::write(home().join(Path::new(GUIDE)), page)
}

/// The README with the page's text and table between the marks.
fn with_table(readme: &str, page: &str) -> Option<String> {
    let table = page.split_once("\n\n")?.1.split_once("\n<div>")?.0;
    let (before, rest) = readme.split_once(MARKS[0])?;
    let after = rest.split_once(MARKS[1])?.1;
    Some(format!("{before}{}{table}{}{after}", MARKS[0], MARKS[1]))
}

#[cfg(test)]
mod tests {
    use super::with_table;

    #[test]
    fn the_readme_gets_text_and_table_without_heading_and_chart() {
        let page = "# Head\n\nText.\n\n| a |\n| --- |\n\n<div>\n</div>\n";
        let readme = with_table("before\n<!-- figures -->\nold\n<!-- /figures -->\nafter\n", page);
        let expected = "before\n<!-- figures -->\nText.\n\n| a |\n| --- |\n<!-- /figures -->\nafter\n";
        assert_eq!(readme.as_deref(), Some(expected));
        assert_eq!(with_table("no marks", page), None);
    }
}
