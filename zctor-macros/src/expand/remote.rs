//! The way of an enum's messages to another process, for `#[actor(remote)]`; nothing for an enum without.

use proc_macro2::{Span, TokenStream};
use quote::{format_ident, quote, quote_spanned};

use crate::expand::double::method;
use crate::model::Model;

/// ```text
/// out  ::zctor::__private::remote! {
///          [] [where i64: RemoteValue] CalculatorMessage: CalculatorHandler as "CalculatorMessage" {
///              fn add(i64, i64) -> i64;
///          }
///          serve(to) { Self::Add { a, b } => (Self::add(a, b)) }
///          deferred { }
///          __CalculatorMessagePort { Add }
///      }
/// ```
pub(crate) fn definition(model: &Model<'_>) -> TokenStream {
    let Some(wire) = &model.remote else { return TokenStream::new() };
    let Model { krate, ty, .. } = model;
    let called = || model.variants.iter().filter_map(|variant| Some((variant, variant.reply.as_ref()?)));
    let mut generics = model.generics.plain().clone();
    let predicates = &mut generics.make_where_clause().predicates;
    if !model.generics.is_empty() {
        predicates.push(syn::parse_quote!(#ty: #krate::remote::RemoteValue));
    }
    // Rustc reports a field or a reply that cannot travel here, once, on its type.
    let types = model.travelling.iter().chain(called().map(|(_, reply)| &reply.ty));
    predicates.extend(types.map(|ty| -> syn::WherePredicate { syn::parse_quote!(#ty: #krate::remote::RemoteValue) }));
    let (params, _, bounds) = generics.split_for_impl();
    let (handler, port, attrs) = (model.handler_type(), model.port_type(), model.attrs_of_all());
    let methods = model.variants.iter().chain(&model.handler_only).map(|variant| method(model, variant));
    let to = quote_spanned!(Span::mixed_site()=> to);
    let arms = called().map(|(variant, _)| {
        let (pattern, method) = (variant.pattern(quote!(Self)), &variant.method);
        let names = variant.fields.iter().map(|field| &field.param);
        quote!(#pattern => (Self::#method(#(#names),*)))
    });
    let late = called().filter(|(_, reply)| reply.deferred.is_some()).map(|(variant, _)| &variant.ident);
    let ports = called().map(|(variant, _)| &variant.ident);
    let never = (!model.generics.types().is_empty()).then(|| format_ident!("__Never")).into_iter();
    quote! {
        #krate::__private::remote! {
            #attrs
            [#params] [#bounds] #ty: #handler as #wire {
                #(#methods)*
            }
            serve(#to) { #(#arms)* }
            deferred { #(#late)* }
            #port { #(#ports)* #(| #never)* }
        }
    }
}
