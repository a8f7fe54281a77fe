//! The rules a definition must keep, a function each. None returns early: all faults come out together.

use std::collections::HashMap;

use proc_macro2::Ident;
use quote::ToTokens;
use syn::ext::IdentExt;
use syn::{Lifetime, Type};

use crate::ast::{Definition, Field, Variant};
use crate::errors::Errors;
use crate::{attr, names, types};

pub(crate) fn definition(definition: &Definition, errors: &mut Errors) {
    applied_once(definition, errors);
    attributes_in_place(definition, errors);
    has_messages(definition, errors);
    no_lifetimes(definition, errors);
    parameters_in_fields(definition, errors);
    calls(definition, errors);
    keys_of_one_type(definition, errors);
    methods_differ(definition, errors);
    for variant in &definition.variants {
        one_reply(variant, errors);
        one_key(variant, errors);
        names_are_free(definition, variant, errors);
        parameters_differ(variant, errors);
        for field in &variant.fields {
            field_is_owned(definition, variant, field, errors);
            field_is_plain(definition, field, errors);
        }
        if let Some(ty) = variant.replies.first().and_then(|reply| reply.ty.as_ref()) {
            reply_has_a_name(definition, ty, errors);
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
        // The braces of an empty enum are one token, at which `new_spanned` points by its two ends.
        let braces = proc_macro2::Group::new(proc_macro2::Delimiter::Brace, proc_macro2::TokenStream::new());
        let mut braces = braces;
        braces.set_span(definition.item.brace_token.span.join());
        errors.add(braces, "an actor needs at least one message");
    }
}

/// A message may lie in a mailbox when its sender is long gone.
fn no_lifetimes(definition: &Definition, errors: &mut Errors) {
    for lifetime in definition.item.generics.lifetimes() {
        errors.add(
            &lifetime.lifetime,
            "messages outlive their sender, so an actor's enum has no lifetime parameters; own the data or use `Arc`",
        );
    }
}

/// Rust wants every parameter used in the enum itself, and replies do not stand there.
fn parameters_in_fields(definition: &Definition, errors: &mut Errors) {
    for ident in only_in_replies(definition) {
        let text = "appears in no field, only in replies; Rust needs it in the enum: add a field or a";
        errors.add(&ident, format_args!("type parameter `{ident}` {text} `PhantomData<{ident}>`"));
    }
}

/// The type parameters that replies use and fields do not.
pub(crate) fn only_in_replies(definition: &Definition) -> Vec<Ident> {
    let in_fields = |ident: &Ident| {
        definition.variants.iter().flat_map(|variant| &variant.fields).any(|field| types::mentions(&field.ty, ident))
    };
    let in_replies = |ident: &Ident| {
        let replies = definition.variants.iter().flat_map(|variant| &variant.replies);
        replies.filter_map(|reply| reply.ty.as_ref()).any(|ty| types::mentions(ty, ident))
    };
    let params = definition.item.generics.type_params().map(|param| param.ident.clone());
    params.filter(|ident| !in_fields(ident) && in_replies(ident)).collect()
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
        } else if before.into_iter().any(|before| types::print(before) == types::print(ty)) {
            errors.add(ty, format_args!("`{}` is in `calls` already; keep one", types::print(ty)));
        }
    }
}

pub(crate) fn fault_of_callee(definition: &Definition, ty: &Type) -> Option<String> {
    let Type::Path(path) = types::peel(ty) else {
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
        let (first, other) = (types::print(&first.ty), types::print(&field.ty));
        if first != other {
            errors.add(
                &field.ty,
                format_args!("all `#[key]` fields of an enum have one type; the first is `{first}`, this `{other}`"),
            );
        }
    }
}

