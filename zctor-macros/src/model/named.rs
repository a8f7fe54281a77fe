//! A name that the generated items share, and where it is defined.

use proc_macro2::{Ident, Span, TokenStream};
use quote::ToTokens;

use crate::position;

/// A type that is generated.
pub(crate) struct Named {
    pub(super) ident: Ident,
    /// The position of the name where the type is defined: that of the enum's, or of the option that gives it.
    pub(super) name_at: Span,
    /// The position of what is around the name there.
    pub(super) at: Span,
}

impl Named {
    pub(super) fn by_enum(ident: &Ident, enum_ident: &Ident) -> Self {
        let at = position::of(enum_ident);
        Self { ident: position::moved(ident, Span::call_site()), name_at: at, at }
    }

    /// An editor shows all that stands at a word in an attribute, so it is the name alone.
    pub(super) fn by_option(ident: &Ident) -> Self {
        let at = Span::call_site();
        Self { ident: position::moved(ident, at), name_at: position::of(ident), at }
    }
}

impl ToTokens for Named {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        self.ident.to_tokens(tokens);
    }
}
