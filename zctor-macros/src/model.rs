//! The definition with every name, type and visibility settled, for the expansion to write down.

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
pub(crate) use crate::model::named::Named;
pub(crate) use crate::model::variant::{Reply, Variant};
use crate::parse::ast::{Definition, Extent};
use crate::parse::attr;
use crate::{names, position, types};

/// A type of up to this many tokens is never too complex for clippy's defaults.
const LEGIBLE: usize = 8;

pub(crate) struct Model<'a> {
    pub(crate) item: &'a ItemEnum,
    pub(crate) krate: Path,
    is_krate_given: bool,
    pub(crate) name: LitStr,
    pub(crate) handler: Named,
    pub(crate) client: Named,
    pub(crate) port: Ident,
    /// The position of the option that gives the context to handler methods, if one does.
    pub(crate) ctx: Option<Span>,
    /// The name of its messages on their way to another process, if they may go there.
    pub(crate) remote: Option<LitStr>,
    /// The types of its fields that must travel.
    pub(crate) travelling: Vec<Type>,
    pub(crate) calls: Vec<Type>,
    /// For the map alone.
    pub(crate) sends: Vec<Type>,
    pub(crate) generics: Generics,
    /// The enum as a type: `CacheMessage<K, V>`.
    pub(crate) ty: TokenStream,
    pub(crate) variants: Vec<Variant<'a>>,
    /// Clients that know some of the variants.
    pub(crate) handles: Vec<Handle>,
    /// The variants that only the handler knows, because of a fault.
    pub(crate) handler_only: Vec<Variant<'a>>,
    /// The hooks of the handler, all but those lost to a fault.
    pub(crate) hooks: Vec<&'static str>,
    /// The enum's lint levels, which the generated items inherit.
    pub(crate) lints: Vec<TokenStream>,
    /// An `allow` of each lint that some variant or field need not answer for.
    pub(crate) allowed: Vec<TokenStream>,
    pub(crate) is_deprecated: bool,
    // Names for the type parameters of generated items. The definition uses none of them.
    pub(crate) view: Ident,
    pub(crate) state: Ident,
    pub(crate) factory: Ident,
}

/// A client that knows some of the variants.
pub(crate) struct Handle {
    pub(crate) name: Named,
    /// The names of the variants that it knows.
    variants: HashSet<String>,
}

/// The keys of an enum: the type of its `#[key]` fields.
pub(crate) struct Key<'m> {
    pub(crate) ty: &'m Type,
    /// A message with one leaves its process, if messages of the enum do.
    pub(crate) travels: bool,
}

