//! Runs a path under callgrind and reads how many instructions each of its threads took.
//!
//! A path is walked twice, with a smaller and a larger number of messages. The difference, divided by that of the
//! numbers, is what a message costs, without start and end of the process.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{self, Command};

use crate::paths::{LESS, MORE, Path as Walked};
use crate::{HAS_FEATURES, WALK};

/// Of each side of a path, the instructions a message, as the median of so many counts: hash maps have other seeds each
/// time, and threads take turns otherwise. With a feature it is the lowest of them, since memory that grows at another
/// moment adds ten instructions now and then, and a feature may cost fewer than those.
pub(crate) fn count(path: &Walked, times: usize) -> Result<Vec<(&'static str, f64)>, String> {
    let walks: Vec<(Vec<u64>, Vec<u64>)> =
        (0..times).map(|_| Ok((walk(path, LESS)?, walk(path, MORE)?))).collect::<Result<_, String>>()?;
    let sides = path.sides.iter().map(|side| {
        let grown = walks.iter().map(|(less, more)| {
            let total =
                |threads: &[u64]| side.threads.iter().map(|thread| threads.get(thread - 1)).sum::<Option<u64>>();
            total(more)?.checked_sub(total(less)?)
        });
        let grown: Option<Vec<u64>> = grown.collect();
        let mut grown = grown.ok_or_else(|| format!("{}: a thread did nothing", path.name))?;
        grown.sort_unstable();
        Ok((side.name, grown[if HAS_FEATURES { 0 } else { times / 2 }] as f64 / (MORE - LESS) as f64))
    });
    sides.collect()
}

/// The instructions of each thread, in the order of their creation.
fn walk(path: &Walked, count: u64) -> Result<Vec<u64>, String> {
    let directory = env::temp_dir().join(format!("zctor-instructions-{}", process::id()));
    fs::create_dir_all(&directory).map_err(|error| error.to_string())?;
    let counted = run(path, count, &directory.join("out")).and_then(|()| read(&directory));
    // What is left behind is in the directory for that.
    let _ = fs::remove_dir_all(&directory);
    counted
}

/// On one core: there nobody spins, so it does not count how long a thread waited.
fn run(path: &Walked, count: u64, out: &Path) -> Result<(), String> {
    let program = env::current_exe().map_err(|error| error.to_string())?;
    let output = Command::new("taskset")
        .args(["-c", &first_core()?, "valgrind", "--tool=callgrind", "--separate-threads=yes", "--fair-sched=yes"])
        .arg(format!("--callgrind-out-file={}", out.display()))
        .arg(program)
        .args([WALK, path.name, &count.to_string()])
        .output()
        .map_err(|error| format!("taskset: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!("{}: {}\n{}", path.name, output.status, String::from_utf8_lossy(&output.stderr)))
}

/// The first that this process may run on.
fn first_core() -> Result<String, String> {
    let status = fs::read_to_string("/proc/self/status").map_err(|error| error.to_string())?;
    let list = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:")).unwrap_or_default().trim();
    Ok(list.split([',', '-']).next().unwrap_or_default().to_owned())
}

/// A file a thread, whose name ends in its number.
fn read(directory: &Path) -> Result<Vec<u64>, String> {
    let entries = fs::read_dir(directory).map_err(|error| error.to_string())?;
    let mut files: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    files.sort_unstable();
    let totals = files.iter().filter_map(|file| {
        let text = fs::read_to_string(file).ok()?;
        text.lines().find_map(|line| line.strip_prefix("totals: ")?.trim().parse().ok())
    });
    Ok(totals.collect())
}
