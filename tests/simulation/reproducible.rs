//! One seed, one trace; and a program that does not keep to that is told so.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::SystemTime;

use zctor::ActorEngine;
use zctor::simulation::simulate;

use crate::Outcome;
use crate::order::{Sink, SinkClient, SinkMessage, order_and_totals};

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

/// Sends a note to two actors, in the order that is said, which is to come from something that a seed does not say.
fn notes(first: usize) -> Outcome {
    let engine = ActorEngine::new();
    let sinks: Vec<SinkClient> =
        (0..2).map(|_| engine.start(SinkMessage::actor(Sink::default))).collect::<Result<_, _>>()?;
    sinks[first % 2].note(0, 0)?;
    sinks[1 - first % 2].note(0, 0)?;
    engine.shutdown()?;
    Ok(())
}

/// The step at which two runs of this program differ is told, though no run fails.
fn is_told(first: impl Fn() -> usize + Send + Sync + 'static) {
    let search = simulate(move |_| notes(first())).check_determinism();
    let failure = search.seeds(0..1_000).outcome().expect_err("its runs differ");
    assert!(failure.text().contains("two runs with one seed differ at step"), "{failure}");
    assert!(failure.text().contains("send SinkMessage::Note -> "), "{failure}");
    assert!(failure.explanation().contains("the order of a `HashMap`"), "{failure}");
}

#[test]
fn the_order_of_a_hash_map_is_told() {
    is_told(|| HashMap::from([(0, ()), (1, ())]).into_keys().next().unwrap_or(0));
}

#[test]
fn the_systems_clock_is_told() {
    is_told(|| {
        let time = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("it is later");
        // A clock may tick in steps of some nanoseconds.
        DefaultHasher::new().hash_of(time.as_nanos())
    });
}

#[test]
fn an_address_in_memory_is_told() {
    is_told(|| {
        let place: &'static u64 = Box::leak(Box::new(0));
        DefaultHasher::new().hash_of(std::ptr::from_ref(place) as u128)
    });
}

trait HashOf {
    fn hash_of(self, number: u128) -> usize;
}

impl HashOf for DefaultHasher {
    fn hash_of(mut self, number: u128) -> usize {
        number.hash(&mut self);
        self.finish() as usize
    }
}

#[test]
fn two_runs_that_take_the_same_steps_and_end_differently_are_told() {
    let runs = Arc::new(AtomicU32::new(0));
    let search = simulate(move |_| {
        let run = runs.fetch_add(1, Ordering::Relaxed);
        notes(0)?;
        if run == 7 { Err("the seventh".into()) } else { Ok(()) }
    });
    let failure = search.check_determinism().seeds(0..100).outcome().expect_err("its runs differ");
    let text = "two runs with one seed end differently, well and with `the seventh`";
    assert!(failure.text().starts_with(text), "{failure}");
}

#[test]
fn a_program_that_follows_from_its_seed_passes_the_check() {
    simulate(order_and_totals).check_determinism().seeds(0..300).run();
}
