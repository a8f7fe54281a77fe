//! How long rustc takes over `#[actor]`, by the number of variants, beside the bare enum.

use std::fmt::Write as _;
use std::fs;
use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

use zctor_benchmarks::workloads::{Field, Spec, Threads};

use crate::build::{cargo, program};
use crate::results::{Results, Row};

pub(crate) const SPEC: Spec = Spec {
    name: "variants",
    title: "Compile time by the number of variants",
    about: "`cargo check` of a program that is one enum of 250, 500 or 1,000 variants, every second one with a reply, its \
            dependencies built before: with `#[actor]`, and bare. Seconds.",
    unit: "s",
    field: Field::All,
    threads: Threads::One,
    charted: &["1000"],
    ..Spec::BASE
};

const SIZES: [usize; 3] = [250, 500, 1_000];

fn source(variants: usize, is_actor: bool) -> String {
    let mut text = String::from("#![allow(dead_code)]\n");
    text.push_str(if is_actor { "#[zctor::actor]\n" } else { "" });
    text.push_str("pub enum LargeMessage {\n");
    for variant in 0..variants {
        if is_actor && variant % 2 == 0 {
            text.push_str("    #[reply(u64)]\n");
        }
        let _ = writeln!(text, "    Variant{variant} {{ number: u64, text: String }},");
    }
    text.push_str("}\nfn main() {}\n");
    text
}

fn once(program: &Path, variants: usize, is_actor: bool) -> io::Result<f64> {
    fs::write(program.join("src/main.rs"), source(variants, is_actor))?;
    let start = Instant::now();
    cargo(program, &["check"])?;
    Ok(start.elapsed().as_secs_f64())
}

/// About how long it takes to check them all once.
pub(crate) const ESTIMATE: Duration = Duration::from_secs(8);

/// Checks each enum once.
pub(crate) fn run(results: &mut Results) {
    let prepared = program("variants", "zctor").and_then(|program| cargo(&program, &["check"]).map(|_| program));
    for (library, is_actor) in [("`#[actor]`", true), ("bare enum", false)] {
        let row = Row { workload: SPEC.name.into(), library: library.into(), threads: None };
        for variants in SIZES {
            let seconds = match &prepared {
                Ok(program) => once(program, variants, is_actor),
                Err(error) => Err(io::Error::other(error.to_string())),
            };
            match seconds {
                Ok(seconds) => results.add(row.clone(), &variants.to_string(), seconds),
                Err(error) => {
                    eprintln!("{error}");
                    results.fail(row.clone(), "failed");
                }
            }
        }
    }
}
