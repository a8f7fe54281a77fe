#![doc = include_str!("guide/simulation.md")]

mod diagram;
mod environment;
mod explain;
mod failure;
mod handle;
mod search;
mod shrink;
mod summary;
mod task;
mod trace;

pub use failure::Failure;
pub use handle::{Outside, Simulation};
pub use search::{Search, simulate};
pub use summary::Summary;

pub use crate::sys::simulated::faults::Faults;
#[doc(hidden)]
pub use crate::sys::simulated::planted::Planted;
