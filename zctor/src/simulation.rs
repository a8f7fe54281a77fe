#![doc = include_str!("guide/simulation.md")]

mod body;
mod diagram;
mod environment;
mod explain;
mod failure;
mod search;
mod shrink;
mod steps;
mod summary;
mod task;

pub use body::{Outside, Simulation};
pub use failure::Failure;
pub use search::{Search, simulate};
pub use summary::Summary;

pub use crate::sys::simulated::faults::Faults;
#[doc(hidden)]
pub use crate::sys::simulated::planted::Planted;
