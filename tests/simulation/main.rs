//! Simulations find what they are for, and zctor keeps its promises in them.
//!
//! `ZCTOR_SEEDS=100000` makes a long search of each.

mod found;
mod kit;
mod promises;
mod reproducible;
mod room;
mod time;
