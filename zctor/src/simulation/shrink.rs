//! From a run that fails to the few reasons why.
//!
//! 1. Does the program fail in the steady order, with no time passing and no fault?
//! 2. Which of the times and the faults of its seed does it need, in the steady order or in its own?
//! 3. Is it enough to hold one thread back, or two, and from which decision to which? Is the second still needed then?
//! 4. Else the run is told as delays: this turn of a thread comes behind that one of another, where the steady order has
//!    it earlier. They name turns and not decisions, so those that are left mean the same when others are taken away: see
//!    `sys/simulated/turns.rs`. All delays of one thread are left out, then halves of what is left and halves of those (delta
//!    debugging), and then two of one thread become a longer one, each as long as the run fails in the same way.

use std::collections::BTreeSet;
use std::ops::Range;
use std::time::Duration;

use crate::simulation::explain::{delayed, held_back, steady};
use crate::simulation::failure::Failure;
use crate::sys::clock::{deadline, now};
use crate::sys::simulated::record::Record;
use crate::sys::simulated::setup::{Plan, Setup};
use crate::sys::simulated::turns::Delay;

/// How long shrinking may take; what it has found by then is told.
const LIMIT: Duration = Duration::from_secs(8);

/// The two outcomes of a run of a plan: why it failed, and what was seen.
type Found = (String, Record);

struct Shrinker<'a> {
    setup: Setup,
    kind: String,
    run: &'a dyn Fn(&Setup) -> (Option<String>, Record),
    until: Option<std::time::Instant>,
}

impl Shrinker<'_> {
    fn has_time(&self) -> bool {
        self.until.is_none_or(|until| now() < until)
    }

    /// Runs by a plan. `None` if the run does not fail in the same way, or if there is no time to see it.
    fn attempt(&self, plan: Plan) -> Option<Found> {
        let (failed, record) = (self.run)(&Setup { plan: Some(plan), ..self.setup.clone() });
        failed.filter(|text| without_numbers(text) == self.kind).map(|text| (text, record))
    }

    fn fails(&self, plan: Plan) -> bool {
        self.has_time() && self.attempt(plan).is_some()
    }
}

/// Shrinks a run that has failed. `run` makes a run and says why it failed, if it did.
pub(super) fn shrink(
    setup: &Setup,
    seed: Option<u64>,
    text: String,
    record: &Record,
    run: &dyn Fn(&Setup) -> (Option<String>, Record),
) -> Failure {
    let kind = without_numbers(&text);
    let mut shrinker = Shrinker { setup: setup.clone(), kind, run, until: deadline(LIMIT) };
    let all: Vec<(u64, usize)> = record.deviations.iter().map(|(at, deviation)| (*at, deviation.to)).collect();
    let with_all = || Plan { deviations: all.iter().copied().collect(), ..Plan::default() };
    // Time: it is left out if the run fails without it.
    let faults = record.faults.clone();
    if !setup.slowest.is_zero() {
        let timed = std::mem::replace(&mut shrinker.setup.slowest, Duration::ZERO);
        let is_enough = |plan: Plan| shrinker.fails(Plan { faults: faults.clone(), ..plan });
        if !is_enough(Plan::default()) && !is_enough(with_all()) {
            shrinker.setup.slowest = timed;
        }
    }
    let faults: Vec<u64> = faults.into_iter().collect();
    let of = |some: &[u64], plan: Plan| Plan { faults: some.iter().copied().collect(), ..plan };
    for plan in [Plan::default(), with_all()] {
        if !shrinker.fails(of(&faults, plan.clone())) {
            continue;
        }
        let left = minimize(faults.clone(), |some| shrinker.fails(of(some, plan.clone())));
        if shrinker.fails(of(&left, plan)) {
            let faults: BTreeSet<u64> = left.into_iter().collect();
            return by_schedule(&shrinker, seed, &all, &faults).unwrap_or_else(|| unshrunk(seed, text, record));
        }
    }
    unshrunk(seed, text, record)
}

