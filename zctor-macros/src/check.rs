//! The rules that a definition must keep, one function a rule. No rule returns early, so that all faults come out
//! together.

mod attributes;
pub(crate) mod calls;
mod durable;
pub(crate) mod handles;
pub(crate) mod names;
mod ownership;
pub(crate) mod types;

use proc_macro2::{Delimiter, Group, TokenStream};

use crate::errors::Errors;
use crate::parse::ast::{Definition, Source};

pub(crate) fn definition(definition: &Definition, errors: &mut Errors) {
    attributes::applied_once(definition, errors);
    attributes::attributes_in_place(definition, errors);
    has_messages(definition, errors);
    ownership::no_lifetimes(definition, errors);
    types::parameters_in_fields(definition, errors);
    calls::callees_are_other_actors(definition, errors);
    calls::receivers_are_actors(definition, errors);
    types::keys_of_one_type(definition, errors);
    handles::names_are_free(definition, errors);
    handles::lists_hold_variants(definition, errors);
    names::methods_differ(definition, errors);
    for variant in &definition.variants {
        attributes::one_reply(variant, errors);
        attributes::one_key(variant, errors);
        durable::can_be_kept(definition, variant, errors);
        ownership::what_travels_is_owned(definition, variant, errors);
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

/// Nobody could ever send anything to an actor without messages.
fn has_messages(definition: &Definition, errors: &mut Errors) {
    if definition.variants.is_empty() && definition.source == Source::Written {
        let mut braces = Group::new(Delimiter::Brace, TokenStream::new());
        braces.set_span(definition.item.brace_token.span.join());
        errors.add(braces, "an actor needs at least one message");
    }
}
