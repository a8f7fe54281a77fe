//! Mail for links without the feature `remote`: there are no links.

use std::any::Any;

use crate::route::payload::Payload;

#[expect(clippy::extra_unused_type_parameters, reason = "those of its counterpart")]
pub(super) fn unlinked<M: Payload>(_content: &mut dyn Any) -> Option<&mut dyn Any> {
    None
}
