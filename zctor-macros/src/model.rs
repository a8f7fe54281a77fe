//! The definition with every name, type and visibility settled: what the expansion writes down.

pub(crate) mod docs;
mod generics;
mod lints;
mod named;
mod variant;

use std::collections::HashSet;

use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, quote};
use syn::ext::IdentExt;
use syn::{ItemEnum, LitStr, Path, Type, Visibility};

use crate::model::generics::Generics;
use crate::model::lints::lints;
pub(crate) use crate::model::named::Named;
pub(crate) use crate::model::variant::{Reply, Variant};
use crate::parse::ast::{Definition, Extent};
use crate::parse::attr;
use crate::{names, position, types};

/// Types of up to this many tokens are never complex to clippy as it comes.
const LEGIBLE: usize = 8;

pub(crate) struct Model<'a> {
    pub(crate) item: &'a ItemEnum,
    pub(crate) krate: Path,
    is_krate_given: bool,
    pub(crate) name: LitStr,
    pub(crate) handler: Named,
    pub(crate) client: Named,
    pub(crate) port: Ident,
    /// The word that gives the context to handler methods, if one does.
    pub(crate) ctx: Option<Span>,
    pub(crate) calls: Vec<Type>,
    pub(crate) generics: Generics,
    /// The enum as a type: `CacheMessage<K, V>`.
    pub(crate) ty: TokenStream,
    pub(crate) variants: Vec<Variant<'a>>,
    /// Clients that know some of the variants.
    pub(crate) handles: Vec<Handle>,
    /// Those that only the handler knows, behind a fault.
    pub(crate) handler_only: Vec<Variant<'a>>,
    /// The hooks of the handler, all but those lost to a fault.
    pub(crate) hooks: Vec<&'static str>,
    /// What the generated items inherit from the enum: the user's lint levels.
    pub(crate) lints: Vec<TokenStream>,
    pub(crate) is_deprecated: bool,
    /// Names for the parameters of generated items that the definition does not use itself.
    pub(crate) view: Ident,
    pub(crate) state: Ident,
    pub(crate) factory: Ident,
}

pub(crate) struct Handle {
    pub(crate) name: Named,
    /// The names of the variants that it knows.
    variants: HashSet<String>,
}

impl<'a> Model<'a> {
    /// No variant gives the client a method of this name.
    pub(crate) fn is_free(&self, name: &str) -> bool {
        !self.variants.iter().any(|variant| variant.method.unraw() == name)
    }

    pub(crate) fn resolve(definition: &'a Definition) -> Self {
        let item = &definition.item;
        let generics = Generics::new(item);
        let ident = &item.ident;
        let ty = generics::self_type(item);
        let (handler, client) = (definition.handler(), definition.client());
        let mut taken: Vec<String> =
            types::idents(&item.generics.to_token_stream()).iter().map(Ident::to_string).collect();
        taken.extend(types::idents(&item.generics.where_clause.to_token_stream()).iter().map(Ident::to_string));
        taken.extend([ident, &handler, &client].map(Ident::to_string));
        let handles: Vec<Handle> =
            definition.options.handles.get().into_iter().flatten().map(Handle::resolve).collect();
        taken.extend(handles.iter().map(|handle| handle.name.ident.to_string()));

        let named =
            |name: &Ident, option: Option<&Ident>| option.map_or_else(|| Named::by_enum(name, ident), Named::by_option);
        let calls = definition.options.calls.get().cloned().unwrap_or_default();
        let variants = |extent: Extent| {
            let variants = definition.variants.iter().filter(|variant| variant.extent == extent);
            variants.map(|variant| Variant::resolve(variant, definition, &ty)).collect()
        };
        Self {
            item,
            krate: attr::krate_or_default(&definition.options),
            is_krate_given: definition.options.krate.get().is_some(),
            name: definition.options.name.get().cloned().unwrap_or_else(|| LitStr::new(&unraw(ident), ident.span())),
            handler: named(&handler, definition.options.handler.get()),
            client: named(&client, definition.options.client.get()),
            port: names::port(ident),
            ctx: definition.options.ctx.key().or(definition.options.calls.key()).map(position::at),
            calls,
            generics,
            variants: variants(Extent::Everything),
            handles,
            handler_only: variants(Extent::Handler),
            hooks: names::HOOKS
                .into_iter()
                .filter(|hook| !definition.lost_hooks.iter().any(|lost| lost == hook))
                .collect(),
            ty: ty.clone(),
            lints: lints(&item.attrs),
            is_deprecated: item.attrs.iter().any(|attribute| attribute.path().is_ident("deprecated")),
            view: names::fresh("V", &taken),
            state: names::fresh("S", &taken),
            factory: names::fresh("F", &taken),
        }
    }