/// Shrinks the schedule, with these faults.
fn by_schedule(
    shrinker: &Shrinker<'_>,
    seed: Option<u64>,
    all: &[(u64, usize)],
    faults: &BTreeSet<u64>,
) -> Option<Failure> {
    let plan = || Plan { faults: faults.clone(), ..Plan::default() };
    let failure = |(text, record): Found, explain: &dyn Fn(&Record) -> (String, usize)| {
        let (words, reasons) = explain(&record);
        let words = with_conditions(words, shrinker.setup.slowest, faults.len());
        Failure::new(seed, text, &record, (words, reasons + faults.len()))
    };
    let held = |held: Vec<(usize, Range<u64>)>| Plan { held, ..plan() };
    if let Some(found) = shrinker.attempt(plan()) {
        return Some(failure(found, &|_| (steady(), 0)));
    }
    let with_deviations = |some: &[(u64, usize)]| Plan { deviations: some.iter().copied().collect(), ..plan() };
    let (_, record) = shrinker.attempt(with_deviations(all))?;
    let threads = 0..record.names.len();
    let ever = || 0..u64::MAX;
    let one = threads.clone().map(|thread| vec![thread]);
    let two = threads.clone().flat_map(|a| (a + 1..threads.end).map(move |b| vec![a, b]));
    for group in one.chain(two) {
        if !shrinker.fails(held(group.iter().map(|thread| (*thread, ever())).collect())) {
            continue;
        }
        let mut spans: Vec<(usize, Range<u64>)> = group.iter().map(|thread| (*thread, ever())).collect();
        for index in 0..spans.len() {
            let during = narrow(record.decisions.saturating_mul(2), |during| {
                let mut spans = spans.clone();
                spans[index].1 = during;
                shrinker.fails(held(spans))
            });
            spans[index].1 = during;
        }
        // While the first was narrowed the second mattered; with what is left of the first it may not any more.
        let mut spans = minimize(spans, |some| shrinker.fails(held(some.to_vec())));
        if let Some(found) = shrinker.attempt(held(spans.clone())) {
            // A thread may be held back after the failure, without effect; there may have been no time to find that
            // out.
            spans.retain(|(_, during)| during.start < found.1.decided_at.len() as u64);
            return Some(failure(found, &|record| (held_back(record, &spans), spans.len())));
        }
    }
    let with_delays = |some: &[Delay]| Plan { delays: some.to_vec(), ..plan() };
    let fails = |some: &[Delay]| shrinker.fails(with_delays(some));
    let mut left = record.delays;
    for thread in threads {
        let rest: Vec<Delay> = left.iter().filter(|delay| delay.turn.thread != thread).copied().collect();
        if rest.len() < left.len() && fails(&rest) {
            left = rest;
        }
    }
    let left = join(minimize(left, fails), fails);
    let found = shrinker.attempt(with_delays(&left))?;
    Some(failure(found, &|record| (delayed(record, &left), left.len())))
}

/// Says what else it takes.
fn with_conditions(mut words: String, slowest: Duration, faults: usize) -> String {
    if !slowest.is_zero() {
        words.push_str(&format!("\nit takes time too: steps that take up to {slowest:?} each"));
    }
    match faults {
        0 => {}
        1 => words.push_str("\nit takes a fault too, which the trace shows"),
        faults => words.push_str(&format!("\nit takes {faults} faults too, which the trace shows")),
    }
    words
}

