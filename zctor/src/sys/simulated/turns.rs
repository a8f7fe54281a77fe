//! The turns of threads, by names that hold in each order of a run, and which of them come later than in the steady one.
//!
//! Shrinking takes causes away, and the causes that are left must keep their meaning. The number of a decision does not:
//! where one decision is left out, all later decisions have other numbers. So a turn is named by its thread, by the
//! operation that the thread begins there, and by how often it has begun such an operation before. "This turn comes
//! behind that one" then says the same in each run in which both come.

use std::collections::HashMap;

use crate::sys::operation::Operation;

/// A turn of a thread: what it does from one of its scheduling points to the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Turn {
    pub(crate) thread: usize,
    /// The operation that it begins with; `None` at the start of the thread, and where that was blocked.
    pub(crate) operation: Option<Operation>,
    /// How many turns of the thread before it began with the same.
    pub(crate) earlier: u32,
}

/// A turn that comes later than in the steady order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Delay {
    pub(crate) turn: Turn,
    /// It does not begin before this one is over, unless no other thread is ready. `None`: it comes last.
    pub(crate) behind: Option<Turn>,
}

/// The turns of one run so far.
#[derive(Default)]
pub(super) struct Turns {
    /// How many turns of a thread began with an operation.
    begun: HashMap<(usize, Option<Operation>), u32>,
    last: Option<Turn>,
    /// The event that came next, of each turn.
    steps: HashMap<Turn, usize>,
    /// The turns that have been passed over, and have not come yet.
    passed_over: Vec<Turn>,
    delays: Vec<Delay>,
}

impl Turns {
    /// The turn that the thread has next, which is about to do that.
    pub(super) fn next(&self, thread: usize, mut operation: Option<Operation>) -> Turn {
        if let Some(operation) = &mut operation {
            operation.take_call();
        }
        Turn { thread, operation, earlier: self.begun.get(&(thread, operation)).copied().unwrap_or(0) }
    }

    fn is_over(&self, turn: &Turn) -> bool {
        self.begun.get(&(turn.thread, turn.operation)).is_some_and(|begun| *begun > turn.earlier)
    }

    /// Whether one of these has the turn come later than now.
    pub(super) fn delay(&self, delays: &[Delay], turn: &Turn) -> bool {
        let is_over = |turn: Option<Turn>| turn.is_some_and(|turn| self.is_over(&turn));
        delays.iter().any(|delay| delay.turn == *turn && !is_over(delay.behind))
    }

    /// The turn begins, at this event, and these do not, which come first in the steady order.
    pub(super) fn begin(&mut self, turn: Turn, step: usize, passed_over: impl Iterator<Item = Turn>) {
        for other in passed_over {
            if !self.passed_over.contains(&other) {
                self.passed_over.push(other);
            }
        }
        if let Some(at) = self.passed_over.iter().position(|other| *other == turn) {
            self.passed_over.remove(at);
            self.delays.push(Delay { turn, behind: self.last });
        }
        *self.begun.entry((turn.thread, turn.operation)).or_default() += 1;
        self.steps.insert(turn, step);
        self.last = Some(turn);
    }

    pub(super) fn take_delays(&mut self) -> Vec<Delay> {
        let never = std::mem::take(&mut self.passed_over).into_iter().map(|turn| Delay { turn, behind: None });
        let mut delays = std::mem::take(&mut self.delays);
        delays.extend(never);
        delays
    }

    pub(super) fn take_steps(&mut self) -> HashMap<Turn, usize> {
        std::mem::take(&mut self.steps)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOOK: Option<Operation> = Some(Operation::Plain("look"));

    #[test]
    fn what_is_passed_over_comes_behind_the_turn_before_it() {
        let mut turns = Turns::default();
        let (held, other) = (turns.next(1, LOOK), turns.next(2, LOOK));
        turns.begin(other, 0, [held].into_iter());
        let second = turns.next(2, LOOK);
        assert_eq!(second.earlier, 1);
        turns.begin(second, 1, [held].into_iter());
        turns.begin(held, 2, std::iter::empty());
        assert_eq!(turns.take_delays(), [Delay { turn: held, behind: Some(second) }]);
    }

    #[test]
    fn a_turn_is_delayed_until_another_is_over() {
        let mut turns = Turns::default();
        let (held, other) = (turns.next(1, LOOK), turns.next(2, None));
        let delays = [Delay { turn: held, behind: Some(other) }];
        assert!(turns.delay(&delays, &held) && !turns.delay(&delays, &other));
        turns.begin(other, 0, std::iter::empty());
        assert!(!turns.delay(&delays, &held));
        assert!(turns.delay(&[Delay { turn: held, behind: None }], &held), "it comes last");
    }
}
