//! `#[reply(Type)]` and `#[reply(Type, deferred)]`.

use proc_macro2::{Ident, Span, TokenStream};
use quote::ToTokens;
use syn::ext::IdentExt;
use syn::parse::{ParseStream, Parser};
use syn::punctuated::Punctuated;
use syn::{Attribute, LitStr, Meta, Path, Token, Type};

use crate::errors::Errors;
use crate::spelling;
use crate::types::print;

const DEFERRED: &str = "deferred";
const NOTHING: &str = "`#[reply]` needs the reply's type, as in `#[reply(u64)]`; \
                       to wait for completion without a value use `#[reply(())]`";

/// The content of a `#[reply(..)]`. If the attribute has a fault, the content is a guess at the user's meaning.
#[derive(Default)]
pub(crate) struct Content {
    /// `None` if the type has a fault, which is reported already.
    pub(crate) ty: Option<Type>,
    /// The position of the word `deferred`.
    pub(crate) deferred: Option<Span>,
}

impl Content {
    fn of(ty: Option<Type>) -> Self {
        Self { ty, deferred: None }
    }
}

pub(crate) fn read(attribute: &Attribute, errors: &mut Errors) -> Content {
    match &attribute.meta {
        Meta::Path(_) => {
            errors.add(attribute, NOTHING);
            Content::default()
        }
        Meta::NameValue(meta) => {
            let value = meta.value.to_token_stream();
            let inner =
                syn::parse2::<LitStr>(value.clone()).map_or(value, |text| text.value().parse().unwrap_or_default());
            let typed = print(&inner);
            errors.add(meta, format_args!("write the type in parentheses: `#[reply({typed})]`"));
            Content::of(syn::parse2(inner).ok())
        }
        Meta::List(meta) if meta.tokens.is_empty() => {
            errors.add(attribute, NOTHING);
            Content::default()
        }
        Meta::List(meta) => {
            let parsed = (|input: ParseStream<'_>| list(input, errors)).parse2(meta.tokens.clone());
            parsed.unwrap_or_else(|error| {
                errors.push(error);
                Content::default()
            })
        }
    }
}

fn list(input: ParseStream<'_>, errors: &mut Errors) -> syn::Result<Content> {
    if let Ok(text) = input.fork().parse::<LitStr>() {
        let typed = text.value();
        errors.add(input.parse::<LitStr>()?, format_args!("write the type without quotes: `#[reply({typed})]`"));
        input.parse::<TokenStream>()?;
        return Ok(Content::of(text.parse().ok()));
    }
    let first: Type = input.parse()?;
    if !input.is_empty() {
        input.parse::<Token![,]>()?;
    }
    let rest = Punctuated::<Type, Token![,]>::parse_terminated(input)?;
    let mut content = Content::default();
    let mut types = Vec::new();
    for ty in std::iter::once(first).chain(rest) {
        match option(&ty) {
            // A type may have this name, but in front of all others the word is more likely a slip.
            Some(option) if option == DEFERRED && types.is_empty() => {
                errors.add(option, "the reply's type comes first: `#[reply(u64, deferred)]`");
                content.deferred = Some(option.span());
            }
            Some(option) if option == DEFERRED && content.deferred.is_some() => {
                errors.add(option, "`deferred` is given twice; keep one");
            }
            Some(option) if option == DEFERRED => content.deferred = Some(option.span()),
            Some(option) if !types.is_empty() => {
                let hint = spelling::hint(&option.to_string(), &[DEFERRED]);
                errors.add(option, format_args!("unknown option `{option}`{hint} Behind the type: deferred"));
            }
            _ => types.push(ty),
        }
    }
    content.ty = one_of(types, errors);
    Ok(content)
}

fn one_of(types: Vec<Type>, errors: &mut Errors) -> Option<Type> {
    let mut all = types.into_iter();
    let first = all.next()?;
    let rest: Vec<Type> = all.collect();
    if rest.is_empty() {
        return Some(first);
    }
    let typed: Vec<String> = std::iter::once(&first).chain(&rest).map(print).collect();
    let typed = typed.join(", ");
    let text = format!("a message has one reply type; for several values use a tuple: `#[reply(({typed}))]`");
    errors.add(quote::quote!(#(#rest),*), text);
    Some(syn::parse_quote!((#first, #(#rest),*)))
}

/// The word that a type consists of, if it is in lower case and no primitive type: then it is meant as an option.
fn option(ty: &Type) -> Option<&Ident> {
    match ty {
        Type::Path(path) if path.qself.is_none() && !is_primitive(&path.path) => {
            path.path.get_ident().filter(|ident| ident.unraw().to_string().starts_with(char::is_lowercase))
        }
        _ => None,
    }
}

fn is_primitive(path: &Path) -> bool {
    let name = path.to_token_stream().to_string();
    ["bool", "char", "str"].contains(&name.as_str())
        || (name.starts_with(['u', 'i', 'f']) && name.chars().skip(1).all(|char| char.is_ascii_digit()))
        || ["usize", "isize"].contains(&name.as_str())
}
