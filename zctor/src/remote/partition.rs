//! Partitions: a key is always in the same one, on every machine and with every version of Rust.
//!
//! The number is that of the key's bytes as they travel, by FNV-1a (Fowler, Noll and Vo 1991), and so a program in
//! another language can find it too. The hash that chooses an instance in one process is another one.

use std::ops::Range;

/// How a message gets to an instance on the other side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Route {
    /// To the next in turn, or, in a pool that is served whole, to that of its `#[key]`.
    Turn,
    /// To each: it is a copy of a broadcast.
    Copy,
    /// To that of its `#[key]`, where this partition is served.
    Key(Partition),
}

/// A partition of the keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Partition {
    /// Its number, from 0.
    pub number: u32,
    /// The number of all partitions.
    pub of: u32,
}

impl Partition {
    /// The partition of the key with this hash.
    pub(super) fn of_hash(hash: u64, of: u32) -> Self {
        // Below `of`, so it fits.
        Self { number: (hash % u64::from(of.max(1))) as u32, of }
    }
}

/// The partitions that one end serves of a pool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Partitions {
    /// Their numbers.
    pub numbers: Range<u32>,
    /// The number of all partitions.
    pub of: u32,
}

impl Partitions {
    /// Whether there are such partitions, and at least one.
    pub(super) fn exist(&self) -> bool {
        !self.numbers.is_empty() && self.numbers.end <= self.of
    }

    /// Each of them; none if some do not exist.
    pub fn each(&self) -> impl Iterator<Item = Partition> + use<> {
        let of = self.of;
        let numbers = if self.exist() { self.numbers.clone() } else { 0..0 };
        numbers.map(move |number| Partition { number, of })
    }

    pub(super) fn contain(&self, partition: Partition) -> bool {
        partition.of == self.of && self.numbers.contains(&partition.number)
    }
}

/// FNV-1a, 64 bits.
pub(super) fn hash(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::remote::wire;

    fn number(key: &impl serde::Serialize, of: u32) -> u32 {
        Partition::of_hash(hash(&wire::encode(key, wire::Format::MessagePack).expect("it is a value")), of).number
    }

    /// A change of these numbers moves keys to other processes while both versions run.
    #[test]
    fn the_partition_of_a_key_is_what_it_always_was() {
        assert_eq!(hash(b""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(hash(b"a"), 0xaf63_dc4c_8601_ec8c);
        assert_eq!(hash(b"foobar"), 0x8594_4171_f739_67e8);
        let numbers: Vec<u32> = (0..8_u64).map(|key| number(&key, 64)).collect();
        assert_eq!(numbers, [31, 44, 5, 18, 19, 32, 57, 6]);
        let words = ["ada", "grace", "barbara", ""].map(|key| number(&key, 64));
        assert_eq!(words, [34, 24, 51, 63]);
    }

    #[test]
    fn a_key_of_a_wider_type_stays_in_its_partition() {
        for key in [0, 7, 200_u8] {
            assert_eq!(number(&key, 16), number(&u64::from(key), 16));
        }
        assert_eq!(number(&"ada", 16), number(&"ada".to_owned(), 16));
    }

    #[test]
    fn keys_spread_over_partitions() {
        let mut counts = [0; 16];
        (0..16_000_u64).for_each(|key| counts[number(&key, 16) as usize] += 1);
        assert!(counts.iter().all(|count| (800..1_200).contains(count)), "{counts:?}");
    }
}
