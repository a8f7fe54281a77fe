#![doc = include_str!("guide/simulation.md")]

mod failure;
mod handle;
mod search;
mod shrink;

pub use failure::Failure;
pub use handle::{Outside, Simulation};
pub use search::{Search, Summary, simulate};
