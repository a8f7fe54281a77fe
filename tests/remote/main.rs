//! Pools whose messages go through bytes, as between processes.

mod acks;
mod backpressure;
mod books;
mod bound;
mod broadcast;
mod delivery;
mod depth;
mod durable;
mod fields;
mod leaving;
mod loopback;
mod order;
mod packs;
mod partitions;
mod serve;
mod topologies;
mod versions;
