//! Which instance a message goes to, and whom the registry knows.

mod fairness;
mod registry;
mod round_robin;
mod routes;
