//! A kind of state that takes its messages whole, whose feature is off: no state is one.

use std::any::Any;

use crate::actor::double::role::Role;
use crate::client::message::Message;

#[expect(clippy::extra_unused_type_parameters, reason = "those of its counterparts")]
pub(crate) fn is<M: Message, S: 'static>() -> bool {
    false
}

pub(crate) fn role<M: Message>(_state: &dyn Any) -> Option<&dyn Role<M>> {
    None
}
