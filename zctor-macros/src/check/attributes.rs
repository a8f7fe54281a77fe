//! Rules about the attributes: each where it belongs, and once.

use crate::errors::Errors;
use crate::parse::ast::{Definition, Variant};
use crate::parse::attr;

/// A second expansion would define everything again.
pub(super) fn applied_once(definition: &Definition, errors: &mut Errors) {
    for attribute in definition.misplaced.iter().filter(|attribute| attr::is(attribute, attr::ACTOR)) {
        errors.add(attribute, format_args!("`#[actor]` is already applied to `{}`", definition.item.ident));
    }
}

/// A misplaced attribute would be dropped in silence.
pub(super) fn attributes_in_place(definition: &Definition, errors: &mut Errors) {
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

/// A call has one answer.
pub(super) fn one_reply(variant: &Variant, errors: &mut Errors) {
    for second in variant.replies.iter().skip(1) {
        errors.add(&second.attribute, format_args!("`{}` already has a reply type", variant.ident));
    }
}

/// A message goes to one instance, so one field of it is the key.
pub(super) fn one_key(variant: &Variant, errors: &mut Errors) {
    for second in variant.fields.iter().flat_map(|field| &field.keys).skip(1) {
        errors.add(second, "`#[key]` goes on one field of a variant");
    }
    for key in variant.fields.iter().flat_map(|field| &field.keys) {
        if !matches!(key.meta, syn::Meta::Path(_)) {
            errors.add(key, "`#[key]` takes no options");
        }
    }
}
