//! The user's lint levels, which generated items inherit.

use std::collections::HashSet;

use proc_macro2::TokenStream;
use quote::quote;
use syn::Attribute;

use crate::parse::ast::Variant;

/// The lint levels among the attributes. An `expect` becomes an `allow`, since it is fulfilled where the user wrote it.
pub(super) fn lints(attrs: &[Attribute]) -> Vec<TokenStream> {
    attrs
        .iter()
        .filter_map(|attribute| {
            let lints = listed(attribute, &["allow", "warn", "deny", "forbid"]);
            let path = attribute.path();
            lints.map(|lints| quote!(#[#path(#lints)])).or_else(|| allow(attribute, &["expect"]))
        })
        .collect()
}

/// The levels of a variant's methods: its own, and an `allow` of what a field need not answer for. No level reaches
/// the type of a parameter alone.
pub(super) fn of_methods(variant: &Variant) -> Vec<TokenStream> {
    let of_fields = variant.fields.iter().flat_map(|field| &field.attrs).filter_map(lowered);
    lints(&variant.attrs).into_iter().chain(of_fields).collect()
}

/// An `allow` of each lint that some variant or field need not answer for, once, for items that mention every type.
/// Where a lint still holds for another variant, the enum and the methods of that variant report it.
pub(super) fn of_all(variants: &[Variant]) -> Vec<TokenStream> {
    let attrs = variants.iter().flat_map(|variant| {
        variant.attrs.iter().chain(variant.fields.iter().flat_map(|field| &field.attrs)).filter_map(lowered)
    });
    let mut seen = HashSet::new();
    attrs.filter(|allow| seen.insert(allow.to_string())).collect()
}

/// An `allow` instead of a level below `deny`. A higher one needs no copy: the enum has it, and reports the lint.
fn lowered(attribute: &Attribute) -> Option<TokenStream> {
    allow(attribute, &["allow", "expect", "warn"])
}

fn allow(attribute: &Attribute, levels: &[&str]) -> Option<TokenStream> {
    listed(attribute, levels).map(|lints| quote!(#[allow(#lints)]))
}

fn listed<'a>(attribute: &'a Attribute, levels: &[&str]) -> Option<&'a TokenStream> {
    let is_level = levels.iter().any(|level| attribute.path().is_ident(level));
    attribute.meta.require_list().ok().filter(|_| is_level).map(|meta| &meta.tokens)
}
