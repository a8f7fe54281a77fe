//! How an engine reaches its instances: for what its owner and its handles send, and the clients that they give.

use crate::client::Client;
use crate::client::message::Message;
use crate::engine::core::Core;
use crate::error::{CallError, Refusal};
use crate::messaging::target::Target;

/// At the pool of a type.
pub(super) fn target<M: Message, R>(core: &Core, f: impl FnOnce(Target<'_, M>) -> R) -> R {
    let pool = core.pools.get::<M>();
    f(Target::at_pool(pool.as_deref(), &core.edge))
}

/// A client of the pool of a type, if that has instances.
pub(super) fn client_of<M: Message>(core: &Core) -> Result<Client<M>, CallError> {
    if let Some(pool) = core.pools.get::<M>().filter(|pool| pool.has_instances()) {
        return Ok(Client::of_pool(pool));
    }
    // Looked at last: a shutdown that empties the pool has closed the edge before.
    let refusal = if core.edge.is_open() { Refusal::NotRegistered } else { Refusal::Stopped };
    Err(CallError::refused(M::NAME, refusal))
}
