//! The test double of a handler. It expands to nothing unless zctor's feature `testing` is on.

use proc_macro2::TokenStream;
use quote::{format_ident, quote};

use crate::model::{Model, Variant};

/// ```text
/// out  ::zctor::__private::double! {
///          [] [] CalculatorMessage: CalculatorHandler { fn add(i64, i64) -> i64; fn clear() -> (); }
///          __CalculatorMessagePort { Add }
///      }
/// ```
pub(crate) fn definition(model: &Model<'_>) -> TokenStream {
    let Model { krate, ty, .. } = model;
    let (params, _, bounds) = model.generics.plain().split_for_impl();
    let (handler, port, attrs) = (model.handler_type(), model.port_type(), model.attrs_of_all());
    let methods = model.variants.iter().chain(&model.handler_only).map(|variant| method(model, variant));
    let called = model.variants.iter().filter(|variant| variant.reply.is_some()).map(|variant| &variant.ident);
    let never = (!model.generics.types().is_empty()).then(|| format_ident!("__Never")).into_iter();
    quote! {
        #krate::__private::double! {
            #attrs
            [#params] [#bounds] #ty: #handler {
                #(#methods)*
            }
            #port { #(#called)* #(| #never)* }
        }
    }
}

pub(super) fn method(model: &Model<'_>, variant: &Variant<'_>) -> TokenStream {
    let Model { krate, ty, .. } = model;
    let method = &variant.method;
    let types = variant.fields.iter().map(|field| &field.ty);
    let ctx = model.ctx.map(|_| quote!(&mut #krate::Context<#ty>,));
    match &variant.reply {
        None => quote!(fn #method(#ctx #(#types),*) -> ();),
        Some(reply) => {
            let reply_ty = &reply.ty;
            if reply.deferred.is_some() {
                quote!(fn #method(#ctx #(#types,)* #krate::ReplyTo<#reply_ty>) -> ();)
            } else {
                quote!(fn #method(#ctx #(#types),*) -> #reply_ty;)
            }
        }
    }
}
