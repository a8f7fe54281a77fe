//! Rules about types and type parameters.

use proc_macro2::Ident;
use syn::Type;

use crate::errors::Errors;
use crate::parse::ast::{Definition, Field};
use crate::types;

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

/// The type of a field is written again, for parameters of methods and of closures.
pub(super) fn field_has_a_name(field: &Field, errors: &mut Errors) {
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
}

/// A reply is stored, sent and named in signatures.
pub(super) fn reply_has_a_name(ty: &Type, errors: &mut Errors) {
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
}

/// `Self` is the state in the handler trait, and the expansion cannot replace the one in a macro call.
pub(super) fn self_can_be_replaced(definition: &Definition, ty: &Type, errors: &mut Errors) {
    if let Some(found) = types::self_in_macro(ty) {
        errors
            .add(&found, format_args!("`Self` cannot be seen inside a type macro; write `{}`", definition.item.ident));
    }
}

/// `keyed` takes one type of key for the whole enum, and could not tell two types apart.
pub(super) fn keys_of_one_type(definition: &Definition, errors: &mut Errors) {
    let mut keyed =
        definition.variants.iter().flat_map(|variant| variant.fields.iter().find(|field| !field.keys.is_empty()));
    let Some(first) = keyed.next() else { return };
    for field in keyed {
        let (first, other) = (types::print(&first.ty), types::print(&field.ty));
        if first != other {
            errors.add(
                &field.ty,
                format_args!("all `#[key]` fields of an enum have one type; the first is `{first}`, this `{other}`"),
            );
        }
    }
}
