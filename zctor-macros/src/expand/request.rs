//! The requests, and the ports that their replies go to.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};

use crate::model::docs::Added;
use crate::model::{Model, Reply, Variant};
use crate::types;

/// ```text
/// in   #[reply(i64)] Add { a: i64, b: i64 }
/// out  impl CalculatorMessage {
///          pub fn add(a: i64, b: i64) -> Request<Self, i64> {
///              Request::__new(Self::Add { a, b }, __CalculatorMessagePort::Add)
///          }
///      }
///      pub enum __CalculatorMessagePort { Add(ReplyTo<i64>) }
///      impl Port for __CalculatorMessagePort { .. }
/// ```
pub(crate) fn definition(model: &Model<'_>) -> TokenStream {
    let constructors = constructors(model);
    let port = port(model);
    let port_impl = port_impl(model);
    quote!(#constructors #port #port_impl)
}

fn calls<'a>(model: &'a Model<'_>) -> impl Iterator<Item = (&'a Variant<'a>, &'a Reply)> {
    model.variants.iter().filter_map(|variant| variant.reply.as_ref().map(|reply| (variant, reply)))
}

fn constructors(model: &Model<'_>) -> TokenStream {
    let functions: Vec<TokenStream> = calls(model).map(|(variant, reply)| constructor(model, variant, reply)).collect();
    if functions.is_empty() {
        return TokenStream::new();
    }
    let (params, _, bounds) = model.generics.plain().split_for_impl();
    let Model { ty, .. } = model;
    let attrs = model.attrs_of_signatures();
    quote! {
        #attrs
        impl #params #ty #bounds {
            #(#functions)*
        }
    }
}

fn constructor(model: &Model<'_>, variant: &Variant<'_>, reply: &Reply) -> TokenStream {
    let Model { krate, port, .. } = model;
    let (ident, method, vis) = (&variant.ident, &variant.method, &variant.vis);
    let (lints, deprecated) = (&variant.lints, &variant.deprecated);
    let docs = variant.docs.with(|variant| Added {
        does: format!("A request of {variant}, whose reply is `{}`.", types::print(&reply.ty)),
        errors: None,
    });
    let many = variant.too_many_arguments(0);
    let parameters = variant.parameters();
    let message = variant.value(quote!(Self));
    let span = variant.span;
    let Reply { ty, deferred } = reply;
    let (kind, new) = if deferred.is_some() {
        (quote_spanned!(span=> , #krate::Deferred), quote_spanned!(span=> __deferred))
    } else {
        (quote!(), quote_spanned!(span=> __new))
    };
    let function = quote_spanned! {span=>
        #vis fn #method(#parameters) -> #krate::Request<Self, #ty #kind> {
            #krate::Request::#new(#message, #port::#ident)
        }
    };
    quote!(#docs #(#lints)* #deprecated #many #function)
}

fn port(model: &Model<'_>) -> TokenStream {
    let Model { krate, port, .. } = model;
    let vis = &model.item.vis;
    let (params, _, bounds) = model.generics.plain().split_for_impl();
    let (attrs, allowed) = (model.attrs_of_signatures(), &model.allowed);
    let (idents, replies): (Vec<_>, Vec<_>) = calls(model).map(|(variant, reply)| (&variant.ident, &reply.ty)).unzip();
    let types = model.generics.types();
    let rest = (!types.is_empty())
        .then(|| quote!(__Never(::core::marker::PhantomData<fn() -> (#(::core::marker::PhantomData<#types>,)*)>, ::core::convert::Infallible),));
    quote! {
        #[doc(hidden)]
        #attrs
        #(#allowed)*
        #vis enum #port #params #bounds {
            #(#idents(#krate::ReplyTo<#replies>),)*
            #rest
        }
    }
}

fn port_impl(model: &Model<'_>) -> TokenStream {
    let Model { krate, .. } = model;
    let port = model.port_type();
    let (params, _, bounds) = model.generics.plain().split_for_impl();
    let attrs = model.attrs();
    let idents: Vec<_> = calls(model).map(|(variant, _)| &variant.ident).collect();
    let never = (!model.generics.types().is_empty()).then(|| quote!(Self::__Never(_, never) => match never {},));
    // Only a handler with a context can ask after its caller.
    let caller = (model.ctx.is_some() && !idents.is_empty()).then(|| {
        quote! {
            fn caller(&self) -> ::core::option::Option<::std::sync::Arc<dyn #krate::__private::Caller>> {
                match *self {
                    #(Self::#idents(ref to) => to.__caller(),)*
                    #never
                }
            }
        }
    });
    let unused = idents.is_empty().then(|| quote!(let _ = error;));
    quote! {
        #attrs
        #[automatically_derived]
        impl #params #krate::__private::Port for #port #bounds {
            fn fail(self, error: #krate::CallError) {
                #unused
                match self {
                    #(Self::#idents(to) => to.__fail(error),)*
                    #never
                }
            }

            fn cancellation(&self) -> ::core::option::Option<&#krate::__private::Cancellation> {
                match *self {
                    #(Self::#idents(ref to) => to.__cancellation(),)*
                    #never
                }
            }

            #caller
        }
    }
}
