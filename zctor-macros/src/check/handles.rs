//! Rules about handles.

use std::collections::HashSet;

use proc_macro2::Ident;
use syn::ItemEnum;
use syn::ext::IdentExt;

use crate::errors::Errors;
use crate::parse::ast::{Definition, Source};
use crate::parse::attr::Handle;
use crate::spelling;

/// An error lists this many variants at most. A longer list would hide the fault.
const LISTED: usize = 12;

/// A handle is a type beside the client and the handler trait, and so needs a name of its own.
pub(super) fn names_are_free(definition: &Definition, errors: &mut Errors) {
    let handles = all(definition);
    for (index, handle) in handles.iter().enumerate() {
        if let Some(fault) = fault_of_name(definition, handles.get(..index).unwrap_or_default(), &handle.ident) {
            errors.add(&handle.ident, fault);
        }
    }
}

pub(crate) fn fault_of_name(definition: &Definition, before: &[Handle], ident: &Ident) -> Option<String> {
    let what = if *ident == definition.client() {
        "the client of all variants"
    } else if *ident == definition.handler() {
        "the handler trait"
    } else if *ident == definition.item.ident {
        "the enum"
    } else {
        let twice = before.iter().any(|handle| handle.ident == *ident);
        return twice.then(|| format!("`{ident}` is given twice; keep one"));
    };
    Some(format!("`{ident}` is {what} already; give the handle another name"))
}

/// An empty list, or a variant listed twice, is a slip.
pub(super) fn lists_hold_variants(definition: &Definition, errors: &mut Errors) {
    for handle in all(definition) {
        if handle.variants.is_empty() {
            errors.add(&handle.list, format_args!("`{}` knows no variant; list those that it may send", handle.ident));
        }
        let mut seen = HashSet::new();
        for variant in &handle.variants {
            if !seen.insert(variant.unraw()) {
                errors.add(variant, format_args!("`{variant}` is in `{}` already; keep one", handle.ident));
            }
        }
    }
    // A `cfg` may have taken listed variants out. The first hop has looked for unknown ones before.
    if definition.source == Source::Written {
        variants_exist(&definition.item, all(definition), errors);
    }
}

/// A typo would otherwise show at a call of the missing method.
pub(crate) fn variants_exist(item: &ItemEnum, handles: &[Handle], errors: &mut Errors) {
    let known: HashSet<Ident> = item.variants.iter().map(|variant| variant.ident.unraw()).collect();
    let unknown = |variant: &&Ident| !known.contains(&variant.unraw());
    for variant in handles.iter().flat_map(|handle| &handle.variants).filter(unknown) {
        let name = variant.unraw().to_string();
        let known: Vec<String> = item.variants.iter().map(|variant| variant.ident.unraw().to_string()).collect();
        let known: Vec<&str> = known.iter().map(String::as_str).collect();
        let hint = spelling::hint(&name, &known);
        let listed = known.iter().take(LISTED).copied().collect::<Vec<_>>().join(", ");
        let more = if known.len() > LISTED { ", .." } else { "" };
        errors.add(variant, format_args!("`{}` has no variant `{variant}`{hint} Variants: {listed}{more}", item.ident));
    }
}

fn all(definition: &Definition) -> &[Handle] {
    definition.options.handles.get().map(Vec::as_slice).unwrap_or_default()
}
