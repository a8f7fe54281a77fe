//! The definition as the user wrote it, with zctor's attributes taken out of the enum and read.

use std::collections::HashSet;

use proc_macro2::{Ident, Span, TokenStream};
use quote::ToTokens;
use syn::ext::IdentExt;
use syn::{Attribute, Item, ItemEnum, Lifetime, Type};

use crate::errors::Errors;
use crate::parse::attr::{self, MsgOptions, Options, reply};
use crate::parse::serde;
use crate::{names, position};

pub(crate) struct Definition {
    /// The enum without zctor's attributes.
    pub(crate) item: ItemEnum,
    pub(crate) options: Options,
    pub(crate) variants: Vec<Variant>,
    /// The names of the variants, since no request may have one of them.
    pub(crate) names: HashSet<String>,
    /// zctor's attributes on the enum itself, where none belongs.
    pub(crate) misplaced: Vec<Attribute>,
    pub(crate) source: Source,
    /// The hooks whose name a variant has taken.
    pub(crate) lost_hooks: Vec<String>,
}

/// The variants of an enum that the macro is given.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Source {
    /// All that the user wrote.
    Written,
    /// Those that are left behind a `cfg`, which may have taken others out.
    Stripped,
}

pub(crate) struct Variant {
    pub(crate) ident: Ident,
    pub(crate) fields: Vec<Field>,
    pub(crate) shape: Shape,
    pub(crate) replies: Vec<Reply>,
    pub(crate) options: MsgOptions,
    /// Rust's `must_use`, which goes to the methods, since rustc warns of one on a variant.
    pub(crate) must_use: Vec<Attribute>,
    /// The attributes that stay on the variant: documentation, lints, other macros'.
    pub(crate) attrs: Vec<Attribute>,
    /// zctor's attributes that do not belong on a variant.
    pub(crate) misplaced: Vec<Attribute>,
    pub(crate) extent: Extent,
}

/// The extent of the generated code for a variant: everything, unless the variant has a fault.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Extent {
    Everything,
    Handler,
    Nothing,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    Named,
    Tuple,
    Unit,
}

pub(crate) struct Reply {
    pub(crate) attribute: Attribute,
    /// `None` if the type has a fault, which is reported already.
    pub(crate) ty: Option<Type>,
    /// The position of the word that lets the handler answer later.
    pub(crate) deferred: Option<Span>,
}

pub(crate) struct Field {
    /// `None` in a tuple variant.
    pub(crate) ident: Option<Ident>,
    pub(crate) ty: Type,
    pub(crate) keys: Vec<Attribute>,
    pub(crate) options: MsgOptions,
    pub(crate) attrs: Vec<Attribute>,
    pub(crate) misplaced: Vec<Attribute>,
}

/// The enum that the attribute is on.
pub(crate) fn parse(item: TokenStream) -> syn::Result<ItemEnum> {
    match syn::parse2(item)? {
        Item::Enum(item) => Ok(item),
        Item::Struct(item) => Err(syn::Error::new_spanned(
            item.struct_token,
            "`#[actor]` belongs on the enum of messages; the state struct implements the generated handler trait",
        )),
        other => {
            let (keyword, what) = match &other {
                Item::Fn(item) => (item.sig.fn_token.to_token_stream(), "a function"),
                Item::Impl(item) => (item.impl_token.to_token_stream(), "an impl block"),
                Item::Trait(item) => (item.trait_token.to_token_stream(), "a trait"),
                Item::Union(item) => (item.union_token.to_token_stream(), "a union"),
                Item::Mod(item) => (item.mod_token.to_token_stream(), "a module"),
                Item::Type(item) => (item.type_token.to_token_stream(), "a type alias"),
                other => (other.to_token_stream(), "another item"),
            };
            Err(syn::Error::new_spanned(keyword, format!("`#[actor]` expects an enum of messages, found {what}")))
        }
    }
}

impl Definition {
    pub(crate) fn read(args: TokenStream, mut item: ItemEnum, source: Source, errors: &mut Errors) -> Self {
        let options = Options::read(args, errors);
        let misplaced = take(&mut item.attrs, &[attr::ACTOR, attr::REPLY, attr::MSG, attr::KEY]);
        let names = item.variants.iter().map(|variant| variant.ident.unraw().to_string()).collect();
        let variants = item.variants.iter_mut().map(|variant| Variant::read(variant, errors)).collect();
        Self { item, options, variants, names, misplaced, source, lost_hooks: Vec::new() }
    }
}

