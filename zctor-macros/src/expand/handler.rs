//! The handler trait: what a state implements.

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, quote, quote_spanned};
use syn::ext::IdentExt;

use crate::model::{Model, Reply, Variant};
use crate::position;
use crate::types::print;

/// ```text
/// in   #[reply(i64)] Add { a: i64, b: i64 }
/// out  pub trait CalculatorHandler: 'static {
///          fn add(&mut self, a: i64, b: i64) -> i64;
///          fn on_start(&mut self, ctx: &mut Context<CalculatorMessage>) { let _ = ctx; }
///          fn on_stop(&mut self, ctx: &mut Context<CalculatorMessage>) { let _ = ctx; }
///          fn on_panic(self, ctx: &mut Context<CalculatorMessage>, text: &str) where Self: Sized { .. }
///      }
/// ```
pub(crate) fn definition(model: &Model<'_>) -> TokenStream {
    let ident = &model.item.ident;
    let (params, _, bounds) = model.generics.plain().split_for_impl();
    let attrs = model.attrs_of_signatures();
    let doc = format!(" The handlers of a state, one for each variant of [`{}`].", ident.unraw());
    let skeleton = skeleton(model);
    let variants = || model.variants.iter().chain(&model.handler_only);
    let methods = variants().map(|variant| method(model, variant));
    let hooks = model.hooks.iter().map(|hook| self::hook(model, hook));
    let (at, vis, handler) = model.defined(&model.handler);
    let methods = quote!(#(#methods)* #(#hooks)*);
    let definition = quote_spanned!(at=> #vis trait #handler #params: 'static #bounds { #methods });
    quote! {
        #[doc = #doc]
        #skeleton
        #attrs
        #definition
    }
}

/// The skeleton of an implementation, in the trait's documentation. It is for copying, and so no doctest.
fn skeleton(model: &Model<'_>) -> TokenStream {
    let (params, arguments, bounds) = model.generics.plain().split_for_impl();
    let mut text =
        format!("\nTo begin with:\n\n```rust,ignore\nimpl{} {}", print(params), model.handler.to_token_stream());
    text += &format!("{} for State", print(arguments));
    if let Some(bounds) = bounds {
        text += &format!(" {}", print(bounds).replace("::core::marker::", ""));
    }
    text += " {\n";
    for variant in &model.variants {
        let fields = variant.fields.iter().map(|field| format!("{}: {}", field.param, print(&field.ty)));
        let ctx = model.ctx.map(|_| format!("ctx: &mut Context<{}>", print(&model.ty)));
        let (to, back) = match &variant.reply {
            Some(reply) if reply.deferred.is_some() => {
                (Some(format!("reply: ReplyTo<{}>", print(&reply.ty))), String::new())
            }
            Some(reply) => (
                None,
                Some(print(&reply.ty)).filter(|ty| ty != "()").map_or_else(String::new, |ty| format!(" -> {ty}")),
            ),
            None => (None, String::new()),
        };
        let parameters = std::iter::once("&mut self".to_owned()).chain(ctx).chain(fields).chain(to);
        let parameters = parameters.collect::<Vec<_>>().join(", ");
        text += &format!("    fn {}({parameters}){back} {{ todo!() }}\n", variant.method);
    }
    text += "}\n```";
    quote!(#[cfg_attr(not(doctest), doc = #text)])
}

fn hook(model: &Model<'_>, name: &str) -> TokenStream {
    let (krate, ty, (at, _)) = (&model.krate, &model.ty, model.at_enum());
    let hook = quote::format_ident!("{name}", span = at);
    if name == "on_panic" {
        return quote_spanned! {at=>
            /// Gets the state whose code has panicked, with the panic's text, to hand on what must not be lost. The state
            /// cannot be trusted to be whole. It may send, and it may not wait; a panic here ends nothing.
            fn #hook(self, ctx: &mut #krate::Context<#ty>, text: &::core::primitive::str)
            where
                Self: ::core::marker::Sized,
            {
                let _ = (ctx, text);
                #krate::__private::drop_state(self);
            }
        };
    }
    let doc = match name {
        "on_start" => " Runs after every build of the state, as the instance's first message.",
        _ => " Runs before an orderly end and before a reset, never after a panic.",
    };
    quote_spanned! {at=>
        #[doc = #doc]
        fn #hook(&mut self, ctx: &mut #krate::Context<#ty>) {
            let _ = ctx;
        }
    }
}

fn method(model: &Model<'_>, variant: &Variant<'_>) -> TokenStream {
    let ty = &model.ty;
    let (method, lints) = (&variant.method, &variant.lints);
    let docs = variant.docs.or_handles();
    let (names, types): (Vec<_>, Vec<_>) = variant.fields.iter().map(|field| (&field.param, &field.ty)).unzip();
    let span = variant.span;
    // The context and the deferred reply stand at the options that ask for them, since rustc shows that position
    // where a method lacks the parameter. Their names may also be those of fields.
    let ours = span.resolved_at(Span::mixed_site());
    let ctx = model.ctx.map(|at| {
        let (name, krate, ty) = (quote_spanned!(ours=> ctx), model.krate_at(at), position::respan(ty.clone(), at));
        quote_spanned!(at=> #name: &mut #krate::Context<#ty>,)
    });
    let to = variant.reply.as_ref().and_then(|reply| {
        let (at, ty) = (reply.deferred?, &reply.ty);
        let (name, krate) = (quote_spanned!(ours=> reply), model.krate_at(at));
        Some(quote_spanned!(at=> #name: #krate::ReplyTo<#ty>))
    });
    let reply = match &variant.reply {
        Some(Reply { ty, deferred: None }) => quote_spanned!(span=> -> #ty),
        _ => quote_spanned!(span=> -> ()),
    };
    let many = variant.too_many_arguments(1 + usize::from(model.ctx.is_some()) + usize::from(to.is_some()));
    // Where a method has too many or too few parameters, rustc underlines those of the trait, from the receiver to the
    // last one. The receiver stands at the word that asks for the context. Where no word does, it stands at the
    // attribute, in which the word is missing; but `deferred` asks for the last parameter, and is close to the variant.
    let by = model.ctx.unwrap_or_else(|| if to.is_some() { span } else { Span::call_site() });
    let receiver = quote_spanned!(by=> &mut self);
    let signature = quote_spanned!(span=> fn #method(#receiver, #ctx #(#names: #types,)* #to) #reply;);
    quote!(#docs #(#lints)* #many #signature)
}
