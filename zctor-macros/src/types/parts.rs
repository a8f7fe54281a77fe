//! The parts of a type: what it holds, without a change to it.

use proc_macro2::{Ident, TokenStream, TokenTree};
use quote::ToTokens;
use syn::Type;
use syn::visit_mut::VisitMut;

/// The type without the invisible groups of macro arguments and without parentheses.
pub(crate) fn peel(mut ty: &Type) -> &Type {
    loop {
        match ty {
            Type::Group(group) => ty = &group.elem,
            Type::Paren(paren) => ty = &paren.elem,
            _ => return ty,
        }
    }
}

/// The first `impl Trait` in `ty`.
pub(crate) fn impl_trait(ty: &Type) -> Option<syn::TypeImplTrait> {
    let mut search = Search { impl_trait: None, infer: None };
    search.visit_type_mut(&mut ty.clone());
    search.impl_trait
}

/// The first `_` in `ty`.
pub(crate) fn infer(ty: &Type) -> Option<syn::TypeInfer> {
    let mut search = Search { impl_trait: None, infer: None };
    search.visit_type_mut(&mut ty.clone());
    search.infer
}

struct Search {
    impl_trait: Option<syn::TypeImplTrait>,
    infer: Option<syn::TypeInfer>,
}

impl VisitMut for Search {
    fn visit_type_impl_trait_mut(&mut self, ty: &mut syn::TypeImplTrait) {
        self.impl_trait.get_or_insert_with(|| ty.clone());
    }

    fn visit_type_infer_mut(&mut self, ty: &mut syn::TypeInfer) {
        self.infer.get_or_insert_with(|| ty.clone());
    }
}

/// The first `Self` in the tokens of a type macro, where no rewriting can reach it.
pub(crate) fn self_in_macro(ty: &Type) -> Option<Ident> {
    struct Macros(Option<Ident>);
    impl VisitMut for Macros {
        fn visit_macro_mut(&mut self, call: &mut syn::Macro) {
            let found = idents(&call.tokens).into_iter().find(|ident| ident == "Self");
            self.0 = self.0.take().or(found);
        }
    }
    let mut search = Macros(None);
    search.visit_type_mut(&mut ty.clone());
    search.0
}

/// Every identifier in the tokens.
pub(crate) fn idents(tokens: &TokenStream) -> Vec<Ident> {
    let mut all = Vec::new();
    for tree in tokens.clone() {
        match tree {
            TokenTree::Ident(ident) => all.push(ident),
            TokenTree::Group(group) => all.extend(idents(&group.stream())),
            _ => {}
        }
    }
    all
}

/// The number of tokens.
pub(crate) fn length(tokens: impl ToTokens) -> usize {
    let one = |tree| match tree {
        TokenTree::Group(group) => 1 + length(group.stream()),
        _ => 1,
    };
    tokens.into_token_stream().into_iter().map(one).sum()
}

/// Whether the identifier is among the tokens.
pub(crate) fn mentions(tokens: impl ToTokens, ident: &Ident) -> bool {
    idents(&tokens.into_token_stream()).contains(ident)
}
