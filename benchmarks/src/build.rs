//! How long a library takes to build, and how many crates it brings.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use zctor_benchmarks::libraries::ENTRANTS;
use zctor_benchmarks::workloads::{Field, Spec, Threads};

use crate::results::{Results, Row};

pub(crate) const SPEC: Spec = Spec {
    name: "build",
    title: "Build time and number of crates",
    about: "An empty program that depends on the library alone, with the features that are used here: a clean \
            `cargo build --release`, nothing to download, and the crates of `cargo tree -e normal,build` without the \
            program itself.",
    unit: "s, and crates",
    field: Field::All,
    threads: Threads::One,
    charted: &["s"],
    ..Spec::BASE
};

const MANIFEST: &str = include_str!("../Cargo.toml");

/// The directory of this workspace.
pub(crate) fn home() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A program of this name that depends on one package of ours, with the versions of our lock file.
pub(crate) fn program(name: &str, package: &str) -> io::Result<PathBuf> {
    let dependency = MANIFEST
        .lines()
        .find(|line| line.split(" =").next() == Some(package))
        .ok_or_else(|| io::Error::other(format!("no dependency {package}")))?;
    let root = home().parent().unwrap_or(home()).display().to_string();
    let dependency = dependency.replace("\"../", &format!("\"{root}/"));
    let program = home().join("target").join("build-time").join(name);
    fs::create_dir_all(program.join("src"))?;
    fs::write(program.join("src/main.rs"), "fn main() {}\n")?;
    fs::copy(home().join("Cargo.lock"), program.join("Cargo.lock"))?;
    let manifest = format!(
        "[package]\nname = \"probe\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\n[workspace]\n\n[dependencies]\n{dependency}\n"
    );
    fs::write(program.join("Cargo.toml"), manifest)?;
    Ok(program)
}

pub(crate) fn cargo(program: &Path, arguments: &[&str]) -> io::Result<String> {
    let output = Command::new("cargo")
        .args(arguments)
        .arg("--offline")
        .current_dir(program)
        .env("CARGO_TARGET_DIR", program.join("target"))
        .output()?;
    if !output.status.success() {
        return Err(io::Error::other(String::from_utf8_lossy(&output.stderr).into_owned()));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

fn once(package: &str) -> io::Result<(f64, usize)> {
    let program = program(package, package)?;
    let tree = cargo(&program, &["tree", "-e", "normal,build", "--prefix", "none", "--format", "{p}"])?;
    // A crate that was listed before comes again with a mark.
    let crates = tree.lines().map(|line| line.trim_end_matches(" (*)"));
    let crates: BTreeSet<_> = crates.filter(|line| !line.is_empty() && !line.starts_with("probe ")).collect();
    match fs::remove_dir_all(program.join("target")) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let start = Instant::now();
    cargo(&program, &["build", "--release"])?;
    Ok((start.elapsed().as_secs_f64(), crates.len()))
}

/// About how long it takes to build them all once.
pub(crate) const ESTIMATE: Duration = Duration::from_secs(100);

/// Builds each package once.
pub(crate) fn run(results: &mut Results) {
    let mut packages = Vec::new();
    for entrant in ENTRANTS.iter().filter(|entrant| entrant.package != "std") {
        if !packages.contains(&entrant.package) {
            packages.push(entrant.package);
        }
    }
    for package in packages {
        let row = Row { workload: SPEC.name.into(), library: package.into(), threads: None };
        match once(package) {
            Ok((seconds, crates)) => {
                results.add(row.clone(), "s", seconds);
                results.add(row, "crates", crates as f64);
            }
            Err(error) => {
                eprintln!("{error}");
                results.fail(row, "failed");
            }
        }
    }
}
