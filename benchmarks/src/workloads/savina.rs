//! Programs of the Savina suite (Imam and Sarkar, AGERE 2014) that suit threads, at about a tenth of its sizes.
//!
//! Each is written once, as behaviours that only send one way, so it is the same program on every library; what Savina
//! does by `become` is a field here. A run creates the actors, runs the program, checks its result and ends the actors.
//! Savina's thread ring is the workload `ring`.

pub(crate) mod banking;
pub(crate) mod big;
pub(crate) mod buffer;
pub(crate) mod chameneos;
pub(crate) mod count;
pub(crate) mod dictionary;
pub(crate) mod fork_join;
pub(crate) mod philosophers;
pub(crate) mod queens;
pub(crate) mod radix;

use std::hint::black_box;

use super::{Field, Spec};
use crate::library::Need;
use crate::measure::{Figure, Plan, rate};

/// What the programs have in common.
const PROGRAM: Spec = Spec { unit: "ms a run", needs: &[Need::Stop], field: Field::Libraries, ..Spec::BASE };

/// Milliseconds a run.
fn program(plan: &Plan, mut run: impl FnMut()) -> Vec<Figure> {
    rate(plan, 1, 1, |_| run()).in_column("", 1e6).into()
}

/// A small generator of numbers (xorshift), the same for every library.
struct Random(u64);

impl Random {
    fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }
}

/// Some work on the CPU.
fn churn(times: u64) -> f64 {
    (0..times).fold(black_box(37.2_f64), |x, _| x.sin() + 1.0)
}
