//! The bridge against a `nats-server`, which each test starts for itself.

mod authority;
mod broadcast;
mod calls;
mod client;
mod cluster;
mod credit;
mod durable;
mod errors;
mod faults;
mod floods;
mod isolation;
mod json;
mod leaving;
mod nats;
mod over;
mod partitions;
mod permissions;
mod processes;
mod proxy;
mod refused;
mod service;
mod standard_error;
mod stock;
mod storms;
mod tls;
#[cfg(feature = "tokio")]
mod tokio_runtime;
mod versions;
mod waits;
