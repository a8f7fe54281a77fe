//! On what, and of what, the figures are.

use std::fs;
use std::process::Command;
use std::thread;

use crate::build::home;
use zctor_benchmarks::libraries::ENTRANTS;

const LOCK: &str = include_str!("../Cargo.lock");

fn output(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).current_dir(home()).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// The value of the first line of a file like `/proc/cpuinfo` that begins with `key`.
fn field(path: &str, key: &str) -> Option<String> {
    let text = fs::read_to_string(path).ok()?;
    let line = text.lines().find(|line| line.starts_with(key))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

/// What the machine and the toolchain are, as pairs of a name and a value.
pub(crate) fn facts() -> Vec<(&'static str, String)> {
    let unknown = || "unknown".to_owned();
    let cores = thread::available_parallelism().map_or_else(|_| unknown(), |cores| cores.to_string());
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").map_or_else(|_| unknown(), |text| text.trim().into());
    let revision = output("git", &["rev-parse", "--short=10", "HEAD"]).map(|revision| {
        let changed = output("git", &["status", "--porcelain", "--", "../zctor", "../zctor-macros"]);
        if changed.is_some_and(|changed| !changed.is_empty()) { revision + ", changed" } else { revision }
    });
    vec![
        ("processor", field("/proc/cpuinfo", "model name").unwrap_or_else(unknown)),
        ("cores to run on", cores),
        ("memory", field("/proc/meminfo", "MemTotal").unwrap_or_else(unknown)),
        ("kernel", kernel),
        ("rustc", output("rustc", &["--version"]).unwrap_or_else(unknown)),
        ("profile", "release, as cargo has it".to_owned()),
        ("zctor at", revision.unwrap_or_else(unknown)),
        ("date", output("date", &["-u", "+%Y-%m-%d"]).unwrap_or_else(unknown)),
    ]
}

/// The version of a package in the lock file: the highest, if there are several.
fn version(package: &str) -> Option<&'static str> {
    let name = format!("name = \"{package}\"");
    let mut lines = LOCK.lines();
    let mut found = None;
    while let Some(line) = lines.next() {
        if line == name {
            found = lines.next()?.strip_prefix("version = \"")?.strip_suffix('"');
        }
    }
    found
}

/// The packages that take part, with their versions.
pub(crate) fn versions() -> Vec<(&'static str, &'static str)> {
    let mut packages: Vec<&str> = ENTRANTS.iter().map(|entrant| entrant.package).chain(["oneshot"]).collect();
    packages.dedup();
    packages.into_iter().filter_map(|package| Some((package, version(package)?))).collect()
}
