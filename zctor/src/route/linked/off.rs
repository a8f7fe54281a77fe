//! Mail for links without the feature `remote`: there are no links.

use std::any::Any;

use crate::route::payload::Payload;

#[inline(always)]
pub(super) fn unlinked<M: Payload>(_content: &mut dyn Any) -> Option<&mut dyn Any> {
    None
}
