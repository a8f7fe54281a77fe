//! The time, which is read only here.

use std::sync::OnceLock;
use std::time::{Duration, Instant};

use crate::sys::simulated::{in_world, this_member};

/// Reads the clock: that of the system, or the virtual one on a thread of a simulation.
///
/// Code that is to run in a simulation asks this. `Instant::now` knows only the time of the system.
///
/// ```
/// let before = zctor::now();
/// assert!(zctor::now() >= before);
/// ```
#[expect(clippy::disallowed_methods, reason = "the seam that the ban points to")]
pub fn now() -> Instant {
    in_world(|| this_member().map(|member| member.now())).unwrap_or_else(Instant::now)
}

/// The time `after` from now. `None` if the clock cannot represent it: then there is no limit.
pub(crate) fn deadline(after: Duration) -> Option<Instant> {
    now().checked_add(after)
}

/// The time since the clock's origin, which is when it was asked for first; zero for a time before that.
pub(crate) fn since_origin(time: Instant) -> Duration {
    time.saturating_duration_since(origin())
}

/// The time so long after the clock's origin, or `None` where that is beyond what the clock can say.
pub(crate) fn from_origin(after: Duration) -> Option<Instant> {
    origin().checked_add(after)
}

fn origin() -> Instant {
    static ORIGIN: OnceLock<Instant> = OnceLock::new();
    *ORIGIN.get_or_init(now)
}

/// When a timer set now is due.
pub(crate) fn due_in(after: Duration) -> Instant {
    deadline(after).unwrap_or_else(|| now() + FOREVER)
}

/// How far from now a timer is set whose time the clock cannot represent: a hundred years.
pub(crate) const FOREVER: Duration = Duration::from_secs(100 * 365 * 24 * 3600);
