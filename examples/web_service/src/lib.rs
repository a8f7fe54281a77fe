//! A web service: HTTP in front, actors with a SQLite database behind.
//!
//! - One writer and two readers, each with a connection of its own, on threads of their own (`store`).
//! - axum awaits their replies, and turns their errors into statuses: `Full` is 503, `Timeout` is 504 (`web`).
//! - Ctrl-C or SIGTERM: the server answers what it accepted, then the engine stops, and its report accounts for it (`serve`).
//! - Its own client, for a load to try it with (`load`).
//! - `tests/store.rs` puts doubles in the place of the database; `tests/signal.rs` interrupts the program under load.

pub mod load;
pub mod serve;
pub mod store;
pub mod web;
