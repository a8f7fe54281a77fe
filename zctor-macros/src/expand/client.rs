//! The client: a typed handle with a method a variant, in two views.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::ext::IdentExt;

use crate::model::{Model, Reply, Variant};

/// ```text
/// in   #[reply(i64)] Add { a: i64, b: i64 }, Clear
/// out  pub struct CalculatorClient<V = Blocking> { client: Client<CalculatorMessage>, view: PhantomData<fn() -> V> }
///      impl CalculatorClient<Blocking> {
///          pub fn add(&self, a: i64, b: i64) -> Result<i64, CallError> { self.client.call(CalculatorMessage::add(a, b)) }
///          pub fn clear(&self) -> Result<(), SendError<CalculatorMessage>> { self.client.send(CalculatorMessage::Clear) }
///      }
///      impl CalculatorClient<NonBlocking> {
///          pub fn add(&self, a: i64, b: i64) -> Pending<i64> { self.client.request(CalculatorMessage::add(a, b)) }
///          ..
///      }
/// ```
pub(crate) fn definition(model: &Model<'_>) -> TokenStream {
    let structure = structure(model);
    let both = both_views(model);
    let blocking = view(model, true);
    let non_blocking = view(model, false);
    let traits = traits(model);
    quote!(#structure #both #blocking #non_blocking #traits)
}

fn structure(model: &Model<'_>) -> TokenStream {
    let (vis, ident, client, krate, ty, view) =
        (&model.item.vis, &model.item.ident, &model.client, &model.krate, &model.ty, &model.view);
    let declared = model.generics.declared();
    let (_, _, bounds) = model.generics.plain().split_for_impl();
    let attrs = model.attrs();
    let doc = format!(" A typed handle for [`{}`], cheap to clone.", ident.unraw());
    quote! {
        #[doc = #doc]
        #attrs
        #vis struct #client<#(#declared,)* #view = #krate::Blocking> #bounds {
            client: #krate::Client<#ty>,
            view: ::core::marker::PhantomData<fn() -> #view>,
        }
    }
}

fn both_views(model: &Model<'_>) -> TokenStream {
    let Model { krate, .. } = model;
    let vis = &model.item.vis;
    let generics = model.generics.with(&model.view, None);
    let (params, _, bounds) = generics.split_for_impl();
    let client = model.client_with(&model.view);
    let attrs = model.attrs();
    let bindings = bindings(model);
    quote! {
        #attrs
        impl #params #client #bounds {
            /// The same client with a time limit for each call.
            #[must_use]
            #vis fn within(&self, limit: ::core::time::Duration) -> Self {
                Self { client: #krate::Client::within(&self.client, limit), view: ::core::marker::PhantomData }
            }

            #bindings
        }
    }
}

