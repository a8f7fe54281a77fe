//! The settings of a search from the environment: which seeds, how many at a time, where the trace goes.

use std::env;
use std::ops::Range;

use crate::simulation::failure::Failure;

/// The number that a variable gives.
///
/// # Panics
/// If it gives something else.
fn number(name: &str) -> Option<u64> {
    let text = env::var(name).ok()?;
    let number = text.trim().replace('_', "").parse::<u64>();
    Some(number.unwrap_or_else(|_| panic!("{name} must be a whole number, and is `{text}`")))
}

/// The seeds that are asked for, or else those of the search.
pub(super) fn seeds(own: &Range<u64>) -> Range<u64> {
    match (number("ZCTOR_SEED"), number("ZCTOR_SEEDS")) {
        (Some(seed), _) => seed..seed.saturating_add(1),
        (None, Some(seeds)) => 0..seeds,
        (None, None) => own.clone(),
    }
}

/// How many runs are made at a time.
pub(super) fn jobs(own: usize) -> usize {
    let asked = number("ZCTOR_JOBS").map(|jobs| usize::try_from(jobs).unwrap_or(usize::MAX));
    asked.unwrap_or(own).clamp(1, 64)
}

/// Writes the failure where that is asked for: as a diagram if the name ends so, otherwise as text.
///
/// # Panics
/// If the file cannot be written.
pub(super) fn write_trace(failure: &Failure) {
    let Some(path) = env::var_os("ZCTOR_TRACE") else { return };
    let is_diagram = std::path::Path::new(&path).extension().is_some_and(|extension| extension == "mmd");
    let text = if is_diagram { failure.mermaid().to_owned() } else { failure.to_string() };
    if let Err(error) = std::fs::write(&path, text) {
        panic!("ZCTOR_TRACE names {path:?}, which cannot be written: {error}");
    }
}
