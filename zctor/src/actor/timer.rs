//! Timers: delayed and repeated messages of an instance to itself; none arrives after its timer was cancelled.
//!
//! An actor thread keeps its timers itself (`thread/timers.rs`), so a timer costs no thread. A timer that is due
//! becomes an order in the thread's queue. Its message is only made when that order's turn comes, on the instance's own
//! thread; a timer that is cancelled by then sends none.

use std::cell::Cell;
use std::fmt;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::actor::attachments::{Attachments, OwnMessage, Schedule, TimerEntry};
use crate::id::Slot;
use crate::sys::clock::{FOREVER, due_in, now};
use crate::sys::unwind::{ignoring_panic, run_user};
use crate::thread::local::Local;

/// A timer set by [`Context::send_after`](crate::Context::send_after) or
/// [`Context::send_every`](crate::Context::send_every).
///
/// Dropping this handle does not end the timer. Besides [`cancel`](Timer::cancel), the end of its instance, a rebuild
/// of the instance's state, and a shutdown end it.
///
/// ```
/// use std::time::Duration;
/// use zctor::{ActorEngine, Context, Timer, actor};
///
/// #[actor(ctx)]
/// pub enum ReminderMessage {
///     Arm,
///     #[reply(bool)]
///     Disarm,
///     Ring,
/// }
/// #[derive(Default)]
/// struct Reminder(Option<Timer>);
/// impl ReminderHandler for Reminder {
///     fn arm(&mut self, ctx: &mut Context<ReminderMessage>) {
///         self.0 = Some(ctx.send_after(Duration::from_secs(3600), ReminderMessage::Ring));
///     }
///     fn disarm(&mut self, _ctx: &mut Context<ReminderMessage>) -> bool {
///         self.0.take().is_some_and(|timer| timer.cancel())
///     }
///     fn ring(&mut self, _ctx: &mut Context<ReminderMessage>) {}
/// }
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let engine = ActorEngine::new();
/// let reminder: ReminderClient = engine.pool(1, ReminderMessage::actor(Reminder::default))?;
/// reminder.arm()?;
/// assert!(reminder.disarm()?);
/// assert!(!reminder.disarm()?);
/// # Ok(())
/// # }
/// ```
pub struct Timer {
    local: Rc<Local>,
    slot: Slot,
    id: u64,
    cancelled: Rc<Cell<bool>>,
}

impl Timer {
    /// Ends the timer: no message of it arrives after this. Gives `false` if the timer had ended before.
    pub fn cancel(&self) -> bool {
        let was_cancelled = self.cancelled.replace(true);
        let owner = self.local.instance(self.slot);
        owner.is_some_and(|owner| owner.cancel_timer(&self.local, self.id, !was_cancelled))
    }
}

impl fmt::Debug for Timer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Timer").field("cancelled", &self.cancelled.get()).finish_non_exhaustive()
    }
}

/// Sets a timer of the instance in `slot`.
pub(super) fn send_after(
    local: &Rc<Local>,
    (slot, attachments): (Slot, &Attachments),
    after: Duration,
    message: OwnMessage,
) -> Timer {
    set(local, (slot, attachments), after, Schedule::Once(message))
}

/// Sets a repeated timer. A period below a millisecond counts as one.
pub(super) fn send_every(
    local: &Rc<Local>,
    (slot, attachments): (Slot, &Attachments),
    every: Duration,
    make: Box<dyn FnMut() -> OwnMessage>,
) -> Timer {
    let every = every.max(Duration::from_millis(1));
    set(local, (slot, attachments), every, Schedule::Every(every, make))
}

fn set(local: &Rc<Local>, (slot, attachments): (Slot, &Attachments), after: Duration, schedule: Schedule) -> Timer {
    let cancelled = Rc::new(Cell::new(false));
    // A time beyond what the clock can express never comes; the timer is kept all the same, until it is cancelled.
    let due = due_in(after);
    let id = local.timers.set(due, slot);
    let timer = TimerEntry { due, cancelled: Rc::clone(&cancelled), schedule };
    attachments.with_extras(|extras| extras.timers.add(id, timer));
    Timer { local: Rc::clone(local), slot, id, cancelled }
}

/// Ends a timer. `true` if it was set; or, if `may_fire`, if its closure runs just now.
pub(super) fn cancel(local: &Local, attachments: &Attachments, id: u64, may_fire: bool) -> bool {
    let Some(timer) = attachments.if_extras(|extras| extras.timers.remove(id)) else {
        return may_fire && attachments.if_extras(|extras| extras.firing == Some(id));
    };
    local.timers.clear(timer.due, id);
    ignoring_panic(|| drop(timer));
    true
}

impl TimerEntry {
    /// Gives the message of a timer that is due. That of a repeated timer is made by the user's closure, after which
    /// the timer is set again. An error is the text of the closure's panic.
    pub(crate) fn fire(
        self,
        local: &Local,
        attachments: &Attachments,
        slot: Slot,
        id: u64,
    ) -> Result<OwnMessage, Arc<str>> {
        let (every, mut make) = match self.schedule {
            Schedule::Once(message) => return Ok(message),
            Schedule::Every(every, make) => (every, make),
        };
        attachments.with_extras(|extras| extras.firing = Some(id));
        let meter = &local.mailbox.meter;
        let made = meter.around(slot, || run_user(0, None, &mut make));
        attachments.with_extras(|extras| extras.firing = None);
        if made.is_err() || self.cancelled.get() {
            meter.around(slot, || ignoring_panic(|| drop(make)));
        } else {
            let due = next_due(self.due, every, now());
            local.timers.set_again(due, id, slot);
            let schedule = Schedule::Every(every, make);
            let timer = TimerEntry { due, cancelled: self.cancelled, schedule };
            attachments.with_extras(|extras| extras.timers.add(id, timer));
        }
        made
    }
}

/// The next multiple of the period that is still to come, so that there is neither drift nor a burst after a delay.
fn next_due(due: Instant, every: Duration, now: Instant) -> Instant {
    let late = now.saturating_duration_since(due).as_nanos();
    let missed = late / every.as_nanos().max(1);
    let ahead = every.as_nanos().saturating_mul(missed + 1);
    let ahead = Duration::from_nanos(u64::try_from(ahead).unwrap_or(u64::MAX));
    due.checked_add(ahead).unwrap_or(now + FOREVER)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repeated_timer_neither_drifts_nor_catches_up() {
        let start = now();
        let every = Duration::from_millis(10);
        let at = |ms| start + Duration::from_millis(ms);
        assert_eq!(next_due(at(10), every, at(10)), at(20));
        assert_eq!(next_due(at(10), every, at(13)), at(20));
        assert_eq!(next_due(at(10), every, at(57)), at(60), "missed ticks are not made up for");
        assert_eq!(next_due(at(10), every, at(60)), at(70));
    }
}
