//! Borrows in types. A message has none.

use proc_macro2::TokenStream;
use quote::ToTokens;
use syn::visit_mut::{self, VisitMut};
use syn::{Lifetime, Type};

use crate::types::owner::owned;
use crate::types::print::print;

/// A borrow in a type: the `&` or the lifetime, and a type that would do instead.
pub(crate) struct Borrow {
    pub(crate) at: TokenStream,
    pub(crate) instead: Instead,
}

pub(crate) enum Instead {
    /// Of a reference: its text, and the text of the type that owns the same data: (`&str`, `String`).
    Owner(String, String),
    /// Of a lifetime: the type around it with `'static` in its place: `Cow<'static, str>`.
    Static(String),
}

/// Every borrow in `ty` that is neither `'static`, nor bound inside the type as in `fn(&str)`, nor one of `declared`.
pub(crate) fn borrows(ty: &Type, declared: &[Lifetime]) -> Vec<Borrow> {
    let mut search = Borrows { declared: declared.to_vec(), found: Vec::new(), within: None, repair: false };
    search.visit_type_mut(&mut ty.clone());
    search.found
}

/// Makes every borrow in `ty` but those of `declared` a `'static` one, so that the type can be used after the fault.
pub(crate) fn make_static(ty: &mut Type, declared: &[Lifetime]) {
    Borrows { declared: declared.to_vec(), found: Vec::new(), within: None, repair: true }.visit_type_mut(ty);
}

/// Every `'static` reference in `ty`, with the type that owns the same data.
pub(crate) fn static_references(ty: &Type) -> Vec<(TokenStream, String, String)> {
    let mut search = Statics { found: Vec::new(), repair: false };
    search.visit_type_mut(&mut ty.clone());
    search.found
}

/// Puts the type that owns the same data in place of every `'static` reference in `ty`.
pub(crate) fn make_owned(ty: &mut Type) {
    Statics { found: Vec::new(), repair: true }.visit_type_mut(ty);
}

struct Statics {
    found: Vec<(TokenStream, String, String)>,
    repair: bool,
}

impl VisitMut for Statics {
    fn visit_type_mut(&mut self, ty: &mut Type) {
        visit_mut::visit_type_mut(self, ty);
        let Type::Reference(reference) = &*ty else { return };
        if reference.lifetime.as_ref().is_none_or(|lifetime| lifetime.ident != "static") {
            return;
        }
        let mut at = reference.and_token.to_token_stream();
        reference.lifetime.to_tokens(&mut at);
        let owner = owned(&reference.elem);
        if self.repair {
            if let Ok(owner) = syn::parse_str(&owner) {
                *ty = owner;
            }
        } else {
            self.found.push((at, format!("&'static {}", print(&reference.elem)), owner));
        }
    }

    // The arguments of a function do not travel with it.
    fn visit_type_fn_ptr_mut(&mut self, _: &mut syn::TypeFnPtr) {}
}

struct Borrows {
    declared: Vec<Lifetime>,
    found: Vec<Borrow>,
    /// The text of the type around the current lifetime, with `'static` in place of its lifetimes.
    within: Option<String>,
    repair: bool,
}

impl Borrows {
    fn is_fine(&self, lifetime: &Lifetime) -> bool {
        lifetime.ident == "static" || self.declared.contains(lifetime)
    }
}

impl VisitMut for Borrows {
    fn visit_type_reference_mut(&mut self, ty: &mut syn::TypeReference) {
        if !ty.lifetime.as_ref().is_some_and(|lifetime| self.is_fine(lifetime)) {
            let mut at = ty.and_token.to_token_stream();
            ty.lifetime.to_tokens(&mut at);
            let instead = Instead::Owner(print(&*ty), owned(&ty.elem));
            self.found.push(Borrow { at, instead });
            if self.repair {
                ty.lifetime = Some(Lifetime::new("'static", ty.and_token.span));
            }
        }
        self.visit_type_mut(&mut ty.elem);
    }

    fn visit_type_path_mut(&mut self, ty: &mut syn::TypePath) {
        let outer = self.within.take();
        if !self.repair {
            let mut owned = Type::Path(ty.clone());
            make_static(&mut owned, &[]);
            self.within = Some(print(&owned));
        }
        visit_mut::visit_type_path_mut(self, ty);
        self.within = outer;
    }

    fn visit_lifetime_mut(&mut self, lifetime: &mut Lifetime) {
        if !self.is_fine(lifetime) {
            let instead = Instead::Static(self.within.clone().unwrap_or_else(|| "'static".to_owned()));
            self.found.push(Borrow { at: lifetime.to_token_stream(), instead });
            if self.repair {
                *lifetime = Lifetime::new("'static", lifetime.span());
            }
        }
    }

    // A function type binds the lifetimes of its own references, and `for<..>` those that it declares.
    fn visit_type_fn_ptr_mut(&mut self, _: &mut syn::TypeFnPtr) {}
    fn visit_parenthesized_generic_arguments_mut(&mut self, _: &mut syn::ParenthesizedGenericArguments) {}
    fn visit_trait_bound_mut(&mut self, bound: &mut syn::TraitBound) {
        if bound.lifetimes.is_none() {
            visit_mut::visit_trait_bound_mut(self, bound);
        }
    }
}

#[cfg(test)]
mod tests {
    use proc_macro2::Span;

    use super::*;

    fn ty(text: &str) -> Type {
        syn::parse_str(text).expect("a type")
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
        for (text, owner) in [
            ("&'static str", "String"),
            ("Option<&'static [u8]>", "Option<Vec<u8>>"),
            ("Cow<'static, str>", "Cow<'static, str>"),
        ] {
            let mut of = ty(text);
            assert_eq!(static_references(&of).len(), usize::from(text != owner), "{text}");
            make_owned(&mut of);
            assert_eq!(print(&of), owner);
        }
        let declared = [Lifetime::new("'a", Span::call_site())];
        assert!(borrows(&ty("&'a str"), &declared).is_empty());
    }
}
