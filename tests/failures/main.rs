//! Panics, restarts, ends of instances, and what becomes of their messages.

mod closures;
mod dead_letters;
mod ends;
mod factories;
mod fragile;
mod handlers;
mod hooks_and_drops;
mod panic_events;
mod reentrancy;
mod replaced_hooks;
mod resets;
mod restart;
mod watched_ends;
mod watching;
