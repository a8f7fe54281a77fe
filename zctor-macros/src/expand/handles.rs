//! Handles: clients that know some of the variants, and no way to the others.

use proc_macro2::TokenStream;
use quote::quote;
use syn::ext::IdentExt;

use crate::expand::client::{self, Face};
use crate::model::{Handle, Model};

/// ```text
/// in   #[actor(handles(ReaderClient = [Get]))] enum StoreMessage { #[reply(u8)] Get, Put(u8) }
/// out  pub struct ReaderClient<V = Blocking> { client: Part<Client<StoreMessage, V>> }
///      impl ReaderClient<Blocking> {
///          pub fn get(&self) -> Result<u8, CallError> { self.client.whole().call(StoreMessage::get()) }
///      }
///      impl<V> From<StoreClient<V>> for ReaderClient<V> { .. }
///      ..
/// ```
pub(crate) fn definition(model: &Model<'_>) -> TokenStream {
    model.handles.iter().map(|handle| one(model, handle)).collect()
}

fn one(model: &Model<'_>, handle: &Handle) -> TokenStream {
    let variants: Vec<_> = model.known_to(handle).collect();
    let name = model.item.ident.unraw();
    let links: Vec<String> = variants.iter().map(|variant| format!("[`{name}::{}`]", variant.ident.unraw())).collect();
    let doc = match links.split_last() {
        None => format!(" A typed handle for no variant of [`{name}`]."),
        Some((last, [])) => format!(" A typed handle for {last} alone, cheap to clone."),
        Some((last, others)) => format!(" A typed handle for {} and {last} alone, cheap to clone.", others.join(", ")),
    };
    let face = Face { name: &handle.name, is_part: true };
    let structure = client::structure(model, &face, &doc);
    let both = client::both_views(model, &face, &TokenStream::new());
    let views = client::views(model, &face, &variants);
    let traits = client::traits(model, &face);
    let conversions = conversions(model, handle);
    quote!(#structure #both #views #traits #conversions)
}

/// The conversions from the whole client, whose view the handle keeps. No handle becomes the whole client again.
fn conversions(model: &Model<'_>, handle: &Handle) -> TokenStream {
    let generics = model.generics.with(&model.view, None);
    let (params, _, bounds) = generics.split_for_impl();
    let (whole, part) = (model.client_with(&model.view), model.viewed(&handle.name, &model.view));
    let (attrs, krate) = (model.attrs(), &model.krate);
    quote! {
        #attrs
        #[automatically_derived]
        impl #params ::core::convert::From<#whole> for #part #bounds {
            fn from(whole: #whole) -> Self {
                Self { client: #krate::__private::Part::new(whole.client) }
            }
        }

        #attrs
        #[automatically_derived]
        impl #params ::core::convert::From<&#whole> for #part #bounds {
            fn from(whole: &#whole) -> Self {
                <Self as ::core::convert::From<#whole>>::from(::core::clone::Clone::clone(whole))
            }
        }
    }
}
