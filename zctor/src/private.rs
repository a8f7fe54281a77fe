//! What generated code may touch. It carries no promise: nothing here is part of the public API.

pub use crate::__double as double;
pub use crate::call::ReplySlot;
pub use crate::client::Part;
pub use crate::message::{
    Acyclic, Factory, FactoryOnce, KeyField, KeyOf, Keyed, Mention, MentionKey, Port, Unkeyed, assert_field,
    assert_reply, call_depth, key_hash, same,
};
pub use crate::terms::Terms;
pub use zctor_macros::{__Actor, __actor};
