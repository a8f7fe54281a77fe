//! The declarations of `calls`, and the refusal of cycles among them.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::{Type, WherePredicate, parse_quote_spanned};

use crate::model::Model;
use crate::position;

/// ```text
/// in   #[actor(calls(DatabaseMessage))] enum WebMessage { .. }
/// out  impl CallableFrom<WebMessage> for DatabaseMessage {}
///      impl CycleOfCallsSendOrPipeOneOfThem for WebMessage {}
///      const _: u16 = <WebMessage as Message>::CYCLE_OF_CALLS_SEND_OR_PIPE_ONE_OF_THEM;
/// ```
pub(crate) fn definition(model: &Model<'_>) -> TokenStream {
    let Model { krate, ty, calls, .. } = model;
    let (params, _, bounds) = model.generics.plain().split_for_impl();
    let attrs = model.attrs();
    let callable = calls.iter().map(|callee| {
        quote_spanned! {position::of_type(callee)=>
            #attrs
            #[automatically_derived]
            impl #params #krate::CallableFrom<#ty> for #callee #bounds {}
        }
    });
    let acyclic = acyclic(model);
    let forced = if model.generics.is_empty() { evaluated(model) } else { resolved(model) };
    quote!(#(#callable)* #acyclic #forced)
}

/// The enum's impl of the trait that a cycle cannot have. Only a generic enum asks its callees for theirs, since an impl without parameters must
/// not depend on itself.
fn acyclic(model: &Model<'_>) -> TokenStream {
    let Model { krate, ty, calls, .. } = model;
    let mut generics = model.generics.plain().clone();
    if !model.generics.is_empty() && !calls.is_empty() {
        let callee = |callee: &Type| -> WherePredicate {
            parse_quote_spanned!(position::of_type(callee)=> #callee: #krate::__private::CycleOfCallsSendOrPipeOneOfThem)
        };
        generics.make_where_clause().predicates.extend(calls.iter().map(callee));
    }
    let (params, _, bounds) = generics.split_for_impl();
    let attrs = model.attrs();
    quote! {
        #attrs
        #[automatically_derived]
        impl #params #krate::__private::CycleOfCallsSendOrPipeOneOfThem for #ty #bounds {}
    }
}

/// A constant that evaluates the depth. Without it, a cycle would show only where the actor is used.
fn evaluated(model: &Model<'_>) -> TokenStream {
    let Model { krate, ty, .. } = model;
    let Some(first) = model.calls.first() else {
        return TokenStream::new();
    };
    let attrs = model.attrs();
    quote_spanned! {position::of_type(first)=>
        #attrs
        const _: ::core::primitive::u16 = <#ty as #krate::Message>::CYCLE_OF_CALLS_SEND_OR_PIPE_ONE_OF_THEM;
    }
}

/// A function that asks for the callees' trait. `cargo check` does not evaluate the constants of generic types, but it
/// resolves their traits, and its error names the trait.
fn resolved(model: &Model<'_>) -> TokenStream {
    let Model { krate, calls, .. } = model;
    if calls.is_empty() {
        return TokenStream::new();
    }
    let (params, _, bounds) = model.generics.plain().split_for_impl();
    let attrs = model.attrs();
    let needed = calls.iter().map(|callee| quote_spanned!(position::of_type(callee)=> __callee::<#callee>();));
    quote! {
        #attrs
        const _: () = {
            fn __callee<__T: #krate::__private::CycleOfCallsSendOrPipeOneOfThem>() {}
            fn __resolve #params() #bounds {
                #(#needed)*
            }
        };
    }
}
