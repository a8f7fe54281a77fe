//! How instances, threads and engines come to rest and end.

mod lifecycle;
mod quiet;
mod settle;
