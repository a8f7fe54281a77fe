//! The repository itself is held to its words: each promise has its tests, each figure its source, each import its
//! layer.

mod definitions;
mod figures;
mod guarantees;
mod layers;
