//! How instances, threads and engines come to rest and end.

mod awaited;
mod calls_at_both_ends;
mod deadline;
mod ends;
mod lifecycle;
mod quiet;
mod report;
mod settle;
mod work;
