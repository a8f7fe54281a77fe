//! A map whose keys are types.

use std::any::TypeId;
use std::collections::HashMap;
use std::hash::{BuildHasher, BuildHasherDefault, Hasher};

/// A map whose keys are types. A `TypeId` is a hash already, so the hasher passes it on.
pub(crate) type TypeMap<V> = HashMap<TypeId, V, BuildHasherDefault<TypeHasher>>;

/// The hash of a type. The compiler knows it, so it costs nothing at run time.
#[inline(always)]
pub(crate) fn hash_of<T: 'static>() -> u64 {
    BuildHasherDefault::<TypeHasher>::default().hash_one(TypeId::of::<T>())
}

#[derive(Default)]
pub(crate) struct TypeHasher(u64);

impl Hasher for TypeHasher {
    #[inline]
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    #[inline]
    fn write_u64(&mut self, id: u64) {
        self.0 ^= id;
    }
}
