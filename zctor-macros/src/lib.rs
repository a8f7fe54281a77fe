//! The `#[actor]` attribute of zctor; its documentation is on the re-export there.
//!
//! An expansion goes through four steps, a module each: `ast` reads the enum and its attributes, `check` finds every
//! fault, `model` settles every name and type, `expand` writes. `fallback` keeps what it can of a definition with
//! faults.

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

#[allow(missing_docs, reason = "documented on the re-export in zctor, where its examples run")]
#[proc_macro_attribute]
pub fn actor(args: proc_macro::TokenStream, item: proc_macro::TokenStream) -> proc_macro::TokenStream {
    let (args, item) = (args.into(), TokenStream::from(item));
    guarded(&item, || attribute(args, item.clone())).into()
}

/// The second hop of an enum with `cfg` inside: sees the enum after the compiler has applied them.
#[doc(hidden)]
#[proc_macro_derive(__Actor, attributes(reply, key, msg, __must_use, __actor))]
pub fn derive(item: proc_macro::TokenStream) -> proc_macro::TokenStream {
    cfg::derive(item.into()).into()
}

/// The last hop of an enum with `cfg` inside: everything but the enum.
#[doc(hidden)]
#[proc_macro]
pub fn __actor(input: proc_macro::TokenStream) -> proc_macro::TokenStream {
    cfg::rest(input.into()).into()
}

/// A panic is a fault of ours, and must not cost the user his enum as well.
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
    let definition = read::checked(args, item, false)?;
    let (item, generated) = (&definition.item, expand::definition(&Model::resolve(&definition)));
    Ok(quote!(#item #generated))
}
