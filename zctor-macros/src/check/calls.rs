//! Rules about the callees in `calls`.

use proc_macro2::Ident;
use syn::Type;

use crate::errors::Errors;
use crate::parse::ast::Definition;
use crate::types::{peel, print};

/// The generated constant that refuses cycles misses these, or shows them far from their cause.
pub(super) fn callees_are_other_actors(definition: &Definition, errors: &mut Errors) {
    let Some(calls) = definition.options.calls.get() else {
        return;
    };
    for (index, ty) in calls.iter().enumerate() {
        let before = calls.iter().take(index);
        if let Some(fault) = fault_of_callee(definition, ty) {
            errors.add(ty, fault);
        } else if before.into_iter().any(|before| print(before) == print(ty)) {
            errors.add(ty, format_args!("`{}` is in `calls` already; keep one", print(ty)));
        }
    }
}

pub(crate) fn fault_of_callee(definition: &Definition, ty: &Type) -> Option<String> {
    let Type::Path(path) = peel(ty) else {
        return Some("`calls` takes the enums of other actors, each by its path".to_owned());
    };
    let first = path.path.segments.first().map(|first| &first.ident);
    let alone = path.qself.is_none() && path.path.leading_colon.is_none() && path.path.segments.len() == 1;
    if alone && first.is_some_and(|first| *first == definition.item.ident || first == "Self") {
        return Some("an instance cannot wait for its own type; pipe the request instead".to_owned());
    }
    let is_parameter = |ident: &Ident| definition.item.generics.type_params().any(|param| param.ident == *ident);
    first
        .filter(|first| alone && is_parameter(first))
        .map(|first| format!("`{first}` could be any type, so its calls cannot be checked; name an actor's enum"))
}
