//! The machine: time, threads, parking, locks and atomics, and the one way in which user code is run.
//!
//! The layer promises: no wake-up is missed, and a thread with nothing to do uses no CPU (`park.rs`); a panic in user
//! code does not unwind into the runtime (`unwind.rs`). It knows no actor, mailbox or message.
//!
//! Only here does the runtime read the clock, block a thread, or start one. So a simulation, or a model of loom's,
//! replaces this layer and runs the code above it as it is.
//!
//! It may import only its own folder and the plain data: error, event, id, report, type_map.

pub(crate) mod alarm;
pub(crate) mod awaited;
pub(crate) mod cache_padded;
pub(crate) mod chance;
pub(crate) mod clock;
pub(crate) mod counter;
#[cfg(all(feature = "simulation", not(loom)))]
pub(crate) mod executor;
pub(crate) mod frame;
pub(crate) mod lock;
pub(crate) mod monitor;
pub(crate) mod operation;
#[cfg(any(feature = "tracing", all(feature = "simulation", not(loom))))]
pub(crate) mod outline;
pub(crate) mod outside;
pub(crate) mod park;
#[cfg(feature = "tokio")]
pub(crate) mod runtime;
#[cfg(not(feature = "tokio"))]
#[path = "sys/runtime/off.rs"]
pub(crate) mod runtime;
#[cfg(all(feature = "simulation", not(loom)))]
pub(crate) mod simulated;
#[cfg(not(all(feature = "simulation", not(loom))))]
#[path = "sys/simulated/off.rs"]
pub(crate) mod simulated;
pub(crate) mod spawn;
pub(crate) mod spin;
pub(crate) mod sync;
pub(crate) mod unwind;
pub(crate) mod waiters;
