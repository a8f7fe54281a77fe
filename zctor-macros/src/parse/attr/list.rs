//! A list of options: `key`, `key = value` or `key(..)`, with commas between.

use proc_macro2::{Ident, Span, TokenStream, TokenTree};
use quote::format_ident;
use syn::ext::IdentExt;
use syn::parse::{ParseStream, Parser};
use syn::{LitStr, Token};

use crate::errors::Errors;
use crate::{names, spelling};

/// The options that a place knows, and the name of the place in an error.
pub(super) struct Known<'a> {
    pub(super) keys: &'a [&'a str],
    pub(super) place: &'a str,
}

impl Known<'_> {
    pub(super) fn unknown(&self, key: &Ident) -> syn::Error {
        let hint = spelling::hint(&key.to_string(), self.keys);
        syn::Error::new_spanned(key, format!("unknown option `{key}`{hint} {self}"))
    }

    fn expected(&self, span: Span) -> syn::Error {
        syn::Error::new(span, format!("expected an option. {self}"))
    }
}

impl std::fmt::Display for Known<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.place, self.keys.join(", "))
    }
}

/// Reads the items, each from its key on. A fault ends its item, and the next item is read all the same.
pub(super) fn list(
    tokens: TokenStream,
    known: &Known<'_>,
    errors: &mut Errors,
    mut one: impl FnMut(&Ident, ParseStream<'_>, &mut Errors) -> syn::Result<()>,
) {
    let all = |input: ParseStream<'_>| {
        while !input.is_empty() {
            let key = Ident::parse_any(input).map_err(|error| known.expected(error.span()));
            let item = key.and_then(|key| one(&key, input, errors));
            let comma = item.and_then(|()| if input.is_empty() { Ok(()) } else { expect_comma(input) });
            if let Err(error) = comma {
                errors.push(error);
                skip_item(input)?;
            }
        }
        Ok(())
    };
    if let Err(error) = all.parse2(tokens) {
        errors.push(error);
    }
}

fn expect_comma(input: ParseStream<'_>) -> syn::Result<()> {
    input.parse::<Token![,]>().map(drop).map_err(|error| syn::Error::new(error.span(), "expected `,`"))
}

fn skip_item(input: ParseStream<'_>) -> syn::Result<()> {
    while !input.is_empty() {
        if input.parse::<Option<Token![,]>>()?.is_some() {
            break;
        }
        input.parse::<TokenTree>()?;
    }
    Ok(())
}

pub(super) fn string(key: &Ident, input: ParseStream<'_>) -> syn::Result<LitStr> {
    input
        .parse::<Token![=]>()
        .map_err(|_| syn::Error::new_spanned(key, format!("`{key}` takes a string: `{key} = \"..\"`")))?;
    if input.peek(LitStr) {
        return input.parse();
    }
    let value: TokenTree = input.parse()?;
    Err(syn::Error::new_spanned(&value, format!("`{key}` takes a string: `{key} = \"{value}\"`")))
}

pub(super) fn ident(key: &Ident, input: ParseStream<'_>) -> syn::Result<Ident> {
    input
        .parse::<Token![=]>()
        .map_err(|_| syn::Error::new_spanned(key, format!("`{key}` takes an identifier: `{key} = ..`")))?;
    if input.peek(LitStr) {
        let text: LitStr = input.parse()?;
        return Err(syn::Error::new_spanned(text, format!("`{key}` takes an identifier, without quotes")));
    }
    let ident = Ident::parse_any(input)?;
    let text = ident.to_string();
    if names::is_path_keyword(&text) {
        return Err(syn::Error::new_spanned(&ident, format!("`{text}` cannot be a name")));
    }
    // `gen` is not refused: before edition 2024 it is a name like any other, and it is used raw in any case.
    if names::is_keyword(&text) && text != "gen" {
        return Err(syn::Error::new_spanned(&ident, format!("`{text}` is a keyword; write `{key} = r#{text}`")));
    }
    Ok(if text == "gen" { format_ident!("r#gen", span = ident.span()) } else { ident })
}

/// Reads an option without a value.
pub(super) fn flag(key: &Ident, input: ParseStream<'_>) -> syn::Result<()> {
    let mut value = TokenStream::new();
    while !input.is_empty() && !input.peek(Token![,]) {
        value.extend([input.parse::<TokenTree>()?]);
    }
    if value.is_empty() { Ok(()) } else { Err(syn::Error::new_spanned(value, format!("`{key}` takes no value"))) }
}
