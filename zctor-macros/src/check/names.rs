//! Rules about names.

use std::collections::HashMap;

use proc_macro2::Ident;
use syn::ext::IdentExt;

use crate::errors::Errors;
use crate::names;
use crate::parse::ast::{Definition, Field, Variant};

/// The handler trait can have one method of a name.
pub(super) fn methods_differ(definition: &Definition, errors: &mut Errors) {
    let mut seen: HashMap<String, &Ident> = HashMap::new();
    for variant in &definition.variants {
        let method = variant.method();
        match seen.get(&method.unraw().to_string()) {
            Some(first) => errors.add(
                variant.name_token(),
                format_args!(
                    "`{first}` and `{}` both give the method `{method}`; rename one with `#[msg(name = ..)]`",
                    variant.ident
                ),
            ),
            None => drop(seen.insert(method.unraw().to_string(), &variant.ident)),
        }
    }
}

/// A method must not have the name of one that every actor has already, nor hide one that everybody expects, nor be
/// hidden by one itself.
pub(super) fn names_are_free(definition: &Definition, variant: &Variant, errors: &mut Errors) {
    let method = variant.method().unraw().to_string();
    if let Some(fault) = clash(definition, variant, &method) {
        errors.add(variant.name_token(), format_args!("{fault}; rename it with `#[msg(name = ..)]`"));
    }
}

pub(crate) fn clash(definition: &Definition, variant: &Variant, method: &str) -> Option<String> {
    let (enum_, variant_name) = (&definition.item.ident, &variant.ident);
    if names::HOOKS.contains(&method) {
        let handler = definition.handler();
        return Some(format!("`{variant_name}` gives the method `{method}`, a hook that `{handler}` has already"));
    }
    if method == "clone" {
        return Some(format!("method `clone` would hide `Clone::clone` of `{}`", definition.client()));
    }
    if let Some((_, other)) = names::OF_EVERY_TYPE.iter().find(|(name, _)| *name == method) {
        let client = definition.client();
        return Some(format!("method `{method}` of `{client}` would be hidden by `{other}`, which every type has"));
    }
    if names::CLIENT.contains(&method) {
        return Some(format!("method `{method}` would hide the one that `{}` has already", definition.client()));
    }
    if variant.replies.is_empty() {
        return None;
    }
    if method == "default" {
        return Some(format!("request `{enum_}::default` would hide `Default::default` of `{enum_}`"));
    }
    if names::REQUESTS.contains(&method) {
        return Some(format!("request `{enum_}::{method}` has the name of a function that every actor's enum has"));
    }
    definition.names.contains(method).then(|| format!("request `{enum_}::{method}` has the name of a variant"))
}

/// A method can have one parameter of a name.
pub(super) fn parameters_differ(variant: &Variant, errors: &mut Errors) {
    let is_deferred = variant.replies.first().is_some_and(|reply| reply.deferred.is_some());
    let mut seen = Vec::new();
    for (index, field) in variant.fields.iter().enumerate() {
        let parameter = field.parameter(index, variant.fields.len());
        let typed = field.options.name.get().or(field.ident.as_ref()).unwrap_or(&parameter);
        let text = parameter.unraw().to_string();
        if seen.contains(&text) {
            errors.add(typed, format_args!("parameter `{parameter}` is named twice in `{}`", variant.ident));
        }
        if is_deferred && text == names::REPLY {
            let way_out = if field.ident.is_some() { "rename the field" } else { "choose another" };
            let fault = "has the name of the parameter that takes the deferred reply";
            errors.add(typed, format_args!("`{text}` of `{}` {fault}; {way_out}", variant.ident));
        }
        seen.push(text);
    }
}

/// A named field gives its name to the parameter, so a second name would go unused.
pub(super) fn only_a_tuple_field_is_named(field: &Field, errors: &mut Errors) {
    if let (Some(ident), Some(name)) = (&field.ident, field.options.name.get()) {
        errors.add(name, format_args!("`name` is for the fields of a tuple variant; this one is `{ident}` already"));
    }
}
