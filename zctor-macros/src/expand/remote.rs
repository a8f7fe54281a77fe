//! The way of an enum's messages to another process, for `#[actor(remote)]`; nothing for an enum without.

use proc_macro2::{Span, TokenStream};
use quote::{format_ident, quote, quote_spanned};
use syn::{Path, Type, WherePredicate};

use crate::expand::double::method;
use crate::model::{Key, Model};

/// ```text
/// out  ::zctor::__private::remote! {
///          [] [where i64: for<'__travels> Travels<'__travels>] CalculatorMessage: CalculatorHandler as "CalculatorMessage" {
///              fn add(i64, i64) -> i64;
///          }
///          serve(to) { Self::Add { a, b } => __call(Self::add(a, b)) }
///          deferred { }
///          durable { }
///          keys(key) { }
///          bound { ::zctor::remote::__any_key }
///          __CalculatorMessagePort { Add }
///      }
/// ```
pub(crate) fn definition(model: &Model<'_>) -> TokenStream {
    let Some(wire) = &model.remote else { return TokenStream::new() };
    let Model { krate, ty, .. } = model;
    let called = || model.variants.iter().filter_map(|variant| Some((variant, variant.reply.as_ref()?)));
    let (whole, fields) = (Type::Verbatim(ty.clone()), &model.travelling);
    let values: Vec<&Type> = fields.iter().chain(called().map(|(_, reply)| &reply.ty)).chain([&whole]).collect();
    let outcomes: Vec<&Type> = called().filter(|(variant, _)| variant.durable).map(|(_, reply)| &reply.ty).collect();
    let mut generics = model.generics.plain().clone();
    generics.make_where_clause().predicates.extend(assumptions(krate, &values, fields));
    generics.make_where_clause().predicates.extend(
        outcomes
            .iter()
            .map(|ty| -> WherePredicate { syn::parse_quote!(#ty: for<'__travels> #krate::remote::Tells<'__travels>) }),
    );
    if let Some(Key { ty, travels: true }) = model.key() {
        let bound = syn::parse_quote!(#ty: for<'__travels> #krate::remote::TravelsAsKey<'__travels>);
        generics.make_where_clause().predicates.push(bound);
    }
    let (params, _, bounds) = generics.split_for_impl();
    let (handler, port, attrs) = (model.handler_type(), model.port_type(), model.attrs_of_all());
    let methods = model.variants.iter().chain(&model.handler_only).map(|variant| method(model, variant));
    let to = quote_spanned!(Span::mixed_site()=> to);
    let arms = called().map(|(variant, _)| {
        let (pattern, method) = (variant.pattern(quote!(Self)), &variant.method);
        let names = variant.fields.iter().map(|field| &field.param);
        let call = if variant.durable { quote!(__call_durable) } else { quote!(__call) };
        quote!(#pattern => #call(Self::#method(#(#names),*)))
    });
    let late = called().filter(|(_, reply)| reply.deferred.is_some()).map(|(variant, _)| &variant.ident);
    let kept = called().filter(|(variant, _)| variant.durable).map(|(variant, _)| &variant.ident);
    let key = quote_spanned!(Span::mixed_site()=> key);
    let keyed = model.variants.iter().filter(|variant| !variant.internal).filter_map(|variant| {
        let (ident, member) = (&variant.ident, &variant.fields.get(variant.key?)?.member);
        Some(quote!(Self::#ident { #member: #key, .. }))
    });
    let bound = match model.key() {
        None => quote!(#krate::remote::__any_key),
        Some(Key { ty, travels: true }) => quote!(<#ty as #krate::remote::TravelsAsKey<'_>>::__key),
        Some(Key { travels: false, .. }) => quote!(#krate::remote::__no_key),
    };
    let ports = called().map(|(variant, _)| &variant.ident);
    let never = (!model.generics.types().is_empty()).then(|| format_ident!("__Never")).into_iter();
    let assertions = assertions(model, &values, &outcomes);
    let is_kept = (!outcomes.is_empty()).then(|| {
        quote! {
            #attrs
            #[automatically_derived]
            impl #params #krate::remote::DurableMessage for #ty #bounds {}
        }
    });
    quote! {
        #assertions
        #is_kept
        #krate::__private::remote! {
            #attrs
            [#params] [#bounds] #ty: #handler as #wire {
                #(#methods)*
            }
            serve(#to) { #(#arms)* }
            deferred { #(#late)* }
            durable { #(#kept)* }
            keys(#key) { #(#keyed,)* }
            bound { #bound }
            #port { #(#ports)* #(| #never)* }
        }
    }
}

/// The bounds under which the generated code compiles whatever can travel; see `Travels` in `remote/value.rs`.
fn assumptions(krate: &Path, values: &[&Type], fields: &[Type]) -> Vec<WherePredicate> {
    let out = values
        .iter()
        .map(|ty| -> WherePredicate { syn::parse_quote!(#ty: for<'__travels> #krate::remote::Travels<'__travels>) });
    let back = fields.iter().map(|ty| -> WherePredicate {
        syn::parse_quote!(#ty: for<'__travels> #krate::remote::__Deserialize<'__travels>)
    });
    out.chain(back).collect()
}

/// Rustc reports here, once, on its type: a field, a reply or an enum that cannot travel, and a reply that says nothing
/// of its message. Of a generic enum it reports that where the parameters are given.
fn assertions(model: &Model<'_>, values: &[&Type], outcomes: &[&Type]) -> TokenStream {
    if !model.generics.is_empty() {
        return TokenStream::new();
    }
    let (krate, attrs, fields) = (&model.krate, model.attrs_of_all(), &model.travelling);
    // Without those of the fields there would be an error of the enum, too.
    let assumptions = assumptions(krate, &fields.iter().collect::<Vec<_>>(), fields);
    quote! {
        #attrs
        const _: () = {
            fn __assert() where #(#assumptions),* {
                #(#krate::remote::__assert_value::<#values>();)*
                #(#krate::remote::__assert_durable::<#outcomes>();)*
            }
        };
    }
}
