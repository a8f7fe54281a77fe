//! The state of a test double.

use std::any::{Any, TypeId};
use std::fmt;
use std::sync::Arc;

use crate::actor::double::role::Role;
use crate::client::message::Message;

/// The state of a test double. [`Probe::actor`](crate::testing::Probe::actor) and
/// [`Mock::actor`](crate::testing::Mock::actor) make it; it is of no use by itself.
///
/// ```
/// use zctor::testing::{Double, Probe};
/// use zctor::Actor;
///
/// #[zctor::actor]
/// pub enum ClockMessage {
///     Wind,
/// }
///
/// let double: Actor<ClockMessage, Double<ClockMessage>> = Probe::new().actor();
/// assert_eq!(format!("{double:?}"), "Actor(ClockMessage)");
/// ```
pub struct Double<M: Message> {
    pub(crate) role: Arc<dyn Role<M>>,
}

impl<M: Message> fmt::Debug for Double<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Double({})", M::name())
    }
}

/// Whether a state of this type is a double.
pub(crate) fn is<M: Message, S: 'static>() -> bool {
    TypeId::of::<S>() == TypeId::of::<Double<M>>()
}

/// The role of a state that is a double.
pub(crate) fn role<M: Message>(state: &dyn Any) -> Option<&dyn Role<M>> {
    state.downcast_ref::<Double<M>>().map(|state| &*state.role)
}
