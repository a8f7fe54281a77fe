//! How the owner of an engine and its handles reach the instances: the targets that they send to, and the clients that
//! they return.

use std::rc::Rc;
use std::sync::Weak;

use crate::client::Client;
use crate::client::message::Message;
use crate::engine::core::Core;
use crate::error::{CallError, Refusal, SendError};
use crate::messaging;
use crate::messaging::target::Target;
use crate::thread::local::{Local, local_if};
use crate::trace::watched_or_not;

/// Runs `f` with the pool of a type as its target.
pub(super) fn target<M: Message, R>(core: &Core, f: impl FnOnce(Target<'_, M>) -> R) -> R {
    let pool = core.pools.get::<M>();
    let loaded = pool.as_deref().map(|pool| pool.places.load());
    let target = Target::at_pool(pool.as_deref(), &core.engine);
    f(target.with_snapshot(loaded.as_deref().map(|places| &**places)))
}

/// Sends a message from outside to the pool of its type.
// For each of the two ways the pool is looked up: the choice between them stands at their head, as for clients.
pub(super) fn send<M: Message>(core: &Core, place: &mut Option<M>) -> Result<(), SendError<M>> {
    watched_or_not(
        (core, place),
        |(core, place)| target(core, |target| messaging::send::<true, M>(target, place)),
        |(core, place)| target(core, |target| messaging::send::<false, M>(target, place)),
    )
}

/// The actor thread that this code runs on, if it is one of this engine: it knows the pools that its handlers use.
#[inline(always)]
pub(super) fn own_thread(core: &Weak<Core>) -> Option<Rc<Local>> {
    local_if(|local| local.owner_address == core.as_ptr() as usize)
}

/// Makes a client of the pool of a type, if the pool has instances.
pub(super) fn client_of<M: Message>(core: &Core) -> Result<Client<M>, CallError> {
    if let Some(pool) = core.pools.get::<M>().filter(|pool| pool.has_instances()) {
        return Ok(Client::of_pool(pool));
    }
    // The edge is looked at after the pool: a shutdown closes the edge before it empties the pool.
    let refusal = if core.engine.edge.is_open() { Refusal::NotRegistered } else { Refusal::Stopped };
    Err(CallError::refused(M::name(), refusal))
}
