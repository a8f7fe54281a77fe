//! Writes the results: a page of Markdown, a chart a workload, and the bare figures.

use std::fmt::Write as _;
use std::fs;
use std::io;
use std::path::Path;

use zctor_benchmarks::libraries::OURS;
use zctor_benchmarks::measure::{CPU, is_cpu};
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
            "Medians of {rounds} rounds, with the least and the most (of {} where a round is slow, of {} where calls come at a \
             pace)",
            rounds.min(3),
            workloads::many(rounds)
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

/// The figures of a workload: one column with the CPU time beside it, or several. Where each of several columns has a
/// CPU time, these have a table of their own.
fn table(results: &Results, spec: &Spec, lines: &[&Line]) -> String {
    let all = columns(lines);
    let mut text = String::new();
    if all.iter().any(String::is_empty) {
        single(&mut text, results, spec, lines);
    } else {
        let (cpu, times): (Vec<String>, _) = all.iter().cloned().partition(|column| is_cpu(column) && column != CPU);
        several(&mut text, spec.unit, &times, lines);
        if !cpu.is_empty() {
            text.push('\n');
            several(&mut text, &format!("CPU, {}", spec.unit), &cpu, lines);
        }
    }
    let missing: Vec<String> =
        lines.iter().filter_map(|line| Some(format!("{} ({})", line.row.library, line.missing.as_ref()?))).collect();
    if !missing.is_empty() {
        let _ = write!(text, "\nNot here: {}.\n", missing.join(", "));
    }
    text
}

/// Appends the table of a workload with one column.
fn single(text: &mut String, results: &Results, spec: &Spec, lines: &[&Line]) {
    let has_cpu = lines.iter().any(|line| line.cell(CPU).is_some());
    let (head, rule) = if has_cpu { (" CPU |", " --: |") } else { ("", "") };
    // A String takes whatever is written.
    let _ = writeln!(
        text,
        "| {} | threads | median | least | most | to zctor |{head}\n| --- | --- | --: | --: | --: | --: |{rule}",
        spec.unit
    );
    let ours = results.best(spec.name, OURS, "");
    for line in lines {
        let Some(cell) = line.cell("") else { continue };
        let (median, least, most) = (cell.median(), cell.least(), cell.most());
        let ratio = ours.map_or_else(String::new, |ours| format!("{:.2}", median / ours));
        let (library, threads) = (&line.row.library, threads(line));
        let [middle, low, high] = [median, least, most].map(figure);
        let _ = write!(text, "| {library} | {threads} | {middle} | {low} | {high} | {ratio} |");
        if has_cpu {
            let _ = write!(text, " {} |", line.cell(CPU).map_or_else(String::new, |cell| figure(cell.median())));
        }
        text.push('\n');
    }
}

/// Appends a table of several columns.
fn several(text: &mut String, unit: &str, columns: &[String], lines: &[&Line]) {
    let heads: Vec<&str> = columns.iter().map(|column| timed(column)).collect();
    let rule = " --: |".repeat(columns.len());
    // A String takes whatever is written.
    let _ = writeln!(text, "| {unit} | threads | {} |\n| --- | --- |{rule}", heads.join(" | "));
    for line in lines.iter().filter(|line| !line.cells.is_empty()) {
        let _ = write!(text, "| {} | {} |", line.row.library, threads(line));
        for column in columns {
            let cell = line.cell(column).map_or_else(String::new, |cell| {
                if cell.rounds().len() == 1 {
                    figure(cell.median())
                } else {
                    format!("{} ({}–{})", figure(cell.median()), figure(cell.least()), figure(cell.most()))
                }
            });
            let _ = write!(text, " {cell} |");
        }
        text.push('\n');
    }
}

/// The column of time that a column of CPU time belongs to; any other as it is.
fn timed(column: &str) -> &str {
    column.split_once(' ').filter(|_| is_cpu(column)).map_or(column, |(_, name)| name)
}

/// Every figure of every round.
fn bare(results: &Results) -> String {
    let mut text = String::from("workload\tlibrary\tthreads\tcolumn\tfigures, in the order of the rounds\n");
    for spec in workloads::all().chain([&build::SPEC, &variants::SPEC]) {
        for line in results.of(spec.name) {
            for cell in &line.cells {
                let values: Vec<String> = cell.rounds().iter().map(|value| format!("{value:.2}")).collect();
                let (library, threads) = (&line.row.library, threads(line));
                let _ = writeln!(text, "{}\t{library}\t{threads}\t{}\t{}", spec.name, cell.column, values.join("\t"));
            }
        }
    }
    text
}