impl<'a> Model<'a> {
    /// The type of the `#[key]` fields, if there are any: that of one that travels, if one does.
    pub(crate) fn key(&self) -> Option<Key<'_>> {
        let keys = || {
            self.variants.iter().filter_map(|variant| {
                let field = variant.fields.get(variant.key?)?;
                Some(Key { ty: &field.ty, travels: !variant.internal })
            })
        };
        keys().find(|key| key.travels).or_else(|| keys().next())
    }

    /// Whether no variant gives the client a method of this name.
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
        let sends = definition.options.sends.get().cloned().unwrap_or_default();
        let variants = |extent: Extent| {
            let variants = definition.variants.iter().filter(|variant| variant.extent == extent);
            variants.map(|variant| Variant::resolve(variant, definition, &ty)).collect()
        };
        let name = definition.options.name.get().cloned().unwrap_or_else(|| LitStr::new(&unraw(ident), ident.span()));
        Self {
            item,
            krate: attr::krate_or_default(&definition.options),
            is_krate_given: definition.options.krate.get().is_some(),
            handler: named(&handler, definition.options.handler.get()),
            client: named(&client, definition.options.client.get()),
            port: names::port(ident),
            ctx: definition.options.ctx.key().or(definition.options.calls.key()).map(position::at),
            remote: definition.options.remote.get().map(|given| given.clone().unwrap_or_else(|| name.clone())),
            travelling: definition.travelling(),
            name,
            calls,
            sends,
            generics,
            variants: variants(Extent::Everything),
            handles,
            handler_only: variants(Extent::Handler),
            hooks: names::HOOKS
                .into_iter()
                .filter(|hook| !definition.lost_hooks.iter().any(|lost| lost == hook))
                .collect(),
            ty: ty.clone(),
            lints: lints::lints(&item.attrs),
            allowed: lints::of_all(&definition.variants),
            is_deprecated: item.attrs.iter().any(|attribute| attribute.path().is_ident("deprecated")),
            view: names::fresh("V", &taken),
            state: names::fresh("S", &taken),
            factory: names::fresh("F", &taken),
        }
    }

    /// The attributes of a generated item: the user's lint levels, and an `allow` of the warnings that the user
    /// cannot mend.
    pub(crate) fn attrs(&self) -> TokenStream {
        let lints = &self.lints;
        // Rustc should warn of the user's uses of the enum, and not of the macro's.
        let deprecated = self.is_deprecated.then(|| quote!(#[allow(deprecated)]));
        quote!(#(#lints)* #deprecated)
    }

    /// The attributes of an item with the user's types in its signatures.
    pub(crate) fn attrs_of_signatures(&self) -> TokenStream {
        let attrs = self.attrs();
        // Rustc reports a private type in a public enum on the enum, and once is enough.
        let private = (!matches!(self.item.vis, Visibility::Inherited)).then(|| quote!(#[allow(private_interfaces)]));
        // Clippy reports a type that is hard to read on the enum, and once is enough.
        let is_long = |ty: &Type| types::length(ty) > LEGIBLE;
        let complex = self.variants.iter().any(|variant| {
            variant.fields.iter().any(|field| is_long(&field.ty))
                || variant.reply.as_ref().is_some_and(|reply| is_long(&reply.ty))
        });
        let complex = complex.then(|| quote!(#[allow(clippy::type_complexity)]));
        quote!(#attrs #private #complex)
    }

    /// The attributes of an item that mentions every variant, or the types of every variant.
    pub(crate) fn attrs_of_all(&self) -> TokenStream {
        let (attrs, allowed) = (self.attrs(), &self.allowed);
        let any = !self.is_deprecated && self.variants.iter().any(|variant| variant.deprecated.is_some());
        let deprecated = any.then(|| quote!(#[allow(deprecated)]));
        quote!(#attrs #(#allowed)* #deprecated)
    }

    /// The path of zctor, at this position unless the user has typed the path. Errors about a type of zctor's point
    /// there.
    pub(crate) fn krate_at(&self, span: Span) -> TokenStream {
        let path = self.krate.to_token_stream();
        if self.is_krate_given { path } else { position::respan(path, span) }
    }

    /// The place of the items that every actor has: the position of the enum's name, and the enum's visibility there.
    pub(crate) fn at_enum(&self) -> (Span, TokenStream) {
        let at = position::of(&self.item.ident);
        (at, position::respan(self.item.vis.to_token_stream(), at))
    }

    /// The place where a type is defined: the position, and there the enum's visibility and the type's name. Editors
    /// and errors about a name that is taken lead to the enum's name, or to the option that gives the type its name.
    pub(crate) fn defined(&self, Named { ident, name_at, at }: &Named) -> (Span, TokenStream, Ident) {
        (*at, position::respan(self.item.vis.to_token_stream(), *at), position::moved(ident, *name_at))
    }

    /// The client with one of its views: `CacheClient<K, V, ::zctor::Blocking>`.
    pub(crate) fn client_with(&self, view: impl ToTokens) -> TokenStream {
        self.viewed(&self.client, view)
    }

    /// Any client with one of its views.
    pub(crate) fn viewed(&self, client: &Named, view: impl ToTokens) -> TokenStream {
        let arguments = self.generics.arguments();
        quote!(#client<#(#arguments,)* #view>)
    }

    /// The variants that a handle knows, in the order of the enum.
    pub(crate) fn known_to<'m>(&'m self, handle: &'m Handle) -> impl Iterator<Item = &'m Variant<'a>> {
        self.variants.iter().filter(|variant| handle.variants.contains(&unraw(&variant.ident)))
    }

    /// The handler trait with its arguments: `CacheHandler<K, V>`. All uses have one position, so that rustc reports a
    /// fault of the name once.
    pub(crate) fn handler_type(&self) -> TokenStream {
        let (_, arguments, _) = self.generics.plain().split_for_impl();
        let handler = &self.handler;
        position::respan(quote!(#handler #arguments), self.at_enum().0)
    }

    /// The ports with their arguments: `__CacheMessagePort<K, V>`.
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
