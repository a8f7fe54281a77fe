//! Panics, restarts, ends of instances, and what becomes of their messages.

mod dead_letters;
mod ends;
mod handlers;
mod reentrancy;
mod restart;
