//! The log of an engine for events that no hook is told of: one line a second, which says how many were passed over.

use std::time::{Duration, Instant};

/// Lets one line a second through.
#[derive(Default)]
pub(super) struct Log {
    last: Option<Instant>,
    /// How many events were passed over since the last line.
    pub(super) more: u64,
}

impl Log {
    /// Counts one more event. If a line is due for it, gives the number of those that were passed over before it.
    pub(super) fn due(&mut self, at: Instant) -> Option<u64> {
        if self.last.is_some_and(|last| at.saturating_duration_since(last) < Duration::from_secs(1)) {
            self.more += 1;
            return None;
        }
        self.last = Some(at);
        Some(std::mem::take(&mut self.more))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::clock::now;

    #[test]
    fn one_line_a_second_tells_of_those_passed_over() {
        let start = now();
        let at = |ms| start + Duration::from_millis(ms);
        let mut log = Log::default();
        let lines = [0, 1, 999, 1_000, 1_500, 2_000].map(|ms| log.due(at(ms)));
        assert_eq!(lines, [Some(0), None, None, Some(2), None, Some(1)]);
    }
}
