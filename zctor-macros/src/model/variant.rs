//! A variant with every name, type and visibility settled.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, quote, quote_spanned};
use syn::{Attribute, Member, Type, Visibility};

use crate::model::{docs, lints};
use crate::parse::ast::{self, Definition, Shape};
use crate::{position, types};

pub(crate) struct Variant<'a> {
    /// The name at its position, but marked as the macro's: lints judge the name on the enum, and once is enough.
    pub(crate) ident: Ident,
    pub(crate) shape: Shape,
    pub(crate) method: Ident,
    pub(crate) fields: Vec<Field>,
    pub(crate) reply: Option<Reply>,
    pub(crate) key: Option<usize>,
    /// Whether a work queue may keep it until its reply says that it is handled.
    pub(crate) durable: bool,
    /// Whether it is for the actor itself, and never leaves its process.
    pub(crate) internal: bool,
    /// The visibility of the variant's request and client methods.
    pub(crate) vis: Visibility,
    /// The position of each token that stands for this variant.
    pub(crate) span: Span,
    pub(crate) docs: docs::Copied<'a>,
    pub(crate) lints: Vec<TokenStream>,
    /// The variant's `must_use`, if it has a text. One without a text adds nothing to the `must_use` of the results.
    pub(crate) must_use: Option<TokenStream>,
    /// The variant's `deprecated`, and an `allow` for the macro's own use of the variant.
    pub(crate) deprecated: Option<TokenStream>,
}

pub(crate) struct Reply {
    pub(crate) ty: Type,
    /// The position of `deferred`, if the handler is given the port and may answer later.
    pub(crate) deferred: Option<Span>,
}

pub(crate) struct Field {
    pub(crate) member: Member,
    pub(crate) param: Ident,
    pub(crate) ty: Type,
    /// Whether clients and requests take any type that converts into this one.
    pub(crate) into: bool,
}

impl<'a> Variant<'a> {
    pub(super) fn resolve(variant: &'a ast::Variant, definition: &Definition, ty: &TokenStream) -> Self {
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
            durable: variant.options.durable.get().is_some(),
            internal: variant.options.internal.get().is_some(),
            vis: vis(variant, definition, span),
            span,
            docs: docs::Copied::of(variant, &definition.item.ident),
            lints: lints::of_methods(variant),
            must_use: variant.must_use.iter().find_map(|attribute| must_use(attribute, span)),
            deprecated: named("deprecated").map(|attribute| quote!(#attribute #[allow(deprecated)])),
        }
    }

    /// The variant as a pattern, with the parameters for the fields: `Self::Add { a, b }`.
    pub(crate) fn pattern(&self, ty: TokenStream) -> TokenStream {
        self.with_fields(&ty, |field| {
            let param = &field.param;
            quote!(#param)
        })
    }

    /// The variant as a value, made from the parameters of clients and requests.
    pub(crate) fn value(&self, ty: TokenStream) -> TokenStream {
        let span = self.span;
        self.with_fields(&ty, |Field { member, param, into, .. }| {
            if !*into {
                return quote!(#param);
            }
            let name = (self.shape == Shape::Named).then(|| quote!(#member:));
            let value = quote_spanned!(span=> ::core::convert::Into::into(#param));
            quote!(#name #value)
        })
    }

    fn with_fields(&self, ty: &TokenStream, written: impl Fn(&Field) -> TokenStream) -> TokenStream {
        let ident = &self.ident;
        let fields = self.fields.iter().map(written);
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

    /// Whether a parameter has a type of its own, `impl Into<..>`: such a method cannot be mentioned without arguments.
    pub(crate) fn is_generic(&self) -> bool {
        self.fields.iter().any(|field| field.into)
    }

    /// An `allow` for a method with too many arguments for clippy: one for each field, and `more`.
    pub(crate) fn too_many_arguments(&self, more: usize) -> Option<TokenStream> {
        // The user has chosen the number of fields, and the method follows.
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
    // Editors and rustdoc go by the first and the last token of a method, so the first stands at the variant too.
    let tokens = position::respan(definition.item.vis.to_token_stream(), span);
    syn::parse2(tokens).unwrap_or(Visibility::Inherited)
}

fn must_use(attribute: &Attribute, span: Span) -> Option<TokenStream> {
    let text = &attribute.meta.require_name_value().ok()?.value;
    Some(quote_spanned!(span=> #[must_use = #text]))
}
