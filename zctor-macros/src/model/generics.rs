//! The enum's parameters as the generated items carry them.

use proc_macro2::{Ident, TokenStream};
use quote::{ToTokens, quote};
use syn::punctuated::Punctuated;
use syn::{GenericParam, ItemEnum, TypeParam, WherePredicate, parse_quote};

use crate::{position, types};

/// The enum's generics without defaults and lifetimes. Every bound stands in the where clause. Each type parameter is
/// also `Send + 'static`, since messages cross threads and outlive their senders.
pub(crate) struct Generics {
    plain: syn::Generics,
    /// The parameters in the same order, with the user's defaults.
    defaults: Vec<GenericParam>,
}

impl Generics {
    pub(crate) fn new(item: &ItemEnum) -> Self {
        let mut plain = syn::Generics::default();
        let mut defaults = Vec::new();
        let mut predicates: Punctuated<WherePredicate, syn::Token![,]> = Punctuated::new();
        for param in &item.generics.params {
            match param {
                GenericParam::Lifetime(_) => {}
                GenericParam::Type(param) => {
                    let (ident, bounds) = (moved(&param.ident), param.bounds.iter());
                    predicates.push(parse_quote!(#ident: #(#bounds +)* ::core::marker::Send + 'static));
                    plain.params.push(parse_quote!(#ident));
                    let bare =
                        TypeParam { attrs: Vec::new(), bounds: Punctuated::new(), colon_token: None, ..param.clone() };
                    defaults.push(GenericParam::Type(bare));
                }
                GenericParam::Const(param) => {
                    let (ident, ty) =
                        (moved(&param.ident), position::respan(param.ty.to_token_stream(), position::of(&param.ident)));
                    plain.params.push(parse_quote!(const #ident: #ty));
                    let mut bare = param.clone();
                    bare.attrs.clear();
                    defaults.push(GenericParam::Const(bare));
                }
            }
        }
        if let Some(clause) = &item.generics.where_clause {
            predicates.extend(clause.predicates.iter().cloned());
        }
        // In the handler trait `Self` would be the state.
        let ty = self_type(item);
        for predicate in &mut predicates {
            types::replace_self(predicate, &ty);
        }
        if !predicates.is_empty() {
            plain.make_where_clause().predicates = predicates;
        }
        Self { plain, defaults }
    }

    pub(crate) fn plain(&self) -> &syn::Generics {
        &self.plain
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.plain.params.is_empty()
    }

    /// The generics with one more type parameter after the enum's own, and its bound.
    pub(crate) fn with(&self, param: &Ident, bound: Option<WherePredicate>) -> syn::Generics {
        let mut generics = self.plain.clone();
        generics.params.push(parse_quote!(#param));
        if let Some(bound) = bound {
            generics.make_where_clause().predicates.push(bound);
        }
        generics
    }

    /// The parameters with their defaults, which only the definition of a type may have.
    pub(crate) fn declared(&self) -> &[GenericParam] {
        &self.defaults
    }

    /// The parameters as arguments of a generated type: `K, V, N`.
    pub(crate) fn arguments(&self) -> Vec<TokenStream> {
        self.plain.params.iter().filter_map(name).collect()
    }

    /// The type parameters alone, for phantom data.
    pub(crate) fn types(&self) -> Vec<Ident> {
        self.plain.type_params().map(|param| param.ident.clone()).collect()
    }
}

/// The enum as a type: `CacheMessage<K, V>`. A lifetime, which a rule refuses, becomes `'static`.
pub(crate) fn self_type(item: &ItemEnum) -> TokenStream {
    let ident = &item.ident;
    let arguments = item.generics.params.iter().map(|param| name(param).unwrap_or_else(|| quote!('static)));
    if item.generics.params.is_empty() { quote!(#ident) } else { quote!(#ident<#(#arguments),*>) }
}

/// The parameter at its position, but marked as the macro's. Otherwise rustc would propose one more parameter for each
/// generated item that names an unknown type.
fn moved(ident: &Ident) -> Ident {
    position::moved(ident, position::of(ident))
}

fn name(param: &GenericParam) -> Option<TokenStream> {
    match param {
        GenericParam::Lifetime(_) => None,
        GenericParam::Type(param) => Some(param.ident.to_token_stream()),
        GenericParam::Const(param) => Some(param.ident.to_token_stream()),
    }
}
