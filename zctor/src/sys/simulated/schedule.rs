//! The policies that a seed chooses from: each says which thread runs next.
//!
//! - A *random walk* draws among those that are ready.
//! - *PCT* (Burckhardt and others, 2010) gives each thread a priority when it appears, and lets the first fall behind
//!   all others at `depth - 1` decisions. A bug that one slow thread causes is found in about as many seeds as there
//!   are threads.
//! - *POS* (Yuan and others, 2018) draws the priority of a thread anew after each of its operations, and so for those
//!   whose next operation is on the same object.

use crate::sys::simulated::dice::Dice;

/// A policy with its parameters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Policy {
    /// Goes on with the thread that runs; when that blocks, takes the one that has been ready for longest.
    Steady,
    /// Goes on with the thread that runs `stay` times of 100, and otherwise draws.
    Random {
        stay: u64,
    },
    Pct {
        depth: u64,
    },
    Pos,
}

impl Policy {
    /// The policy of a seed.
    pub(crate) fn draw(dice: &mut Dice) -> Self {
        match dice.below(8) {
            0 | 1 => Self::Pct { depth: 1 },
            2 => Self::Pct { depth: 2 },
            3 => Self::Pct { depth: 3 },
            4 => Self::Pct { depth: 5 },
            5 => Self::Random { stay: 0 },
            6 => Self::Random { stay: [50, 90][dice.below(2) as usize] },
            _ => Self::Pos,
        }
    }
}

/// A thread that could run next.
#[derive(Clone, Copy)]
pub(crate) struct Candidate {
    pub(crate) id: usize,
    /// The object of its next operation.
    pub(crate) object: u64,
}

/// The order of one run.
pub(crate) struct Schedule {
    policy: Policy,
    dice: Dice,
    /// Of each thread; the highest runs.
    priorities: Vec<u64>,
    /// The priority of the next thread that falls behind all others.
    lowest: u64,
    /// The decisions at which the first thread falls behind.
    changes: Vec<u64>,
    /// From this decision on the walk is random, so that no thread is held back for ever.
    fair_from: u64,
}

/// Drawn priorities are above, those of threads that fell behind are below.
const DRAWN: u64 = 1 << 63;

impl Schedule {
    /// `decisions` is how many a run of the program takes, about.
    pub(crate) fn new(policy: Policy, mut dice: Dice, decisions: u64) -> Self {
        let length = decisions.max(1);
        let changes = match policy {
            Policy::Pct { depth } => (1..depth).map(|_| dice.below(length)).collect(),
            _ => Vec::new(),
        };
        let fair_from = length.saturating_mul(20).max(1_000);
        Self { policy, dice, priorities: Vec::new(), lowest: DRAWN - 1, changes, fair_from }
    }

    /// Chooses among two or more. `current` is the thread that runs, if it is among them; `default` is what `Steady`
    /// takes.
    pub(crate) fn choose(
        &mut self,
        decision: u64,
        ready: &[Candidate],
        current: Option<usize>,
        default: usize,
    ) -> usize {
        let last = ready.iter().map(|one| one.id).max().unwrap_or(0);
        while self.priorities.len() <= last {
            let drawn = self.dice.next() | DRAWN;
            self.priorities.push(drawn);
        }
        let policy = if decision >= self.fair_from && self.policy != Policy::Steady {
            Policy::Random { stay: 0 }
        } else {
            self.policy
        };
        match policy {
            Policy::Steady => default,
            Policy::Random { stay } => match current.filter(|_| self.dice.below(100) < stay) {
                Some(current) => current,
                None => ready[self.dice.below(ready.len() as u64) as usize].id,
            },
            Policy::Pct { .. } => {
                if self.changes.contains(&decision) {
                    let first = self.first(ready);
                    self.fall_behind(first);
                }
                self.first(ready)
            }
            Policy::Pos => {
                let first = self.first(ready);
                let object = ready.iter().find(|one| one.id == first).map_or(0, |one| one.object);
                for one in ready.iter().filter(|one| one.id == first || (object != 0 && one.object == object)) {
                    self.priorities[one.id] = self.dice.next() | DRAWN;
                }
                first
            }
        }
    }

    /// The thread has looked for something and waits for nothing: the others come first.
    pub(crate) fn fall_behind(&mut self, id: usize) {
        if let Some(priority) = self.priorities.get_mut(id) {
            *priority = self.lowest;
            self.lowest -= 1;
        }
    }

    fn first(&self, ready: &[Candidate]) -> usize {
        ready.iter().map(|one| one.id).max_by_key(|&id| (self.priorities[id], usize::MAX - id)).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ready(ids: &[usize]) -> Vec<Candidate> {
        ids.iter().map(|&id| Candidate { id, object: 1 }).collect()
    }

    #[test]
    fn pct_goes_on_with_the_first_until_a_change() {
        let mut schedule = Schedule::new(Policy::Pct { depth: 1 }, Dice::new(3, 1), 100);
        let first = schedule.choose(0, &ready(&[0, 1, 2]), None, 0);
        assert!((1..100).all(|decision| schedule.choose(decision, &ready(&[0, 1, 2]), None, 0) == first));
        schedule.fall_behind(first);
        assert_ne!(schedule.choose(100, &ready(&[0, 1, 2]), None, 0), first);
    }

    #[test]
    fn a_random_walk_and_pos_reach_every_thread() {
        for policy in [Policy::Random { stay: 50 }, Policy::Pos] {
            let mut schedule = Schedule::new(policy, Dice::new(3, 1), 100);
            let mut seen = [0; 3];
            (0..300).for_each(|decision| seen[schedule.choose(decision, &ready(&[0, 1, 2]), Some(0), 0)] += 1);
            assert!(seen.iter().all(|count| *count > 30), "{policy:?}: {seen:?}");
        }
    }
}
