//! The simulated tests of zctor's promises can fail: each fault that is planted in the runtime is found.

use zctor::simulation::{Failure, Planted, Search};

use crate::{deadlocks, order, quiet};

fn found(search: Search, fault: Planted) -> Box<Failure> {
    search.__plant(fault).seeds(0..10_000).outcome().expect_err("no seed finds the fault")
}

#[test]
fn a_wake_up_that_park_loses_is_found() {
    let failure = found(order::search(), Planted::LostWakeUp);
    assert!(failure.text().contains("nobody can move"), "{failure}");
}

#[test]
fn an_engine_that_takes_itself_for_quiet_too_soon_is_found() {
    let failure = found(quiet::search(), Planted::FalseQuiet);
    assert!(failure.text().contains("settled after"), "{failure}");
}

#[test]
fn a_reply_that_the_callers_end_drops_is_found() {
    let failure = found(deadlocks::search(), Planted::DroppedReply);
    assert!(failure.text().contains("nobody can move"), "{failure}");
}
