//! The definition with every name, type and visibility settled: what the expansion writes down.

pub(crate) mod docs;
mod generics;

use std::collections::HashSet;

use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, quote, quote_spanned};
use syn::ext::IdentExt;
use syn::{Attribute, ItemEnum, LitStr, Member, Path, Type, Visibility};

use crate::model::generics::Generics;
use crate::parse::ast::{self, Definition, Extent, Shape};
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

/// A type that is generated.
pub(crate) struct Named {
    ident: Ident,
    /// The position of the name where the type is defined: that of the enum's, or of the option that gives it.
    name_at: Span,
    /// The position of what is around the name there.
    at: Span,
}

impl Named {
    fn by_enum(ident: &Ident, enum_ident: &Ident) -> Self {
        let at = position::of(enum_ident);
        Self { ident: position::moved(ident, Span::call_site()), name_at: at, at }
    }

    /// An editor shows all that stands at a word in an attribute, so it is the name alone.
    fn by_option(ident: &Ident) -> Self {
        let at = Span::call_site();
        Self { ident: position::moved(ident, at), name_at: position::of(ident), at }
    }
}

impl ToTokens for Named {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        self.ident.to_tokens(tokens);
    }
}

pub(crate) struct Handle {
    pub(crate) name: Named,
    /// The names of the variants that it knows.
    variants: HashSet<String>,
}

pub(crate) struct Variant<'a> {
    /// At the position of the variant, but ours: whatever lints say of the name, they say it of the enum.
    pub(crate) ident: Ident,
    pub(crate) shape: Shape,
    pub(crate) method: Ident,
    pub(crate) fields: Vec<Field>,
    pub(crate) reply: Option<Reply>,
    pub(crate) key: Option<usize>,
    /// Of its request and client methods.
    pub(crate) vis: Visibility,
    /// For everything that stands for this variant.
    pub(crate) span: Span,
    pub(crate) docs: docs::Copied<'a>,
    pub(crate) lints: Vec<TokenStream>,
    /// The text of the variant's `must_use`. Without one it says nothing that the methods' results do not say.
    pub(crate) must_use: Option<TokenStream>,
    /// The variant's `deprecated`, and leave for our own use of it.
    pub(crate) deprecated: Option<TokenStream>,
}

pub(crate) struct Reply {
    pub(crate) ty: Type,
    /// Whether the handler is given the port and may answer later.
    pub(crate) deferred: Option<Span>,
}

