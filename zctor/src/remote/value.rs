//! Values that can become bytes, and be made from bytes again.

use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde::{Serialize, Serializer};

use crate::remote::wire::{self, Format};

/// The requirement on a message and a reply that go through bytes: serde's `Serialize` and `DeserializeOwned`.
///
/// ```
/// fn travels<T: zctor::remote::RemoteValue>() -> bool {
///     true
/// }
/// assert!(travels::<Result<u64, String>>());
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot go through bytes",
    label = "an `#[actor(remote)]` enum, its fields and its replies must be serde's `Serialize` and `Deserialize`",
    note = "derive both on it: `#[derive(serde::Serialize, serde::Deserialize)]`; on an enum of messages below `#[actor]`",
    note = "a variant with `#[msg(internal)]` never travels, and its fields need neither"
)]
pub trait RemoteValue: Serialize + DeserializeOwned + Send + 'static {}

#[diagnostic::do_not_recommend]
impl<T: Serialize + DeserializeOwned + Send + 'static> RemoteValue for T {}

/// A [`RemoteValue`], as generated code requires it.
///
/// If a bound without type parameters does not hold, rustc reports the bound itself. A bound `for<'a> Travels<'a>` is
/// not reported so: the code that has it compiles, and the only error is that of the check beside it.
#[doc(hidden)]
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot go through bytes",
    note = "derive serde's `Serialize` and `Deserialize` on it; on an enum of messages below `#[actor]`"
)]
pub trait Travels<'a>: Sized {
    fn __encode(&self, format: Format) -> Result<Vec<u8>, Arc<str>>;
    fn __decode(bytes: &[u8], format: Format) -> Result<Self, Arc<str>>;
    fn __serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error>;
}

#[diagnostic::do_not_recommend]
impl<T: RemoteValue> Travels<'_> for T {
    fn __encode(&self, format: Format) -> Result<Vec<u8>, Arc<str>> {
        wire::encode(self, format)
    }

    fn __decode(bytes: &[u8], format: Format) -> Result<Self, Arc<str>> {
        wire::decode(bytes, format)
    }

    fn __serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.serialize(serializer)
    }
}

/// Has rustc report a type that cannot go through bytes where it is called.
#[doc(hidden)]
pub const fn __assert_value<T: RemoteValue>() {}

/// Serializes a field: serde's code requires no more of it than such a bound.
#[doc(hidden)]
pub fn __serialize<T: for<'a> Travels<'a>, S: Serializer>(value: &T, serializer: S) -> Result<S::Ok, S::Error> {
    value.__serialize(serializer)
}
