//! Ten thousand panics at random under load: every call is answered, no message is lost but those that panicked, and
//! every state is dropped exactly once.
//!
//! The worlds are those of `topology/mod.rs`, in which every fourth handler panics, and hooks, factories and the
//! closures of pipes do at times. `ZCTOR_SEED` runs a single one, as a failure prints it.

use crate::topology::{Style, given, run};

const PANICS: u64 = if cfg!(miri) { 20 } else { 10_000 };
const OPERATIONS: u64 = if cfg!(miri) { 100 } else { 8_000 };

fn style(seed: u64) -> Style {
    // In every second world instances pass the limits of their restarts, and leave.
    let leaving = seed.is_multiple_of(2);
    Style { threads: 8, kinds: 20, senders: 3, operations: OPERATIONS, panics: 4, leaving, bounded: false }
}

#[test]
fn ten_thousand_panics_lose_nothing_but_the_messages_that_panicked() {
    if let Some(seed) = given("ZCTOR_SEED") {
        run(seed, style(seed));
        return;
    }
    let (mut seed, mut panics) = (0, 0);
    while panics < PANICS {
        let panicked = run(seed, style(seed));
        assert!(panicked > 0, "seed {seed}: nobody panicked");
        panics += panicked;
        seed += 1;
    }
}
