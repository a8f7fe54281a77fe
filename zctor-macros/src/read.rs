//! From the attribute and its enum to a definition without faults.

use proc_macro2::TokenStream;

use crate::check;
use crate::errors::Errors;
use crate::parse::ast::{self, Definition};

/// The definition, or all of its faults as one error. `was_stripped` says whether a `cfg` may have taken variants out.
pub(crate) fn checked(args: TokenStream, item: TokenStream, was_stripped: bool) -> syn::Result<Definition> {
    let item = ast::parse(item)?;
    let mut errors = Errors::default();
    let definition = Definition::read(args, item, was_stripped, &mut errors);
    check::definition(&definition, &mut errors);
    errors.finish()?;
    Ok(definition)
}
