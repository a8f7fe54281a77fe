//! From the attribute and its enum to a definition without faults.

use proc_macro2::TokenStream;

use crate::check;
use crate::errors::Errors;
use crate::parse::ast::{self, Definition, Source};

/// The definition, or all of its faults as one error.
pub(crate) fn checked(args: TokenStream, item: TokenStream, source: Source) -> syn::Result<Definition> {
    let item = ast::parse(item)?;
    let mut errors = Errors::default();
    let definition = Definition::read(args, item, source, &mut errors);
    check::definition(&definition, &mut errors);
    errors.finish()?;
    Ok(definition)
}
