//! The positions of generated tokens. Each takes the position of the user's token that it stands for, so that errors
//! point there. Each is marked as the macro's own all the same, so that lints leave it alone.

use proc_macro2::{Group, Ident, Span, TokenStream, TokenTree};
use quote::quote_spanned;
use syn::Type;
use syn::spanned::Spanned;

/// The position of `span`, for a token of the macro's own.
pub(crate) fn at(span: Span) -> Span {
    Span::call_site().located_at(span)
}

/// The position of a word.
pub(crate) fn of(word: &Ident) -> Span {
    at(word.span())
}

/// The position of one of the user's types.
pub(crate) fn of_type(ty: &Type) -> Span {
    at(ty.span())
}

/// The same name at another position. The compiler reads it in the macro's edition, where `gen` is a keyword, so `gen`
/// becomes raw; in the user's edition both may be one name.
pub(crate) fn moved(ident: &Ident, span: Span) -> Ident {
    let mut moved = if ident == "gen" { Ident::new_raw("gen", span) } else { ident.clone() };
    moved.set_span(span);
    moved
}

/// The same tokens at another position, as if the macro had written them.
pub(crate) fn respan(tokens: TokenStream, span: Span) -> TokenStream {
    let one = |mut tree: TokenTree| {
        if let TokenTree::Group(group) = &tree {
            tree = TokenTree::Group(Group::new(group.delimiter(), respan(group.stream(), span)));
        }
        tree.set_span(at(span));
        tree
    };
    tokens.into_iter().map(one).collect()
}

/// `()` at a position.
pub(crate) fn unit(span: Span) -> Type {
    Type::Verbatim(quote_spanned!(span=> ()))
}
