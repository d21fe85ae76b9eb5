//! Typed values by key, in memory, without serialisation on access.
//!
//! Invariant: an entry is in the table of its key's group, and only groups of the table's range are
//! ever asked for. The order of entries never depends on hashes: who wants all of them gets them in
//! the order of their keys' bytes. While a snapshot runs, an entry is saved before its first write.
//! Knows nothing of operators and time.

use std::borrow::Borrow;

use hashbrown::hash_table;
use sameriver_model::codec::ordered;
use sameriver_model::{Key, KeyGroupRange, KeyHash, MaxParallelism};

use crate::epoch::Epoch;
use crate::key_bytes::KeyBytes;
use crate::key_group_table::{Entries, Entry, KeyGroupTable};
use crate::look_ahead::{Place, Places};
use crate::probe_hash::{self, ProbeHash};
use saving::Saving;

mod saving;

/// The values of one state of one subtask.
///
/// Keys are found by a hash that the caller has already computed and by a borrowed form of the key:
/// an access to an existing entry is one probe and allocates nothing. The same key must always come
/// with the same hash.
///
/// # Examples
/// ```
/// use sameriver_model::{KeyGroupRange, KeyHash, MaxParallelism, Parallelism, SubtaskIndex};
/// use sameriver_state::HeapTable;
///
/// let max = MaxParallelism::default();
/// let all = KeyGroupRange::of(SubtaskIndex::new(0), Parallelism::ONE, max);
/// let mut counts = HeapTable::<String, u64>::new(all, max);
/// let mut scratch = Vec::new();
/// for word in ["to", "be", "or", "not", "to", "be"] {
///     let hash = KeyHash::of(word, &mut scratch)?;
///     *counts.entry(hash, word, || 0) += 1;
/// }
/// let counts = counts.ordered();
/// assert_eq!(counts[0], (&"be".to_owned(), &2));
/// assert_eq!(counts.len(), 4);
/// # Ok::<(), sameriver_model::codec::ordered::OrderedError>(())
/// ```
pub struct HeapTable<K, V> {
    groups: Vec<KeyGroupTable<K, V>>,
    range: KeyGroupRange,
    max: MaxParallelism,
    epoch: Epoch,
    /// While a snapshot runs: entries that say less are part of it, and not saved yet.
    unsaved_below: Epoch,
    saving: Option<Box<Saving<K, V>>>,
    len: usize,
    pub(crate) places: Places,
}

impl<K: Key, V> HeapTable<K, V> {
    /// An empty table for the keys of `range`.
    pub fn new(range: KeyGroupRange, max: MaxParallelism) -> Self {
        Self {
            groups: range.iter().map(|_| KeyGroupTable::new()).collect(),
            range,
            max,
            epoch: Epoch::default(),
            unsaved_below: Epoch::default(),
            saving: None,
            len: 0,
            places: Places::new(),
        }
    }

    /// Where the group of `hash` is. A record that was sent to the wrong subtask ends here.
    #[inline]
    pub(crate) fn group(&self, hash: KeyHash) -> usize {
        let group = hash.group(self.max);
        debug_assert!(
            self.range.contains(group),
            "{group} is not in {}, the key groups of this table",
            self.range
        );
        (group.get() - self.range.first().get()) as usize
    }

    /// The value of `key`, made by `make` if there is none. Counts as a write.
    ///
    /// # Panics
    /// If the key's group is not one of this table's: a bug of the exchange.
    #[inline]
    pub fn entry<Q>(&mut self, hash: KeyHash, key: &Q, make: impl FnOnce() -> V) -> &mut V
    where
        K: Borrow<Q>,
        Q: Eq + ToOwned<Owned = K> + ?Sized,
    {
        let (group, version) = (self.group(hash), self.epoch);
        self.places.stir();
        let entries = self.groups[group].with_room(hash);
        let found = entries.entry(
            probe_hash::probe(hash),
            |entry| entry.key.borrow() == key,
            Entry::probe,
        );
        match found {
            hash_table::Entry::Occupied(occupied) => {
                let entry = occupied.into_mut();
                if entry.version < self.unsaved_below {
                    saving::save(&mut self.saving, group, entry);
                }
                entry.version = version;
                &mut entry.value
            }
            hash_table::Entry::Vacant(vacant) => {
                self.len += 1;
                let entry = vacant.insert(Entry {
                    key: key.to_owned(),
                    value: make(),
                    hash: ProbeHash::of(hash),
                    version,
                });
                &mut entry.into_mut().value
            }
        }
    }

