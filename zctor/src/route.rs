//! Routing and delivery: from a message to the instance that gets it.
//!
//! The layer promises: in turn means exactly in turn, in spawn order; the same key reaches the same instance while the
//! pool does not change; a message that an endpoint has accepted is handled or becomes a dead letter, and one that it
//! has refused is back with its sender.
//!
//! Of a message it knows no more than [`Payload`](payload::Payload). It imports its own folder and the layers below:
//! thread, mailbox, reply, trace, sys, and the plain data.

pub(crate) mod chosen;
pub(crate) mod contents;
pub(crate) mod endpoint;
pub(crate) mod keyed;
pub(crate) mod known_pool;
pub(crate) mod least_loaded;
#[cfg(feature = "remote")]
pub(crate) mod link_route;
#[cfg(not(feature = "remote"))]
#[path = "route/link_route/off.rs"]
pub(crate) mod link_route;
#[cfg(feature = "remote")]
pub(crate) mod linked;
#[cfg(not(feature = "remote"))]
#[path = "route/linked/off.rs"]
pub(crate) mod linked;
pub(crate) mod location;
pub(crate) mod payload;
pub(crate) mod places;
pub(crate) mod pool;
pub(crate) mod pools;
pub(crate) mod recorded;
pub(crate) mod replacement;
pub(crate) mod round_robin;
