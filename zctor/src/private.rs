//! What generated code may touch. It carries no promise: nothing here is part of the public API.

use std::any::Any;

use crate::client::message::{MessageField, ReplyType};

pub use crate::__double as double;
pub use crate::actor::{Factory, FactoryOnce};
pub use crate::client::Part;
pub use crate::reply::cancellation::Cancellation;
pub use crate::reply::reply_to::ReplySlot;
pub use crate::route::keyed::{KeyField, KeyOf, Keyed, Unkeyed, key_hash};
pub use crate::route::payload::Port;
pub use crate::sys::unwind::Unwound;
pub use zctor_macros::{__Actor, __actor};

/// The value, if both are one type.
pub fn same<F: 'static, T: 'static>(value: F) -> Option<T> {
    let mut value = Some(value);
    (&mut value as &mut dyn Any).downcast_mut::<Option<T>>().and_then(Option::take)
}

/// What becomes of a state whose code panicked if its handler trait says nothing else.
pub fn drop_state<S>(state: S) {
    let dropping = Unwound::names("drop");
    drop(state);
    dropping.returned();
}

/// One more than the deepest of `callees`.
pub const fn call_depth(callees: &[u16]) -> u16 {
    let mut deepest = 0;
    let mut i = 0;
    while i < callees.len() {
        if callees[i] > deepest {
            deepest = callees[i];
        }
        i += 1;
    }
    deepest + 1
}

/// Compiles for what a field may be, and points at the field where it may not.
pub const fn assert_field<T: MessageField>() {}

/// Compiles for what a reply may be, and points at the reply where it may not.
pub const fn assert_reply<T: ReplyType>() {}

/// Marks a message whose declared calls lead to no cycle. For a generic enum the callees must be so too, and a cycle
/// among them has no finite proof: rustc refuses it without evaluating any constant.
#[doc(hidden)]
pub trait Acyclic {}

/// As [`Mention`], for what takes a key.
#[doc(hidden)]
pub trait MentionKey<Q: ?Sized> {
    /// Never called.
    fn mention();
}

/// What generated code mentions here is not dead code, however little of it a program uses.
#[doc(hidden)]
pub trait Mention<H> {
    /// Never called.
    fn mention();
}