pub(crate) struct Field {
    pub(crate) member: Member,
    pub(crate) param: Ident,
    pub(crate) ty: Type,
    /// Whether clients and requests take whatever can be made into it.
    pub(crate) into: bool,
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

impl<'a> Variant<'a> {
    fn resolve(variant: &'a ast::Variant, definition: &Definition, ty: &TokenStream) -> Self {
        let span = position::of(&variant.ident);
        let count = variant.fields.len();
        let field = |(index, field): (usize, &ast::Field)| Field {
            member: field.ident.clone().map_or_else(|| Member::from(index), Member::Named),
            param: field.parameter(index, count),
            ty: types::without_self(&field.ty, ty),
            into: field.options.into.get().is_some(),
        };
        let reply = variant.replies.first().map(|reply| Reply {
            ty: reply.ty.as_ref().map_or_else(|| position::unit(span), |reply| types::without_self(reply, ty)),
            deferred: reply.deferred.map(position::at),
        });
        let named = |name: &str| variant.attrs.iter().find(|attribute| attribute.path().is_ident(name));
        Self {
            ident: position::moved(&variant.ident, span),
            shape: variant.shape,
            method: method(variant, span),
            fields: variant.fields.iter().enumerate().map(field).collect(),
            reply,
            key: variant.fields.iter().position(|field| !field.keys.is_empty()),
            vis: vis(variant, definition, span),
            span,
            docs: docs::Copied::of(variant, &definition.item.ident),
            lints: variant
                .fields
                .iter()
                .map(|field| &field.attrs)
                .chain([&variant.attrs])
                .flat_map(|attrs| lints(attrs))
                .collect(),
            must_use: variant.must_use.iter().find_map(|attribute| must_use(attribute, span)),
            deprecated: named("deprecated").map(|attribute| quote!(#attribute #[allow(deprecated)])),
        }
    }

    /// `Self::Add { a, b }`, with the parameters for the fields.
    pub(crate) fn pattern(&self, ty: TokenStream) -> TokenStream {
        self.with_fields(&ty, false)
    }

    /// The same as a value, made of what clients and requests take.
    pub(crate) fn value(&self, ty: TokenStream) -> TokenStream {
        self.with_fields(&ty, true)
    }

    fn with_fields(&self, ty: &TokenStream, converted: bool) -> TokenStream {
        let (ident, span) = (&self.ident, self.span);
        let fields = self.fields.iter().map(|Field { member, param, into, .. }| {
            let name = (converted && *into && self.shape == Shape::Named).then(|| quote!(#member:));
            let value = if converted && *into {
                quote_spanned!(span=> ::core::convert::Into::into(#param))
            } else {
                quote!(#param)
            };
            quote!(#name #value)
        });
        match self.shape {
            Shape::Unit => quote!(#ty::#ident),
            Shape::Tuple => quote!(#ty::#ident(#(#fields),*)),
            Shape::Named => quote!(#ty::#ident { #(#fields),* }),
        }
    }

    /// The parameters of the client's method and of the request: `a: i64, name: impl Into<String>`.
    pub(crate) fn parameters(&self) -> TokenStream {
        let span = self.span;
        let one = |field: &Field| {
            let (param, ty) = (&field.param, &field.ty);
            let ty = if field.into { quote_spanned!(span=> impl ::core::convert::Into<#ty>) } else { quote!(#ty) };
            quote_spanned!(span=> #param: #ty,)
        };
        self.fields.iter().map(one).collect()
    }

    /// Whether the parameters name types of their own, so that the method cannot be mentioned without arguments.
    pub(crate) fn is_generic(&self) -> bool {
        self.fields.iter().any(|field| field.into)
    }

    /// Whether the method is so long that clippy counts its arguments; `more` stand before the fields.
    pub(crate) fn too_many_arguments(&self, more: usize) -> Option<TokenStream> {
        // As many as the variant has fields, which is the user's choice and not the method's.
        (self.fields.len() + more > 7).then(|| quote!(#[allow(clippy::too_many_arguments)]))
    }
}

fn method(variant: &ast::Variant, span: Span) -> Ident {
    position::moved(&variant.method(), variant.options.name.get().map_or(span, position::of))
}

fn vis(variant: &ast::Variant, definition: &Definition, span: Span) -> Visibility {
    if variant.options.internal.get().is_some() {
        return Visibility::Inherited;
    }
    // Positions at both ends of a method lead to the variant, also for editors and for the documentation's source.
    let tokens = position::respan(definition.item.vis.to_token_stream(), span);
    syn::parse2(tokens).unwrap_or(Visibility::Inherited)
}

fn must_use(attribute: &Attribute, span: Span) -> Option<TokenStream> {
    let text = &attribute.meta.require_name_value().ok()?.value;
    Some(quote_spanned!(span=> #[must_use = #text]))
}

/// The lint levels among the attributes. `expect` becomes `allow`: it is fulfilled, or not, where the user wrote it.
fn lints(attrs: &[Attribute]) -> Vec<TokenStream> {
    let level = |attribute: &Attribute| {
        let lints = attribute.meta.require_list().ok().map(|meta| meta.tokens.clone())?;
        let path = attribute.path();
        if path.is_ident("expect") {
            Some(quote!(#[allow(#lints)]))
        } else {
            ["allow", "warn", "deny", "forbid"]
                .iter()
                .any(|level| path.is_ident(level))
                .then(|| quote!(#[#path(#lints)]))
        }
    };
    attrs.iter().filter_map(level).collect()
}

fn unraw(ident: &Ident) -> String {
    IdentExt::unraw(ident).to_string()
}
