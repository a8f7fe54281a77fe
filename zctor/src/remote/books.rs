//! The books of one end: the outcome of each message that a link took.

use std::fmt;

use crate::event::Undelivered;

/// The counts of all that one end of a link has sent, by outcome.
///
/// Each accepted message is acknowledged by the other side or is a dead letter: see [`is_balanced`](Books::is_balanced).
///
/// ```
/// use zctor::remote::{Books, Loopback};
///
/// let (end, _other) = Loopback::pair();
/// assert_eq!(end.books(), Books::default());
/// assert!(end.books().is_balanced());
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Books {
    /// The messages that were sent, not called, and that the links of this end have taken. A broadcast is one.
    pub accepted: u64,
    /// Those of them that are in a mailbox on the other side.
    pub acked: u64,
    /// Those for which nobody serves their pool on the other side: dead letters with
    /// [`Undelivered::Unreachable`].
    pub unreachable: u64,
    /// Those for which a mailbox on the other side had no room: dead letters with [`Undelivered::Full`].
    pub full: u64,
    /// Those that cannot go through bytes, or are not understood on the other side: dead letters with
    /// [`Undelivered::Unfit`].
    pub unfit: u64,
    /// Those of which the other side has not said in time that it has them: dead letters with [`Undelivered::Lost`],
    /// which may have been handled. There are none in a loopback.
    pub lost: u64,
    /// The calls that the links of this end have taken.
    pub called: u64,
    /// Those of them that have ended, with a reply or an error. The rest are under way.
    pub ended: u64,
    /// The messages and calls from the other side that have come into mailboxes of pools that this end serves. A
    /// broadcast is one.
    pub taken: u64,
    /// Those that have come from the other side and wait for a mailbox.
    pub waiting: u64,
    /// The calls among those taken that have not been answered yet.
    pub answering: u64,
}

impl Books {
    /// Whether every accepted message was acknowledged or is a dead letter, and every call has ended.
    ///
    /// While messages and calls are under way it is `false`.
    pub fn is_balanced(&self) -> bool {
        self.unsettled() == 0 && self.called == self.ended
    }

    /// The accepted messages that are under way: neither acknowledged nor dead letters.
    ///
    /// ```
    /// use zctor::remote::Books;
    ///
    /// assert_eq!(Books::default().unsettled(), 0);
    /// ```
    pub fn unsettled(&self) -> u64 {
        self.accepted - self.acked - self.unreachable - self.full - self.unfit - self.lost
    }

    /// Whether everything that has come from the other side is in a mailbox or was refused, and every call that came has
    /// been answered. [`Loopback::leave`](crate::remote::Loopback::leave) waits for that.
    ///
    /// ```
    /// use zctor::remote::Books;
    ///
    /// assert!(Books::default().is_drained());
    /// ```
    pub fn is_drained(&self) -> bool {
        self.waiting == 0 && self.answering == 0
    }

    pub(super) fn lost(&mut self, why: Undelivered) {
        match why {
            Undelivered::Full => self.full += 1,
            Undelivered::Unfit => self.unfit += 1,
            Undelivered::Lost => self.lost += 1,
            _ => self.unreachable += 1,
        }
    }
}

impl fmt::Display for Books {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { accepted, acked, unreachable, full, unfit, lost, called, ended, taken, waiting, answering } = self;
        write!(
            f,
            "sent {accepted}: {acked} acknowledged, {unreachable} unreachable, {full} full, {unfit} unfit, {lost} lost; \
             called {called}: {ended} ended; taken {taken}: {waiting} wait, {answering} are not answered"
        )
    }
}
