//! The grammar of the attributes: `#[actor(..)]`, `#[reply(..)]`, `#[msg(..)]`, `#[key]`.

mod handles;
mod list;
pub(crate) mod reply;

use proc_macro2::{Ident, Span, TokenStream};
use quote::ToTokens;
use syn::parse::ParseStream;
use syn::punctuated::Punctuated;
use syn::{Attribute, LitStr, Meta, Path, Token, Type, parenthesized};

use crate::errors::Errors;
pub(crate) use crate::parse::attr::handles::Handle;
use crate::parse::attr::list::{Known, flag, ident, list, string};

pub(crate) const ACTOR: &str = "actor";
pub(crate) const REPLY: &str = "reply";
pub(crate) const MSG: &str = "msg";
pub(crate) const KEY: &str = "key";
/// Rust's own attribute, of which rustc warns on a variant.
pub(crate) const MUST_USE: &str = "must_use";
/// The name of `must_use` on the variants of an enum that is given back before its attributes are read.
pub(crate) const HIDDEN_MUST_USE: &str = "__must_use";

const NAME: &str = "name";
const HANDLER: &str = "handler";
const CLIENT: &str = "client";
const CTX: &str = "ctx";
const CALLS: &str = "calls";
const SENDS: &str = "sends";
const CRATE: &str = "crate";
const HANDLES: &str = "handles";
const REMOTE: &str = "remote";
pub(crate) const INTERNAL: &str = "internal";
const DURABLE: &str = "durable";
const INTO: &str = "into";

const ON_ENUM: Known<'_> =
    Known { keys: &[NAME, HANDLER, CLIENT, HANDLES, CTX, CALLS, SENDS, REMOTE, CRATE], place: "Options" };
const ON_VARIANT: Known<'_> = Known { keys: &[NAME, INTERNAL, DURABLE], place: "On a variant" };
const ON_FIELD: Known<'_> = Known { keys: &[NAME, INTO], place: "On a field" };

/// An option's value, given at most once.
pub(crate) struct Slot<T> {
    value: Option<T>,
    key: Option<Span>,
}

impl<T> Default for Slot<T> {
    fn default() -> Self {
        Self { value: None, key: None }
    }
}

impl<T> Slot<T> {
    pub(crate) fn get(&self) -> Option<&T> {
        self.value.as_ref()
    }

    pub(crate) fn take(&mut self) -> Option<T> {
        self.value.take()
    }

    /// The position of the option's name.
    pub(crate) fn key(&self) -> Option<Span> {
        self.key
    }

    /// Puts a value in place of one with a fault.
    pub(crate) fn replace(&mut self, value: T) {
        self.value = Some(value);
    }

    fn set(&mut self, key: &Ident, value: T, errors: &mut Errors) {
        if self.value.is_some() {
            errors.add(key, format_args!("`{key}` is given twice; keep one"));
        } else {
            (self.value, self.key) = (Some(value), Some(key.span()));
        }
    }
}

/// The options of `#[actor(..)]`.
#[derive(Default)]
pub(crate) struct Options {
    pub(crate) name: Slot<LitStr>,
    pub(crate) handler: Slot<Ident>,
    pub(crate) client: Slot<Ident>,
    pub(crate) handles: Slot<Vec<Handle>>,
    pub(crate) ctx: Slot<()>,
    pub(crate) calls: Slot<Vec<Type>>,
    /// For the map alone.
    pub(crate) sends: Slot<Vec<Type>>,
    /// Whether its messages may go to another process, and their name on the way if it is not that of the enum.
    pub(crate) remote: Slot<Option<LitStr>>,
    pub(crate) krate: Slot<Path>,
}

impl Options {
    pub(crate) fn read(args: TokenStream, errors: &mut Errors) -> Self {
        let mut options = Self::default();
        list(args, &ON_ENUM, errors, |key, input, errors| {
            match key.to_string().as_str() {
                NAME => options.name.set(key, string(key, input)?, errors),
                HANDLER => options.handler.set(key, ident(key, input)?, errors),
                CLIENT => options.client.set(key, ident(key, input)?, errors),
                HANDLES => options.handles.set(key, handles::read(key, input)?, errors),
                REMOTE if input.peek(Token![=]) => options.remote.set(key, Some(string(key, input)?), errors),
                REMOTE => options.remote.set(key, flag(key, input).map(|()| None)?, errors),
                CTX => options.ctx.set(key, flag(key, input)?, errors),
                CALLS => options.calls.set(key, paths(key, input, "called")?, errors),
                SENDS => options.sends.set(key, paths(key, input, "sent")?, errors),
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
                _ => return Err(ON_ENUM.unknown(key)),
            }
            Ok(())
        });
        options
    }
}

