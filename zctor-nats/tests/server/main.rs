//! The bridge against a `nats-server`, which each test starts for itself.

mod authority;
mod calls;
mod faults;
mod nats;
mod permissions;
mod processes;
mod proxy;
mod refused;
mod tls;
