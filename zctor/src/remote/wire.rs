//! From values to bytes and back: MessagePack with names.

use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::sys::unwind::catch;

/// How deep a value may be nested. Deeper bytes are refused before they can overflow the stack.
const DEEPEST: usize = 128;

pub(super) fn encode<T: Serialize>(value: &T) -> Result<Vec<u8>, Arc<str>> {
    refused(|| rmp_serde::to_vec_named(value))
}

pub(super) fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Arc<str>> {
    refused(|| {
        let mut decoder = rmp_serde::Deserializer::from_read_ref(bytes);
        decoder.set_max_depth(DEEPEST);
        T::deserialize(&mut decoder)
    })
}

/// A panic of the user's `Serialize` or `Deserialize` refuses the value like an error.
fn refused<R, E: ToString>(code: impl FnOnce() -> Result<R, E>) -> Result<R, Arc<str>> {
    catch(code)?.map_err(|error| error.to_string().into())
}
