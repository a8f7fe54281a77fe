//! Which instance a message goes to, and whom the registry knows.

mod fairness;
mod registry;
mod replaced;
mod round_robin;
mod routes;
