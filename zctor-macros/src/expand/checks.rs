//! Code that never runs. It keeps lints silent, and it makes errors point at their cause.

use proc_macro2::{Span, TokenStream};
use quote::{format_ident, quote, quote_spanned};

use crate::model::{Model, Named, Variant};

pub(crate) fn definition(model: &Model<'_>) -> TokenStream {
    let mention = mention(model);
    let assertions = assertions(model);
    quote!(#mention #assertions)
}

/// Mentions every function that is generated for the user to call. Code that a trait's method mentions is not dead.
fn mention(model: &Model<'_>) -> TokenStream {
    let Model { krate, ty, .. } = model;
    let handler = model.handler_type();
    let generics = model.generics.with(&format_ident!("__H"), Some(syn::parse_quote!(__H: #handler)));
    let (params, _, bounds) = generics.split_for_impl();
    let attrs = model.attrs_of_all();
    let requests = model.variants.iter().filter(|variant| variant.reply.is_some()).map(mention_request);
    let whole: Vec<&Variant<'_>> = model.variants.iter().collect();
    let bindings = ["pin", "least_loaded"].map(|name| model.is_free(name).then(|| format_ident!("{name}")));
    let bindings = bindings.iter().flatten();
    let client = mention_client(model, &model.client, &whole, &quote!(#(let _ = Self::#bindings;)*));
    let keyed = model.is_free("keyed").then(|| mention_keyed(model));
    let handles = model.handles.iter().map(|handle| {
        let known: Vec<&Variant<'_>> = model.known_to(handle).collect();
        mention_client(model, &handle.name, &known, &TokenStream::new())
    });
    quote! {
        #attrs
        #[automatically_derived]
        impl #params #krate::__private::Mention<__H> for #ty #bounds {
            fn mention() {
                #(#requests)*
                let _ = Self::actor::<__H, fn() -> __H>;
                let _ = Self::try_actor::<__H, fn(&mut #krate::Context<Self>) -> ::core::result::Result<__H, #krate::BoxError>>;
                let _ = Self::actor_once::<__H, fn() -> __H>;
            }
        }

        #client
        #keyed
        #(#handles)*
    }
}

/// Mentions both views of a client, each as `Self`: where another item has taken the client's name, rustc reports that
/// alone.
fn mention_client(model: &Model<'_>, name: &Named, variants: &[&Variant<'_>], bindings: &TokenStream) -> TokenStream {
    let Model { krate, ty, .. } = model;
    let (params, _, bounds) = model.generics.plain().split_for_impl();
    let attrs = model.attrs_of_all();
    let one = |view: TokenStream, more: TokenStream| {
        let client = model.viewed(name, view);
        let methods = variants.iter().map(|variant| mention_method(variant));
        quote! {
            #attrs
            #[automatically_derived]
            impl #params #krate::__private::Mention<#ty> for #client #bounds {
                fn mention() {
                    #more
                    #(#methods)*
                }
            }
        }
    };
    let until = model.is_free("until").then(|| quote!(let _ = Self::until;));
    let both = quote!(let _ = (Self::within, Self::non_blocking); #until #bindings);
    let blocking = one(quote!(#krate::Blocking), both);
    let non_blocking = one(quote!(#krate::NonBlocking), TokenStream::new());
    quote!(#blocking #non_blocking)
}

/// A method whose parameters have types of their own stands in a closure, which infers those types.
fn mention_method(variant: &Variant<'_>) -> TokenStream {
    let method = &variant.method;
    if !variant.is_generic() {
        return quote!(let _ = Self::#method;);
    }
    let (parameters, names) = (typed(variant), names(variant));
    let this = quote_spanned!(Span::mixed_site()=> this);
    quote!(let _ = |#this: &Self, #parameters| Self::#method(#this, #names);)
}

fn mention_request(variant: &Variant<'_>) -> TokenStream {
    let method = &variant.method;
    if !variant.is_generic() {
        return quote!(let _ = Self::#method;);
    }
    let (parameters, names) = (typed(variant), names(variant));
    quote!(let _ = |#parameters| Self::#method(#names);)
}

fn typed(variant: &Variant<'_>) -> TokenStream {
    let (names, types): (Vec<_>, Vec<_>) = variant.fields.iter().map(|field| (&field.param, &field.ty)).unzip();
    quote!(#(#names: #types),*)
}

fn names(variant: &Variant<'_>) -> TokenStream {
    let names = variant.fields.iter().map(|field| &field.param);
    quote!(#(#names),*)
}

/// Mentions `keyed` in an impl of its own, with a parameter for the key, since no type of key fits every enum.
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
        impl #params #krate::__private::MentionKey<__Q> for #blocking #bounds {
            fn mention() {
                let _ = Self::keyed::<__Q>;
            }
        }
    }
}

/// Rustc reports a field or a reply that cannot cross threads here, once, on its type.
fn assertions(model: &Model<'_>) -> TokenStream {
    let krate = &model.krate;
    let (params, _, bounds) = model.generics.plain().split_for_impl();
    let fields = model.variants.iter().flat_map(|variant| &variant.fields).map(|field| &field.ty);
    let replies = model.variants.iter().filter_map(|variant| Some(&variant.reply.as_ref()?.ty));
    let attrs = model.attrs_of_all();
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
