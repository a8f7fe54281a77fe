//! Credit: sends that give their permits back before they are acknowledged.
//!
//! A link has room for 1,024 messages by itself. Over a server that is soon used up: a sender of many small messages would
//! wait for acknowledgements most of the time, and threads would be woken for a few of them. So the bridge lends room
//! beyond that, for each subject by itself:
//!
//! 1. There is none to begin with. Each send that is acknowledged within [`SOON`] adds room for one more, up to [`MOST`].
//! 2. A send that goes out takes of that room, if there is some and if what has taken of it is not more than
//!    [`MOST_BYTES`]. Then it gives its permit back at once. It has taken of the room until it is settled.
//! 3. A send that is acknowledged later, or lost, ends all credit. So behind a slow handler no more than the link's own
//!    room is taken anew, and what was lent before is bounded in number and in bytes.
//! 4. Links whose bound is stated by the user have none.

use std::collections::BTreeMap;
use std::time::Duration;

use async_nats::Subject;

/// Acknowledgements that come within this time come soon.
const SOON: Duration = Duration::from_millis(50);
/// How many sends to a subject have room beyond that of their link.
const MOST: usize = 7 * 1_024;
/// How many bytes they have together.
const MOST_BYTES: usize = 1_024 * 1_024;

/// The credit of all subjects.
#[derive(Default)]
pub(crate) struct Credits(BTreeMap<Subject, Credit>);

#[derive(Default)]
struct Credit {
    room: usize,
    /// How many sends have taken of the room. May be more than there is now.
    lent: usize,
    bytes: usize,
}

impl Credits {
    /// Step 2, for sends of these sizes: says how many of the first of them have taken of the room.
    pub(crate) fn lend(&mut self, subject: &Subject, sizes: impl IntoIterator<Item = usize>) -> usize {
        let Some(credit) = self.0.get_mut(subject) else { return 0 };
        let mut lent = 0;
        for size in sizes {
            if credit.lent >= credit.room || credit.bytes + size > MOST_BYTES {
                break;
            }
            credit.lent += 1;
            credit.bytes += size;
            lent += 1;
        }
        lent
    }

    /// Steps 1 and 3: a send is settled. `lent`: its size, if it had taken of the room. `after`: the time until it was
    /// acknowledged; `None` if it never was.
    pub(crate) fn settled(&mut self, subject: &Subject, lent: Option<usize>, after: Option<Duration>) {
        if !self.0.contains_key(subject) {
            self.0.insert(subject.clone(), Credit::default());
        }
        let Some(credit) = self.0.get_mut(subject) else { return };
        if let Some(size) = lent {
            credit.lent -= 1;
            credit.bytes -= size;
        }
        let is_soon = after.is_some_and(|after| after <= SOON);
        credit.room = if is_soon { MOST.min(credit.room + 1) } else { 0 };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT_ONCE: Option<Duration> = Some(Duration::ZERO);

    fn with_room(room: usize) -> (Credits, Subject) {
        let (mut credits, subject) = (Credits::default(), Subject::from("a"));
        (0..room).for_each(|_| credits.settled(&subject, None, AT_ONCE));
        (credits, subject)
    }

    #[test]
    fn room_grows_with_each_send_that_is_acknowledged_soon_up_to_its_bound() {
        let (mut credits, subject) = with_room(0);
        assert_eq!(credits.lend(&subject, [1]), 0, "none was acknowledged");
        credits.settled(&subject, None, AT_ONCE);
        assert_eq!(credits.lend(&subject, [1, 1]), 1);
        credits.settled(&subject, Some(1), AT_ONCE);
        assert_eq!(credits.lend(&subject, [1, 1, 1]), 2);
        assert_eq!(credits.lend(&"b".into(), [1]), 0, "another pool");
        let (mut credits, subject) = with_room(2 * MOST);
        assert_eq!(credits.lend(&subject, [1; 2 * MOST]), MOST);
    }

    #[test]
    fn room_has_a_bound_in_bytes() {
        let (mut credits, subject) = with_room(MOST);
        assert_eq!(credits.lend(&subject, [MOST_BYTES / 4; 5]), 4);
        assert_eq!(credits.lend(&subject, [1]), 0);
        credits.settled(&subject, Some(MOST_BYTES / 4), AT_ONCE);
        assert_eq!(credits.lend(&subject, [MOST_BYTES / 4; 5]), 1);
    }

    #[test]
    fn one_late_acknowledgement_or_loss_ends_the_credit() {
        for after in [Some(2 * SOON), None] {
            let (mut credits, subject) = with_room(10);
            assert_eq!(credits.lend(&subject, [1; 5]), 5);
            credits.settled(&subject, Some(1), after);
            assert_eq!(credits.lend(&subject, [1]), 0);
            // What was lent counts still: so much has to be acknowledged soon before more is lent.
            (0..4).for_each(|_| credits.settled(&subject, None, AT_ONCE));
            assert_eq!(credits.lend(&subject, [1]), 0);
            credits.settled(&subject, Some(1), AT_ONCE);
            assert_eq!(credits.lend(&subject, [1; 5]), 2);
        }
    }
}
