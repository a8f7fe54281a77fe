//! The `#[actor]` attribute of zctor; its documentation is on the re-export there.
//!
//! An expansion goes through four steps, a folder each: parse, check, model, expand. The list has the layers of files,
//! top down. A line says what a layer promises, and which lower layers it may import beside the ground. Files of one
//! layer may import each other, but no files form a circle.
//!
//! - `lib`: the entry points. A panic of the macro leaves the user the enum. Imports any layer.
//! - `cfg`: an enum with `cfg` inside expands after the compiler has applied every `cfg`. Imports any lower layer.
//! - `fallback`: one mistake gives one error, and the enum keeps its handler trait and client. Imports the four steps.
//! - `read`: all faults of a definition come out in one compile. Imports `parse` and `check`.
//! - `expand/`: writes the generated items, one file an item. It decides nothing and cannot fail. Imports `model`.
//! - `model/`: settles every name, type, visibility and text. Imports `parse`.
//! - `check/`: holds a definition to the rules, one function a rule. Imports `parse`.
//! - `parse/`: reads the enum and its attributes into types of the crate's own. Imports nothing but the ground.
//! - The ground: `names` (every name that the macro makes or refuses) and `types/` (the user's types) may import
//!   `position` (errors point at the user's text, and lints leave generated code alone), `spelling` (the word that was
//!   meant) and `errors` (no fault is lost), which import nothing.

#![forbid(unsafe_code)]
#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing))]

mod cfg;
mod check;
mod errors;
mod expand;
mod fallback;
mod model;
mod names;
mod parse;
mod position;
mod read;
mod spelling;
#[cfg(test)]
mod tests;
mod types;

use std::panic::{self, AssertUnwindSafe};

use proc_macro2::{Span, TokenStream};
use quote::quote;

use crate::model::Model;
use crate::parse::ast::Source;

#[allow(missing_docs, reason = "documented on the re-export in zctor, where its examples run")]
#[proc_macro_attribute]
pub fn actor(args: proc_macro::TokenStream, item: proc_macro::TokenStream) -> proc_macro::TokenStream {
    let (args, item) = (args.into(), TokenStream::from(item));
    guarded(&item, || attribute(args, item.clone())).into()
}

/// The second hop of an enum with `cfg` inside: the derive sees the enum after the compiler has applied every `cfg`.
#[doc(hidden)]
#[proc_macro_derive(__Actor, attributes(reply, key, msg, __must_use, __actor))]
pub fn derive(item: proc_macro::TokenStream) -> proc_macro::TokenStream {
    cfg::derive(item.into()).into()
}

/// The last hop of an enum with `cfg` inside: the macro writes everything but the enum.
#[doc(hidden)]
#[proc_macro]
pub fn __actor(input: proc_macro::TokenStream) -> proc_macro::TokenStream {
    cfg::rest(input.into()).into()
}

/// A panic of the macro is a fault of zctor, and must not cost the user the enum as well.
fn guarded(item: &TokenStream, expand: impl FnOnce() -> TokenStream) -> TokenStream {
    panic::catch_unwind(AssertUnwindSafe(expand)).unwrap_or_else(|_| {
        let text = "`#[actor]` failed on this enum, which is a fault of zctor; please report it with the enum";
        let error = syn::Error::new(Span::call_site(), text).to_compile_error();
        quote!(#item #error)
    })
}

fn attribute(args: TokenStream, item: TokenStream) -> TokenStream {
    if cfg::matters(&item) {
        return cfg::first_hop(&args, &item);
    }
    try_actor(args.clone(), item.clone()).unwrap_or_else(|error| fallback::definition(args, item, &error))
}

fn try_actor(args: TokenStream, item: TokenStream) -> syn::Result<TokenStream> {
    let definition = read::checked(args, item, Source::Written)?;
    let (item, generated) = (definition.emitted(), expand::definition(&Model::resolve(&definition)));
    Ok(quote!(#item #generated))
}
