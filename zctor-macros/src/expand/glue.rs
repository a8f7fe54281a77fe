//! The registration glue: from a factory of states to an actor.

use proc_macro2::TokenStream;
use quote::quote_spanned;

use crate::model::Model;
use crate::position;

/// ```text
/// out  impl CalculatorMessage {
///          pub fn actor<S, F>(factory: F) -> Actor<Self, S>
///          where S: CalculatorHandler, F: Fn() -> S + Factory { Actor::__new(factory) }
///          pub fn try_actor<S, F>(..) ..
///          pub fn actor_once<S, F>(..) ..
///      }
/// ```
pub(crate) fn definition(model: &Model<'_>) -> TokenStream {
    let ty = &model.ty;
    let (at, vis) = model.at_enum();
    let (state, factory) = (position::moved(&model.state, at), position::moved(&model.factory, at));
    let (params, _, bounds) = model.generics.plain().split_for_impl();
    let (attrs, krate, handler) = (model.attrs(), model.krate_at(at), model.handler_type());
    quote_spanned! {at=>
        #attrs
        impl #params #ty #bounds {
            /// An actor whose states come from `factory`, which also rebuilds them and so is `Send + Sync + 'static`.
            #vis fn actor<#state, #factory>(factory: #factory) -> #krate::Actor<Self, #state>
            where
                #state: #handler,
                #factory: ::core::ops::Fn() -> #state + #krate::__private::Factory,
            {
                #krate::Actor::__new(factory)
            }

            /// The same with a factory that is given the context and may fail; its error comes out of the spawn.
            #vis fn try_actor<#state, #factory>(factory: #factory) -> #krate::Actor<Self, #state>
            where
                #state: #handler,
                #factory: ::core::ops::Fn(&mut #krate::Context<Self>) -> ::core::result::Result<#state, #krate::BoxError>
                    + #krate::__private::Factory,
            {
                #krate::Actor::__try_new(factory)
            }

            /// An actor with one state and no other: a panic or a reset ends it. Its factory is `Send + 'static`.
            #vis fn actor_once<#state, #factory>(factory: #factory) -> #krate::ActorOnce<Self, #state>
            where
                #state: #handler,
                #factory: ::core::ops::FnOnce() -> #state + #krate::__private::FactoryOnce,
            {
                #krate::ActorOnce::__new(factory)
            }
        }
    }
}
