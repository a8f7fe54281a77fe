//! One seed, one trace; and a program that does not keep to that is told so.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use zctor::simulation::simulate;

use crate::order::order_and_totals;

#[test]
fn two_searches_over_the_same_seeds_see_the_same_traces() {
    let search = || simulate(order_and_totals).seeds(0..300).outcome().unwrap_or_else(|failure| panic!("{failure}"));
    let (one, other) = std::thread::scope(|scope| {
        let beside = scope.spawn(search);
        (search(), beside.join().expect("no seed fails"))
    });
    assert_eq!(one, other);
}

#[test]
fn a_program_whose_runs_differ_is_told_at_which_step() {
    let runs = Arc::new(AtomicU32::new(0));
    let search = simulate(move |simulation| {
        // A static, in effect: each run sees another value.
        let threads = 1 + runs.fetch_add(1, Ordering::Relaxed) % 2;
        for _ in 0..threads {
            simulation.spawn("one", || ()).join();
        }
        Ok(())
    });
    let failure = search.seeds(0..10).outcome().expect_err("its runs differ");
    assert!(failure.text().contains("two runs with one seed differ at step"), "{failure}");
}
