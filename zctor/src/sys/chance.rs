//! Numbers that look random, and are the same in each run of a program.

use std::hash::{DefaultHasher, Hash, Hasher};

/// A number from 0 to 1 that depends on a value alone: equal values give the same number, and different values spread
/// evenly.
pub(crate) fn stable_fraction(of: &impl Hash) -> f64 {
    let mut hasher = DefaultHasher::new();
    of.hash(&mut hasher);
    // 53 bits of the hash: as many as a float holds exactly.
    (hasher.finish() >> 11) as f64 / (u64::MAX >> 11) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_has_the_same_chance_and_all_together_spread_evenly() {
        assert_eq!(stable_fraction(&(7, 1)).to_bits(), stable_fraction(&(7, 1)).to_bits());
        let all: Vec<f64> = (0..10_000).map(|i| stable_fraction(&i)).collect();
        for tenth in 0..10 {
            let part = f64::from(tenth) / 10.0..f64::from(tenth + 1) / 10.0;
            let share = all.iter().filter(|chance| part.contains(chance)).count();
            assert!((900..1_100).contains(&share), "{share} of 10,000 lie in {part:?}");
        }
    }
}
