//! Faults that can be planted in the runtime, to show that simulated tests find such.
//!
//! A search plants one by [`Search::__plant`](crate::simulation::Search::__plant), and in its own runs alone. Each
//! stands for a slip in one protocol, and says in which line it would be.

/// A fault of the runtime's own.
#[doc(hidden)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Planted {
    /// `sys/park.rs`, step 3: a thread parks without a look whether it was woken since it announced the wait.
    LostWakeUp,
    /// `mailbox.rs`, `rest`: a thread at rest counts as quiet whatever lies in its mailbox.
    FalseQuiet,
    /// `messaging/in_flight.rs`, `look`: a reply that comes after the caller's first look is dropped.
    DroppedReply,
}
