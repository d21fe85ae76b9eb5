//! The entries of one key group: sub-tables that split in two when they are full.
//!
//! Invariant: no sub-table holds more entries than [`SUB_TABLE_ENTRIES_MAX`] while there are hash
//! bits to split by, so no insert ever moves more than that: no long stop. An entry is in the
//! sub-table that the directory names for its hash.
//!
//! Source: extendible hashing (Fagin, Nievergelt, Pippenger, Strong, 1979); the directory is
//! indexed by the low bits, so that doubling it is a copy of itself.

use hashbrown::HashTable;
use sameriver_model::KeyHash;

use crate::epoch::Epoch;
use crate::probe_hash::{self, ProbeHash, SUB_TABLE_BITS};

/// How many entries a sub-table holds before it splits: what fits into 32 Ki buckets of hashbrown
/// (7 of 8 are used), so that both halves fill their buckets again.
pub(crate) const SUB_TABLE_ENTRIES_MAX: usize = 28 * 1024;

/// One key with its value.
///
/// In this order: who looks at the key and at the version has loaded the value between them.
#[repr(C)]
pub(crate) struct Entry<K, V> {
    pub(crate) key: K,
    pub(crate) value: V,
    pub(crate) hash: ProbeHash,
    /// When the entry was last written.
    pub(crate) version: Epoch,
}

impl<K, V> Entry<K, V> {
    /// What hashbrown asks for when it moves entries.
    #[inline]
    pub(crate) fn probe(&self) -> u64 {
        self.hash.probe()
    }
}

pub(crate) type Entries<K, V> = HashTable<Entry<K, V>>;

struct SubTable<K, V> {
    entries: Entries<K, V>,
    /// How many bits all entries of this sub-table have in common.
    bits: u32,
}

/// The entries of one key group.
pub(crate) struct KeyGroupTable<K, V> {
    /// Sub-table 0, inline: a group that was never split is one load away.
    first: SubTable<K, V>,
    /// Sub-tables 1 and up.
    others: Vec<SubTable<K, V>>,
    /// The sub-table of each combination of the low bits of [`probe_hash::sub_table`].
    directory: Vec<u32>,
    /// Those low bits: the length of the directory less one.
    mask: u64,
}

impl<K, V> KeyGroupTable<K, V> {
    pub(crate) fn new() -> Self {
        Self {
            first: SubTable {
                entries: HashTable::new(),
                bits: 0,
            },
            others: Vec::new(),
            directory: vec![0],
            mask: 0,
        }
    }

    #[inline]
    fn position(&self, hash: KeyHash) -> usize {
        if self.mask == 0 {
            return 0;
        }
        self.directory[(probe_hash::sub_table(hash) & self.mask) as usize] as usize
    }

    #[inline]
    fn at(&self, position: usize) -> &SubTable<K, V> {
        match position.checked_sub(1) {
            None => &self.first,
            Some(other) => &self.others[other],
        }
    }

    #[inline]
    fn at_mut(&mut self, position: usize) -> &mut SubTable<K, V> {
        match position.checked_sub(1) {
            None => &mut self.first,
            Some(other) => &mut self.others[other],
        }
    }

    /// The entries among which the key is, if it is anywhere.
    #[inline]
    pub(crate) fn find(&self, hash: KeyHash) -> &Entries<K, V> {
        &self.at(self.position(hash)).entries
    }

    /// As [`find`](Self::find).
    #[inline]
    pub(crate) fn find_mut(&mut self, hash: KeyHash) -> &mut Entries<K, V> {
        let position = self.position(hash);
        &mut self.at_mut(position).entries
    }

    /// As [`find`](Self::find), with room for one more entry.
    #[inline]
    pub(crate) fn with_room(&mut self, hash: KeyHash) -> &mut Entries<K, V> {
        let mut position = self.position(hash);
        if self.at(position).entries.len() >= SUB_TABLE_ENTRIES_MAX {
            position = self.make_room(hash);
        }
        &mut self.at_mut(position).entries
    }

    /// Splits until the sub-table of `hash` is not full, and names it. A sub-table that has used up
    /// its bits grows as it must.
    #[cold]
    fn make_room(&mut self, hash: KeyHash) -> usize {
        loop {
            let position = self.position(hash);
            let SubTable { entries, bits } = self.at(position);
            if entries.len() < SUB_TABLE_ENTRIES_MAX || *bits == SUB_TABLE_BITS {
                return position;
            }
            self.split(position);
        }
    }

    /// Moves the entries whose next bit is set into a sub-table of their own.
    fn split(&mut self, position: usize) {
        let old = self.at_mut(position);
        let next_bit = 1_u64 << old.bits;
        let bits = old.bits + 1;
        let half = old.entries.len() / 2;
        let moved = std::mem::take(&mut old.entries);
        let [mut clear, mut set] = [half, half].map(HashTable::with_capacity);
        for entry in moved {
            let side = match entry.hash.sub_table() & next_bit {
                0 => &mut clear,
                _ => &mut set,
            };
            side.insert_unique(entry.probe(), entry, Entry::probe);
        }
        old.entries = clear;
        old.bits = bits;
        let new = self.others.len() as u32 + 1;
        self.others.push(SubTable { entries: set, bits });
        if self.directory.len() < 1 << bits {
            self.directory.extend_from_within(..);
            self.mask = self.directory.len() as u64 - 1;
        }
        for (index, target) in self.directory.iter_mut().enumerate() {
            if *target as usize == position && index as u64 & next_bit != 0 {
                *target = new;
            }
        }
    }

    fn sub_tables(&self) -> impl Iterator<Item = &Entries<K, V>> {
        let all = std::iter::once(&self.first).chain(&self.others);
        all.map(|sub_table| &sub_table.entries)
    }

    /// How many sub-tables there are. One that is split keeps its number; what moves out of it gets
    /// the next free one.
    pub(crate) fn sub_tables_len(&self) -> usize {
        1 + self.others.len()
    }

    /// The entries of one sub-table.
    pub(crate) fn sub_table_mut(&mut self, number: usize) -> &mut Entries<K, V> {
        &mut self.at_mut(number).entries
    }

    /// All entries, in no meaningful order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Entry<K, V>> {
        self.sub_tables().flatten()
    }

    /// The entries of each sub-table.
    #[cfg(test)]
    pub(crate) fn sub_table_lens(&self) -> Vec<usize> {
        self.sub_tables().map(HashTable::len).collect()
    }
}
