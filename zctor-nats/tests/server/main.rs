//! The bridge against a `nats-server`, which each test starts for itself.

mod calls;
mod durable;
mod faults;
mod nats;
mod processes;
mod proxy;
mod refused;
