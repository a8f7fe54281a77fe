//! The keys that clients are bound to, as bytes: a client of a link is bound to a key of the pool on the other side.

use std::borrow::Borrow;
use std::hash::Hash;
use std::sync::Arc;

use serde::Serialize;

use crate::remote::partition::hash;
use crate::remote::value::{RemoteValue, Travels};
use crate::remote::wire::{self, Format};
use crate::route::keyed::{KeyOf, Keyed, TravellingKey, Unkeyed, key_hash};
use crate::route::link_route::KeyRoute;
use crate::sys::unwind::catch;

impl<K: Borrow<Q> + ?Sized, Q: Serialize + ?Sized> KeyOf<Q> for TravellingKey<Keyed<K>> {
    fn __travelling(key: &Q, hash: u64) -> Option<KeyRoute> {
        Some(KeyRoute::new(hash, written(key)))
    }
}

/// In an enum without `#[key]` only bound clients have keys, and both sides use the hash of the bytes.
impl<Q: Serialize + ?Sized> KeyOf<Q> for TravellingKey<Unkeyed> {
    fn __travelling(key: &Q, in_process: u64) -> Option<KeyRoute> {
        let bytes = written(key);
        Some(KeyRoute::new(bytes.as_deref().map_or(in_process, hash), bytes))
    }
}

/// The bytes of a key, as it travels.
fn written<Q: Serialize + ?Sized>(key: &Q) -> Result<Arc<[u8]>, Arc<str>> {
    wire::encode(key, Format::MessagePack).map(Arc::from).map_err(of_bound_key)
}

/// Says of which key the text is.
pub(super) fn of_bound_key(text: Arc<str>) -> Arc<str> {
    format!("the key that its client is bound to: {text}").into()
}

/// The hash by which the partition of a `#[key]` is found. A message whose key cannot be written is refused whole.
#[doc(hidden)]
pub fn __key_hash<K: for<'a> Travels<'a>>(key: &K) -> Option<u64> {
    key.__encode(Format::MessagePack).ok().map(|bytes| hash(&bytes))
}

/// A key that came as bytes.
#[doc(hidden)]
#[derive(Clone, Copy, Debug)]
pub struct FarKey {
    /// The hash by which its instance is found here.
    pub(super) instance: u64,
    /// The hash by which its partition is found.
    pub(super) partition: u64,
}

/// The bound of the type of an enum's `#[key]` fields, as generated code requires it: see
/// [`Travels`](crate::remote::Travels).
#[doc(hidden)]
pub trait TravelsAsKey<'a>: Sized {
    fn __key(bytes: &[u8]) -> Result<FarKey, Arc<str>>;
}

#[diagnostic::do_not_recommend]
impl<K: RemoteValue + Hash> TravelsAsKey<'_> for K {
    fn __key(bytes: &[u8]) -> Result<FarKey, Arc<str>> {
        let key: K = wire::decode(bytes, Format::MessagePack)?;
        // Not of the bytes that came: what a key borrows as may be written in another way than the key.
        let own = wire::encode(&key, Format::MessagePack)?;
        catch(|| FarKey { instance: key_hash(&key), partition: hash(&own) })
    }
}

/// The key of an enum that has no `#[key]`: its type is not known here.
#[doc(hidden)]
pub fn __any_key(bytes: &[u8]) -> Result<FarKey, Arc<str>> {
    if bytes.is_empty() {
        return Err("it has no bytes".into());
    }
    let hash = hash(bytes);
    Ok(FarKey { instance: hash, partition: hash })
}

/// The keys of this enum do not travel.
#[doc(hidden)]
pub fn __no_key(_: &[u8]) -> Result<FarKey, Arc<str>> {
    Err("the keys of its enum do not travel on the other side".into())
}
