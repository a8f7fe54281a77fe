//! Where faults strike.

use crate::sys::simulated::dice::Dice;
use crate::sys::simulated::faults::Strike;
use crate::sys::simulated::setup::Setup;
use crate::sys::simulated::state::State;

/// A fault strikes at one of so many of the places where it can.
const RARE: u64 = 12;

impl State {
    /// Whether there is this fault at this place. Places are numbered, and the numbers of those with faults are kept: a
    /// plan names the ones that remain.
    pub(super) fn strikes(&mut self, setup: &Setup, strike: Strike) -> bool {
        if !setup.faults.allow(strike) {
            return false;
        }
        let place = self.fault_places;
        self.fault_places += 1;
        let strikes = match &setup.plan {
            Some(plan) => plan.faults.contains(&place),
            // It has one place in a run, which is drawn from the seed.
            None if strike == Strike::Shutdown => true,
            None => Dice::new(setup.seed ^ place.rotate_left(32), 4).below(RARE) == 0,
        };
        if strikes && self.record.failure.is_none() {
            self.record.faults.insert(place);
        }
        strikes
    }
}
