//! Rules about types and type parameters.

use proc_macro2::Ident;
use syn::{Lifetime, Type};

use crate::ast::{Definition, Field, Variant};
use crate::errors::Errors;
use crate::types::{self, Instead};

/// A message may lie in a mailbox when its sender is long gone.
pub(super) fn no_lifetimes(definition: &Definition, errors: &mut Errors) {
    for lifetime in definition.item.generics.lifetimes() {
        errors.add(
            &lifetime.lifetime,
            "messages outlive their sender, so an actor's enum has no lifetime parameters; own the data or use `Arc`",
        );
    }
}

/// Rust wants every parameter used in the enum itself, and replies do not stand there.
pub(super) fn parameters_in_fields(definition: &Definition, errors: &mut Errors) {
    // An empty enum has one fault, not several.
    for ident in in_no_field(definition).into_iter().filter(|_| !definition.variants.is_empty()) {
        let replies = definition.variants.iter().flat_map(|variant| &variant.replies);
        let in_replies = replies.filter_map(|reply| reply.ty.as_ref()).any(|ty| types::mentions(ty, &ident));
        let text = if in_replies {
            ", only in replies; Rust needs it in the enum: add a field or"
        } else {
            "; remove it or add"
        };
        errors.add(&ident, format_args!("type parameter `{ident}` appears in no field{text} a `PhantomData<{ident}>`"));
    }
}

/// The type parameters that the enum itself does not use.
pub(crate) fn in_no_field(definition: &Definition) -> Vec<Ident> {
    let in_fields = |ident: &Ident| {
        definition.variants.iter().flat_map(|variant| &variant.fields).any(|field| types::mentions(&field.ty, ident))
    };
    let params = definition.item.generics.type_params().map(|param| param.ident.clone());
    params.filter(|ident| !in_fields(ident)).collect()
}

/// A borrow cannot cross threads, and the error of rustc would appear at every copy of the type.
pub(super) fn field_is_owned(definition: &Definition, variant: &Variant, field: &Field, errors: &mut Errors) {
    let declared: Vec<Lifetime> = definition.item.generics.lifetimes().map(|param| param.lifetime.clone()).collect();
    let name = field
        .ident
        .as_ref()
        .map_or_else(|| format!("a field of `{}`", variant.ident), |ident| format!("field `{ident}`"));
    for borrow in types::borrows(&field.ty, &declared) {
        match borrow.instead {
            Instead::Owner(borrowed, owned) => {
                errors.add(
                    borrow.at,
                    format_args!("{name} borrows; a message must own its data: `{owned}` instead of `{borrowed}`"),
                );
            }
            Instead::Static(ty) => {
                errors.add(&borrow.at, format_args!("`{}` borrows; use `{ty}` or an owned type", borrow.at))
            }
        }
    }
}

/// What cannot be carried from the enum to the methods.
pub(super) fn field_is_plain(definition: &Definition, field: &Field, errors: &mut Errors) {
    if let Some(found) = types::impl_trait(&field.ty) {
        let bounds = types::print(&found.bounds);
        errors.add(
            found.impl_token,
            format_args!("a field's type must have a name; `impl {bounds}` has none. Use `Box<dyn {bounds} + Send>`"),
        );
    }
    if let Some(found) = types::infer(&field.ty) {
        errors.add(found, "the type of a field cannot be inferred; name it");
    }
    if let Some(owned) = types::owner(&field.ty) {
        let (typed, owned) = (types::print(&field.ty), types::print(owned));
        errors.add(&field.ty, format_args!("`{typed}` has no fixed size; use `{owned}`"));
    }
    if let Some(found) = types::self_in_macro(&field.ty) {
        errors
            .add(&found, format_args!("`Self` cannot be seen inside a type macro; write `{}`", definition.item.ident));
    }
    if let (Some(ident), Some(name)) = (&field.ident, field.options.name.get()) {
        errors.add(name, format_args!("`name` is for the fields of a tuple variant; this one is `{ident}` already"));
    }
}

/// A reply is stored, sent and named in signatures.
pub(super) fn reply_has_a_name(definition: &Definition, ty: &Type, errors: &mut Errors) {
    let declared: Vec<Lifetime> = definition.item.generics.lifetimes().map(|param| param.lifetime.clone()).collect();
    if let Some(found) = types::impl_trait(ty) {
        let bounds = types::print(&found.bounds);
        errors.add(
            found.impl_token,
            format_args!("the reply type must have a name; `impl {bounds}` has none. Use `Box<dyn {bounds} + Send>`"),
        );
    }
    if let Some(found) = types::infer(ty) {
        errors.add(found, "the reply type cannot be inferred; name it");
    }
    if let Some(owned) = types::owner(ty) {
        let (typed, owned) = (types::print(ty), types::print(owned));
        errors.add(ty, format_args!("`{typed}` has no fixed size; reply with `{owned}`"));
    }
    for borrow in types::borrows(ty, &declared) {
        match borrow.instead {
            Instead::Owner(borrowed, owned) => errors.add(
                borrow.at,
                format_args!("a reply crosses threads and must own its data: `{owned}` instead of `{borrowed}`"),
            ),
            Instead::Static(ty) => {
                errors.add(&borrow.at, format_args!("`{}` borrows; use `{ty}` or an owned type", borrow.at))
            }
        }
    }
    if let Some(found) = types::self_in_macro(ty) {
        errors
            .add(&found, format_args!("`Self` cannot be seen inside a type macro; write `{}`", definition.item.ident));
    }
}
