//! Faults of a definition, collected so that they all come out in one compile.

use std::fmt::Display;

use quote::ToTokens;

/// The faults found so far. Each list ends in [`finish`](Errors::finish) or [`discard`](Errors::discard).
#[derive(Default)]
pub(crate) struct Errors {
    found: Option<syn::Error>,
    read: bool,
}

impl Errors {
    /// Reports a fault that underlines all of `tokens`.
    pub(crate) fn add(&mut self, tokens: impl ToTokens, message: impl Display) {
        self.push(syn::Error::new_spanned(tokens, message));
    }

    /// Reports an error that underlines its tokens already.
    pub(crate) fn push(&mut self, error: syn::Error) {
        match &mut self.found {
            Some(found) => found.combine(error),
            none => *none = Some(error),
        }
    }

    /// All faults as one error.
    pub(crate) fn finish(mut self) -> syn::Result<()> {
        self.read = true;
        self.found.take().map_or(Ok(()), Err)
    }

    /// Drops the faults of a second look at a definition: the first look has reported them.
    pub(crate) fn discard(mut self) {
        self.read = true;
    }
}

impl Drop for Errors {
    fn drop(&mut self) {
        debug_assert!(self.read || std::thread::panicking(), "faults were collected and not looked at");
    }
}
