//! From a run that fails to the few reasons why.
//!
//! 1. Does the program fail in the steady order, with the times of that seed?
//! 2. Is it enough to hold one thread back, and from which decision to which?
//! 3. Else the deviations from the steady order are halved and halved again (delta debugging), as long as the run fails
//!    in the same way.

use std::ops::Range;

use crate::simulation::failure::{Failure, trace};
use crate::sys::simulated::state::{Plan, Record, Setup};

/// How many runs the last stage may take.
const RUNS: usize = 300;

pub(super) fn shrink(
    setup: &Setup,
    seed: Option<u64>,
    text: String,
    record: &Record,
    run: impl Fn(&Setup) -> (Option<String>, Record),
) -> Failure {
    let kind = without_numbers(&text);
    let attempt = |plan: Plan| {
        let (failed, record) = run(&Setup { plan: Some(plan), ..setup.clone() });
        failed.filter(|text| without_numbers(text) == kind).map(|text| (text, record))
    };
    let failure = |(text, record): (String, Record), explanation| Failure {
        seed,
        text,
        explanation,
        deviations: record.deviations.len(),
        trace: trace(&record),
    };
    if let Some(found) = attempt(Plan::default()) {
        let explanation = "it fails in the steady order, in which each thread runs on until it blocks".to_owned();
        return failure(found, explanation);
    }
    let hold = |thread, during: Range<u64>| attempt(Plan { held: Some((thread, during)), ..Plan::default() });
    for (thread, name) in record.names.iter().enumerate() {
        if hold(thread, 0..u64::MAX).is_none() {
            continue;
        }
        let during = narrow(record.decisions.saturating_mul(2), |during| hold(thread, during).is_some());
        if let Some(found) = hold(thread, during.clone()) {
            let Range { start, end } = during;
            let explanation =
                format!("it fails whenever thread {thread} `{name}` is slow, from decision {start} to {end}");
            return failure(found, explanation);
        }
    }
    let plan = |deviations: &[(u64, usize)]| Plan { deviations: deviations.iter().copied().collect(), held: None };
    let all: Vec<(u64, usize)> = record.deviations.iter().map(|(at, thread)| (*at, *thread)).collect();
    let left = minimize(all, RUNS, |some| attempt(plan(some)).is_some());
    let explanation = format!("it takes {} decisions that differ from the steady order", left.len());
    match attempt(plan(&left)) {
        Some(found) => Failure { deviations: left.len(), ..failure(found, explanation) },
        // Its deviations alone do not make it fail: what the policy drew at a look had a part.
        None => Failure {
            seed,
            text,
            explanation: "it could not be shrunk".to_owned(),
            deviations: record.deviations.len(),
            trace: trace(record),
        },
    }
}

/// The smallest range that still fails, begun late and ended early; `fails` holds for all decisions.
fn narrow(length: u64, fails: impl Fn(Range<u64>) -> bool) -> Range<u64> {
    let (mut start, mut beyond) = (0, length);
    while beyond - start > 1 {
        let middle = start + (beyond - start) / 2;
        if fails(middle..u64::MAX) { start = middle } else { beyond = middle }
    }
    let (mut short, mut end) = (start, length.max(start + 1));
    if !fails(start..end) {
        return start..u64::MAX;
    }
    while end - short > 1 {
        let middle = short + (end - short) / 2;
        if fails(start..middle) { end = middle } else { short = middle }
    }
    start..end
}

/// Takes away parts as long as the rest fails.
fn minimize<T: Clone>(mut all: Vec<T>, mut runs: usize, fails: impl Fn(&[T]) -> bool) -> Vec<T> {
    let mut size = all.len().div_ceil(2).max(1);
    loop {
        let mut at = 0;
        let mut is_smaller = false;
        while at < all.len() && runs > 0 {
            runs -= 1;
            let rest: Vec<T> = all[..at].iter().chain(&all[(at + size).min(all.len())..]).cloned().collect();
            if fails(&rest) {
                all = rest;
                is_smaller = true;
            } else {
                at += size;
            }
        }
        if runs == 0 || (size == 1 && !is_smaller) {
            return all;
        }
        size = size.div_ceil(2).max(1);
    }
}

/// The text of a failure without its numbers: so two runs fail in the same way.
fn without_numbers(text: &str) -> String {
    let first = text.lines().next().unwrap_or_default();
    first.chars().filter(|one| !one.is_ascii_digit() && !matches!(one, '.' | 'µ' | 'm' | 'n')).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_matters_is_left() {
        let left = minimize((0..100).collect(), 300, |some: &[u64]| some.contains(&17) && some.contains(&60));
        assert_eq!(left, [17, 60]);
    }

    #[test]
    fn a_range_is_narrowed_to_what_it_must_cover() {
        assert_eq!(narrow(200, |during| during.start <= 13 && during.end > 96), 13..97);
    }
}
