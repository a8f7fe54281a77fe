//! Runs every workload on every library in turn and writes what it measured; see the README.

mod build;
mod chart;
mod claims;
mod headline;
mod machine;
mod report;
mod results;
mod runner;
mod variants;

use std::env;
use std::process::ExitCode;
use std::time::Duration;

use runner::Options;
use zctor_benchmarks::{libraries, workloads};

const USAGE: &str = "\
usage: cargo run --release -- [options]
  --quick              one short round, no build times, under two minutes
  --rounds <n>         rounds, 5 if not said
  --workload <part>    only workloads whose name contains this; may be repeated
  --library <part>     only libraries whose name contains this; may be repeated
  --list               print the names of both
  --publish            run nothing; copy the table of results/ to the README and the guide, as a whole run does
The results go to results/, or to results/scratch/ with --quick or where something is left out.";

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    if let Some((first, rest)) = arguments.split_first()
        && first == runner::RUN
    {
        // Comes back only if the arguments are not those of a run.
        runner::child(rest);
        return usage();
    }
    let Some((options, is_whole)) = parse(&arguments) else { return usage() };
    if arguments.iter().any(|argument| argument == "--list") {
        workloads::all().for_each(|spec| println!("{:24}{}", spec.name, spec.title));
        libraries::ENTRANTS.iter().for_each(|entrant| println!("{}", entrant.name));
        return ExitCode::SUCCESS;
    }
    if arguments.iter().any(|argument| argument == "--publish") {
        return publish();
    }
    let results = runner::run(&options);
    let directory = build::home().join(if is_whole { "results" } else { "results/scratch" });
    let note = if is_whole { "" } else { "A short or partial run: for a look, not for a comparison." };
    if let Err(error) = report::write(&results, options.rounds, note, &directory) {
        eprintln!("cannot write to {}: {error}", directory.display());
        return ExitCode::FAILURE;
    }
    println!("The tables are in {}", directory.join("results.md").display());
    if results.has_failed() {
        return ExitCode::FAILURE;
    }
    if is_whole { publish() } else { ExitCode::SUCCESS }
}

fn publish() -> ExitCode {
    match headline::publish() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("cannot copy the table: {error}");
            ExitCode::FAILURE
        }
    }
}

fn usage() -> ExitCode {
    eprintln!("{USAGE}");
    ExitCode::FAILURE
}

/// The options, and whether they leave nothing out.
fn parse(arguments: &[String]) -> Option<(Options, bool)> {
    let mut options = Options {
        rounds: 5,
        budget: Duration::from_millis(300),
        workloads: Vec::new(),
        libraries: Vec::new(),
        times_builds: true,
    };
    let mut arguments = arguments.iter();
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--quick" => {
                options.rounds = 1;
                options.budget = Duration::from_millis(40);
                options.times_builds = false;
            }
            "--rounds" => options.rounds = arguments.next()?.parse().ok().filter(|&rounds| rounds > 0)?,
            "--workload" => options.workloads.push(arguments.next()?.clone()),
            "--library" => options.libraries.push(arguments.next()?.clone()),
            "--list" | "--publish" => {}
            _ => return None,
        }
    }
    let is_whole = options.times_builds && options.workloads.is_empty() && options.libraries.is_empty();
    Some((options, is_whole))
}
