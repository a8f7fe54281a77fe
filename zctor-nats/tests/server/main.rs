//! The bridge against a `nats-server`, which each test starts for itself.

mod calls;
mod durable;
mod faults;
mod isolation;
mod leaving;
mod nats;
mod partitions;
mod processes;
mod proxy;
mod refused;
mod storms;
