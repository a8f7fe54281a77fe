//! Random topologies: every call ends, nothing is lost or comes twice, order holds, and nothing hangs.
//!
//! A run does a million operations in a hundred worlds (see `topology/mod.rs`), whose seeds are `0..100`. Other runs
//! are asked for by environment variables, in numbers as Rust writes them:
//!
//! - `ZCTOR_SEED`: the first seed; with nothing else, only this one is run, as a failure prints it.
//! - `ZCTOR_SEEDS`: how many seeds, counted from the first.
//! - `ZCTOR_OPERATIONS`: how many operations with each seed, ten thousand if not given.

mod topology;

use std::env;

use topology::{Style, World, watched};

const SEEDS: u64 = if cfg!(miri) { 1 } else { 100 };
const OPERATIONS: u64 = if cfg!(miri) { 200 } else { 10_000 };

fn style(seed: u64, operations: u64) -> Style {
    // In every fourth world a few types meet often; in every second one instances leave.
    let kinds = if seed % 4 < 3 { 20 } else { 4 };
    Style { threads: 8, kinds, senders: 3, operations, panics: 100, leaving: seed % 2 == 0 }
}

#[test]
fn random_topologies_lose_nothing_keep_order_and_do_not_hang() {
    let given = env::var("ZCTOR_SEED").is_ok();
    let first = number("ZCTOR_SEED").unwrap_or(0);
    let seeds = number("ZCTOR_SEEDS").unwrap_or(if given { 1 } else { SEEDS });
    let operations = number("ZCTOR_OPERATIONS").unwrap_or(OPERATIONS);
    for seed in first..first + seeds {
        run(seed, style(seed, operations));
    }
}

fn run(seed: u64, style: Style) {
    let (engine, world) = World::start(seed, style);
    let its = std::sync::Arc::clone(&world);
    watched(&world, move || {
        let world = its;
        let asked = world.load();
        world.flush(&engine);
        let stats = engine.stats();
        world.ledger.claim(stats.queued() == 0, || format!("settled, and not quiet: {stats:?}"));
        for asked in &asked {
            world.ledger.claim(asked.pending.try_take().is_some(), || "a call has no answer when all is quiet".into());
        }
        world.expect_stop();
        let report = engine.shutdown().expect("every handler returns");
        drop(asked);
        world.claim_report(&report);
        world.ledger.claim_nothing_leaked();
        world.assert_no_faults();
    });
}

fn number(name: &str) -> Option<u64> {
    let text = env::var(name).ok()?;
    let digits = text.replace('_', "");
    let number = match digits.strip_prefix("0x") {
        Some(hex) => u64::from_str_radix(hex, 16),
        None => digits.parse(),
    };
    Some(number.unwrap_or_else(|_| panic!("`{name}` is no number: {text}")))
}
