//! Calls, which always end: by a reply, at a deadline, or refused.

mod calls;
mod cancelled_pipes;
mod classic_deadlocks;
mod deadlines;
mod deferred;
mod depth;
mod door;
mod each_depth;
mod first;
mod late_answers;
mod pending;
mod pipe;
mod refused_waits;
mod serving;
mod time_left;
mod views;
