//! `handles(ReaderClient = [Get, List])`: clients that know some of the variants.

use proc_macro2::{Delimiter, Group, Ident};
use syn::ext::IdentExt;
use syn::parse::ParseStream;
use syn::punctuated::Punctuated;
use syn::{Path, Token, bracketed, parenthesized, token};

/// A client that knows some of the variants.
pub(crate) struct Handle {
    pub(crate) ident: Ident,
    pub(crate) variants: Vec<Ident>,
    /// The brackets around the variants, for a fault of the list as a whole.
    pub(crate) list: Group,
}

const FORM: &str = "`handles(ReaderClient = [Get, List])`";

pub(super) fn read(key: &Ident, input: ParseStream<'_>) -> syn::Result<Vec<Handle>> {
    let wrong = |fault: &str| syn::Error::new_spanned(key, format!("{fault}: {FORM}"));
    if !input.peek(token::Paren) {
        return Err(wrong("`handles` takes clients and their variants"));
    }
    let inside;
    parenthesized!(inside in input);
    let handles = Punctuated::<Handle, Token![,]>::parse_terminated_with(&inside, handle)?;
    if handles.is_empty() {
        return Err(wrong("`handles` needs a client and its variants"));
    }
    Ok(handles.into_iter().collect())
}

fn handle(input: ParseStream<'_>) -> syn::Result<Handle> {
    let ident: Ident = input.parse()?;
    if !input.peek(Token![=]) || !input.peek2(token::Bracket) {
        // The tokens up to the next comma are part of the same mistake.
        while !input.is_empty() && !input.peek(Token![,]) {
            input.parse::<proc_macro2::TokenTree>()?;
        }
        let text = format!("`{ident}` takes the variants that it knows: `{ident} = [Get, List]`");
        return Err(syn::Error::new_spanned(&ident, text));
    }
    input.parse::<Token![=]>()?;
    let inside;
    let bracket = bracketed!(inside in input);
    let variants = Punctuated::<Ident, Token![,]>::parse_terminated_with(&inside, variant)?;
    let mut list = Group::new(Delimiter::Bracket, proc_macro2::TokenStream::new());
    list.set_span(bracket.span.join());
    Ok(Handle { ident, variants: variants.into_iter().collect(), list })
}

fn variant(input: ParseStream<'_>) -> syn::Result<Ident> {
    if input.peek2(Token![::]) {
        let path = Path::parse_mod_style(input)?;
        let last = path.segments.last().map(|last| last.ident.to_string()).unwrap_or_default();
        return Err(syn::Error::new_spanned(path, format!("a variant is named alone: `{last}`")));
    }
    Ident::parse_any(input).map_err(|error| syn::Error::new(error.span(), "expected the name of a variant"))
}
