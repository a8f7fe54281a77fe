//! What can become bytes, and be made from bytes again.

use serde::Serialize;
use serde::de::DeserializeOwned;

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
    label = "an `#[actor(remote)]` enum and its replies must be serde's `Serialize` and `Deserialize`",
    note = "derive both: `#[derive(serde::Serialize, serde::Deserialize)]`, on the enum below `#[actor]`",
    note = "a variant with `#[msg(internal)]` never travels, and its fields need neither"
)]
pub trait RemoteValue: Serialize + DeserializeOwned + Send + 'static {}

#[diagnostic::do_not_recommend]
impl<T: Serialize + DeserializeOwned + Send + 'static> RemoteValue for T {}
