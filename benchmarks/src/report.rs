//! Writes the results: a page of Markdown, a chart a workload, and the bare figures.

use std::fmt::Write as _;
use std::fs;
use std::io;
use std::path::Path;

use zctor_benchmarks::libraries::OURS;
use zctor_benchmarks::workloads::{self, Spec};

use crate::build;
use crate::chart;
use crate::claims::{self, Claim, figure};
use crate::headline;
use crate::machine;
use crate::results::{Line, Results};
use crate::variants;

/// Writes everything into `directory`, and prints what the results must show.
pub(crate) fn write(results: &Results, rounds: usize, note: &str, directory: &Path) -> io::Result<()> {
    fs::create_dir_all(directory)?;
    let mut page = head(rounds, note);
    let claims = claims::check(results);
    if !claims.is_empty() {
        let table = claims_table(&claims);
        println!("\n{table}");
        page += &table;
    }
    for spec in workloads::all().chain([&build::SPEC, &variants::SPEC]) {
        let lines: Vec<&Line> = results.of(spec.name).collect();
        if lines.iter().all(|line| line.cells.is_empty()) {
            continue;
        }
        let chart = format!("{}.svg", spec.name);
        fs::write(directory.join(&chart), chart::draw(spec, &lines))?;
        // A String takes whatever is written.
        let _ = write!(page, "\n## {}\n\n{}\n\n![{}]({chart})\n\n", spec.title, spec.about, spec.title);
        page += &table(results, spec, &lines);
    }
    fs::write(directory.join("results.md"), page)?;
    if let Some(headline) = headline::page(results, rounds, note) {
        fs::write(directory.join(headline::FILE), headline)?;
    }
    fs::write(directory.join("figures.tsv"), bare(results))
}

fn head(rounds: usize, note: &str) -> String {
    let figures = match rounds {
        1 => "The figures of one round".to_owned(),
        _ => format!(
            "Medians of {rounds} rounds, with the least and the most (of {} where a round is slow)",
            rounds.min(3)
        ),
    };
    let mut page = format!(
        "# Results\n\nWritten by `cargo run --release`; the workloads and how each library is used are in \
         [the README](../README.md). {figures}; each run in a fresh process, the libraries in turn. {note}\n\n"
    );
    for (name, value) in machine::facts() {
        let _ = writeln!(page, "- {name}: {value}");
    }
    let versions: Vec<String> =
        machine::versions().iter().map(|(package, version)| format!("{package} {version}")).collect();
    let _ = writeln!(page, "- versions: {}", versions.join(", "));
    page
}

fn claims_table(claims: &[Claim]) -> String {
    let mut text = String::from("\n## What they must show\n\n| | measured | |\n| --- | --- | --- |\n");
    for claim in claims {
        let verdict = match claim.holds {
            Some(true) => "holds",
            Some(false) => "**missed**",
            None => "",
        };
        let _ = writeln!(text, "| {} | {} | {verdict} |", claim.text, claim.measured);
    }
    if claims.iter().any(|claim| claim.holds == Some(false)) {
        text.push_str("\nWhy what is missed is missed, and what would change it: [reasons](../reasons.md).\n");
    }
    text
}

/// The columns of a workload, in the order in which they came.
fn columns(lines: &[&Line]) -> Vec<String> {
    let mut columns: Vec<String> = Vec::new();
    for cell in lines.iter().flat_map(|line| &line.cells) {
        if !columns.contains(&cell.column) {
            columns.push(cell.column.clone());
        }
    }
    columns
}

fn threads(line: &Line) -> String {
    match line.row.threads {
        Some(threads) => threads.to_string(),
        None => String::new(),
    }
}

fn table(results: &Results, spec: &Spec, lines: &[&Line]) -> String {
    let columns = columns(lines);
    let is_single = columns.len() == 1;
    let mut text = if is_single {
        format!(
            "| {} | threads | median | least | most | to zctor |\n| --- | --- | --: | --: | --: | --: |\n",
            spec.unit
        )
    } else {
        let heads = columns.join(" | ");
        format!("| {} | threads | {heads} |\n| --- | --- |{}\n", spec.unit, " --: |".repeat(columns.len()))
    };
    let ours = results.best(spec.name, OURS, "");
    for line in lines.iter().filter(|line| !line.cells.is_empty()) {
        let _ = write!(text, "| {} | {} |", line.row.library, threads(line));
        if is_single {
            if let Some(cell) = line.cell(&columns[0]) {
                let (median, least, most) = (cell.median(), cell.least(), cell.most());
                let ratio = ours.map_or_else(String::new, |ours| format!("{:.2}", median / ours));
                let _ = write!(text, " {} | {} | {} | {ratio} |", figure(median), figure(least), figure(most));
            }
        } else {
            for column in &columns {
                let cell = line.cell(column).map_or_else(String::new, |cell| {
                    if cell.values().len() == 1 {
                        figure(cell.median())
                    } else {
                        format!("{} ({}–{})", figure(cell.median()), figure(cell.least()), figure(cell.most()))
                    }
                });
                let _ = write!(text, " {cell} |");
            }
        }
        text.push('\n');
    }
    let missing: Vec<String> =
        lines.iter().filter_map(|line| Some(format!("{} ({})", line.row.library, line.missing.as_ref()?))).collect();
    if !missing.is_empty() {
        let _ = write!(text, "\nNot here: {}.\n", missing.join(", "));
    }
    text
}

/// Every figure of every round.
fn bare(results: &Results) -> String {
    let mut text = String::from("workload\tlibrary\tthreads\tcolumn\tfigures, in order of size\n");
    for spec in workloads::all().chain([&build::SPEC, &variants::SPEC]) {
        for line in results.of(spec.name) {
            for cell in &line.cells {
                let values: Vec<String> = cell.values().iter().map(|value| format!("{value:.2}")).collect();
                let (library, threads) = (&line.row.library, threads(line));
                let _ = writeln!(text, "{}\t{library}\t{threads}\t{}\t{}", spec.name, cell.column, values.join("\t"));
            }
        }
    }
    text
}
