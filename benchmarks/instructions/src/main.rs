//! Counts the instructions of the hot paths under valgrind and compares them with the committed table; see the README of
//! the benchmarks.

mod callgrind;
mod paths;
mod table;

use std::env;
use std::fs;
use std::path::Path;
use std::process::{Command, ExitCode};

use paths::PATHS;
use table::{Row, Table};

const USAGE: &str = "\
usage: cargo run --release -p zctor-instructions -- [options]
  --accept         writes what is counted to the committed table, after a change that is meant
  --path <part>    only paths whose name contains this; not with --accept";

/// How a process is told to walk one path, in place of the options above.
const WALK: &str = "walk";

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let outcome = match arguments[..] {
        [WALK, path, count] => walk(path, count),
        [] => guard(""),
        ["--path", part] => guard(part),
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

fn table_path() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/counts.md"))
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

fn count(part: &str) -> Result<Table, String> {
    let tools = tools()?;
    let mut rows = Vec::new();
    for path in PATHS.iter().filter(|path| path.name.contains(part)) {
        for (side, instructions) in callgrind::count(path)? {
            println!("{:>8.0}  {}, {side}", instructions, path.name);
            rows.push(Row { path: path.name.to_owned(), side: side.to_owned(), instructions });
        }
    }
    Ok(Table { tools, rows })
}

fn accept() -> Result<(), String> {
    let text = count("")?.to_string();
    fs::write(table_path(), text).map_err(|error| error.to_string())?;
    println!("written to {}", table_path().display());
    Ok(())
}

fn guard(part: &str) -> Result<(), String> {
    let text = fs::read_to_string(table_path()).map_err(|error| format!("{}: {error}", table_path().display()))?;
    let committed = Table::parse(&text).ok_or("the committed table cannot be read")?;
    let counted = count(part)?;
    let verdict = table::compare(&committed, &counted, part);
    verdict.notes.iter().for_each(|note| println!("{note}"));
    if verdict.faults.is_empty() {
        println!("no path has grown by more than {} %", table::ALLOWED_PERCENT);
        return Ok(());
    }
    let faults = verdict.faults.join("\n");
    if counted.tools == committed.tools {
        return Err(format!(
            "{faults}\nIf that is meant, `cargo run --release -p zctor-instructions -- --accept` writes the new table."
        ));
    }
    println!(
        "{faults}\nThat fails nobody, since the tools are others.\nThen: {}\nNow:  {}",
        committed.tools, counted.tools
    );
    Ok(())
}
