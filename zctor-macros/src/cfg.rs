//! Enums with `cfg` or `cfg_attr` inside.
//!
//! An attribute macro sees them before the compiler has applied them, and a `cfg` cannot be copied to everywhere a
//! field appears. So the enum is given back with a hidden derive, which sees it afterwards, and what the derive sees
//! goes to a hidden macro, because errors in what a derive wrote draw wrong advice.

use proc_macro2::{TokenStream, TokenTree};
use quote::quote;
use syn::{Attribute, ItemEnum, Meta};

use crate::ast::{self, Definition};
use crate::errors::Errors;
use crate::model::Model;
use crate::{attr, check, expand, fallback};

const ARGUMENTS: &str = "__actor";

/// Whether the enum has a `cfg` inside its braces or among its parameters.
pub(crate) fn is_inside(item: &TokenStream) -> bool {
    let is_enum = |tree: &TokenTree| matches!(tree, TokenTree::Ident(ident) if ident == "enum");
    has_cfg(item.clone().into_iter().skip_while(|tree| !is_enum(tree)))
}

fn has_cfg(tokens: impl Iterator<Item = TokenTree>) -> bool {
    let mut after_hash = false;
    for tree in tokens {
        if let TokenTree::Group(group) = &tree {
            let first = group.stream().into_iter().next();
            let is_cfg = matches!(first, Some(TokenTree::Ident(ident)) if ident == "cfg" || ident == "cfg_attr");
            if (after_hash && is_cfg) || has_cfg(group.stream().into_iter()) {
                return true;
            }
        }
        after_hash = matches!(&tree, TokenTree::Punct(punct) if punct.as_char() == '#');
    }
    false
}

/// ```text
/// in   #[actor(ctx)] enum Message { #[cfg(windows)] Open(HANDLE) }
/// out  #[derive(::zctor::__private::__Actor)] #[__actor(ctx)] enum Message { #[cfg(windows)] Open(HANDLE) }
/// ```
pub(crate) fn first_hop(args: &TokenStream, item: &TokenStream) -> TokenStream {
    let krate = attr::krate(args);
    quote! {
        #[::core::prelude::v1::derive(#krate::__private::__Actor)]
        #[__actor(#args)]
        #item
    }
}

/// ```text
/// in   #[__actor(ctx)] enum Message {}
/// out  ::zctor::__private::__actor! { (ctx) enum Message {} }
/// ```
pub(crate) fn derive(item: TokenStream) -> TokenStream {
    let mut item: ItemEnum = match ast::parse(item) {
        Ok(item) => item,
        Err(error) => return error.to_compile_error(),
    };
    let is_arguments = |attribute: &Attribute| attribute.path().is_ident(ARGUMENTS);
    let args = item.attrs.iter().find(|attribute| is_arguments(attribute)).map(|attribute| match &attribute.meta {
        Meta::List(meta) => meta.tokens.clone(),
        _ => TokenStream::new(),
    });
    item.attrs.retain(|attribute| !is_arguments(attribute));
    let args = args.unwrap_or_default();
    let krate = attr::krate(&args);
    quote!(#krate::__private::__actor! { (#args) #item })
}

/// Everything beside the enum, from `(arguments) enum ..`.
pub(crate) fn rest(input: TokenStream) -> TokenStream {
    let mut input = input.into_iter();
    let args = match input.next() {
        Some(TokenTree::Group(group)) => group.stream(),
        _ => TokenStream::new(),
    };
    let item: TokenStream = input.collect();
    try_rest(args.clone(), item.clone()).unwrap_or_else(|error| fallback::beside(args, item, &error))
}

fn try_rest(args: TokenStream, item: TokenStream) -> syn::Result<TokenStream> {
    let item = ast::parse(item)?;
    let mut errors = Errors::default();
    let mut definition = Definition::read(args, item, &mut errors);
    definition.was_stripped = true;
    check::definition(&definition, &mut errors);
    errors.finish()?;
    Ok(expand::definition(&Model::resolve(&definition)))
}
