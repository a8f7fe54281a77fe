//! Pools whose messages go through bytes, as between processes.

mod books;
mod loopback;
mod versions;
