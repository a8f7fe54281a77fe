//! The rules a definition must keep, a function each. None returns early: all faults come out together.

pub(crate) mod handles;
pub(crate) mod names;
mod ownership;
pub(crate) mod types;

use proc_macro2::{Delimiter, Group, Ident, TokenStream};
use syn::Type;

use crate::errors::Errors;
use crate::parse::ast::{Definition, Variant};
use crate::parse::attr;
use crate::types::{peel, print};

pub(crate) fn definition(definition: &Definition, errors: &mut Errors) {
    applied_once(definition, errors);
    attributes_in_place(definition, errors);
    has_messages(definition, errors);
    ownership::no_lifetimes(definition, errors);
    types::parameters_in_fields(definition, errors);
    calls(definition, errors);
    keys_of_one_type(definition, errors);
    handles::names_are_free(definition, errors);
    handles::lists_hold_variants(definition, errors);
    names::methods_differ(definition, errors);
    for variant in &definition.variants {
        one_reply(variant, errors);
        one_key(variant, errors);
        names::names_are_free(definition, variant, errors);
        names::parameters_differ(variant, errors);
        for field in &variant.fields {
            ownership::field_is_owned(definition, variant, field, errors);
            types::field_has_a_name(field, errors);
            types::self_can_be_replaced(definition, &field.ty, errors);
            names::only_a_tuple_field_is_named(field, errors);
        }
        if let Some(ty) = variant.replies.first().and_then(|reply| reply.ty.as_ref()) {
            types::reply_has_a_name(ty, errors);
            ownership::reply_is_owned(definition, ty, errors);
            types::self_can_be_replaced(definition, ty, errors);
        }
    }
}

/// A second expansion would define everything again.
fn applied_once(definition: &Definition, errors: &mut Errors) {
    for attribute in definition.misplaced.iter().filter(|attribute| attr::is(attribute, attr::ACTOR)) {
        errors.add(attribute, format_args!("`#[actor]` is already applied to `{}`", definition.item.ident));
    }
}

/// A misplaced attribute would be dropped in silence.
fn attributes_in_place(definition: &Definition, errors: &mut Errors) {
    for attribute in &definition.misplaced {
        if attr::is(attribute, attr::MSG) {
            errors.add(
                attribute,
                "`#[msg]` goes on a variant or a tuple field; the enum's options are those of `#[actor(..)]`",
            );
        }
    }
    let on_variants = definition.variants.iter().flat_map(|variant| &variant.misplaced);
    let on_fields = definition.variants.iter().flat_map(|variant| &variant.fields).flat_map(|field| &field.misplaced);
    for attribute in definition.misplaced.iter().chain(on_variants).chain(on_fields) {
        if attr::is(attribute, attr::REPLY) {
            errors.add(attribute, "`#[reply]` goes on a variant");
        } else if attr::is(attribute, attr::KEY) {
            errors.add(attribute, "`#[key]` goes on one field of a variant");
        }
    }
}

/// Nothing could ever be sent.
fn has_messages(definition: &Definition, errors: &mut Errors) {
    if definition.variants.is_empty() && !definition.was_stripped {
        let mut braces = Group::new(Delimiter::Brace, TokenStream::new());
        braces.set_span(definition.item.brace_token.span.join());
        errors.add(braces, "an actor needs at least one message");
    }
}

/// Cycles that a constant cannot see, or would show far from their cause.
fn calls(definition: &Definition, errors: &mut Errors) {
    let Some(calls) = definition.options.calls.get() else {
        return;
    };
    for (index, ty) in calls.iter().enumerate() {
        let before = calls.iter().take(index);
        if let Some(fault) = fault_of_callee(definition, ty) {
            errors.add(ty, fault);
        } else if before.into_iter().any(|before| print(before) == print(ty)) {
            errors.add(ty, format_args!("`{}` is in `calls` already; keep one", print(ty)));
        }
    }
}

pub(crate) fn fault_of_callee(definition: &Definition, ty: &Type) -> Option<String> {
    let Type::Path(path) = peel(ty) else {
        return Some("`calls` takes the enums of other actors, each by its path".to_owned());
    };
    let first = path.path.segments.first().map(|first| &first.ident);
    let alone = path.qself.is_none() && path.path.leading_colon.is_none() && path.path.segments.len() == 1;
    if alone && first.is_some_and(|first| *first == definition.item.ident || first == "Self") {
        return Some("an instance cannot wait for its own type; pipe the request instead".to_owned());
    }
    let is_parameter = |ident: &Ident| definition.item.generics.type_params().any(|param| param.ident == *ident);
    first
        .filter(|first| alone && is_parameter(first))
        .map(|first| format!("`{first}` could be any type, so its calls cannot be checked; name an actor's enum"))
}

/// One hash for the enum: `keyed` could not tell which type it is given otherwise.
fn keys_of_one_type(definition: &Definition, errors: &mut Errors) {
    let mut keyed =
        definition.variants.iter().flat_map(|variant| variant.fields.iter().find(|field| !field.keys.is_empty()));
    let Some(first) = keyed.next() else { return };
    for field in keyed {
        let (first, other) = (print(&first.ty), print(&field.ty));
        if first != other {
            errors.add(
                &field.ty,
                format_args!("all `#[key]` fields of an enum have one type; the first is `{first}`, this `{other}`"),
            );
        }
    }
}

/// A call has one answer.
fn one_reply(variant: &Variant, errors: &mut Errors) {
    for second in variant.replies.iter().skip(1) {
        errors.add(&second.attribute, format_args!("`{}` already has a reply type", variant.ident));
    }
}

/// A message goes to one place.
fn one_key(variant: &Variant, errors: &mut Errors) {
    for second in variant.fields.iter().flat_map(|field| &field.keys).skip(1) {
        errors.add(second, "`#[key]` goes on one field of a variant");
    }
    for key in variant.fields.iter().flat_map(|field| &field.keys) {
        if !matches!(key.meta, syn::Meta::Path(_)) {
            errors.add(key, "`#[key]` takes no options");
        }
    }
}
