//! Bounded mailboxes: who waits, who is refused, and that all the room comes back.

mod overload;
mod policies;
