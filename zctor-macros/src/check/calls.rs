//! Rules about the types in `calls` and `sends`.

use proc_macro2::Ident;
use syn::Type;

use crate::errors::Errors;
use crate::parse::ast::Definition;
use crate::types::{peel, print};

/// The generated constant that refuses cycles misses these, or shows them far from their cause.
pub(super) fn callees_are_other_actors(definition: &Definition, errors: &mut Errors) {
    each_is_right("calls", definition.options.calls.get(), errors, |ty| fault_of_callee(definition, ty));
}

/// Without it rustc shows a fault in the expansion. An actor may send to its own kind.
pub(super) fn receivers_are_actors(definition: &Definition, errors: &mut Errors) {
    each_is_right("sends", definition.options.sends.get(), errors, |ty| fault_of_receiver(definition, ty));
}

fn each_is_right(
    option: &str,
    types: Option<&Vec<Type>>,
    errors: &mut Errors,
    fault: impl Fn(&Type) -> Option<String>,
) {
    let types = types.map(Vec::as_slice).unwrap_or_default();
    for (index, ty) in types.iter().enumerate() {
        if let Some(fault) = fault(ty) {
            errors.add(ty, fault);
        } else if types.iter().take(index).any(|before| print(before) == print(ty)) {
            errors.add(ty, format_args!("`{}` is in `{option}` already; keep one", print(ty)));
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
    parameter(definition, ty)
        .map(|first| format!("`{first}` could be any type, so its calls cannot be checked; name an actor's enum"))
}

pub(crate) fn fault_of_receiver(definition: &Definition, ty: &Type) -> Option<String> {
    let Type::Path(_) = peel(ty) else {
        return Some("`sends` takes the enums of actors, each by its path".to_owned());
    };
    parameter(definition, ty).map(|first| format!("`{first}` could be any type; name an actor's enum"))
}

/// The type parameter that this type is, if it is one.
fn parameter<'d>(definition: &'d Definition, ty: &Type) -> Option<&'d Ident> {
    let Type::Path(path) = peel(ty) else { return None };
    let name = path.path.get_ident().filter(|_| path.qself.is_none())?;
    definition.item.generics.type_params().map(|param| &param.ident).find(|param| *param == name)
}
