//! The time: read here alone.

use std::time::{Duration, Instant};

/// Reads the clock: the one place that does.
#[expect(clippy::disallowed_methods, reason = "the seam that the ban points to")]
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// The time `after` from now, or `None` where that is beyond what the clock can say: then there is no limit.
pub(crate) fn deadline(after: Duration) -> Option<Instant> {
    now().checked_add(after)
}

/// When a timer set now is due.
pub(crate) fn due_in(after: Duration) -> Instant {
    deadline(after).unwrap_or_else(|| now() + FOREVER)
}

pub(crate) const FOREVER: Duration = Duration::from_secs(100 * 365 * 24 * 3600);
