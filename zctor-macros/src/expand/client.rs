//! The client: a typed handle with one method a variant, in two views.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::ext::IdentExt;

use crate::model::docs::{self, Added};
use crate::model::{Model, Named, Reply, Variant};
use crate::{position, types};

/// ```text
/// in   #[reply(i64)] Add { a: i64, b: i64 }, Clear
/// out  pub struct CalculatorClient<V = Blocking> { client: Client<CalculatorMessage, V> }
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
    let variants: Vec<_> = model.variants.iter().collect();
    let doc = format!(" A typed handle for [`{}`], cheap to clone.", model.item.ident.unraw());
    let face = Face { name: &model.client, is_part: false };
    let structure = structure(model, &face, &doc);
    let bindings = bindings(model);
    let both = both_views(model, &face, &bindings);
    let views = views(model, &face, &variants);
    let traits = traits(model, &face);
    let whole = whole(model);
    quote!(#structure #both #views #traits #whole)
}

/// A generated client: the whole one, or a handle for a part of the variants.
pub(super) struct Face<'a> {
    pub(super) name: &'a Named,
    /// Whether the field is wrapped, as in a handle. Rustc would propose the field's methods where a handle lacks one.
    pub(super) is_part: bool,
}

impl Face<'_> {
    fn field(&self, Model { krate, ty, view, .. }: &Model<'_>) -> TokenStream {
        let client = quote!(#krate::Client<#ty, #view>);
        if self.is_part { quote!(#krate::__private::Part<#client>) } else { client }
    }

    fn get(&self, Model { krate, .. }: &Model<'_>) -> TokenStream {
        if self.is_part { quote!(#krate::__private::Part::whole(&self.client)) } else { quote!(&self.client) }
    }

    fn wrap(&self, Model { krate, .. }: &Model<'_>, client: &TokenStream) -> TokenStream {
        if self.is_part { quote!(#krate::__private::Part::new(#client)) } else { quote!(#client) }
    }
}

pub(super) fn structure(model: &Model<'_>, face: &Face<'_>, doc: &str) -> TokenStream {
    let (krate, view) = (&model.krate, &model.view);
    let field = face.field(model);
    let declared = model.generics.declared();
    let (_, _, bounds) = model.generics.plain().split_for_impl();
    let attrs = model.attrs();
    let (at, vis, client) = model.defined(face.name);
    let parameters = quote!(#(#declared,)* #view = #krate::Blocking);
    let fields = quote!(client: #field,);
    let structure = quote_spanned!(at=> #vis struct #client<#parameters> #bounds { #fields });
    quote! {
        #[doc = #doc]
        #attrs
        #structure
    }
}

/// The methods of both views: `non_blocking`, `within`, `until`, and `more`.
pub(super) fn both_views(model: &Model<'_>, face: &Face<'_>, more: &TokenStream) -> TokenStream {
    let Model { krate, .. } = model;
    let (at, vis) = model.at_enum();
    let generics = model.generics.with(&model.view, None);
    let (params, _, bounds) = generics.split_for_impl();
    let client = model.viewed(face.name, &model.view);
    let attrs = model.attrs();
    let inner = face.get(model);
    let limit = quote_spanned!(at=> limit);
    let limited = face.wrap(model, &quote!(#krate::Client::within(#inner, #limit)));
    let within = quote_spanned! {at=>
        /// The same client with a time limit for each call.
        #[must_use]
        #vis fn within(&self, #limit: ::core::time::Duration) -> Self {
            Self { client: #limited }
        }
    };
    let until = model.is_free("until").then(|| {
        let time = quote_spanned!(at=> time);
        let limited = face.wrap(model, &quote!(#krate::Client::until(#inner, #time)));
        quote_spanned! {at=>
            /// The same client with a time at which each call ends.
            #[must_use]
            #vis fn until(&self, #time: ::std::time::Instant) -> Self {
                Self { client: #limited }
            }
        }
    });
    let other = model.viewed(face.name, quote!(#krate::NonBlocking));
    let switched = if face.is_part {
        let (name, client) = (face.name, face.wrap(model, &quote!(#krate::Client::non_blocking(#inner))));
        quote!(#name { client: #client })
    } else {
        // Where another item has taken the client's name, rustc counts this form as part of that one error.
        quote!(::core::convert::From::from(self.client.non_blocking()))
    };
    let non_blocking = quote_spanned! {at=>
        /// The view whose methods never wait: each gives a pending reply.
        #vis fn non_blocking(&self) -> #other {
            #switched
        }
    };
    quote! {
        #attrs
        impl #params #client #bounds {
            #non_blocking
            #within
            #until
            #more
        }
    }
}

/// The methods of `zctor::Client` that give a client, in a form that keeps the view. A variant of the same name wins.
fn bindings(model: &Model<'_>) -> TokenStream {
    let Model { krate, ty, .. } = model;
    let (at, vis) = model.at_enum();
    let pin = model.is_free("pin").then(|| {
        quote_spanned! {at=>
            /// The same client bound to one instance.
            #[must_use]
            #vis fn pin(&self, instance: #krate::InstanceId) -> Self {
                Self { client: #krate::Client::__pin(&self.client, instance) }
            }
        }
    });
    let keyed = model.is_free("keyed").then(|| {
        quote_spanned! {at=>
            /// The same client bound to a key, whose messages all go to one instance.
            #[must_use]
            #vis fn keyed<__Q: ::core::hash::Hash + ?::core::marker::Sized>(&self, key: &__Q) -> Self
            where
                <#ty as #krate::Message>::Key: #krate::__private::KeyOf<__Q>,
            {
                Self { client: #krate::Client::__keyed(&self.client, key) }
            }
        }
    });
    let least_loaded = model.is_free("least_loaded").then(|| {
        quote_spanned! {at=>
            /// The same client bound to the instance whose thread has the least to do, looked for anew each time.
            #[must_use]
            #vis fn least_loaded(&self) -> Self {
                Self { client: #krate::Client::__least_loaded(&self.client) }
            }
        }
    });
    quote!(#pin #keyed #least_loaded)
}

pub(super) fn views(model: &Model<'_>, face: &Face<'_>, variants: &[&Variant<'_>]) -> TokenStream {
    let (blocking, non_blocking) =
        (view(model, face, variants, View::Blocking), view(model, face, variants, View::NonBlocking));
    quote!(#blocking #non_blocking)
}

/// The view of a client that methods are written for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum View {
    /// A method for a request waits for the reply.
    Blocking,
    /// It gives a `Pending`.
    NonBlocking,
}

fn view(model: &Model<'_>, face: &Face<'_>, variants: &[&Variant<'_>], view: View) -> TokenStream {
    let Model { krate, .. } = model;
    let (params, _, bounds) = model.generics.plain().split_for_impl();
    let marker = match view {
        View::Blocking => quote!(#krate::Blocking),
        View::NonBlocking => quote!(#krate::NonBlocking),
    };
    let name = face.name;
    let client = model.viewed(name, &marker);
    let attrs = model.attrs_of_signatures();
    let methods = variants.iter().map(|variant| method(model, face, variant, view));
    quote! {
        #attrs
        impl #params #client #bounds {
            #(#methods)*
        }
    }
}

fn method(model: &Model<'_>, face: &Face<'_>, variant: &Variant<'_>, view: View) -> TokenStream {
    let Model { krate, ty, .. } = model;
    let (vis, method) = (&variant.vis, &variant.method);
    let (lints, deprecated, must_use) = (&variant.lints, &variant.deprecated, &variant.must_use);
    let docs = variant.docs.with(|link| added(model, variant, view, link));
    let many = variant.too_many_arguments(1);
    let names: Vec<_> = variant.fields.iter().map(|field| &field.param).collect();
    let parameters = variant.parameters();
    let span = variant.span;
    let client = position::respan(face.get(model), span);
    let (output, body) = match &variant.reply {
        Some(Reply { ty: reply, .. }) if view == View::Blocking => (
            quote_spanned!(span=> ::core::result::Result<#reply, #krate::CallError>),
            quote_spanned!(span=> #krate::Client::call(#client, <#ty>::#method(#(#names),*))),
        ),
        Some(Reply { ty: reply, .. }) => (
            quote_spanned!(span=> #krate::Pending<#reply>),
            quote_spanned!(span=> #krate::Client::request(#client, <#ty>::#method(#(#names),*))),
        ),
        None => {
            let ident = &model.item.ident;
            let message = variant.value(quote!(#ident));
            (
                quote_spanned!(span=> ::core::result::Result<(), #krate::SendError<#ty>>),
                quote_spanned!(span=> #krate::Client::send(#client, #message)),
            )
        }
    };
    let function = quote_spanned!(span=> #vis fn #method(&self, #parameters) -> #output { #body });
    // The recorded expansions are those without.
    let waits = view == View::Blocking && variant.reply.is_some();
    let caller = (waits && cfg!(all(feature = "track_caller", not(test)))).then(|| quote!(#[track_caller]));
    quote!(#docs #(#lints)* #deprecated #must_use #many #caller #function)
}

/// The sentences of a method's own: the message that it sends, the reply, and the errors that may come instead.
fn added(model: &Model<'_>, variant: &Variant<'_>, view: View, variant_link: &str) -> Added {
    let link = |name: &str| docs::link(&model.krate, name);
    match &variant.reply {
        None => Added {
            does: format!("Sends {variant_link}."),
            errors: Some(format!("As {}: the message comes back in the {}.", link("Client::send"), link("SendError"))),
        },
        Some(Reply { ty, deferred }) => {
            let reply = types::print(ty);
            let later = if deferred.is_some() { "the reply, which may come later" } else { "the reply" };
            match view {
                View::Blocking => Added {
                    does: format!("Sends {variant_link} and waits for {later}: `{reply}`."),
                    errors: Some(format!(
                        "As {}: the {} says why no reply came.",
                        link("Client::call"),
                        link("CallError")
                    )),
                },
                View::NonBlocking => Added {
                    does: format!(
                        "Sends {variant_link} and gives a {} of {later}, `{reply}`, or of the {} that says why none came.",
                        link("Pending"),
                        link("CallError")
                    ),
                    errors: None,
                },
            }
        }
    }
}

/// The impls are written out, since a derive would ask the same traits of the parameters.
pub(super) fn traits(model: &Model<'_>, face: &Face<'_>) -> TokenStream {
    let generics = model.generics.with(&model.view, None);
    let (params, _, bounds) = generics.split_for_impl();
    let client = model.viewed(face.name, &model.view);
    let attrs = model.attrs();
    quote! {
        #attrs
        #[automatically_derived]
        impl #params ::core::clone::Clone for #client #bounds {
            fn clone(&self) -> Self {
                Self { client: ::core::clone::Clone::clone(&self.client) }
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
    }
}

/// The way to `zctor::Client` and back, which the whole client has and a handle has not.
fn whole(model: &Model<'_>) -> TokenStream {
    let Model { krate, ty, view, .. } = model;
    let generics = model.generics.with(&model.view, None);
    let (params, _, bounds) = generics.split_for_impl();
    let client = model.client_with(&model.view);
    let attrs = model.attrs();
    quote! {
        #attrs
        #[automatically_derived]
        impl #params ::core::ops::Deref for #client #bounds {
            type Target = #krate::Client<#ty, #view>;

            fn deref(&self) -> &Self::Target {
                &self.client
            }
        }

        #attrs
        #[automatically_derived]
        impl #params ::core::convert::From<#krate::Client<#ty, #view>> for #client #bounds {
            fn from(client: #krate::Client<#ty, #view>) -> Self {
                Self { client }
            }
        }
    }
}