    /// The value of `key`.
    ///
    /// # Panics
    /// As [`entry`](Self::entry).
    #[inline]
    pub fn get<Q>(&self, hash: KeyHash, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
        Q: Eq + ?Sized,
    {
        self.find(hash, key).map(|entry| &entry.value)
    }

    #[inline]
    fn find<Q>(&self, hash: KeyHash, key: &Q) -> Option<&Entry<K, V>>
    where
        K: Borrow<Q>,
        Q: Eq + ?Sized,
    {
        let entries = self.entries(self.group(hash), hash);
        entries.find(probe_hash::probe(hash), |entry| entry.key.borrow() == key)
    }

    /// The entries among which the key of `hash` is.
    #[inline]
    pub(crate) fn entries(&self, group: usize, hash: KeyHash) -> &Entries<K, V> {
        self.groups[group].find(hash)
    }

    /// The value at this place, to be changed. Counts as a write.
    ///
    /// # Panics
    /// If there is none.
    #[inline]
    pub(crate) fn write_at(&mut self, place: Place, hash: KeyHash) -> &mut V {
        let entries = self.groups[place.group as usize].find_mut(hash);
        let entry = entries.get_bucket_mut(place.bucket());
        let entry = entry.expect("the entry was there a moment ago");
        if entry.version < self.unsaved_below {
            saving::save(&mut self.saving, place.group as usize, entry);
        }
        entry.version = self.epoch;
        &mut entry.value
    }

    /// The value of `key`, to be changed. Counts as a write.
    ///
    /// # Panics
    /// As [`entry`](Self::entry).
    #[inline]
    pub fn get_mut<Q>(&mut self, hash: KeyHash, key: &Q) -> Option<&mut V>
    where
        K: Borrow<Q>,
        Q: Eq + ?Sized,
    {
        let (group, version) = (self.group(hash), self.epoch);
        let entries = self.groups[group].find_mut(hash);
        let entry = entries.find_mut(probe_hash::probe(hash), |entry| entry.key.borrow() == key)?;
        if entry.version < self.unsaved_below {
            saving::save(&mut self.saving, group, entry);
        }
        entry.version = version;
        Some(&mut entry.value)
    }

    /// Takes the value of `key` out.
    ///
    /// # Panics
    /// As [`entry`](Self::entry).
    #[inline]
    pub fn remove<Q>(&mut self, hash: KeyHash, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
        Q: Eq + ?Sized,
    {
        let group = self.group(hash);
        let entries = self.groups[group].find_mut(hash);
        let found = entries.find_entry(probe_hash::probe(hash), |entry| entry.key.borrow() == key);
        let (entry, _) = found.ok()?.remove();
        if entry.version < self.unsaved_below {
            saving::save(&mut self.saving, group, &entry);
        }
        self.len -= 1;
        self.places.stir();
        Some(entry.value)
    }

    /// How many keys have a value.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether no key has a value.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// All entries in the order of their keys' `ordered` bytes: sorted anew at each call.
    ///
    /// # Panics
    /// If a key has no such bytes; it could not have been hashed.
    pub fn ordered(&self) -> Vec<(&K, &V)> {
        let mut bytes = Vec::new();
        let entries = self.groups.iter().flat_map(KeyGroupTable::iter);
        let mut sorted: Vec<_> = entries
            .map(|entry| {
                bytes.clear();
                ordered::encode_into(&entry.key, &mut bytes)
                    .expect("the key was hashed by its bytes");
                (KeyBytes::of(&bytes), &entry.key, &entry.value)
            })
            .collect();
        sorted.sort_unstable_by(|left, right| left.0.cmp(&right.0));
        sorted
            .into_iter()
            .map(|(_, key, value)| (key, value))
            .collect()
    }

    /// The span in which writes fall now.
    pub fn epoch(&self) -> Epoch {
        self.epoch
    }

    /// The span in which the value of `key` was last written.
    ///
    /// # Panics
    /// As [`entry`](Self::entry).
    pub fn version<Q>(&self, hash: KeyHash, key: &Q) -> Option<Epoch>
    where
        K: Borrow<Q>,
        Q: Eq + ?Sized,
    {
        self.find(hash, key).map(|entry| entry.version)
    }
}

impl<K: Key, V> HeapTable<K, Option<V>> {
    /// Lets `change` read, write, create or (by leaving `None`) remove the value of `key`: one
    /// probe in every case. Counts as a write. An entry never holds `None` afterwards.
    ///
    /// # Panics
    /// As [`entry`](Self::entry).
    #[inline]
    pub fn update<Q, R>(
        &mut self,
        hash: KeyHash,
        key: &Q,
        change: impl FnOnce(&mut Option<V>) -> R,
    ) -> R
    where
        K: Borrow<Q>,
        Q: Eq + ToOwned<Owned = K> + ?Sized,
    {
        let (group, version) = (self.group(hash), self.epoch);
        self.places.stir();
        let entries = self.groups[group].with_room(hash);
        let found = entries.entry(
            probe_hash::probe(hash),
            |entry| entry.key.borrow() == key,
            Entry::probe,
        );
        match found {
            hash_table::Entry::Occupied(mut occupied) => {
                let entry = occupied.get_mut();
                if entry.version < self.unsaved_below {
                    saving::save(&mut self.saving, group, entry);
                }
                entry.version = version;
                let answer = change(&mut entry.value);
                if entry.value.is_none() {
                    self.len -= 1;
                    occupied.remove();
                }
                answer
            }
            hash_table::Entry::Vacant(vacant) => {
                let mut value = None;
                let answer = change(&mut value);
                if value.is_some() {
                    self.len += 1;
                    vacant.insert(Entry {
                        key: key.to_owned(),
                        value,
                        hash: ProbeHash::of(hash),
                        version,
                    });
                }
                answer
            }
        }
    }
}

#[cfg(test)]
mod tests;
