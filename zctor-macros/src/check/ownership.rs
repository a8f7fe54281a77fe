//! Messages own their data: no lifetime on the enum, no borrow in a field or in a reply.

use syn::Type;

use crate::errors::Errors;
use crate::parse::ast::{Definition, Field, Variant};
use crate::types::{self, Instead};

/// A message may lie in a mailbox long after its sender is gone.
pub(super) fn no_lifetimes(definition: &Definition, errors: &mut Errors) {
    for lifetime in definition.item.generics.lifetimes() {
        errors.add(
            &lifetime.lifetime,
            "messages outlive their sender, so an actor's enum has no lifetime parameters; own the data or use `Arc`",
        );
    }
}

/// A borrow cannot cross threads, and rustc would report it at every copy of the type.
pub(super) fn field_is_owned(definition: &Definition, variant: &Variant, field: &Field, errors: &mut Errors) {
    let name = field
        .ident
        .as_ref()
        .map_or_else(|| format!("a field of `{}`", variant.ident), |ident| format!("field `{ident}`"));
    is_owned(definition, &field.ty, errors, |owned, borrowed| {
        format!("{name} borrows; a message must own its data: `{owned}` instead of `{borrowed}`")
    });
}

/// A reply crosses threads, as a field does.
pub(super) fn reply_is_owned(definition: &Definition, ty: &Type, errors: &mut Errors) {
    is_owned(definition, ty, errors, |owned, borrowed| {
        format!("a reply crosses threads and must own its data: `{owned}` instead of `{borrowed}`")
    });
}

/// A decoded value cannot borrow `'static` data. Serde's derive would report a lifetime of its own instead.
pub(super) fn what_travels_is_owned(definition: &Definition, variant: &Variant, errors: &mut Errors) {
    if definition.options.remote.key().is_none() || variant.options.internal.get().is_some() {
        return;
    }
    let replies = variant.replies.iter().filter_map(|reply| reply.ty.as_ref());
    // An attribute for serde on a field may say how such a field travels.
    let fields = variant.fields.iter().filter(|field| !field.attrs.iter().any(|attr| attr.path().is_ident("serde")));
    for ty in fields.map(|field| &field.ty).chain(replies) {
        for (at, borrowed, owned) in types::static_references(ty) {
            errors.add(at, format_args!("what travels must own its data: `{owned}` instead of `{borrowed}`"));
        }
    }
}

/// The lifetimes of the enum are reported where they are declared, and not again at each use.
fn is_owned(definition: &Definition, ty: &Type, errors: &mut Errors, fault: impl Fn(&str, &str) -> String) {
    for borrow in types::borrows(ty, &definition.lifetimes()) {
        match borrow.instead {
            Instead::Owner(borrowed, owned) => errors.add(borrow.at, fault(&owned, &borrowed)),
            Instead::Static(ty) => {
                errors.add(&borrow.at, format_args!("`{}` borrows; use `{ty}` or an owned type", borrow.at))
            }
        }
    }
}