/// Used when the deviations, times and faults alone do not reproduce the failure: then a random draw of the policy had
/// a part.
fn unshrunk(seed: Option<u64>, text: String, record: &Record) -> Failure {
    let explanation = "it could not be shrunk: the trace is that of the whole run".to_owned();
    Failure::new(seed, text, record, (explanation, record.deviations.len() + record.faults.len()))
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
fn minimize<T: Clone>(mut all: Vec<T>, fails: impl Fn(&[T]) -> bool) -> Vec<T> {
    let mut size = all.len().div_ceil(2).max(1);
    loop {
        let mut at = 0;
        let mut is_smaller = false;
        while at < all.len() {
            let rest: Vec<T> = all[..at].iter().chain(&all[(at + size).min(all.len())..]).cloned().collect();
            if fails(&rest) {
                all = rest;
                is_smaller = true;
            } else {
                at += size;
            }
        }
        if size == 1 && !is_smaller {
            return all;
        }
        size = size.div_ceil(2).max(1);
    }
}

/// Of two delays of one thread makes one, from the earlier turn on until the later one may come, as long as that fails.
fn join(mut all: Vec<Delay>, fails: impl Fn(&[Delay]) -> bool) -> Vec<Delay> {
    let joined = |all: &[Delay], (at, other): (usize, usize)| {
        let mut rest = all.to_vec();
        let behind = rest.remove(other).behind;
        rest[at].behind = behind;
        rest
    };
    let pairs = |all: &[Delay]| -> Vec<(usize, usize)> {
        let behind = |at: usize| (at + 1..all.len()).map(move |other| (at, other));
        let pairs = (0..all.len()).flat_map(behind);
        pairs.filter(|(at, other)| all[*at].turn.thread == all[*other].turn.thread).collect()
    };
    while let Some(rest) = pairs(&all).into_iter().map(|pair| joined(&all, pair)).find(|rest| fails(rest)) {
        all = minimize(rest, &fails);
    }
    all
}

/// The text of a failure without its numbers: so two runs fail in the same way.
pub(super) fn without_numbers(text: &str) -> String {
    let first = text.lines().next().unwrap_or_default();
    first.chars().filter(|one| !one.is_ascii_digit() && !matches!(one, '.' | 'µ' | 'm' | 'n')).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, HashMap};

    use super::*;
    use crate::sys::simulated::faults::Faults;
    use crate::sys::simulated::record::Deviation;
    use crate::sys::simulated::schedule::Policy;

    #[test]
    fn what_matters_is_left() {
        let left = minimize((0..100).collect(), |some: &[u64]| some.contains(&17) && some.contains(&60));
        assert_eq!(left, [17, 60]);
    }

    /// A run that fails if thread 1 is held back at decision 5 and free at 90, or if thread 2 is held back too.
    fn by_two_or_by_one(setup: &Setup) -> (Option<String>, Record) {
        let plan = setup.plan.clone().unwrap_or_default();
        let is_held = |thread, at| plan.held.iter().any(|(held, during)| *held == thread && during.contains(&at));
        let fails = !plan.deviations.is_empty() || (is_held(1, 5) && (!is_held(1, 90) || is_held(2, 20)));
        let threads = (1..3).flat_map(|thread| [5, 20, 90].map(|at| (thread, at)));
        let held_up =
            threads.filter(|(thread, at)| is_held(*thread, *at)).map(|(_, at)| (at, Deviation { step: 0, to: 0 }));
        let record = Record {
            failure: None,
            panics: Vec::new(),
            failed_at: None,
            events: Vec::new(),
            names: ["main", "one", "two"].map(str::to_owned).to_vec(),
            deviations: held_up.collect(),
            decided_at: vec![0; 100],
            faults: BTreeSet::new(),
            delays: Vec::new(),
            turns: HashMap::new(),
            marks: BTreeSet::new(),
            decisions: 100,
            steps: 0,
            left: 0,
            is_stuck: false,
        };
        (fails.then(|| "it fails".to_owned()), record)
    }

    #[test]
    fn a_thread_that_need_not_be_held_back_any_more_is_not_told() {
        let setup = Setup {
            seed: 32,
            policy: Policy::Steady,
            decisions: 100,
            slowest: Duration::ZERO,
            max_steps: 1_000,
            patience: Duration::from_secs(10),
            faults: Faults::new(),
            planted: None,
            plan: None,
        };
        let plan = Plan { deviations: BTreeMap::from([(5, 0)]), ..Plan::default() };
        let (failed, mut record) = by_two_or_by_one(&Setup { plan: Some(plan), ..setup.clone() });
        let deviation = Deviation { step: 0, to: 0 };
        record.deviations = BTreeMap::from([(5, deviation)]);
        let text = failed.expect("it is to fail");
        let failure = shrink(&setup, Some(32), text, &record, &by_two_or_by_one);
        assert_eq!(failure.deviations(), 1, "{}", failure.explanation());
        assert!(failure.explanation().contains("1 `one`"), "{}", failure.explanation());
        assert!(!failure.explanation().contains("2 `two`"), "{}", failure.explanation());
    }

    #[test]
    fn a_range_is_narrowed_to_what_it_must_cover() {
        assert_eq!(narrow(200, |during| during.start <= 13 && during.end > 96), 13..97);
    }
}
