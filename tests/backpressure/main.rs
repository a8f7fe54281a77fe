//! Bounded mailboxes: who waits, who is refused, and that all the room comes back.

mod awaited;
mod held;
mod inner;
mod overload;
mod passed_on;
mod permits;
mod policies;
mod waits;
