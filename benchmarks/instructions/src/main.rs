//! Counts the instructions of the hot paths under valgrind and compares them with the committed table; see the README
//! of the benchmarks.

mod callgrind;
mod paths;
mod table;

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use paths::PATHS;
use table::{Allowed, Row, Table};

const USAGE: &str = "\
usage: cargo run --release -p zctor-instructions -- [options]
  --accept         writes what is counted to the committed table, after a change that is meant
  --path <part>    only paths whose name contains this; not with --accept
  --steady         only paths whose counts do not move with the order of events; not with --accept";

/// Whether the library that is counted has a feature, which the committed table's has not.
const HAS_FEATURES: bool = cfg!(any(feature = "simulation", feature = "observe", feature = "tracing"));

/// By how much a path may grow.
const ALLOWED: Allowed = if cfg!(feature = "simulation") {
    Allowed::USUAL
} else if cfg!(feature = "tracing") {
    Allowed::UNHEARD
} else if cfg!(feature = "observe") {
    Allowed::UNOBSERVED
} else {
    Allowed::USUAL
};

/// How a process is told to walk one path, in place of the options above.
const WALK: &str = "walk";

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let outcome = match arguments[..] {
        [WALK, path, count] => walk(path, count),
        [] => guard(&|_| true),
        ["--path", part] => guard(&|path| path.contains(part)),
        ["--steady"] => guard(&table::is_steady),
        ["--accept"] => accept(),
        _ => Err(USAGE.to_owned()),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(text) => {
            eprintln!("{text}");
            ExitCode::FAILURE
        }
    }
}

/// In the process that valgrind watches.
fn walk(path: &str, count: &str) -> Result<(), String> {
    let path = PATHS.iter().find(|known| known.name == path).ok_or("no such path")?;
    (path.walk)(count.parse().map_err(|_| "no number")?);
    Ok(())
}

/// The committed table, which the guide shows, from the root of the workspace.
const TABLE: &str = "zctor/src/guide/performance_counts.md";

fn table_path() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(TABLE)
}

/// What `program` prints about itself, in the lines that begin with one of `keys`.
fn about(program: &str, argument: &str, keys: &[&str]) -> Result<String, String> {
    let output = Command::new(program).arg(argument).current_dir(env!("CARGO_MANIFEST_DIR")).output();
    let output = output.map_err(|error| format!("{program}: {error}"))?;
    let text = String::from_utf8_lossy(&output.stdout);
    let lines: Vec<&str> = text.lines().filter(|line| keys.iter().any(|key| line.starts_with(key))).collect();
    Ok(lines.join(", "))
}

/// The tools, whose other versions give other counts.
fn tools() -> Result<String, String> {
    Ok(format!("{}, {}", about("rustc", "-vV", &["rustc", "host"])?, about("valgrind", "--version", &["valgrind"])?))
}

/// Counts each path that is selected once; where that does not satisfy, three times.
fn count(selects: &dyn Fn(&str) -> bool, satisfies: impl Fn(&[Row]) -> bool) -> Result<Vec<Row>, String> {
    let mut all = Vec::new();
    for path in PATHS.iter().filter(|path| selects(path.name)) {
        let rows = |times| -> Result<Vec<Row>, String> {
            let sides = callgrind::count(path, times)?.into_iter();
            let row = |(side, instructions): (&str, f64)| Row {
                path: path.name.to_owned(),
                side: side.to_owned(),
                instructions,
            };
            Ok(sides.map(row).collect())
        };
        let once = rows(1)?;
        let rows = if satisfies(&once) { once } else { rows(3)? };
        rows.iter().for_each(|row| println!("{:>8.0}  {}, {}", row.instructions, row.path, row.side));
        all.extend(rows);
    }
    Ok(all)
}

fn accept() -> Result<(), String> {
    if HAS_FEATURES {
        return Err("the table is that of the library without features: leave `--features` out".to_owned());
    }
    let table = Table { tools: tools()?, rows: count(&|_| true, |_| false)? };
    fs::write(table_path(), table.to_string()).map_err(|error| error.to_string())?;
    println!("written to {TABLE}");
    Ok(())
}

fn guard(selects: &dyn Fn(&str) -> bool) -> Result<(), String> {
    let text = fs::read_to_string(table_path()).map_err(|error| format!("{TABLE}: {error}"))?;
    let committed = Table::parse(&text).ok_or("the committed table cannot be read")?;
    let tools = tools()?;
    let rows = count(selects, |rows| rows.iter().all(|row| committed.allows(row, ALLOWED)))?;
    let verdict = table::compare(&committed, &rows, selects, ALLOWED);
    verdict.notes.iter().for_each(|note| println!("{note}"));
    if verdict.faults.is_empty() {
        println!("no path has grown by more than is allowed");
        return Ok(());
    }
    let faults = verdict.faults.join("\n");
    if HAS_FEATURES && tools == committed.tools {
        return Err(format!(
            "{faults}\nThe table is that of the library without features, so this is what a feature costs that is not used."
        ));
    }
    if tools == committed.tools {
        return Err(format!(
            "{faults}\nIf that is meant, `cargo run --release -p zctor-instructions -- --accept` writes the new table."
        ));
    }
    println!("{faults}\nThat fails nobody, since the tools are others.\nThen: {}\nNow:  {tools}", committed.tools);
    Ok(())
}
