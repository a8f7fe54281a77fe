//! The same seed gives the same trace, to the byte: in each process, on one core and on several, in each build.
//!
//! The traces of some programs are in `golden/`. They change with each point that is added to the runtime, and with them
//! the meaning of every seed: `ZCTOR_GOLDEN=overwrite` writes them anew, and CHANGELOG.md says so.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use zctor::simulation::{Faults, Search, simulate};

use crate::found::{TellerMessage, bank};
use crate::{child, deadlocks, order, quiet, worlds};

/// The programs whose traces are kept.
fn programs() -> [(&'static str, Search); 4] {
    [
        ("bank", simulate(|_| bank(TellerMessage::Deposit)).slowest(Duration::from_millis(2))),
        ("order", order::search()),
        ("calls", deadlocks::search().faults(Faults::new().panics().timeouts())),
        ("quiet", quiet::search()),
    ]
}

/// Takes out where a panic stands in its file, which changes with each line that is added above.
fn without_places(trace: &str) -> String {
    trace.lines().map(|line| line.split(" (tests").next().unwrap_or(line).to_owned() + "\n").collect()
}

#[test]
fn the_traces_are_those_that_they_were() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("simulation/golden");
    let overwrites = std::env::var("ZCTOR_GOLDEN").is_ok_and(|what| what == "overwrite");
    for (name, search) in programs() {
        let traces = (0..3).map(|seed| format!("seed {seed}\n{}\n", without_places(&search.trace(seed))));
        let traces: String = traces.collect();
        let path = folder.join(format!("{name}.txt"));
        if overwrites {
            std::fs::write(&path, &traces).expect("it can be written");
        }
        let kept = std::fs::read_to_string(&path).unwrap_or_default().replace("\r\n", "\n");
        let differs = kept.lines().zip(traces.lines()).position(|(one, other)| one != other);
        assert!(
            kept == traces,
            "the traces of `{name}` are others than in {}, from line {} on: if that is meant, `ZCTOR_GOLDEN=overwrite` \
             writes them",
            path.display(),
            differs.unwrap_or_else(|| kept.lines().count().min(traces.lines().count())) + 1
        );
    }
}

#[test]
#[ignore = "prints, for a process that reads it"]
fn the_hash_of_many_traces() {
    let searches = [order::search(), quiet::search(), worlds::search().seeds(0..20)];
    for search in searches {
        let summary = search.seeds(0..60).outcome().unwrap_or_else(|failure| panic!("{failure}"));
        println!("traces {:#x} of {} steps", summary.traces(), summary.steps());
    }
}

fn hashes(mut command: Command) -> Vec<String> {
    let ended = command.output().expect("it runs");
    assert!(ended.status.success(), "{ended:?}");
    let text = String::from_utf8_lossy(&ended.stdout).into_owned();
    // The first of them stands behind the name of the test.
    let lines = text.lines().filter_map(|line| line.find("traces 0x").map(|at| line[at..].to_owned()));
    lines.collect()
}

#[test]
fn five_processes_see_the_same_traces_on_one_core_and_on_all() {
    let run = || child("golden::the_hash_of_many_traces");
    let first = hashes(run());
    assert_eq!(first.len(), 3, "{first:?}");
    for process in 1..5 {
        let mut command = run();
        if process % 2 == 1 && Command::new("taskset").arg("-V").output().is_ok() {
            let mut pinned = Command::new("taskset");
            pinned.args(["-c", "0"]).arg(command.get_program()).args(command.get_args());
            command = pinned;
        }
        assert_eq!(hashes(command), first, "of process {process}");
    }
}
