//! The items that generated code may touch, and its proofs at compile time. The module carries no promise: nothing
//! here is part of the public API.

use std::any::Any;

use crate::client::message::{MessageField, ReplyType};

pub use crate::__double as double;
pub use crate::__remote as remote;
pub use crate::actor::{Factory, FactoryOnce};
pub use crate::client::Part;
pub use crate::client::name::{Parameters, name};
pub use crate::reply::cancellation::{Caller, Cancellation};
pub use crate::reply::reply_to::ReplySlot;
pub use crate::route::keyed::{KeyField, KeyOf, Keyed, TravellingKey, Unkeyed, key_hash};
pub use crate::route::link_route::KeyRoute;
pub use crate::route::payload::Port;
pub use crate::sys::unwind::Unwound;
pub use zctor_macros::{__Actor, __actor};

/// Returns the value, if `F` and `T` are one type.
pub fn same<F: 'static, T: 'static>(value: F) -> Option<T> {
    let mut value = Some(value);
    (&mut value as &mut dyn Any).downcast_mut::<Option<T>>().and_then(Option::take)
}

/// Drops a state whose code has panicked: what `on_panic` does if the user has written no other.
pub fn drop_state<S>(state: S) {
    let dropping = Unwound::names("drop");
    drop(state);
    dropping.returned();
}

/// Returns the call depth of an enum that declares these callees: one more than the deepest of them.
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

/// Compiles only if `T` may be the type of a field; the error points at the field.
pub const fn assert_field<T: MessageField>() {}

/// Compiles only if `T` may be the type of a reply; the error points at the reply.
pub const fn assert_reply<T: ReplyType>() {}

/// Marks a message whose declared calls lead to no cycle.
///
/// A generic enum implements it only if its callees do. For a cycle of such enums there is no finite proof, so rustc
/// refuses the cycle without evaluating any constant. The only text of ours in its error is the name.
#[doc(hidden)]
pub trait CycleOfCallsSendOrPipeOneOfThem {}

/// As [`Mention`], for the generated methods that take a key.
#[doc(hidden)]
pub trait MentionKey<Q: ?Sized> {
    /// Never called.
    fn mention();
}

/// Keeps generated items from being reported as dead code, however few of them a program uses: an implementation of
/// this trait mentions them.
#[doc(hidden)]
pub trait Mention<H> {
    /// Never called.
    fn mention();
}
