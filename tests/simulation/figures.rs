//! Figures of this machine, for a look: nothing is asserted, since no test holds a time from above.
//!
//! `cargo test --release -p zctor-tests --features simulation --test simulation -- --ignored --nocapture figures`

use std::time::Duration;

use zctor::simulation::{Search, simulate};

use crate::found::{TellerMessage, bank};
use crate::{time, worlds};

fn tell(what: &str, search: Search) {
    let begun = zctor::now();
    let summary = search.outcome().unwrap_or_else(|failure| panic!("{failure}"));
    let (runs, took) = (summary.runs(), begun.elapsed());
    let rate = runs as f64 * 60.0 / took.as_secs_f64();
    println!("{what}: {rate:.0} runs a minute, {} steps a run, {:?} a run", summary.steps() / runs, took / runs as u32);
}

#[test]
#[ignore = "prints figures of the machine"]
fn runs_a_minute() {
    let three = || simulate(|_| bank(TellerMessage::DepositAtOnce)).seeds(0..3_000);
    tell("three actor threads", three());
    tell("three actor threads, two runs at a time", three().jobs(2));
    tell("random topologies", worlds::search().seeds(0..300));
    tell("a day of ticks", time::a_day().slowest(Duration::ZERO).seeds(0..100));
}
