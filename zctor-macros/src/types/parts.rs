//! Looking into the user's types, and moving them to places where `Self` means something else.

use proc_macro2::{Ident, Span, TokenStream, TokenTree};
use quote::ToTokens;
use syn::visit_mut::{self, VisitMut};
use syn::{Type, parse_quote};

use crate::position::respan;

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

/// `ty` with `Self` replaced by the enum it stood for, since in the handler trait `Self` is the state.
pub(crate) fn without_self(ty: &Type, enum_type: &TokenStream) -> Type {
    let mut ty = ty.clone();
    SelfIs(enum_type).visit_type_mut(&mut ty);
    ty
}

/// The same in a bound.
pub(crate) fn replace_self(predicate: &mut syn::WherePredicate, enum_type: &TokenStream) {
    SelfIs(enum_type).visit_where_predicate_mut(predicate);
}

struct SelfIs<'a>(&'a TokenStream);

impl SelfIs<'_> {
    /// `Self::LEN` becomes `<Enum>::LEN`.
    fn path(&self, qself: &mut Option<syn::QSelf>, path: &mut syn::Path) {
        let starts = path.leading_colon.is_none() && path.segments.first().is_some_and(|first| first.ident == "Self");
        if !starts || qself.is_some() || path.segments.len() < 2 {
            return;
        }
        let rest = path.segments.iter().skip(1);
        let ty = self.0;
        if let Ok(full) = syn::parse2::<syn::ExprPath>(quote::quote!(<#ty>::#(#rest)::*)) {
            *qself = full.qself;
            *path = full.path;
        }
    }
}

impl VisitMut for SelfIs<'_> {
    fn visit_type_mut(&mut self, ty: &mut Type) {
        visit_mut::visit_type_mut(self, ty);
        if let Type::Path(path) = ty {
            if path.qself.is_none() && path.path.is_ident("Self") {
                // With the position of `Self`, so that errors about the type point there.
                let span = path.path.segments.first().map_or_else(Span::call_site, |first| first.ident.span());
                *ty = Type::Verbatim(respan(self.0.clone(), span));
            } else {
                self.path(&mut path.qself, &mut path.path);
            }
        }
    }

    fn visit_expr_path_mut(&mut self, expr: &mut syn::ExprPath) {
        visit_mut::visit_expr_path_mut(self, expr);
        self.path(&mut expr.qself, &mut expr.path);
    }
}

/// What can stand for a type without a size.
pub(crate) fn owner(ty: &Type) -> Option<Type> {
    match peel(ty) {
        Type::Slice(slice) => {
            let elem = &slice.elem;
            Some(parse_quote!(Vec<#elem>))
        }
        Type::TraitObject(object) => Some(parse_quote!(Box<#object>)),
        Type::Path(path) if path.path.is_ident("str") => Some(parse_quote!(String)),
        _ => None,
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

/// `Self` inside the tokens of a type macro, where nothing can be replaced.
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

/// How many tokens there are.
pub(crate) fn length(tokens: impl ToTokens) -> usize {
    let one = |tree| match tree {
        TokenTree::Group(group) => 1 + length(group.stream()),
        _ => 1,
    };
    tokens.into_token_stream().into_iter().map(one).sum()
}

pub(crate) fn mentions(tokens: impl ToTokens, ident: &Ident) -> bool {
    idents(&tokens.into_token_stream()).contains(ident)
}

#[cfg(test)]
mod tests {
    use syn::Lifetime;

    use super::*;
    use crate::types::borrow::borrows;
    use crate::types::print::print;

    fn ty(text: &str) -> Type {
        syn::parse_str(text).expect("a type")
    }

    #[test]
    fn types_print_as_typed() {
        for text in [
            "Result<i64, DivideByZero>",
            "Box<dyn Fn(u8) -> Vec<u8> + Send + 'static>",
            "[u8; 32]",
            "&'static str",
            "(u8, std::sync::Arc<str>)",
            "fn(&mut State) -> ()",
            "<Vec<u8> as IntoIterator>::Item",
            "*const u8",
            "!",
        ] {
            assert_eq!(print(ty(text)), text);
        }
    }

    #[test]
    fn self_becomes_the_enum() {
        let tree = quote::quote!(Tree<T>);
        for (before, after) in [
            ("Self", "Tree<T>"),
            ("Vec<Option<Self>>", "Vec<Option<Tree<T>>>"),
            ("[u8; Self::LEN]", "[u8; <Tree<T>>::LEN]"),
            ("<Self as Iterator>::Item", "<Tree<T> as Iterator>::Item"),
            ("Selfish", "Selfish"),
        ] {
            assert_eq!(print(without_self(&ty(before), &tree)), after);
        }
    }

    #[test]
    fn borrows_are_found_unless_static_or_bound() {
        for (text, count) in [
            ("&str", 1),
            ("Vec<&'a [&u8]>", 2),
            ("Cow<'_, str>", 1),
            ("&'static str", 0),
            ("Cow<'static, str>", 0),
            ("fn(&str) -> &str", 0),
            ("Box<dyn Fn(&str) -> &str + Send>", 0),
            ("Box<dyn for<'b> Visit<'b> + Send>", 0),
        ] {
            assert_eq!(borrows(&ty(text), &[]).len(), count, "{text}");
        }
        let declared = [Lifetime::new("'a", Span::call_site())];
        assert!(borrows(&ty("&'a str"), &declared).is_empty());
    }
}
