//! Threads that are not the engine's, and what threads leave at their end.

mod thread_locals;
mod wakers;
