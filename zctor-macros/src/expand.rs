//! Writes the generated items. This step decides nothing and cannot fail.

mod calls;
mod checks;
mod client;
mod dispatch;
mod double;
mod glue;
mod handler;
mod handles;
mod message;
mod remote;
mod request;

use proc_macro2::TokenStream;

use crate::model::Model;

/// Everything beside the enum.
pub(crate) fn definition(model: &Model<'_>) -> TokenStream {
    let items = [
        handler::definition,
        client::definition,
        handles::definition,
        request::definition,
        glue::definition,
        message::definition,
        dispatch::definition,
        calls::definition,
        checks::definition,
        double::definition,
        remote::definition,
    ];
    items.into_iter().map(|item| item(model)).collect()
}
