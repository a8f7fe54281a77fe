//! What the runtime asks of a message: its name, depth and port, and the way into the handler.

use proc_macro2::{Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::spanned::Spanned;

use crate::model::{Model, Variant};

pub(crate) fn definition(model: &Model<'_>) -> TokenStream {
    let message = message(model);
    let dispatch = dispatch(model);
    let calls = calls(model);
    let mention = mention(model);
    let assertions = assertions(model);
    quote!(#message #dispatch #calls #mention #assertions)
}

/// ```text
/// out  impl Message for CalculatorMessage {
///          const NAME: &'static str = "CalculatorMessage";
///          ..
///          fn variant(&self) -> &'static str { match self { Self::Add { .. } => "Add", .. } }
///      }
/// ```
fn message(model: &Model<'_>) -> TokenStream {
    let Model { krate, ty, name, .. } = model;
    let port = model.port_type();
    let (params, _, bounds) = model.generics.plain().split_for_impl();
    let attrs = model.attrs_of_all();
    let client = model.client_with(quote!(#krate::Blocking));
    let non_blocking = model.client_with(quote!(#krate::NonBlocking));
    let depth = depth(model);
    let (key, hash) = key(model);
    let arms = model.variants.iter().map(|variant| {
        let (ident, text) = (variant.ident, syn::ext::IdentExt::unraw(variant.ident).to_string());
        quote!(Self::#ident { .. } => #text,)
    });
    let subject = if model.item.variants.is_empty() {
        quote!(*self)
    } else {
        quote!(self)
    };
    let filler = filler(model).map(|arm| quote!(#arm => "",));
    quote! {
        #attrs
        #[automatically_derived]
        impl #params #krate::Message for #ty #bounds {
            const NAME: &'static str = #name;
            const CALL_DEPTH: u16 = #depth;
            type Client = #client;
            type NonBlockingClient = #non_blocking;
            type Port = #port;
            type Key = #key;

            fn variant(&self) -> &'static str {
                match #subject {
                    #(#arms)*
                    #filler
                }
            }

            #hash
        }
    }
}

/// An arm for what the enum has and the model does not, behind a fault.
fn filler(model: &Model<'_>) -> Option<TokenStream> {
    (model.item.variants.len() > model.variants.len()).then(|| quote!(_))
}

/// The constant stands at the declared paths, so that rustc shows a cycle there.
fn depth(model: &Model<'_>) -> TokenStream {
    let krate = &model.krate;
    if model.calls.is_empty() {
        return quote!(0);
    }
    let depths = model.calls.iter().map(|callee| {
        let span = Span::call_site().located_at(callee.span());
        quote_spanned!(span=> <#callee as #krate::Message>::CALL_DEPTH)
    });
    quote!(#krate::__private::call_depth(&[#(#depths),*]))
}

fn key(model: &Model<'_>) -> (TokenStream, TokenStream) {
    let krate = &model.krate;
    let keyed = || {
        model
            .variants
            .iter()
            .filter_map(|variant| Some((variant, variant.fields.get(variant.key?)?)))
    };
    let Some((_, first)) = keyed().next() else {
        return (quote!(#krate::__private::Unkeyed), quote!());
    };
    let ty = &first.ty;
    let arms = keyed().map(|(variant, field)| {
        let (ident, member, ty) = (variant.ident, &field.member, &field.ty);
        quote!(Self::#ident { #member: key, .. } => ::core::option::Option::Some(#krate::__private::key_hash::<#ty>(key)),)
    });
    let rest = (keyed().count() < model.item.variants.len()).then(|| quote!(_ => ::core::option::Option::None,));
    let hash = quote! {
        fn __key(&self) -> ::core::option::Option<u64> {
            match self {
                #(#arms)*
                #rest
            }
        }
    };
    (quote!(#krate::__private::Keyed<#ty>), hash)
}

/// ```text
/// out  impl<__H: CalculatorHandler> Dispatch<__H> for CalculatorMessage {
///          fn __dispatch(self, handler: &mut __H, ctx: &mut Context<Self>, port: &mut Option<Self::Port>) {
///              match self {
///                  Self::Add { a, b } => {
///                      let reply = <__H as CalculatorHandler>::add(handler, a, b);
///                      if let Some(__CalculatorMessagePort::Add(to)) = port.take() { to.send(reply) }
///                  }
///                  Self::Clear => <__H as CalculatorHandler>::clear(handler),
///              }
///          }
///          ..
///      }
/// ```
fn dispatch(model: &Model<'_>) -> TokenStream {
    let Model { krate, ty, .. } = model;
    let handler = model.handler_type();
    let generics = model
        .generics
        .with(&quote::format_ident!("__H"), Some(syn::parse_quote!(__H: #handler)));
    let (params, _, bounds) = generics.split_for_impl();
    let attrs = model.attrs_of_all();
    // Ours resolve where the macro is defined, the user's fields where they were written: they may have one name.
    let ours = Span::mixed_site();
    let (state, ctx, port) = (
        quote_spanned!(ours=> handler),
        quote_spanned!(ours=> ctx),
        quote_spanned!(ours=> port),
    );
    let arms = model
        .variants
        .iter()
        .map(|variant| arm(model, variant, &state, &ctx, &port));
    let filler = filler(model).map(|arm| quote!(#arm => {}));
    let hook = |name: &str| {
        let hook = quote::format_ident!("{name}");
        let call = model
            .hooks
            .contains(&name)
            .then(|| quote!(<__H as #handler>::#hook(handler, ctx);));
        call.unwrap_or_else(|| quote!(let _ = (handler, ctx);))
    };
    let (on_start, on_stop) = (hook("on_start"), hook("on_stop"));
    quote! {
        #attrs
        #[automatically_derived]
        impl #params #krate::Dispatch<__H> for #ty #bounds {
            fn __dispatch(
                self,
                #state: &mut __H,
                #ctx: &mut #krate::Context<Self>,
                #port: &mut ::core::option::Option<<Self as #krate::Message>::Port>,
            ) {
                let _ = (&#state, &#ctx, &#port);
                match self {
                    #(#arms)*
                    #filler
                }
            }

            fn __on_start(handler: &mut __H, ctx: &mut #krate::Context<Self>) {
                #on_start
            }

            fn __on_stop(handler: &mut __H, ctx: &mut #krate::Context<Self>) {
                #on_stop
            }
        }
    }
}

fn arm(
    model: &Model<'_>,
    variant: &Variant<'_>,
    state: &TokenStream,
    ctx: &TokenStream,
    port: &TokenStream,
) -> TokenStream {
    let (handler, ident, method, ports) = (model.handler_type(), variant.ident, &variant.method, &model.port);
    let pattern = variant.value(quote!(Self));
    let names = variant.fields.iter().map(|field| &field.param);
    let ctx = model.ctx.then(|| quote!(#ctx,));
    let call = quote!(<__H as #handler>::#method(#state, #ctx #(#names),*));
    let ours = Span::mixed_site();
    let (reply, to) = (quote_spanned!(ours=> reply), quote_spanned!(ours=> to));
    if variant.reply.is_none() {
        return quote!(#pattern => #call,);
    }
    quote! {
        #pattern => {
            let #reply = #call;
            if let ::core::option::Option::Some(#ports::#ident(#to)) = #port.take() {
                #to.send(#reply);
            }
        }
    }
}

/// The declarations of `calls`, and the refusal of cycles among them.
fn calls(model: &Model<'_>) -> TokenStream {
    let Model { krate, ty, .. } = model;
    let (params, _, bounds) = model.generics.plain().split_for_impl();
    let attrs = model.attrs();
    let callable = model.calls.iter().map(|callee| {
        let span = Span::call_site().located_at(callee.span());
        quote_spanned! {span=>
            #attrs
            #[automatically_derived]
            impl #params #krate::CallableFrom<#ty> for #callee #bounds {}
        }
    });
    let acyclic = if model.generics.is_empty() {
        plain_acyclic(model)
    } else {
        generic_acyclic(model)
    };
    quote!(#(#callable)* #acyclic)
}

/// Evaluated here, or a cycle would show only where an actor is used.
fn plain_acyclic(model: &Model<'_>) -> TokenStream {
    let Model { krate, ty, .. } = model;
    let attrs = model.attrs();
    let evaluated =
        (!model.calls.is_empty()).then(|| quote!(#attrs const _: u16 = <#ty as #krate::Message>::CALL_DEPTH;));
    quote! {
        #attrs
        #[automatically_derived]
        impl #krate::__private::Acyclic for #ty {}
        #evaluated
    }
}

/// A check does not evaluate the constants of generic types, but it does resolve their traits.
fn generic_acyclic(model: &Model<'_>) -> TokenStream {
    let Model { krate, ty, .. } = model;
    let attrs = model.attrs();
    let (params, arguments, bounds) = model.generics.plain().split_for_impl();
    let mut marked = model.generics.plain().clone();
    if !model.calls.is_empty() {
        let clause = marked.make_where_clause();
        for callee in &model.calls {
            let span = Span::call_site().located_at(callee.span());
            let tokens = quote_spanned!(span=> #callee: #krate::__private::Acyclic);
            clause.predicates.push(syn::parse_quote!(#tokens));
        }
    }
    let (_, _, marked) = marked.split_for_impl();
    let needs = model.calls.iter().map(|callee| {
        let span = Span::call_site().located_at(callee.span());
        quote_spanned!(span=> __need::<#callee>();)
    });
    let check = (!model.calls.is_empty()).then(|| {
        quote! {
            #attrs
            const _: () = {
                fn __need<__T: #krate::__private::Acyclic>() {}
                fn __check #params() #bounds {
                    #(#needs)*
                }
            };
        }
    });
    let _ = arguments;
    quote! {
        #attrs
        #[automatically_derived]
        impl #params #krate::__private::Acyclic for #ty #marked {}
        #check
    }
}

/// Mentions everything that is generated for the user to call: what a trait's method mentions is not dead code.
fn mention(model: &Model<'_>) -> TokenStream {
    let Model { krate, ty, .. } = model;
    let handler = model.handler_type();
    let generics = model
        .generics
        .with(&quote::format_ident!("__H"), Some(syn::parse_quote!(__H: #handler)));
    let (params, _, bounds) = generics.split_for_impl();
    let attrs = model.attrs_of_all();
    let blocking = model.client_with(quote!(#krate::Blocking));
    let non_blocking = model.client_with(quote!(#krate::NonBlocking));
    let methods: Vec<_> = model.variants.iter().map(|variant| &variant.method).collect();
    let requests = model
        .variants
        .iter()
        .filter(|variant| variant.reply.is_some())
        .map(|variant| &variant.method);
    quote! {
        #attrs
        #[automatically_derived]
        impl #params #krate::__private::Mention<__H> for #ty #bounds {
            fn mention() {
                let _ = (<#blocking>::within, <#blocking>::non_blocking);
                #(let _ = (<#blocking>::#methods, <#non_blocking>::#methods);)*
                #(let _ = Self::#requests;)*
                let _ = Self::actor::<__H, fn() -> __H>;
                let _ = Self::try_actor::<__H, fn(&mut #krate::Context<Self>) -> ::core::result::Result<__H, #krate::BoxError>>;
                let _ = Self::actor_once::<__H, fn() -> __H>;
            }
        }
    }
}

/// A field or reply that cannot cross threads is reported here, once, on its type.
fn assertions(model: &Model<'_>) -> TokenStream {
    let krate = &model.krate;
    let (params, _, bounds) = model.generics.plain().split_for_impl();
    let fields = model
        .variants
        .iter()
        .flat_map(|variant| &variant.fields)
        .map(|field| &field.ty);
    let replies = model.variants.iter().filter_map(|variant| variant.reply.as_ref());
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
