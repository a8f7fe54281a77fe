//! The state of a link to a pool elsewhere.

use std::any::{Any, TypeId};
use std::fmt;
use std::sync::Arc;

use crate::actor::double::role::Role;
use crate::client::message::Message;

/// The state of a link to a pool elsewhere. [`Loopback::attach`](crate::remote::Loopback::attach) makes it; it is of no
/// use by itself.
///
/// ```
/// # use serde::{Deserialize, Serialize};
/// use zctor::Dispatch;
/// use zctor::remote::Remote;
///
/// #[zctor::actor(remote)]
/// #[derive(Serialize, Deserialize)]
/// pub enum ClockMessage {
///     Wind,
/// }
///
/// fn is_handled_by<M: Dispatch<S>, S>() -> bool {
///     true
/// }
/// assert!(is_handled_by::<ClockMessage, Remote<ClockMessage>>());
/// ```
pub struct Remote<M: Message> {
    pub(crate) role: Arc<dyn Role<M>>,
}

impl<M: Message> fmt::Debug for Remote<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Remote({})", M::name())
    }
}

/// Whether a state of this type is a link.
pub(crate) fn is<M: Message, S: 'static>() -> bool {
    TypeId::of::<S>() == TypeId::of::<Remote<M>>()
}

/// The role of a state that is a link.
pub(crate) fn role<M: Message>(state: &dyn Any) -> Option<&dyn Role<M>> {
    state.downcast_ref::<Remote<M>>().map(|state| &*state.role)
}
