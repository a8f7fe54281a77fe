//! The user's types: their parts, their text, and their form in places with another `Self`.

mod borrow;
mod owner;
mod parts;
mod print;
mod self_type;

pub(crate) use borrow::{Instead, borrows, make_owned, make_static, static_references};
pub(crate) use owner::owner;
pub(crate) use parts::{idents, impl_trait, infer, length, mentions, peel, self_in_macro};
pub(crate) use print::print;
pub(crate) use self_type::{replace_self, without_self};
