//! The name of a generated type: everywhere the same, but at a position of its own where the type is defined.

use proc_macro2::{Ident, Span, TokenStream};
use quote::ToTokens;

use crate::position;

/// The name of a generated type.
pub(crate) struct Named {
    pub(super) ident: Ident,
    /// The position of the name in the type's definition: that of the enum's name, or of the option that gives the
    /// name.
    pub(super) name_at: Span,
    /// The position of the tokens around the name there.
    pub(super) at: Span,
}

impl Named {
    pub(super) fn by_enum(ident: &Ident, enum_ident: &Ident) -> Self {
        let at = position::of(enum_ident);
        Self { ident: position::moved(ident, Span::call_site()), name_at: at, at }
    }

    /// An editor shows every token that stands at a word of an attribute, so the name alone stands there.
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
