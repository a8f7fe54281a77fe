//! Pages of a guide: how to run bridges, and what calls and sends end with.

#[doc = include_str!("guide/running.md")]
pub mod running {}

#[doc = include_str!("guide/errors.md")]
pub mod errors {}
