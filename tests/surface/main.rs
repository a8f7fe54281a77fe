//! The surface, as a user writes and sees it: the macro, the types, the errors.

mod auto_traits;
mod compiles;
#[cfg(feature = "testing")]
mod doubles;
mod errors;
mod examples;
mod guide;
mod handles;
mod map;
// It has items that are reachable from outside.
pub mod hygiene;
mod names;
mod public_api;
#[cfg(feature = "testing")]
mod test_context;