/// The options of the `#[msg(..)]` on a variant or a field.
#[derive(Default)]
pub(crate) struct MsgOptions {
    pub(crate) name: Slot<Ident>,
    pub(crate) internal: Slot<()>,
    /// Whether a work queue may keep it until it is handled.
    pub(crate) durable: Slot<()>,
    pub(crate) into: Slot<()>,
}

impl MsgOptions {
    pub(crate) fn read_on_variant(&mut self, attribute: &Attribute, errors: &mut Errors) {
        self.read(attribute, &ON_VARIANT, errors);
    }

    pub(crate) fn read_on_field(&mut self, attribute: &Attribute, errors: &mut Errors) {
        self.read(attribute, &ON_FIELD, errors);
    }

    fn read(&mut self, attribute: &Attribute, known: &Known<'_>, errors: &mut Errors) {
        let Meta::List(meta) = &attribute.meta else {
            errors.add(attribute, format_args!("`#[msg]` needs an option in parentheses. {known}"));
            return;
        };
        if meta.tokens.is_empty() {
            errors.add(attribute, format_args!("`#[msg()]` says nothing; give an option. {known}"));
        }
        list(meta.tokens.clone(), known, errors, |key, input, errors| {
            match key.to_string().as_str() {
                NAME => self.name.set(key, ident(key, input)?, errors),
                INTERNAL if known.keys.contains(&INTERNAL) => self.internal.set(key, flag(key, input)?, errors),
                DURABLE if known.keys.contains(&DURABLE) => self.durable.set(key, flag(key, input)?, errors),
                INTO if known.keys.contains(&INTO) => self.into.set(key, flag(key, input)?, errors),
                INTERNAL => return Err(syn::Error::new_spanned(key, "`internal` goes on a variant")),
                DURABLE => return Err(syn::Error::new_spanned(key, "`durable` goes on a variant")),
                INTO => return Err(syn::Error::new_spanned(key, "`into` goes on a field")),
                _ => return Err(known.unknown(key)),
            }
            Ok(())
        });
    }
}

/// Paths in parentheses. `what` is what becomes of the messages.
fn paths(key: &Ident, input: ParseStream<'_>, what: &str) -> syn::Result<Vec<Type>> {
    let paths;
    if !input.peek(syn::token::Paren) {
        let text = format!("`{key}` takes the messages {what}: `{key}(OtherMessage)`");
        return Err(syn::Error::new_spanned(key, text));
    }
    parenthesized!(paths in input);
    let paths = Punctuated::<Type, Token![,]>::parse_terminated(&paths)?;
    Ok(paths.into_iter().collect())
}

/// Whether the attribute has this name. `actor` may end a path, as in `#[zctor::actor]`.
pub(crate) fn is(attribute: &Attribute, name: &str) -> bool {
    if name == ACTOR {
        attribute.path().segments.last().is_some_and(|last| last.ident == name)
    } else {
        attribute.path().is_ident(name)
    }
}

/// The option `crate` alone, whatever faults the others have.
pub(crate) fn krate(args: &TokenStream) -> Path {
    krate_or_default(&whatever_is_right(args))
}

/// The option `handles` alone, whatever faults the others have.
pub(crate) fn handles(args: &TokenStream) -> Option<Vec<Handle>> {
    whatever_is_right(args).handles.take()
}

/// The option `remote` alone, whatever faults the others have.
pub(crate) fn is_remote(args: &TokenStream) -> bool {
    whatever_is_right(args).remote.key().is_some()
}

fn whatever_is_right(args: &TokenStream) -> Options {
    let mut errors = Errors::default();
    let options = Options::read(args.clone(), &mut errors);
    errors.discard();
    options
}

pub(crate) fn krate_or_default(options: &Options) -> Path {
    options.krate.get().cloned().unwrap_or_else(|| syn::parse_quote!(::zctor))
}
