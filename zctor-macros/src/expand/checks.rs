//! Code that never runs: it keeps lints silent and makes errors point at their cause.

use proc_macro2::{Span, TokenStream};
use quote::{format_ident, quote, quote_spanned};

use crate::model::{Handle, Model, Variant};

pub(crate) fn definition(model: &Model<'_>) -> TokenStream {
    let mention = mention(model);
    let assertions = assertions(model);
    quote!(#mention #assertions)
}

/// Mentions everything that is generated for the user to call: what a trait's method mentions is not dead code.
fn mention(model: &Model<'_>) -> TokenStream {
    let Model { krate, ty, .. } = model;
    let handler = model.handler_type();
    let generics = model.generics.with(&format_ident!("__H"), Some(syn::parse_quote!(__H: #handler)));
    let (params, _, bounds) = generics.split_for_impl();
    let attrs = model.attrs_of_all();
    let blocking = model.client_with(quote!(#krate::Blocking));
    let non_blocking = model.client_with(quote!(#krate::NonBlocking));
    let methods = model.variants.iter().map(|variant| mention_method(variant, &[&blocking, &non_blocking]));
    let bindings = ["pin", "least_loaded"].map(|name| model.is_free(name).then(|| format_ident!("{name}")));
    let bindings = bindings.iter().flatten();
    let keyed = model.is_free("keyed").then(|| mention_keyed(model));
    let handles = model.handles.iter().map(|handle| mention_handle(model, handle));
    let requests = model.variants.iter().filter(|variant| variant.reply.is_some()).map(mention_request);
    quote! {
        #attrs
        #[automatically_derived]
        impl #params #krate::__private::Mention<__H> for #ty #bounds {
            fn mention() {
                let _ = (<#blocking>::within, <#blocking>::non_blocking);
                #(let _ = <#blocking>::#bindings;)*
                #(#methods)*
                #(#handles)*
                #(#requests)*
                let _ = Self::actor::<__H, fn() -> __H>;
                let _ = Self::try_actor::<__H, fn(&mut #krate::Context<Self>) -> ::core::result::Result<__H, #krate::BoxError>>;
                let _ = Self::actor_once::<__H, fn() -> __H>;
            }
        }

        #keyed
    }
}

/// In closures where the parameters have types of their own, which nothing here could say.
fn mention_method(variant: &Variant<'_>, clients: &[&TokenStream]) -> TokenStream {
    let method = &variant.method;
    if !variant.is_generic() {
        return quote!(let _ = (#(<#clients>::#method),*););
    }
    let (names, types): (Vec<_>, Vec<_>) = variant.fields.iter().map(|field| (&field.param, &field.ty)).unzip();
    let this = quote_spanned!(Span::mixed_site()=> this);
    let one = |client: &&TokenStream| quote!(let _ = |#this: &#client, #(#names: #types),*| <#client>::#method(#this, #(#names),*););
    clients.iter().map(one).collect()
}

fn mention_handle(model: &Model<'_>, handle: &Handle) -> TokenStream {
    let krate = &model.krate;
    let blocking = model.viewed(&handle.ident, quote!(#krate::Blocking));
    let non_blocking = model.viewed(&handle.ident, quote!(#krate::NonBlocking));
    let methods = model.known_to(handle).map(|variant| mention_method(variant, &[&blocking, &non_blocking]));
    quote! {
        let _ = (<#blocking>::within, <#blocking>::non_blocking);
        #(#methods)*
    }
}

fn mention_request(variant: &Variant<'_>) -> TokenStream {
    let method = &variant.method;
    if !variant.is_generic() {
        return quote!(let _ = Self::#method;);
    }
    let (names, types): (Vec<_>, Vec<_>) = variant.fields.iter().map(|field| (&field.param, &field.ty)).unzip();
    quote!(let _ = |#(#names: #types),*| Self::#method(#(#names),*);)
}

/// Of its own, since no key type is at hand that fits every enum.
fn mention_keyed(model: &Model<'_>) -> TokenStream {
    let Model { krate, ty, .. } = model;
    let bound = syn::parse_quote!(__Q: ::core::hash::Hash + ?::core::marker::Sized);
    let mut generics = model.generics.with(&format_ident!("__Q"), Some(bound));
    generics
        .make_where_clause()
        .predicates
        .push(syn::parse_quote!(<#ty as #krate::Message>::Key: #krate::__private::KeyOf<__Q>));
    let (params, _, bounds) = generics.split_for_impl();
    let attrs = model.attrs_of_all();
    let blocking = model.client_with(quote!(#krate::Blocking));
    quote! {
        #attrs
        #[automatically_derived]
        impl #params #krate::__private::MentionKey<__Q> for #ty #bounds {
            fn mention() {
                let _ = <#blocking>::keyed::<__Q>;
            }
        }
    }
}

/// A field or reply that cannot cross threads is reported here, once, on its type.
fn assertions(model: &Model<'_>) -> TokenStream {
    let krate = &model.krate;
    let (params, _, bounds) = model.generics.plain().split_for_impl();
    let fields = model.variants.iter().flat_map(|variant| &variant.fields).map(|field| &field.ty);
    let replies = model.variants.iter().filter_map(|variant| Some(&variant.reply.as_ref()?.ty));
    let attrs = model.attrs();
    quote! {
        #attrs
        const _: () = {
            fn __assert #params() #bounds {
                #(#krate::__private::assert_field::<#fields>();)*
                #(#krate::__private::assert_reply::<#replies>();)*
            }
        };
    }
}
