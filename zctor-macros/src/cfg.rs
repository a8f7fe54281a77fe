//! Enums with `cfg` or `cfg_attr` inside.
//!
//! An attribute macro sees such an enum before the compiler has applied the `cfg`, and a `cfg` cannot be copied to
//! each place where a field appears. So the first hop gives the enum back with a hidden derive, which sees the enum
//! later. The derive hands the enum to a hidden macro for the last hop, since rustc gives wrong advice about code of
//! a derive.

use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};
use quote::{ToTokens, quote};
use syn::spanned::Spanned;
use syn::{Attribute, ItemEnum, Meta};

use crate::errors::Errors;
use crate::model::Model;
use crate::parse::ast::Source;
use crate::parse::{ast, attr, serde};
use crate::{check, expand, fallback, read, types};

const ARGUMENTS: &str = "__actor";

/// The attributes in an enum's own `cfg_attr` that the expansion depends on.
const CARRIED: [&str; 6] = ["deprecated", "allow", "expect", "warn", "deny", "forbid"];

/// Whether the expansion depends on a `cfg`: on one inside the braces or among the parameters, or on a `cfg_attr` of
/// the enum whose attribute the generated items carry too.
pub(crate) fn matters(item: &TokenStream) -> bool {
    let is_enum = |tree: &TokenTree| matches!(tree, TokenTree::Ident(ident) if ident == "enum");
    let trees = visible(item.clone());
    let Some(position) = trees.iter().position(is_enum) else {
        return false;
    };
    let (attributes, rest) = trees.split_at(position);
    let is_carried = |tree: &TokenTree| match tree {
        TokenTree::Group(group) => is_cfg(group, &["cfg_attr"]) && mentions_any(&group.stream(), &CARRIED),
        _ => false,
    };
    attributes.iter().any(is_carried) || has_cfg(rest.iter().cloned())
}

fn is_cfg(group: &Group, names: &[&str]) -> bool {
    let first = visible(group.stream()).into_iter().next();
    matches!(first, Some(TokenTree::Ident(ident)) if names.iter().any(|name| ident == name))
}

/// The tokens without the invisible groups that another macro puts around its arguments, as in `#[$meta]`.
fn visible(tokens: TokenStream) -> Vec<TokenTree> {
    let open = |tree| match tree {
        TokenTree::Group(group) if group.delimiter() == Delimiter::None => visible(group.stream()),
        other => vec![other],
    };
    tokens.into_iter().flat_map(open).collect()
}

fn mentions_any(tokens: &TokenStream, names: &[&str]) -> bool {
    types::idents(tokens).iter().any(|ident| names.iter().any(|name| ident == name))
}

fn has_cfg(tokens: impl Iterator<Item = TokenTree>) -> bool {
    let mut after_hash = false;
    for tree in tokens {
        if let TokenTree::Group(group) = &tree {
            if (after_hash && is_cfg(group, &["cfg", "cfg_attr"])) || has_cfg(group.stream().into_iter()) {
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
    let item = &without_must_use(item);
    let errors = unknown_in_handles(args, item).err().map(|errors| errors.to_compile_error());
    let item = if attr::is_remote(args) { &told_serde(item, &krate) } else { item };
    quote! {
        #[::core::prelude::v1::derive(#krate::__private::__Actor)]
        #[__actor(#args)]
        #item
        #errors
    }
}

/// The enum with another name for each `must_use` of a variant. Rustc warns of one there, and the first hop gives the
/// enum back before its attributes are read.
fn without_must_use(item: &TokenStream) -> TokenStream {
    let Ok(mut parsed) = ast::parse(item.clone()) else { return item.clone() };
    let attributes = parsed.variants.iter_mut().flat_map(|variant| &mut variant.attrs);
    let mut found = false;
    for attribute in attributes.filter(|attribute| attr::is(attribute, attr::MUST_USE)) {
        let hidden = syn::Path::from(syn::Ident::new(attr::HIDDEN_MUST_USE, attribute.path().span()));
        match &mut attribute.meta {
            Meta::Path(path) => *path = hidden,
            Meta::NameValue(meta) => meta.path = hidden,
            Meta::List(meta) => meta.path = hidden,
        }
        found = true;
    }
    if found { parsed.to_token_stream() } else { item.clone() }
}

/// The enum whose messages may travel, after serde was told which of them do.
fn told_serde(item: &TokenStream, krate: &syn::Path) -> TokenStream {
    let Ok(mut parsed) = ast::parse(item.clone()) else { return item.clone() };
    let is_internal = |attribute: &Attribute| match &attribute.meta {
        Meta::List(meta) => attr::is(attribute, attr::MSG) && mentions_any(&meta.tokens, &[attr::INTERNAL]),
        _ => false,
    };
    serde::tell(&mut parsed, krate, |_, variant| variant.attrs.iter().any(is_internal));
    parsed.to_token_stream()
}

/// Reports the variants that a handle lists and the enum lacks. Later hops cannot, since a `cfg` may have taken listed
/// variants out.
fn unknown_in_handles(args: &TokenStream, item: &TokenStream) -> syn::Result<()> {
    let mut errors = Errors::default();
    if let (Some(handles), Ok(item)) = (attr::handles(args), ast::parse(item.clone())) {
        check::handles::variants_exist(&item, &handles, &mut errors);
    }
    errors.finish()
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
    match read::checked(args.clone(), item.clone(), Source::Stripped) {
        Ok(definition) => expand::definition(&Model::resolve(&definition)),
        Err(error) => fallback::beside(args, item, &error),
    }
}