impl Variant {
    fn read(variant: &mut syn::Variant, errors: &mut Errors) -> Self {
        let shape = match &variant.fields {
            syn::Fields::Named(_) => Shape::Named,
            syn::Fields::Unnamed(_) => Shape::Tuple,
            syn::Fields::Unit => Shape::Unit,
        };
        let replies = take(&mut variant.attrs, &[attr::REPLY]).into_iter();
        let replies = replies.map(|attribute| Reply::read(attribute, errors)).collect();
        let mut options = MsgOptions::default();
        for attribute in take(&mut variant.attrs, &[attr::MSG]) {
            options.read_on_variant(&attribute, errors);
        }
        let misplaced = take(&mut variant.attrs, &[attr::KEY]);
        let must_use = take(&mut variant.attrs, &[attr::MUST_USE, attr::HIDDEN_MUST_USE]);
        let fields = variant.fields.iter_mut().map(|field| Field::read(field, errors)).collect();
        let attrs = variant.attrs.clone();
        Self {
            ident: variant.ident.clone(),
            fields,
            shape,
            replies,
            options,
            must_use,
            attrs,
            misplaced,
            extent: Extent::Everything,
        }
    }
}

impl Reply {
    fn read(attribute: Attribute, errors: &mut Errors) -> Self {
        let reply::Content { ty, deferred } = reply::read(&attribute, errors);
        Self { attribute, ty, deferred }
    }
}

impl Field {
    fn read(field: &mut syn::Field, errors: &mut Errors) -> Self {
        let keys = take(&mut field.attrs, &[attr::KEY]);
        let mut options = MsgOptions::default();
        for attribute in take(&mut field.attrs, &[attr::MSG]) {
            options.read_on_field(&attribute, errors);
        }
        let misplaced = take(&mut field.attrs, &[attr::REPLY]);
        Self { ident: field.ident.clone(), ty: field.ty.clone(), keys, options, attrs: field.attrs.clone(), misplaced }
    }
}

impl Definition {
    pub(crate) fn handler(&self) -> Ident {
        self.options.handler.get().cloned().unwrap_or_else(|| names::handler(&self.item.ident))
    }

    pub(crate) fn client(&self) -> Ident {
        self.options.client.get().cloned().unwrap_or_else(|| names::client(&self.item.ident))
    }

    /// The enum as it is given back. Serde is told of one whose messages may travel which of them do.
    pub(crate) fn emitted(&self) -> ItemEnum {
        let mut item = self.item.clone();
        if self.options.remote.key().is_some() {
            serde::tell(&mut item, &attr::krate_or_default(&self.options), |index, _| self.is_internal(index));
        }
        item
    }

    /// The types of the fields that must travel.
    pub(crate) fn travelling(&self) -> Vec<Type> {
        serde::bound(&self.emitted())
    }

    fn is_internal(&self, index: usize) -> bool {
        self.variants.get(index).is_some_and(|variant| variant.options.internal.get().is_some())
    }

    /// The lifetimes that the enum declares.
    pub(crate) fn lifetimes(&self) -> Vec<Lifetime> {
        self.item.generics.lifetimes().map(|param| param.lifetime.clone()).collect()
    }
}

impl Variant {
    /// The name of this variant's methods.
    pub(crate) fn method(&self) -> Ident {
        self.options.name.get().cloned().unwrap_or_else(|| names::method(&self.ident))
    }

    /// The word that the methods have their name from.
    pub(crate) fn name_token(&self) -> impl ToTokens {
        self.options.name.get().unwrap_or(&self.ident).clone()
    }
}

impl Field {
    /// The parameter that takes this field, which is the `index`th of `count`.
    pub(crate) fn parameter(&self, index: usize, count: usize) -> Ident {
        let span = Span::call_site();
        match (&self.ident, self.options.name.get()) {
            (Some(name), _) | (None, Some(name)) => position::moved(name, position::of(name)),
            (None, None) => names::parameter(index, count, span),
        }
    }
}

/// Takes the attributes with one of these names out of the list.
fn take(attrs: &mut Vec<Attribute>, names: &[&str]) -> Vec<Attribute> {
    let (taken, left) =
        std::mem::take(attrs).into_iter().partition(|attr| names.iter().any(|name| attr::is(attr, name)));
    *attrs = left;
    taken
}
