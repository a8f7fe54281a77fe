//! Writes the generated items. Nothing is decided here and nothing can fail.

mod client;
mod dispatch;
mod glue;
mod handler;
mod request;

use proc_macro2::TokenStream;
use quote::quote;

use crate::model::Model;

/// Everything beside the enum.
pub(crate) fn definition(model: &Model<'_>) -> TokenStream {
    let handler = handler::definition(model);
    let client = client::definition(model);
    let request = request::definition(model);
    let glue = glue::definition(model);
    let dispatch = dispatch::definition(model);
    quote!(#handler #client #request #glue #dispatch)
}
