//! The statistics of an engine while it runs: queues, times, waits, slow handlers, and counts with their reasons.

mod queues;
mod reasons;
mod reused;
mod sends;
mod slow;
mod sums;
mod times;
mod waits;
mod work;
