//! The attributes for serde on an enum whose messages may leave their process.
//!
//! An internal variant is left out. Every other field that cannot travel is one error, at its type and with our text,
//! and not one for each place in serde's code that needs the field. That error is in `expand/remote.rs`; serde's impls
//! are given bounds that are none, and serialize the field by a function of ours, which requires no more.
//!
//! Serde is told nothing where it may need none of that, or where a bound could not be resolved: of a field that has an
//! attribute of serde's, or whose type mentions the enum itself or one of its parameters.

use proc_macro2::{Ident, TokenStream};
use quote::{ToTokens, quote};
use syn::spanned::Spanned;
use syn::{Attribute, ItemEnum, LitStr, Path, Type};

use crate::types;

const SERDE: &str = "serde";
const OURS: &str = "__serialize";

/// Adds serde's attributes to the enum, if it derives serde's traits.
pub(crate) fn tell(item: &mut ItemEnum, krate: &Path, is_internal: impl Fn(usize, &syn::Variant) -> bool) {
    if !derives(item) {
        return;
    }
    let own = own_names(item);
    for (index, variant) in item.variants.iter_mut().enumerate() {
        if is_internal(index, variant) {
            variant.attrs.push(syn::parse_quote!(#[serde(skip)]));
            // Serde has the whole enum borrow from its bytes for a reference in any variant, also in one that is left out.
            let borrow = |field: &&mut syn::Field| !types::static_references(&field.ty).is_empty();
            for field in variant.fields.iter_mut().filter(borrow) {
                field.attrs.push(syn::parse_quote!(#[serde(skip_deserializing)]));
            }
            continue;
        }
        let serdes = has_own(&variant.attrs);
        for field in variant.fields.iter_mut().filter(|field| !serdes && is_plain(&field.ty, &field.attrs, &own)) {
            let ty = &field.ty;
            // The errors are to point at the type.
            let text = |tokens: TokenStream| LitStr::new(&tokens.to_string(), ty.span());
            let function = text(quote!(#krate::remote::__serialize));
            let out = text(quote!(#ty: for<'__travels> #krate::remote::Travels<'__travels>));
            let back = text(quote!(#ty: #krate::remote::__Deserialize<'de>));
            field.attrs.push(syn::parse_quote! {
                #[serde(serialize_with = #function, bound(serialize = #out, deserialize = #back))]
            });
        }
    }
}

/// The types of the fields that `tell` has set a bound for.
pub(crate) fn bound(item: &ItemEnum) -> Vec<Type> {
    let fields = item.variants.iter().flat_map(|variant| &variant.fields);
    fields.filter(|field| field.attrs.iter().any(is_bound)).map(|field| field.ty.clone()).collect()
}

/// Whether the enum derives one of serde's traits.
fn derives(item: &ItemEnum) -> bool {
    let mentions = |attribute: &Attribute| {
        let names = types::idents(&attribute.meta.to_token_stream());
        names.iter().any(|name| name == "Serialize" || name == "Deserialize")
    };
    item.attrs.iter().any(mentions)
}

/// The names that a bound must not mention.
fn own_names(item: &ItemEnum) -> Vec<Ident> {
    let parameters = item.generics.type_params().map(|parameter| &parameter.ident);
    let parameters = parameters.chain(item.generics.const_params().map(|parameter| &parameter.ident));
    parameters.chain([&item.ident]).cloned().collect()
}

fn is_plain(ty: &Type, attributes: &[Attribute], own: &[Ident]) -> bool {
    let is_own = |name: &Ident| name == "Self" || name == "$crate" || own.contains(name);
    !has_own(attributes) && !types::idents(&ty.to_token_stream()).iter().any(is_own)
}

/// Whether one of the attributes is the user's for serde.
fn has_own(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| attribute.path().is_ident(SERDE) && !is_bound(attribute))
}

/// Whether `tell` has added the attribute.
fn is_bound(attribute: &Attribute) -> bool {
    attribute.path().is_ident(SERDE) && attribute.meta.to_token_stream().to_string().contains(OURS)
}
