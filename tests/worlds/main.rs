//! Random worlds of actors, each from a seed: whatever they do, nothing is lost, nothing comes twice, and all ends.

mod chaos_calls;
mod chaos_shutdown;
mod panic_storm;
mod shutdown_storm;
mod topologies;
mod topology;
