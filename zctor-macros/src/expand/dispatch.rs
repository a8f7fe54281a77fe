//! The way of a message into its handler method, and of the reply into its port.

use proc_macro2::{Span, TokenStream};
use quote::{format_ident, quote, quote_spanned};
use syn::ext::IdentExt;

use crate::expand::message::filler;
use crate::model::{Model, Reply, Variant};

/// ```text
/// out  impl<__H: CalculatorHandler> Dispatch<__H> for CalculatorMessage {
///          fn __handle(self, handler: &mut __H, ctx: &mut Context<Self>, slot: &mut ReplySlot<'_, Self::Port>) {
///              match self {
///                  Self::Add { a, b } => {
///                      let unwound = Unwound::names("Add");
///                      let reply = <__H as CalculatorHandler>::add(handler, a, b);
///                      unwound.returned();
///                      match slot.take() {
///                          Some(__CalculatorMessagePort::Add(to)) => to.send(reply),
///                          _ => slot.put(reply),
///                      }
///                  }
///                  Self::Clear => {
///                      let unwound = Unwound::names("Clear");
///                      <__H as CalculatorHandler>::clear(handler);
///                      unwound.returned();
///                  }
///              }
///          }
///          ..
///      }
/// ```
pub(crate) fn definition(model: &Model<'_>) -> TokenStream {
    let Model { krate, ty, .. } = model;
    let handler = model.handler_type();
    let generics = model.generics.with(&format_ident!("__H"), Some(syn::parse_quote!(__H: #handler)));
    let (params, _, bounds) = generics.split_for_impl();
    let attrs = model.attrs_of_all();
    // Names of the macro resolve where it is defined, fields where the user wrote them. So both may have one name.
    let ours = Span::mixed_site();
    let (state, ctx, slot) = (quote_spanned!(ours=> handler), quote_spanned!(ours=> ctx), quote_spanned!(ours=> slot));
    let arms = model.variants.iter().map(|variant| arm(model, variant, &state, &ctx, &slot));
    let calls = model.variants.iter().filter(|variant| variant.reply.is_some()).count();
    let unused = [(&state, model.variants.is_empty()), (&ctx, model.ctx.is_none()), (&slot, calls == 0)];
    let unused = unused.into_iter().filter_map(|(name, is_unused)| is_unused.then_some(name));
    let filler = filler(model).map(|arm| quote!(#arm => {}));
    let hook = |name: &str| {
        let hook = format_ident!("{name}");
        let call = model.hooks.contains(&name).then(|| quote!(<__H as #handler>::#hook(handler, ctx);));
        call.unwrap_or_else(|| quote!(let _ = (handler, ctx);))
    };
    let (on_start, on_stop) = (hook("on_start"), hook("on_stop"));
    let on_panic = match model.hooks.contains(&"on_panic") {
        true => quote!(<__H as #handler>::on_panic(handler, ctx, text);),
        false => quote!(let _ = (handler, ctx, text);),
    };
    quote! {
        #attrs
        #[automatically_derived]
        impl #params #krate::Dispatch<__H> for #ty #bounds {
            fn __handle(
                self,
                #state: &mut __H,
                #ctx: &mut #krate::Context<Self>,
                #slot: &mut #krate::__private::ReplySlot<'_, <Self as #krate::Message>::Port>,
            ) {
                #(let _ = #unused;)*
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

            fn __on_panic(handler: __H, ctx: &mut #krate::Context<Self>, text: &::core::primitive::str) {
                #on_panic
            }
        }
    }
}

fn arm(
    model: &Model<'_>,
    variant: &Variant<'_>,
    state: &TokenStream,
    ctx: &TokenStream,
    slot: &TokenStream,
) -> TokenStream {
    let (handler, ident, method, ports) = (model.handler_type(), &variant.ident, &variant.method, &model.port);
    let krate = &model.krate;
    let pattern = variant.pattern(quote!(Self));
    let names: Vec<_> = variant.fields.iter().map(|field| &field.param).collect();
    let ctx = model.ctx.map(|_| quote!(#ctx,));
    let ours = Span::mixed_site();
    let (reply, to) = (quote_spanned!(ours=> reply), quote_spanned!(ours=> to));
    let (unwound, name) = (quote_spanned!(ours=> unwound), ident.unraw().to_string());
    let call = |last: Option<&TokenStream>| quote!(<__H as #handler>::#method(#state, #ctx #(#names,)* #last));
    // A panic of the handler is told with the variant's name, and one that does not panic pays nothing for it.
    let begin = quote!(let #unwound = #krate::__private::Unwound::names(#name););
    let end = quote!(#unwound.returned(););
    match variant.reply {
        None => {
            let call = call(None);
            quote! {
                #pattern => {
                    #begin
                    #call;
                    #end
                }
            }
        }
        Some(Reply { deferred: None, .. }) => {
            let call = call(None);
            quote! {
                #pattern => {
                    #begin
                    let #reply = #call;
                    #end
                    match #slot.take() {
                        ::core::option::Option::Some(#ports::#ident(#to)) => #to.send(#reply),
                        _ => #slot.put(#reply),
                    }
                }
            }
        }
        Some(Reply { deferred: Some(_), .. }) => {
            let call = call(Some(&reply));
            quote! {
                #pattern => {
                    let #reply = match #slot.take() {
                        ::core::option::Option::Some(#ports::#ident(#to)) => #to,
                        _ => #krate::ReplyTo::__nobody(),
                    };
                    #begin
                    #call;
                    #end
                }
            }
        }
    }
}
