//! `Self` in the user's types becomes the enum. In the handler trait, `Self` is the state.

use proc_macro2::{Span, TokenStream};
use syn::Type;
use syn::visit_mut::{self, VisitMut};

use crate::position::respan;

/// `ty` with the enum in place of `Self`.
pub(crate) fn without_self(ty: &Type, enum_type: &TokenStream) -> Type {
    let mut ty = ty.clone();
    SelfIs(enum_type).visit_type_mut(&mut ty);
    ty
}

/// Puts the enum in place of `Self` in a bound.
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
                // The enum takes the position of `Self`, so that errors about the type point there.
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::print::print;

    fn ty(text: &str) -> Type {
        syn::parse_str(text).expect("a type")
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
}
