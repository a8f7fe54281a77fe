//! Random topologies: every call ends, nothing is lost or comes twice, order holds, and nothing hangs.
//!
//! A run does a million operations in a hundred worlds (see `topology/mod.rs`), whose seeds are `0..100`. Other runs
//! are asked for by environment variables, whose numbers may be written as in Rust:
//!
//! - `ZCTOR_SEED`: the first seed; with nothing else, only this one is run, as a failure prints it.
//! - `ZCTOR_SEEDS`: how many seeds, counted from the first.
//! - `ZCTOR_OPERATIONS`: how many operations with each seed, ten thousand if not given.

use crate::topology::{Style, given, run};

const SEEDS: u64 = if cfg!(miri) { 1 } else { 100 };
const OPERATIONS: u64 = if cfg!(miri) { 200 } else { 10_000 };

#[test]
fn random_topologies_lose_nothing_keep_order_and_do_not_hang() {
    let first = given("ZCTOR_SEED");
    let seeds = given("ZCTOR_SEEDS").unwrap_or(if first.is_some() { 1 } else { SEEDS });
    let operations = given("ZCTOR_OPERATIONS").unwrap_or(OPERATIONS);
    let first = first.unwrap_or(0);
    for seed in first..first + seeds {
        // In every fourth world a few types meet often; in every second one instances leave; in every third mailboxes
        // are bounded.
        let kinds = if seed % 4 == 3 { 4 } else { 20 };
        let (leaving, bounded) = (seed.is_multiple_of(2), seed % 3 == 2);
        run(seed, Style { threads: 8, kinds, senders: 3, operations, panics: 100, leaving, bounded });
    }
}
