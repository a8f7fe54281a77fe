//! `#[reply(Type)]`.

use proc_macro2::{Ident, TokenStream};
use quote::ToTokens;
use syn::ext::IdentExt;
use syn::parse::{ParseStream, Parser};
use syn::punctuated::Punctuated;
use syn::{Attribute, LitStr, Meta, Path, Token, Type};

use crate::errors::Errors;
use crate::types::print;

const NOTHING: &str = "`#[reply]` needs the reply's type, as in `#[reply(u64)]`; \
                       to wait for completion without a value use `#[reply(())]`";

/// The type in `#[reply(..)]`. With a fault, what may have been meant.
pub(crate) fn read(attribute: &Attribute, errors: &mut Errors) -> Option<Type> {
    match &attribute.meta {
        Meta::Path(_) => {
            errors.add(attribute, NOTHING);
            None
        }
        Meta::NameValue(meta) => {
            let value = meta.value.to_token_stream();
            let inner =
                syn::parse2::<LitStr>(value.clone()).map_or(value, |text| text.value().parse().unwrap_or_default());
            let typed = print(&inner);
            errors.add(meta, format_args!("write the type in parentheses: `#[reply({typed})]`"));
            syn::parse2(inner).ok()
        }
        Meta::List(meta) if meta.tokens.is_empty() => {
            errors.add(attribute, NOTHING);
            None
        }
        Meta::List(meta) => {
            let parsed = |input: ParseStream<'_>| {
                if let Ok(text) = input.fork().parse::<LitStr>() {
                    let typed = text.value();
                    errors.add(
                        input.parse::<LitStr>()?,
                        format_args!("write the type without quotes: `#[reply({typed})]`"),
                    );
                    input.parse::<TokenStream>()?;
                    return text.parse();
                }
                let first: Type = input.parse()?;
                let comma: Option<Token![,]> = input.parse()?;
                if comma.is_none() || input.is_empty() {
                    return Ok(first);
                }
                one_of_several(first, input, errors)
            };
            parsed.parse2(meta.tokens.clone()).map_err(|error| errors.push(error)).ok()
        }
    }
}

fn one_of_several(first: Type, input: ParseStream<'_>, errors: &mut Errors) -> syn::Result<Type> {
    let rest = Punctuated::<Type, Token![,]>::parse_terminated(input)?;
    let second = rest.to_token_stream();
    match rest.first() {
        Some(Type::Path(option))
            if option.path.get_ident().is_some_and(starts_lower_case) && !is_primitive(&option.path) =>
        {
            errors.add(
                second,
                format_args!(
                    "unknown option `{}`; `#[reply]` takes the reply's type alone",
                    option.path.to_token_stream()
                ),
            );
            Ok(first)
        }
        _ => {
            let all: Vec<String> = std::iter::once(&first).chain(&rest).map(print).collect();
            let all = all.join(", ");
            errors.add(
                second,
                format_args!("a message has one reply type; for several values use a tuple: `#[reply(({all}))]`"),
            );
            let rest = rest.iter();
            Ok(syn::parse_quote!((#first, #(#rest),*)))
        }
    }
}

fn starts_lower_case(ident: &Ident) -> bool {
    ident.unraw().to_string().starts_with(char::is_lowercase)
}

fn is_primitive(path: &Path) -> bool {
    let name = path.to_token_stream().to_string();
    ["bool", "char", "str"].contains(&name.as_str())
        || (name.starts_with(['u', 'i', 'f']) && name.chars().skip(1).all(|char| char.is_ascii_digit()))
        || ["usize", "isize"].contains(&name.as_str())
}
