//! What generated code may touch. It carries no promise: nothing here is part of the public API.

pub use crate::__double as double;
pub use crate::client::Part;
pub use crate::client::message::{
    Acyclic, Factory, FactoryOnce, KeyField, KeyOf, Keyed, Mention, MentionKey, Port, Unkeyed, assert_field,
    assert_reply, call_depth, key_hash, same,
};
pub use crate::messaging::pending::ReplySlot;
pub use crate::reply::cancellation::Terms;
pub use zctor_macros::{__Actor, __actor};
