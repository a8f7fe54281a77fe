//! Random worlds of actors, each from a seed: whatever they do, nothing is lost, nothing comes twice, and all ends.
//!
//! A failure prints its seed: `ZCTOR_SEED=0x11 cargo test --workspace --test worlds topologies` runs that alone.

mod chaos_calls;
mod chaos_shutdown;
mod panic_storm;
mod shutdown_storm;
mod topologies;
mod topology;
