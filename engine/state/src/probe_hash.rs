//! The bits of a key's hash that a table looks at, kept in each entry in half the space.
//!
//! Invariant: a sub-table sees the same hash when it searches and when it moves its entries. The
//! bits of the key group are not kept: they are equal for all entries of a group.

use sameriver_model::KeyHash;

/// The bits that give the position inside a sub-table.
const POSITION_BITS: u32 = 15;
/// The first of the bits that choose the sub-table.
const SUB_TABLE_SHIFT: u32 = 40;
/// How many bits choose the sub-table.
pub(crate) const SUB_TABLE_BITS: u32 = 10;
/// The first of the seven bits by which hashbrown tags an entry.
const TAG_SHIFT: u32 = 57;

const POSITION_MASK: u64 = (1 << POSITION_BITS) - 1;
const SUB_TABLE_MASK: u64 = (1 << SUB_TABLE_BITS) - 1;
const PROBE_MASK: u64 = POSITION_MASK | (SUB_TABLE_MASK << SUB_TABLE_SHIFT) | (0x7F << TAG_SHIFT);

/// The hash that hashbrown is given for a key.
#[inline]
pub(crate) const fn probe(hash: KeyHash) -> u64 {
    hash.get() & PROBE_MASK
}

/// The number whose low bits choose the sub-table of a key.
#[inline]
pub(crate) const fn sub_table(hash: KeyHash) -> u64 {
    hash.get() >> SUB_TABLE_SHIFT
}

/// What an entry remembers of its hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ProbeHash(u32);

impl ProbeHash {
    #[inline]
    pub(crate) const fn of(hash: KeyHash) -> Self {
        let hash = hash.get();
        let position = hash & POSITION_MASK;
        let sub_table = (hash >> SUB_TABLE_SHIFT) & SUB_TABLE_MASK;
        let tag = hash >> TAG_SHIFT;
        let packed =
            position | (sub_table << POSITION_BITS) | (tag << (POSITION_BITS + SUB_TABLE_BITS));
        Self(packed as u32)
    }

    /// What [`probe`] gave for the same key.
    #[inline]
    pub(crate) const fn probe(self) -> u64 {
        let packed = self.0 as u64;
        let position = packed & POSITION_MASK;
        let tag = packed >> (POSITION_BITS + SUB_TABLE_BITS);
        position | (self.sub_table() << SUB_TABLE_SHIFT) | (tag << TAG_SHIFT)
    }

    /// The low bits of what [`sub_table`] gave for the same key.
    #[inline]
    pub(crate) const fn sub_table(self) -> u64 {
        (self.0 as u64 >> POSITION_BITS) & SUB_TABLE_MASK
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_remembers_what_the_search_sees() {
        let mut scratch = Vec::new();
        for key in 0..10_000_u64 {
            let hash = KeyHash::of(&key, &mut scratch).unwrap();
            let kept = ProbeHash::of(hash);
            assert_eq!(kept.probe(), probe(hash));
            assert_eq!(kept.sub_table(), sub_table(hash) & SUB_TABLE_MASK);
        }
    }
}