    /// The attributes of a generated item: the user's lint levels, and what he cannot mend.
    pub(crate) fn attrs(&self) -> TokenStream {
        let lints = &self.lints;
        // The use that matters is the user's.
        let deprecated = self.is_deprecated.then(|| quote!(#[allow(deprecated)]));
        quote!(#(#lints)* #deprecated)
    }

    /// The same for an item with the user's types in its signatures.
    pub(crate) fn attrs_of_signatures(&self) -> TokenStream {
        let attrs = self.attrs();
        // A private type in a public enum is reported on the enum; once is enough.
        let private = (!matches!(self.item.vis, Visibility::Inherited)).then(|| quote!(#[allow(private_interfaces)]));
        // Likewise of a type that clippy finds hard to read.
        let is_long = |ty: &Type| types::length(ty) > LEGIBLE;
        let complex = self.variants.iter().any(|variant| {
            variant.fields.iter().any(|field| is_long(&field.ty))
                || variant.reply.as_ref().is_some_and(|reply| is_long(&reply.ty))
        });
        let complex = complex.then(|| quote!(#[allow(clippy::type_complexity)]));
        quote!(#attrs #private #complex)
    }

    /// The same for an item that mentions every variant.
    pub(crate) fn attrs_of_all(&self) -> TokenStream {
        let attrs = self.attrs();
        let any = !self.is_deprecated && self.variants.iter().any(|variant| variant.deprecated.is_some());
        let deprecated = any.then(|| quote!(#[allow(deprecated)]));
        quote!(#attrs #deprecated)
    }

    /// The path of zctor at the position of what it stands for, if it is our own: errors about the type point there.
    pub(crate) fn krate_at(&self, span: Span) -> TokenStream {
        let path = self.krate.to_token_stream();
        if self.is_krate_given { path } else { position::respan(path, span) }
    }

    /// Where what every actor has is defined: the position of the enum's name, and the enum's visibility there.
    pub(crate) fn at_enum(&self) -> (Span, TokenStream) {
        let at = position::of(&self.item.ident);
        (at, position::respan(self.item.vis.to_token_stream(), at))
    }

    /// Where a type is defined: the position, and there the enum's visibility and the name. Errors of a name that is taken
    /// lead to the enum's name, and so do editors.
    pub(crate) fn defined(&self, Named { ident, name_at, at }: &Named) -> (Span, TokenStream, Ident) {
        (*at, position::respan(self.item.vis.to_token_stream(), *at), position::moved(ident, *name_at))
    }

    /// The client with one of its views: `CacheClient<K, V, ::zctor::Blocking>`.
    pub(crate) fn client_with(&self, view: impl ToTokens) -> TokenStream {
        self.viewed(&self.client, view)
    }

    /// The same of a handle.
    pub(crate) fn viewed(&self, client: &Named, view: impl ToTokens) -> TokenStream {
        let arguments = self.generics.arguments();
        quote!(#client<#(#arguments,)* #view>)
    }

    /// The variants that a handle knows, in the order of the enum.
    pub(crate) fn known_to<'m>(&'m self, handle: &'m Handle) -> impl Iterator<Item = &'m Variant<'a>> {
        self.variants.iter().filter(|variant| handle.variants.contains(&unraw(&variant.ident)))
    }

    /// The handler trait with its arguments, `CacheHandler<K, V>`, at one place wherever it is used: what is wrong with the
    /// name is said once.
    pub(crate) fn handler_type(&self) -> TokenStream {
        let (_, arguments, _) = self.generics.plain().split_for_impl();
        let handler = &self.handler;
        position::respan(quote!(#handler #arguments), self.at_enum().0)
    }

    pub(crate) fn port_type(&self) -> TokenStream {
        let (_, arguments, _) = self.generics.plain().split_for_impl();
        let port = &self.port;
        quote!(#port #arguments)
    }
}

impl Handle {
    fn resolve(handle: &attr::Handle) -> Self {
        Self { name: Named::by_option(&handle.ident), variants: handle.variants.iter().map(unraw).collect() }
    }
}

fn unraw(ident: &Ident) -> String {
    IdentExt::unraw(ident).to_string()
}
