//! Looks up many keys at once, so that the accesses that follow need not search.
//!
//! Invariant: a place is a hint. It is used only for the key that it was found for, and only while
//! the entry there still is that key's; otherwise the access searches as if nobody had looked.

use sameriver_model::{Key, KeyHash};

use crate::heap_table::HeapTable;
use crate::key_group_table::Entry;
use crate::probe_hash;

/// Where the keys of the last look ahead are.
pub(crate) struct Places {
    all: Vec<Place>,
    /// Whether nothing has happened since by which an entry could have moved.
    steady: bool,
}

/// Where the entry of a key is, among those of its group and sub-table.
#[derive(Clone, Copy)]
pub(crate) struct Place {
    pub(crate) group: u32,
    /// [`NOWHERE`] for a key without an entry.
    bucket: u32,
}

/// No bucket: sub-tables are far smaller.
const NOWHERE: u32 = u32::MAX;

impl Place {
    #[inline]
    fn new(group: u32, bucket: Option<usize>) -> Self {
        let bucket = bucket.map_or(NOWHERE, |bucket| bucket as u32);
        Self { group, bucket }
    }

    #[inline]
    pub(crate) fn bucket(self) -> usize {
        self.bucket as usize
    }
}

impl Places {
    pub(crate) const fn new() -> Self {
        Self {
            all: Vec::new(),
            steady: false,
        }
    }

    /// A search that may make room has begun, or an entry is gone: others may have moved.
    #[inline]
    pub(crate) fn stir(&mut self) {
        self.steady = false;
    }
}

impl<K: Key, V> HeapTable<K, V> {
    /// Looks up keys that will be asked for one after the other. The loads of many look-ups
    /// overlap, those of an access and the next one hardly do. Changes nothing but the time that
    /// the accesses take: those that say which of these keys they are about.
    ///
    /// # Panics
    /// If a key's group is not one of this table's: a bug of the exchange.
    ///
    /// # Examples
    /// ```
    /// # use sameriver_model::{KeyGroupRange, KeyHash, MaxParallelism, Parallelism, SubtaskIndex};
    /// # use sameriver_state::HeapTable;
    /// # let max = MaxParallelism::default();
    /// # let all = KeyGroupRange::of(SubtaskIndex::new(0), Parallelism::ONE, max);
    /// let mut counts = HeapTable::<u64, u64>::new(all, max);
    /// let keys: Vec<(KeyHash, u64)> = [7, 8, 7]
    ///     .map(|key| (KeyHash::of(&key, &mut Vec::new()).expect("numbers have bytes"), key))
    ///     .to_vec();
    /// counts.look_ahead(&keys);
    /// for (ordinal, (hash, key)) in keys.iter().enumerate() {
    ///     *counts.entry_ahead(ordinal, *hash, key, || 0) += 1;
    /// }
    /// assert_eq!(counts.ordered(), [(&7, &2), (&8, &1)]);
    /// ```
    pub fn look_ahead(&mut self, keys: &[(KeyHash, K)]) {
        let mut places = std::mem::replace(&mut self.places, Places::new());
        // In two rounds, so that hardly a load waits for another one of its round: first the tags,
        // then the entries that have the right one.
        places.all.clear();
        let tagged = keys.iter().map(|(hash, _)| self.tagged(*hash));
        places.all.extend(tagged);
        for (place, (hash, key)) in places.all.iter_mut().zip(keys) {
            if place.bucket != NOWHERE && !self.is_at(*place, *hash, key) {
                *place = self.search(*hash, key);
            }
        }
        places.steady = true;
        self.places = places;
    }

    /// The first bucket that has the tag of `hash`.
    #[inline]
    fn tagged(&self, hash: KeyHash) -> Place {
        let group = self.group(hash);
        let entries = self.entries(group, hash);
        let bucket = entries.find_bucket_index(probe_hash::probe(hash), |_| true);
        Place::new(group as u32, bucket)
    }

    /// Whether the entry at `place` is that of `key`.
    #[inline]
    fn is_at(&self, place: Place, hash: KeyHash, key: &K) -> bool {
        let entries = self.entries(place.group as usize, hash);
        entries.get_bucket(place.bucket()).is_some_and(|entry| {
            // Both ends of the entry are read, which may lie in two cache lines.
            entry.version <= self.epoch() && entry.key == *key
        })
    }

    #[cold]
    fn search(&self, hash: KeyHash, key: &K) -> Place {
        let group = self.group(hash);
        let entries = self.entries(group, hash);
        let is_same = |entry: &Entry<K, V>| entry.key == *key;
        let bucket = entries.find_bucket_index(probe_hash::probe(hash), is_same);
        Place::new(group as u32, bucket)
    }

    /// Where `key` is, which was number `ordinal` when the table looked ahead.
    #[inline]
    pub(crate) fn place(&self, ordinal: usize, hash: KeyHash, key: &K) -> Option<Place> {
        let place = *self.places.all.get(ordinal)?;
        let is_there =
            place.bucket != NOWHERE && (self.places.steady || self.is_at(place, hash, key));
        debug_assert!(
            !is_there || self.is_at(place, hash, key),
            "the key was another one ahead"
        );
        is_there.then_some(place)
    }

    /// As [`entry`](Self::entry), for the key that was number `ordinal` when the table
    /// [looked ahead](Self::look_ahead).
    #[inline]
    pub fn entry_ahead(
        &mut self,
        ordinal: usize,
        hash: KeyHash,
        key: &K,
        make: impl FnOnce() -> V,
    ) -> &mut V {
        match self.place(ordinal, hash, key) {
            Some(place) => self.write_at(place, hash),
            None => self.entry(hash, key, make),
        }
    }

    /// As [`get`](Self::get), for the key that was number `ordinal` when the table
    /// [looked ahead](Self::look_ahead).
    #[inline]
    pub fn get_ahead(&self, ordinal: usize, hash: KeyHash, key: &K) -> Option<&V> {
        match self.place(ordinal, hash, key) {
            Some(place) => {
                let entries = self.entries(place.group as usize, hash);
                entries.get_bucket(place.bucket()).map(|entry| &entry.value)
            }
            None => self.get(hash, key),
        }
    }
}

impl<K: Key, V> HeapTable<K, Option<V>> {
    /// As [`update`](Self::update), for the key that was number `ordinal` when the table
    /// [looked ahead](Self::look_ahead).
    #[inline]
    pub fn update_ahead<R>(
        &mut self,
        ordinal: usize,
        hash: KeyHash,
        key: &K,
        change: impl FnOnce(&mut Option<V>) -> R,
    ) -> R {
        let Some(place) = self.place(ordinal, hash, key) else {
            return self.update(hash, key, change);
        };
        let value = self.write_at(place, hash);
        let answer = change(value);
        if value.is_none() {
            self.remove(hash, key);
        }
        answer
    }
}
