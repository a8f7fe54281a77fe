//! Counters never fall.
//!
//! Statistics are read while threads go on, so a number may be a little less than it was at the look before. To Prometheus
//! a counter that falls has begun again at 0, and its rate would jump. So each counter shows the highest number that it has
//! had.

use std::collections::HashMap;
use std::mem;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::scrape::Labels;

type Key = (&'static str, Labels);

/// The highest number of each counter at the last scrape.
#[derive(Debug, Default)]
pub(crate) struct Highest(Mutex<HashMap<Key, u64>>);

/// A scrape that raises them. Counters that have no row in it any more are forgotten.
pub(crate) struct Raising<'a> {
    highest: MutexGuard<'a, HashMap<Key, u64>>,
    before: HashMap<Key, u64>,
}

impl Highest {
    pub(crate) fn raise(&self) -> Raising<'_> {
        let mut highest = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let before = mem::take(&mut *highest);
        Raising { highest, before }
    }
}

impl Raising<'_> {
    /// The number of a counter to show.
    pub(crate) fn at_least(&mut self, name: &'static str, labels: &Labels, now: u64) -> u64 {
        let key = (name, labels.clone());
        let value = self.before.get(&key).map_or(now, |before| now.max(*before));
        self.highest.insert(key, value);
        value
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_counter_keeps_its_highest_number_until_it_is_gone() {
        let (highest, labels) = (Highest::default(), vec![("thread", "1".to_owned())]);
        assert_eq!(highest.raise().at_least("busy", &labels, 5), 5);
        assert_eq!(highest.raise().at_least("busy", &labels, 4), 5);
        assert_eq!(highest.raise().at_least("busy", &labels, 7), 7);
        assert_eq!(highest.raise().at_least("idle", &labels, 1), 1);
        assert_eq!(highest.raise().at_least("busy", &labels, 2), 2, "it had no row in the scrape before");
    }
}
