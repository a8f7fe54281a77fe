//! The attributes' own grammar: `#[actor(..)]`, `#[reply(..)]`, `#[msg(..)]`, `#[key]`.

use proc_macro2::{Ident, TokenStream, TokenTree};
use quote::{ToTokens, format_ident};
use syn::ext::IdentExt;
use syn::parse::{ParseStream, Parser};
use syn::punctuated::Punctuated;
use syn::{Attribute, LitStr, Meta, Path, Token, Type, parenthesized};

use crate::errors::Errors;
use crate::names;

pub(crate) const ACTOR: &str = "actor";
pub(crate) const REPLY: &str = "reply";
pub(crate) const MSG: &str = "msg";
pub(crate) const KEY: &str = "key";

const NAME: &str = "name";
const HANDLER: &str = "handler";
const CLIENT: &str = "client";
const CTX: &str = "ctx";
const CALLS: &str = "calls";
const CRATE: &str = "crate";
const INTERNAL: &str = "internal";

const ON_ENUM: &[&str] = &[NAME, HANDLER, CLIENT, CTX, CALLS, CRATE];
const ON_VARIANT: &[&str] = &[NAME, INTERNAL];
const ON_FIELD: &[&str] = &[NAME];

/// An option's value, given at most once.
pub(crate) struct Slot<T>(Option<T>);

impl<T> Default for Slot<T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<T> Slot<T> {
    pub(crate) fn get(&self) -> Option<&T> {
        self.0.as_ref()
    }

    pub(crate) fn replace(&mut self, value: T) {
        self.0 = Some(value);
    }

    fn set(&mut self, key: &Ident, value: T, errors: &mut Errors) {
        if self.0.is_some() {
            errors.add(key, format_args!("`{key}` is given twice; keep one"));
        } else {
            self.0 = Some(value);
        }
    }
}

/// What stands in `#[actor(..)]`.
#[derive(Default)]
pub(crate) struct Options {
    pub(crate) name: Slot<LitStr>,
    pub(crate) handler: Slot<Ident>,
    pub(crate) client: Slot<Ident>,
    pub(crate) ctx: Slot<()>,
    pub(crate) calls: Slot<Vec<Type>>,
    pub(crate) krate: Slot<Path>,
}

impl Options {
    pub(crate) fn read(args: TokenStream, errors: &mut Errors) -> Self {
        let mut options = Self::default();
        list(args, errors, |key, input, errors| {
            match key.to_string().as_str() {
                NAME => options.name.set(key, string(key, input)?, errors),
                HANDLER => options.handler.set(key, ident(key, input)?, errors),
                CLIENT => options.client.set(key, ident(key, input)?, errors),
                CTX => options.ctx.set(key, (), errors),
                CALLS => {
                    let paths;
                    if !input.peek(syn::token::Paren) {
                        return Err(syn::Error::new_spanned(
                            key,
                            "`calls` takes the messages called: `calls(OtherMessage)`",
                        ));
                    }
                    parenthesized!(paths in input);
                    let paths = Punctuated::<Type, Token![,]>::parse_terminated(&paths)?;
                    options.calls.set(key, paths.into_iter().collect(), errors);
                }
                CRATE => {
                    input.parse::<Token![=]>()?;
                    let path = Path::parse_mod_style(input)?;
                    let starts =
                        path.segments.first().is_some_and(|first| first.ident == "crate" || first.ident == "$crate");
                    if path.leading_colon.is_none() && !starts {
                        let typed = path.to_token_stream().to_string().replace(' ', "");
                        let text = format!("`crate` needs an absolute path: `::{typed}` or `crate::{typed}`");
                        return Err(syn::Error::new_spanned(path, text));
                    }
                    options.krate.set(key, path, errors);
                }
                _ => return Err(unknown(key, ON_ENUM, "Options")),
            }
            Ok(())
        });
        options
    }
}

/// What stands in the `#[msg(..)]` of a variant or field.
#[derive(Default)]
pub(crate) struct MsgOptions {
    pub(crate) name: Slot<Ident>,
    pub(crate) internal: Slot<()>,
}

impl MsgOptions {
    pub(crate) fn read_on_variant(&mut self, attribute: &Attribute, errors: &mut Errors) {
        self.read(attribute, ON_VARIANT, "On a variant", errors);
    }

    pub(crate) fn read_on_field(&mut self, attribute: &Attribute, errors: &mut Errors) {
        self.read(attribute, ON_FIELD, "On a field", errors);
    }

