//! The user's lint levels, which hold for what is generated too.

use proc_macro2::TokenStream;
use quote::quote;
use syn::Attribute;

/// The lint levels among the attributes. `expect` becomes `allow`: it is fulfilled, or not, where the user wrote it.
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
