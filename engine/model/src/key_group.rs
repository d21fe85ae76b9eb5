//! Maps a key to the group that owns it for ever, and groups to the subtasks that own them now.
//!
//! Invariant: the mapping depends on the key's `ordered` bytes and the max parallelism only; state
//! files depend on it for ever, so nobody has a second version. Vectors are in `docs/formats.md`.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::codec::ordered::{self, OrderedError};
use crate::id::SubtaskIndex;
use crate::parallelism::{MaxParallelism, Parallelism};

/// The 64-bit xxh3 hash (seed 0) of a key's `ordered` bytes.
///
/// One hash serves routing and look-up from disjoint bits: the key group comes from the upper bits
/// of the low half, the sub-table from bits 40 up, the position from the low bits, the tag from the
/// top 7.
///
/// ```
/// use sameriver_model::{KeyHash, MaxParallelism};
/// let mut scratch = Vec::new();
/// let hash = KeyHash::of(&42_u64, &mut scratch)?;
/// assert!(hash.group(MaxParallelism::default()).get() < 128);
/// # Ok::<(), sameriver_model::codec::ordered::OrderedError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct KeyHash(u64);

impl KeyHash {
    /// Hashes a key; `scratch` is cleared and reused for its bytes.
    ///
    /// # Errors
    /// [`OrderedError`] when the key holds something without canonical bytes.
    #[inline]
    pub fn of<V: Serialize + ?Sized>(key: &V, scratch: &mut Vec<u8>) -> Result<Self, OrderedError> {
        scratch.clear();
        ordered::encode_into(key, scratch)?;
        Ok(Self::of_bytes(scratch))
    }

    /// Hashes the `ordered` bytes of a key.
    #[inline]
    pub fn of_bytes(ordered: &[u8]) -> Self {
        Self(xxhash_rust::xxh3::xxh3_64(ordered))
    }

    /// The hash itself.
    #[inline]
    pub const fn get(self) -> u64 {
        self.0
    }

    /// The group that owns the key for the life of the job.
    ///
    /// `(low half of the hash * max parallelism) >> 32`: the upper bits of the low half decide.
    #[inline]
    pub const fn group(self, max: MaxParallelism) -> KeyGroup {
        KeyGroup((((self.0 & 0xFFFF_FFFF) * max.get() as u64) >> 32) as u32)
    }
}

/// The smallest unit of keyed state that moves when a job is rescaled, counted from zero.
///
/// ```
/// use sameriver_model::{KeyGroup, MaxParallelism, Parallelism};
/// let max = MaxParallelism::new(128)?;
/// let owner = KeyGroup::new(127).owner(Parallelism::new(4)?, max);
/// assert_eq!(owner.get(), 3);
/// # Ok::<(), sameriver_model::ParallelismError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct KeyGroup(u32);

impl KeyGroup {
    /// Names a group by its number.
    #[inline]
    pub const fn new(group: u32) -> Self {
        Self(group)
    }

    /// The group's number.
    #[inline]
    pub const fn get(self) -> u32 {
        self.0
    }

    /// The subtask that owns the group: `group * parallelism / max parallelism`.
    ///
    /// Source: Flink's `KeyGroupRangeAssignment`.
    #[inline]
    pub const fn owner(self, parallelism: Parallelism, max: MaxParallelism) -> SubtaskIndex {
        SubtaskIndex::new(self.0 * parallelism.get() / max.get())
    }
}

impl fmt::Display for KeyGroup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "kg{}", self.0)
    }
}

/// The groups `first..end` that one subtask owns.
///
/// ```
/// use sameriver_model::{KeyGroupRange, MaxParallelism, Parallelism, SubtaskIndex};
/// let (two, max) = (Parallelism::new(2)?, MaxParallelism::new(128)?);
/// let range = KeyGroupRange::of(SubtaskIndex::new(0), two, max);
/// assert_eq!(range.to_string(), "kg[0..64)");
/// # Ok::<(), sameriver_model::ParallelismError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyGroupRange {
    first: u32,
    end: u32,
}

impl KeyGroupRange {
    /// The groups whose [`owner`](KeyGroup::owner) is `subtask`.
    pub const fn of(subtask: SubtaskIndex, parallelism: Parallelism, max: MaxParallelism) -> Self {
        let (p, m) = (parallelism.get(), max.get());
        let first = (subtask.get() * m).div_ceil(p);
        let end = ((subtask.get() + 1) * m).div_ceil(p);
        Self { first, end }
    }

    /// The first group (inclusive).
    #[inline]
    pub const fn first(self) -> KeyGroup {
        KeyGroup(self.first)
    }

    /// How many groups there are.
    #[inline]
    pub const fn len(self) -> u32 {
        self.end - self.first
    }

    /// Whether there is no group.
    #[inline]
    pub const fn is_empty(self) -> bool {
        self.first == self.end
    }

    /// Whether the range owns `group`.
    #[inline]
    pub const fn contains(self, group: KeyGroup) -> bool {
        self.first <= group.0 && group.0 < self.end
    }

    /// The groups in ascending order.
    pub fn iter(self) -> impl Iterator<Item = KeyGroup> {
        (self.first..self.end).map(KeyGroup)
    }
}

impl fmt::Display for KeyGroupRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "kg[{}..{})", self.first, self.end)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn hash(key: &(impl Serialize + ?Sized)) -> KeyHash {
        KeyHash::of(key, &mut Vec::new()).expect("the key has canonical bytes")
    }

    proptest! {
        #[test]
        fn every_group_is_in_the_range_of_its_owner_and_in_no_other(
            max in 1..400_u32,
            subtasks in 1..400_u32,
        ) {
            let max = MaxParallelism::new(max).unwrap();
            let parallelism = Parallelism::new(subtasks.min(max.get())).unwrap();
            let ranges = (0..parallelism.get())
                .map(|index| KeyGroupRange::of(SubtaskIndex::new(index), parallelism, max));
            let groups = ranges.enumerate().flat_map(|(index, range)| {
                range.iter().map(move |group| (group, index as u32))
            });
            let expected = (0..max.get()).map(|group| {
                let group = KeyGroup::new(group);
                (group, group.owner(parallelism, max).get())
            });
            prop_assert!(groups.eq(expected));
        }

        #[test]
        fn every_key_has_a_group_below_the_maximum(key: u64, max in 1..=MaxParallelism::LIMIT) {
            let max = MaxParallelism::new(max).unwrap();
            prop_assert!(hash(&key).group(max).get() < max.get());
        }

        #[test]
        fn a_borrowed_key_has_the_hash_of_the_owned_one(key: String, bytes: Vec<u8>) {
            prop_assert_eq!(hash(key.as_str()), hash(&key));
            prop_assert_eq!(hash(bytes.as_slice()), hash(&bytes));
        }
    }
}
