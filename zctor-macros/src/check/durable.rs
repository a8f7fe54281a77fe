//! The rule about variants that a work queue may keep.

use crate::errors::Errors;
use crate::parse::ast::{Definition, Variant};

/// A queue is in another process, and keeps a message until a reply says that it is handled.
pub(super) fn can_be_kept(definition: &Definition, variant: &Variant, errors: &mut Errors) {
    let (Some(at), name) = (variant.options.durable.key(), &variant.ident) else { return };
    let mut tell = |text: String| errors.push(syn::Error::new(at, text));
    if definition.options.remote.key().is_none() {
        tell("`durable` is for messages that leave their process: write `#[actor(remote)]` on the enum".to_owned());
    } else if variant.options.internal.get().is_some() {
        tell(format!("`{name}` is `internal` and never leaves its process; a durable message does"));
    } else if variant.replies.is_empty() {
        tell(format!(
            "the reply of a durable message says whether it was handled: give `{name}` `#[reply(())]` or `#[reply(Result<(), E>)]`"
        ));
    }
}
