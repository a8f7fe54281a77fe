//! Looking into the user's types, and moving them to places where `Self` means something else.

mod borrow;
mod parts;
mod print;

pub(crate) use borrow::{Instead, borrows, make_static};
pub(crate) use parts::{
    idents, impl_trait, infer, length, mentions, owner, peel, replace_self, self_in_macro, without_self,
};
pub(crate) use print::print;
