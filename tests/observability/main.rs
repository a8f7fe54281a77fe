//! What an engine says of itself while it runs.

mod queues;
mod reasons;
mod reused;
mod sends;
mod slow;
mod sums;
mod times;
mod waits;
mod work;
