//! The user's lint levels, which generated items inherit.

use proc_macro2::TokenStream;
use quote::quote;
use syn::Attribute;

/// The lint levels among the attributes. An `expect` becomes an `allow`, since it is fulfilled where the user wrote it.
pub(super) fn lints(attrs: &[Attribute]) -> Vec<TokenStream> {
    let level = |attribute: &Attribute| {
        let lints = attribute.meta.require_list().ok().map(|meta| meta.tokens.clone())?;
        let path = attribute.path();
        if path.is_ident("expect") {
            Some(quote!(#[allow(#lints)]))
        } else {
            ["allow", "warn", "deny", "forbid"]
                .iter()
                .any(|level| path.is_ident(level))
                .then(|| quote!(#[#path(#lints)]))
        }
    };
    attrs.iter().filter_map(level).collect()
}