    fn read(&mut self, attribute: &Attribute, known: &[&str], place: &str, errors: &mut Errors) {
        let Meta::List(meta) = &attribute.meta else {
            errors
                .add(attribute, format_args!("`#[msg]` needs an option in parentheses. {place}: {}", known.join(", ")));
            return;
        };
        if meta.tokens.is_empty() {
            errors
                .add(attribute, format_args!("`#[msg()]` says nothing; give an option. {place}: {}", known.join(", ")));
        }
        list(meta.tokens.clone(), errors, |key, input, errors| {
            match key.to_string().as_str() {
                NAME => self.name.set(key, ident(key, input)?, errors),
                INTERNAL if known.contains(&INTERNAL) => self.internal.set(key, (), errors),
                _ => return Err(unknown(key, known, place)),
            }
            Ok(())
        });
    }
}

/// The type in `#[reply(..)]`. With a fault, what may have been meant.
pub(crate) fn reply(attribute: &Attribute, errors: &mut Errors) -> Option<Type> {
    let nothing = "`#[reply]` needs the reply's type, as in `#[reply(u64)]`; to wait for completion without a value use `#[reply(())]`";
    match &attribute.meta {
        Meta::Path(_) => {
            errors.add(attribute, nothing);
            None
        }
        Meta::NameValue(meta) => {
            let value = meta.value.to_token_stream();
            let inner =
                syn::parse2::<LitStr>(value.clone()).map_or(value, |text| text.value().parse().unwrap_or_default());
            let typed = crate::types::print(&inner);
            errors.add(meta, format_args!("write the type in parentheses: `#[reply({typed})]`"));
            syn::parse2(inner).ok()
        }
        Meta::List(meta) if meta.tokens.is_empty() => {
            errors.add(attribute, nothing);
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
                reply_with_more(first, input, errors)
            };
            parsed.parse2(meta.tokens.clone()).map_err(|error| errors.push(error)).ok()
        }
    }
}

fn reply_with_more(first: Type, input: ParseStream<'_>, errors: &mut Errors) -> syn::Result<Type> {
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
            let all: Vec<String> = std::iter::once(&first).chain(&rest).map(crate::types::print).collect();
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

/// Reads `key ..` items with commas between, going on behind a fault.
fn list(
    tokens: TokenStream,
    errors: &mut Errors,
    mut one: impl FnMut(&Ident, ParseStream<'_>, &mut Errors) -> syn::Result<()>,
) {
    let all = |input: ParseStream<'_>| {
        while !input.is_empty() {
            let item = Ident::parse_any(input).and_then(|key| one(&key, input, errors));
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

fn string(key: &Ident, input: ParseStream<'_>) -> syn::Result<LitStr> {
    input
        .parse::<Token![=]>()
        .map_err(|_| syn::Error::new_spanned(key, format!("`{key}` takes a string: `{key} = \"..\"`")))?;
    if input.peek(LitStr) {
        return input.parse();
    }
    let value: TokenTree = input.parse()?;
    Err(syn::Error::new_spanned(&value, format!("`{key}` takes a string: `{key} = \"{value}\"`")))
}

fn ident(key: &Ident, input: ParseStream<'_>) -> syn::Result<Ident> {
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

fn unknown(key: &Ident, known: &[&str], place: &str) -> syn::Error {
    let hint = names::nearest(&key.to_string(), known).map(|near| format!(", did you mean `{near}`?"));
    let hint = hint.as_deref().unwrap_or(".");
    syn::Error::new_spanned(key, format!("unknown option `{key}`{hint} {place}: {}", known.join(", ")))
}

/// Whether the attribute is one of ours, by its last name: `#[zctor::actor]` is `actor` too.
pub(crate) fn is(attribute: &Attribute, name: &str) -> bool {
    if name == ACTOR {
        attribute.path().segments.last().is_some_and(|last| last.ident == name)
    } else {
        attribute.path().is_ident(name)
    }
}

/// Only the options' `crate`, whatever else is wrong with them.
pub(crate) fn krate(args: &TokenStream) -> Path {
    let mut errors = Errors::default();
    let options = Options::read(args.clone(), &mut errors);
    errors.discard();
    krate_or_default(&options)
}

pub(crate) fn krate_or_default(options: &Options) -> Path {
    options.krate.get().cloned().unwrap_or_else(|| syn::parse_quote!(::zctor))
}