/// Those of `zctor::Client` that give a client: here they keep the view. A variant of the same name wins.
fn bindings(model: &Model<'_>) -> TokenStream {
    let Model { krate, ty, .. } = model;
    let vis = &model.item.vis;
    let pin = model.is_free("pin").then(|| {
        quote! {
            /// The same client bound to one instance.
            #[must_use]
            #vis fn pin(&self, instance: #krate::InstanceId) -> Self {
                Self { client: #krate::Client::__pin(&self.client, instance), view: ::core::marker::PhantomData }
            }
        }
    });
    let keyed = model.is_free("keyed").then(|| {
        quote! {
            /// The same client bound to a key, whose messages all go to one instance.
            #[must_use]
            #vis fn keyed<__Q: ::core::hash::Hash + ?::core::marker::Sized>(&self, key: &__Q) -> Self
            where
                <#ty as #krate::Message>::Key: #krate::__private::KeyOf<__Q>,
            {
                Self { client: #krate::Client::__keyed(&self.client, key), view: ::core::marker::PhantomData }
            }
        }
    });
    let least_loaded = model.is_free("least_loaded").then(|| {
        quote! {
            /// The same client bound to the instance whose thread has the least to do, looked for anew each time.
            #[must_use]
            #vis fn least_loaded(&self) -> Self {
                Self { client: #krate::Client::__least_loaded(&self.client), view: ::core::marker::PhantomData }
            }
        }
    });
    quote!(#pin #keyed #least_loaded)
}

fn view(model: &Model<'_>, blocking: bool) -> TokenStream {
    let Model { krate, .. } = model;
    let vis = &model.item.vis;
    let (params, _, bounds) = model.generics.plain().split_for_impl();
    let view = if blocking { quote!(#krate::Blocking) } else { quote!(#krate::NonBlocking) };
    let client = model.client_with(&view);
    let attrs = model.attrs_of_signatures();
    let switch = blocking.then(|| {
        let other = model.client_with(quote!(#krate::NonBlocking));
        let name = &model.client;
        quote! {
            /// The view whose methods never wait: each gives a pending reply.
            #vis fn non_blocking(&self) -> #other {
                #name { client: #krate::Client::non_blocking(&self.client), view: ::core::marker::PhantomData }
            }
        }
    });
    let methods = model.variants.iter().map(|variant| method(model, variant, blocking));
    quote! {
        #attrs
        impl #params #client #bounds {
            #switch
            #(#methods)*
        }
    }
}

fn method(model: &Model<'_>, variant: &Variant<'_>, blocking: bool) -> TokenStream {
    let Model { krate, ty, .. } = model;
    let (vis, method) = (&variant.vis, &variant.method);
    let (lints, deprecated) = (&variant.lints, &variant.deprecated);
    let docs = match (&variant.reply, blocking) {
        (Some(_), true) => variant.docs.or("Sends", " and waits for the reply"),
        (Some(_), false) => variant.docs.or("Sends", ", whose reply can be waited for"),
        (None, _) => variant.docs.or("Sends", ""),
    };
    let many = variant.too_many_arguments(1);
    let names: Vec<_> = variant.fields.iter().map(|field| &field.param).collect();
    let parameters = variant.parameters();
    let span = variant.span;
    let (output, body) = match &variant.reply {
        Some(Reply { ty: reply, .. }) if blocking => (
            quote_spanned!(span=> ::core::result::Result<#reply, #krate::CallError>),
            quote_spanned!(span=> #krate::Client::call(&self.client, <#ty>::#method(#(#names),*))),
        ),
        Some(Reply { ty: reply, .. }) => (
            quote_spanned!(span=> #krate::Pending<#reply>),
            quote_spanned!(span=> #krate::Client::request(&self.client, <#ty>::#method(#(#names),*))),
        ),
        None => {
            let ident = &model.item.ident;
            let message = variant.value(quote!(#ident));
            (
                quote_spanned!(span=> ::core::result::Result<(), #krate::SendError<#ty>>),
                quote_spanned!(span=> #krate::Client::send(&self.client, #message)),
            )
        }
    };
    let function = quote_spanned!(span=> #vis fn #method(&self, #parameters) -> #output { #body });
    quote!(#docs #(#lints)* #deprecated #many #function)
}

/// Written out instead of derived, so that nothing is asked of the parameters.
fn traits(model: &Model<'_>) -> TokenStream {
    let Model { krate, ty, .. } = model;
    let generics = model.generics.with(&model.view, None);
    let (params, _, bounds) = generics.split_for_impl();
    let client = model.client_with(&model.view);
    let attrs = model.attrs();
    quote! {
        #attrs
        #[automatically_derived]
        impl #params ::core::clone::Clone for #client #bounds {
            fn clone(&self) -> Self {
                Self { client: ::core::clone::Clone::clone(&self.client), view: ::core::marker::PhantomData }
            }
        }

        #attrs
        #[automatically_derived]
        impl #params ::core::fmt::Debug for #client #bounds {
            fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
                ::core::fmt::Debug::fmt(&self.client, f)
            }
        }

        #attrs
        #[automatically_derived]
        impl #params ::core::cmp::PartialEq for #client #bounds {
            fn eq(&self, other: &Self) -> ::core::primitive::bool {
                ::core::cmp::PartialEq::eq(&self.client, &other.client)
            }
        }

        #attrs
        #[automatically_derived]
        impl #params ::core::cmp::Eq for #client #bounds {}

        #attrs
        #[automatically_derived]
        impl #params ::core::ops::Deref for #client #bounds {
            type Target = #krate::Client<#ty>;

            fn deref(&self) -> &Self::Target {
                &self.client
            }
        }

        #attrs
        #[automatically_derived]
        impl #params ::core::convert::From<#krate::Client<#ty>> for #client #bounds {
            fn from(client: #krate::Client<#ty>) -> Self {
                Self { client, view: ::core::marker::PhantomData }
            }
        }
    }
}
