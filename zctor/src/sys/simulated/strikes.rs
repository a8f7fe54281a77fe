//! Where faults strike.

use crate::sys::simulated::dice::Dice;
use crate::sys::simulated::state::{Setup, State};

/// One fault in so many places that it could be in.
const RARE: u64 = 12;

impl State {
    /// Whether a handler is to panic here.
    pub(super) fn breaks(&mut self, setup: &Setup) -> bool {
        setup.faults.panics && self.strikes(setup)
    }

    /// Whether the thread is so slow here that time passes to the next deadline.
    pub(super) fn stalls(&mut self, setup: &Setup) -> bool {
        setup.faults.timeouts && self.strikes(setup)
    }

    /// Whether there is a fault at this place. Places are numbered, and the numbers of those with faults are kept: a
    /// plan names the ones that remain.
    fn strikes(&mut self, setup: &Setup) -> bool {
        let place = self.fault_places;
        self.fault_places += 1;
        let strikes = match &setup.plan {
            Some(plan) => plan.faults.contains(&place),
            None => Dice::new(setup.seed ^ place.rotate_left(32), 4).below(RARE) == 0,
        };
        if strikes && self.failure.is_none() {
            self.faults.insert(place);
        }
        strikes
    }
}