/// Two variants of one method name.
fn methods_differ(definition: &Definition, errors: &mut Errors) {
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

/// The names that every actor has already, or that would hide something everybody expects.
fn names_are_free(definition: &Definition, variant: &Variant, errors: &mut Errors) {
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
    let hidden = definition.variants.iter().any(|other| other.ident.unraw() == method);
    hidden.then(|| format!("request `{enum_}::{method}` has the name of a variant"))
}

/// Two parameters of one name in a method.
fn parameters_differ(variant: &Variant, errors: &mut Errors) {
    let mut seen = Vec::new();
    for (index, field) in variant.fields.iter().enumerate() {
        let parameter = field.parameter(index, variant.fields.len());
        let text = parameter.unraw().to_string();
        if seen.contains(&text) {
            let typed = field.options.name.get().or(field.ident.as_ref()).unwrap_or(&parameter);
            errors.add(typed, format_args!("parameter `{parameter}` is named twice in `{}`", variant.ident));
        }
        seen.push(text);
    }
}

/// A borrow cannot cross threads, and the error of rustc would appear at every copy of the type.
fn field_is_owned(definition: &Definition, variant: &Variant, field: &Field, errors: &mut Errors) {
    let declared: Vec<Lifetime> = definition.item.generics.lifetimes().map(|param| param.lifetime.clone()).collect();
    let name = field
        .ident
        .as_ref()
        .map_or_else(|| format!("a field of `{}`", variant.ident), |ident| format!("field `{ident}`"));
    for borrow in types::borrows(&field.ty, &declared) {
        match borrow.instead {
            Some((borrowed, owned)) => {
                errors.add(
                    borrow.at,
                    format_args!("{name} borrows; a message must own its data: `{owned}` instead of `{borrowed}`"),
                );
            }
            None => errors.add(&borrow.at, format_args!("`{}` borrows; use `'static` or an owned type", borrow.at)),
        }
    }
}

/// What cannot be carried from the enum to the methods.
fn field_is_plain(definition: &Definition, field: &Field, errors: &mut Errors) {
    if let Some(default) = &field.default {
        errors.add(default, "default field values are not supported in messages");
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
fn reply_has_a_name(definition: &Definition, ty: &Type, errors: &mut Errors) {
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
    if let Some(owned) = unsized_reply(ty) {
        errors.add(ty, format_args!("`{}` has no fixed size; reply with `{owned}`", types::print(ty)));
    }
    for borrow in types::borrows(ty, &declared) {
        match borrow.instead {
            Some((borrowed, owned)) => errors.add(
                borrow.at,
                format_args!("a reply crosses threads and must own its data: `{owned}` instead of `{borrowed}`"),
            ),
            None => errors.add(&borrow.at, format_args!("`{}` borrows; use `'static` or an owned type", borrow.at)),
        }
    }
    if let Some(found) = types::self_in_macro(ty) {
        errors
            .add(&found, format_args!("`Self` cannot be seen inside a type macro; write `{}`", definition.item.ident));
    }
}

/// What to reply with instead of a type without a size.
pub(crate) fn unsized_reply(ty: &Type) -> Option<String> {
    match types::peel(ty) {
        Type::Slice(slice) => Some(format!("Vec<{}>", types::print(&slice.elem))),
        Type::TraitObject(object) => Some(format!("Box<{}>", types::print(object))),
        Type::Path(path) if path.path.is_ident("str") => Some("String".to_owned()),
        _ => None,
    }
}

impl Definition {
    pub(crate) fn handler(&self) -> Ident {
        self.options.handler.get().cloned().unwrap_or_else(|| names::handler(&self.item.ident))
    }

    pub(crate) fn client(&self) -> Ident {
        self.options.client.get().cloned().unwrap_or_else(|| names::client(&self.item.ident))
    }
}

impl Variant {
    /// The name of this variant's methods.
    pub(crate) fn method(&self) -> Ident {
        self.options.name.get().cloned().unwrap_or_else(|| names::method(&self.ident))
    }

    /// What gave the methods their name.
    fn name_token(&self) -> impl ToTokens {
        self.options.name.get().unwrap_or(&self.ident).clone()
    }
}

impl Field {
    /// The parameter that takes this field, which is the `index`th of `count`.
    pub(crate) fn parameter(&self, index: usize, count: usize) -> Ident {
        let span = proc_macro2::Span::call_site();
        match (&self.ident, self.options.name.get()) {
            (Some(name), _) | (None, Some(name)) => names::moved(name, names::located(name)),
            (None, None) => names::parameter(index, count, span),
        }
    }
}
