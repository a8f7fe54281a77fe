//! The expansion of a definition with faults. Faulty parts are mended by guess or left out, and the rest expands as
//! ever, so that one mistake gives one error.

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, quote};
use syn::ext::IdentExt;
use syn::{Type, parse_quote};

use crate::errors::Errors;
use crate::model::Model;
use crate::parse::ast::{self, Definition, Extent, Source, Variant};
use crate::parse::attr::Handle;
use crate::{check, expand, names, types};

/// The enum, its errors, and the generated items.
pub(crate) fn definition(args: TokenStream, item: TokenStream, error: &syn::Error) -> TokenStream {
    let errors = error.to_compile_error();
    let Some(definition) = mended(args, item.clone()) else {
        return quote!(#item #errors);
    };
    let (item, generated) = (definition.emitted(), expand::definition(&Model::resolve(&definition)));
    quote!(#item #errors #generated)
}

/// The same without the enum, which the first hop of a `cfg` has given back.
pub(crate) fn beside(args: TokenStream, item: TokenStream, error: &syn::Error) -> TokenStream {
    let errors = error.to_compile_error();
    let generated = mended(args, item).map(|definition| expand::definition(&Model::resolve(&definition)));
    let generated = generated.to_token_stream();
    quote!(#errors #generated)
}

/// The definition with its faults mended. `None` where there is no enum.
fn mended(args: TokenStream, item: TokenStream) -> Option<Definition> {
    let item = ast::parse(item).ok()?;
    let mut seen = Errors::default();
    let mut definition = Definition::read(args, item, Source::Written, &mut seen);
    seen.discard();
    own_the_data(&mut definition);
    name_the_types(&mut definition);
    use_the_parameters(&mut definition);
    keep_good_calls(&mut definition);
    keep_good_handles(&mut definition);
    keep_good_methods(&mut definition);
    Some(definition)
}

/// Each borrow becomes a `'static` one, also in the enum, where rustc would ask for a lifetime otherwise.
fn own_the_data(definition: &mut Definition) {
    let declared = definition.lifetimes();
    for field in definition.item.variants.iter_mut().flat_map(|variant| variant.fields.iter_mut()) {
        types::make_static(&mut field.ty, &declared);
    }
    if definition.options.remote.key().is_some() {
        own_what_travels(definition);
    }
    for variant in &mut definition.variants {
        for field in &mut variant.fields {
            types::make_static(&mut field.ty, &[]);
        }
        for reply in &mut variant.replies {
            if let Some(ty) = &mut reply.ty {
                types::make_static(ty, &[]);
            }
        }
    }
}

/// Each `'static` reference that travels becomes what owns its data, also in the enum, where serde's derive would fail.
fn own_what_travels(definition: &mut Definition) {
    for (variant, in_enum) in definition.variants.iter_mut().zip(&mut definition.item.variants) {
        if variant.options.internal.get().is_none() {
            in_enum.fields.iter_mut().for_each(|field| types::make_owned(&mut field.ty));
            variant.fields.iter_mut().for_each(|field| types::make_owned(&mut field.ty));
            variant.replies.iter_mut().filter_map(|reply| reply.ty.as_mut()).for_each(types::make_owned);
        }
    }
}

/// A type without a size becomes the type that the error proposes, also in the enum. A variant with a type that has no
/// name is left out. A variant with an `impl Trait` keeps its handler method, since a method may take one.
fn name_the_types(definition: &mut Definition) {
    let in_enum = definition.item.variants.iter_mut().flat_map(|variant| variant.fields.iter_mut());
    for ty in in_enum.map(|field| &mut field.ty) {
        if types::impl_trait(ty).is_some() || types::infer(ty).is_some() {
            *ty = parse_quote!(());
        } else if let Some(owner) = types::owner(ty) {
            *ty = owner;
        }
    }
    for variant in &mut definition.variants {
        let replies = variant.replies.iter_mut().filter_map(|reply| reply.ty.as_mut());
        for ty in variant.fields.iter_mut().map(|field| &mut field.ty).chain(replies) {
            if types::infer(ty).is_some() || types::self_in_macro(ty).is_some() {
                variant.extent = Extent::Nothing;
            } else if types::impl_trait(ty).is_some() && variant.extent == Extent::Everything {
                variant.extent = Extent::Handler;
            } else if let Some(owner) = types::owner(ty) {
                *ty = owner;
            }
        }
    }
}

/// A type parameter that no field uses gets a variant of its own, or rustc would report the parameter again.
fn use_the_parameters(definition: &mut Definition) {
    let unused = check::types::in_no_field(definition);
    if !unused.is_empty() {
        definition
            .item
            .variants
            .push(parse_quote!(#[doc(hidden)] __Unused(::core::marker::PhantomData<(#(#unused,)*)>)));
    }
}

/// Each callee and each receiver without a fault stays, once.
fn keep_good_calls(definition: &mut Definition) {
    if let Some(calls) = definition.options.calls.get().cloned() {
        let good = good_types(calls, |ty| check::calls::fault_of_callee(definition, ty));
        definition.options.calls.replace(good);
    }
    if let Some(sends) = definition.options.sends.get().cloned() {
        let good = good_types(sends, |ty| check::calls::fault_of_receiver(definition, ty));
        definition.options.sends.replace(good);
    }
}

fn good_types(types: Vec<Type>, fault: impl Fn(&Type) -> Option<String>) -> Vec<Type> {
    let mut good: Vec<Type> = Vec::new();
    for ty in types {
        let known = good.iter().any(|before| types::print(before) == types::print(&ty));
        if !known && fault(&ty).is_none() {
            good.push(ty);
        }
    }
    good
}

/// Each handle with a free name stays. The model leaves out the unknown variants of its list.
fn keep_good_handles(definition: &mut Definition) {
    let mut good: Vec<Handle> = Vec::new();
    for handle in definition.options.handles.take().unwrap_or_default() {
        if check::handles::fault_of_name(definition, &good, &handle.ident).is_none() {
            good.push(handle);
        }
    }
    definition.options.handles.replace(good);
}

/// Of several variants with one method name the first stays. A variant whose method would hide one of the client or of
/// the enum keeps its handler method alone.
fn keep_good_methods(definition: &mut Definition) {
    let mut seen: Vec<String> = Vec::new();
    let mut extents: Vec<Extent> = Vec::new();
    for variant in &definition.variants {
        let method = variant.method().unraw().to_string();
        if names::HOOKS.contains(&method.as_str()) {
            definition.lost_hooks.push(method.clone());
        }
        extents.push(if seen.contains(&method) {
            Extent::Nothing
        } else if check::names::clash(definition, variant, &method).is_some() {
            Extent::Handler
        } else {
            variant.extent
        });
        seen.push(method);
    }
    for (variant, extent) in definition.variants.iter_mut().zip(extents) {
        variant.extent = extent;
        distinct_parameters(variant);
    }
}

/// Of several parameters with one name the first keeps it.
fn distinct_parameters(variant: &mut Variant) {
    let count = variant.fields.len();
    let mut seen: Vec<String> = Vec::new();
    for (index, field) in variant.fields.iter_mut().enumerate() {
        let name = field.parameter(index, count).unraw().to_string();
        if seen.contains(&name) {
            field.options.name.replace(names::parameter(index, usize::MAX, Span::call_site()));
        }
        seen.push(name);
    }
}
