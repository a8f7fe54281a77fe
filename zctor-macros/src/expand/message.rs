//! The impl of `Message`: the name, the call depth and the types that the runtime asks for.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::ext::IdentExt;
use syn::{ConstParam, GenericParam, Member, TypeParam};

use crate::model::{Key, Model};
use crate::{position, types};

/// ```text
/// out  impl Message for CalculatorMessage {
///          const NAME: &'static str = "CalculatorMessage";
///          const DEFINITION: &'static Definition = ..;
///          ..
///          fn variant(&self) -> &'static str { match self { Self::Add { .. } => "Add", .. } }
///      }
/// ```
pub(crate) fn definition(model: &Model<'_>) -> TokenStream {
    let Model { krate, ty, name, .. } = model;
    let port = model.port_type();
    let (params, _, bounds) = model.generics.plain().split_for_impl();
    let attrs = model.attrs_of_all();
    let client = model.client_with(quote!(#krate::Blocking));
    let non_blocking = model.client_with(quote!(#krate::NonBlocking));
    let full_name = full_name(model);
    let depth = depth(model);
    let written = written(model);
    let (key, hash) = key(model);
    let payload = payload(model);
    let arms = model.variants.iter().map(|variant| {
        let (ident, text) = (&variant.ident, variant.ident.unraw().to_string());
        quote!(Self::#ident { .. } => #text,)
    });
    let subject = if model.item.variants.is_empty() { quote!(*self) } else { quote!(self) };
    let filler = filler(model).map(|arm| quote!(#arm => "",));
    quote! {
        #attrs
        #[automatically_derived]
        impl #params #krate::Message for #ty #bounds {
            const NAME: &'static ::core::primitive::str = #name;
            #full_name
            #depth
            #written
            type Client = #client;
            type NonBlockingClient = #non_blocking;
            type Port = #port;
            #key

            fn variant(&self) -> &'static ::core::primitive::str {
                match #subject {
                    #(#arms)*
                    #filler
                }
            }

            #hash
            #payload
        }
    }
}

/// An arm for the variants that the model lacks because of a fault.
pub(crate) fn filler(model: &Model<'_>) -> Option<TokenStream> {
    (model.item.variants.len() > model.variants.len()).then(|| quote!(_))
}

/// The name of a generic enum, which shows its parameters.
fn full_name(model: &Model<'_>) -> Option<TokenStream> {
    let krate = &model.krate;
    let generics = model.generics.plain();
    let parameters = generics.params.iter().filter_map(|parameter| match parameter {
        GenericParam::Type(TypeParam { ident, .. }) => Some(quote!(parameters.ty::<#ident>();)),
        GenericParam::Const(ConstParam { ident, .. }) => Some(quote!(parameters.constant(#ident);)),
        GenericParam::Lifetime(_) => None,
    });
    (!model.generics.is_empty()).then(|| {
        quote! {
            fn name() -> &'static ::core::primitive::str {
                #krate::__private::name::<Self>(<Self as #krate::Message>::NAME, |parameters| {
                    #(#parameters)*
                })
            }
        }
    })
}

/// The constant stands at the declared paths, where rustc shows a cycle. Rustc's error has no text but the constant's
/// name.
fn depth(model: &Model<'_>) -> TokenStream {
    let krate = &model.krate;
    let Some(first) = model.calls.first() else {
        return quote!(
            const CALL_DEPTH: ::core::primitive::u16 = 0;
        );
    };
    let depths = model.calls.iter().map(|callee| {
        let span = position::of_type(callee);
        quote_spanned!(span=> <#callee as #krate::Message>::CYCLE_OF_CALLS_SEND_OR_PIPE_ONE_OF_THEM)
    });
    let span = position::of_type(first);
    // The array is a local, since a promoted one would double the steps of the cycle that rustc lists.
    quote_spanned! {span=>
        const CALL_DEPTH: ::core::primitive::u16 = Self::CYCLE_OF_CALLS_SEND_OR_PIPE_ONE_OF_THEM;
        const CYCLE_OF_CALLS_SEND_OR_PIPE_ONE_OF_THEM: ::core::primitive::u16 = {
            let depths = [#(#depths),*];
            #krate::__private::call_depth(&depths)
        };
    }
}

/// The definition as a constant. It consists of literals and functions, so it costs rustc little.
fn written(model: &Model<'_>) -> TokenStream {
    let krate = &model.krate;
    let rows = model.variants.iter().map(|variant| {
        let name = variant.ident.unraw().to_string();
        let reply = variant.reply.as_ref().map(|reply| types::print(&reply.ty)).unwrap_or_default();
        let is_deferred = variant.reply.as_ref().is_some_and(|reply| reply.deferred.is_some());
        let is_keyed = variant.key.is_some();
        quote!((#name, #reply, #is_deferred, #is_keyed))
    });
    // A callee that is no enum of messages is reported at its path, as by the depth.
    let definition = |ty| {
        let span = position::of_type(ty);
        quote_spanned!(span=> <#ty as #krate::Message>::__definition)
    };
    let (calls, sends) = (model.calls.iter().map(definition), model.sends.iter().map(definition));
    quote! {
        const DEFINITION: &'static #krate::Definition = &#krate::Definition::__new::<Self>(
            <Self as #krate::Message>::name,
            <Self as #krate::Message>::CALL_DEPTH,
            &[#(#rows),*],
            &[#(#calls),*],
            &[#(#sends),*],
        );
    }
}

/// The type of the field of each variant with one field, and the way to get it back. Recipients need both.
fn payload(model: &Model<'_>) -> TokenStream {
    let krate = &model.krate;
    let single: Vec<_> = model.variants.iter().filter(|variant| variant.fields.len() == 1).collect();
    if single.is_empty() {
        return TokenStream::new();
    }
    let rest = (single.len() < model.item.variants.len()).then(|| quote!(_ => ::core::option::Option::None,));
    let idents: Vec<_> = single.iter().map(|variant| &variant.ident).collect();
    let types = single.iter().flat_map(|variant| &variant.fields).map(|field| &field.ty);
    let patterns = single.iter().map(|variant| {
        let ident = &variant.ident;
        match variant.fields.first().map(|field| &field.member) {
            Some(Member::Named(name)) => quote!(Self::#ident { #name: value }),
            _ => quote!(Self::#ident(value)),
        }
    });
    quote! {
        fn __field_type(&self) -> ::core::option::Option<::core::any::TypeId> {
            match self {
                #(Self::#idents { .. } => ::core::option::Option::Some(::core::any::TypeId::of::<#types>()),)*
                #rest
            }
        }

        fn __into_field<__T: 'static>(self) -> ::core::option::Option<__T> {
            match self {
                #(#patterns => #krate::__private::same(value),)*
                #rest
            }
        }
    }
}

/// The type of the key that a client can be bound to, which travels if messages do; and the hash of a message's key.
fn key(model: &Model<'_>) -> (TokenStream, TokenStream) {
    let krate = &model.krate;
    let keyed = || model.variants.iter().filter_map(|variant| Some((variant, variant.fields.get(variant.key?)?)));
    let Some(Key { ty, travels }) = model.key() else {
        let any = quote!(#krate::__private::Unkeyed);
        let any = if model.remote.is_some() { quote!(#krate::__private::TravellingKey<#any>) } else { any };
        return (quote!(type Key = #any;), quote!());
    };
    let arms = keyed().map(|(variant, field)| {
        let (ident, member, ty) = (&variant.ident, &field.member, &field.ty);
        quote!(Self::#ident { #member: key, .. } => ::core::option::Option::Some(#krate::__private::key_hash::<#ty>(key)),)
    });
    let rest = (keyed().count() < model.item.variants.len()).then(|| quote!(_ => ::core::option::Option::None,));
    let hash = quote! {
        fn __key(&self) -> ::core::option::Option<::core::primitive::u64> {
            match self {
                #(#arms)*
                #rest
            }
        }
    };
    // Rustc reports a type that is more private than the enum at the field, where this stands.
    let at = position::of_type(ty);
    let key = quote_spanned!(at=> #krate::__private::Keyed<#ty>);
    let travels = travels && model.remote.is_some();
    let key = if travels { quote_spanned!(at=> #krate::__private::TravellingKey<#key>) } else { key };
    (quote_spanned!(at=> type Key = #key;), hash)
}
