//! Types that own their data, for errors to propose.

use syn::{Type, parse_quote};

use crate::types::parts::peel;
use crate::types::print::print;

/// The owned type in place of a type without a size.
pub(crate) fn owner(ty: &Type) -> Option<Type> {
    match peel(ty) {
        Type::Slice(slice) => {
            let elem = &slice.elem;
            Some(parse_quote!(Vec<#elem>))
        }
        Type::TraitObject(object) => Some(parse_quote!(Box<#object>)),
        Type::Path(path) if path.path.is_ident("str") => Some(parse_quote!(String)),
        _ => None,
    }
}

/// The text of the owned type in place of a reference to `ty`.
pub(super) fn owned(ty: &Type) -> String {
    match peel(ty) {
        Type::Path(path) if path.path.is_ident("str") => "String".to_owned(),
        Type::Path(path) if path.path.is_ident("Path") => "PathBuf".to_owned(),
        Type::Slice(slice) => format!("Vec<{}>", print(&slice.elem)),
        Type::TraitObject(object) => format!("Box<{}>", print(object)),
        other => print(other),
    }
}
