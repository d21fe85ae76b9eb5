//! The entries of a map state under one key, in the order of their map keys' bytes.
//!
//! Invariant: state is flat: every (key, map key) is an entry of its own with its own version, and
//! an access to one touches no other.

use std::collections::BTreeMap;

use crate::epoch::Epoch;
use crate::key_bytes::KeyBytes;

struct MapEntry<M, V> {
    key: M,
    value: Option<V>,
    /// When the entry was last written.
    version: Epoch,
}

/// What a map state holds for one key.
pub(crate) struct MapEntries<M, V> {
    entries: BTreeMap<KeyBytes, MapEntry<M, V>>,
}

impl<M, V> Default for MapEntries<M, V> {
    fn default() -> Self {
        Self {
            entries: BTreeMap::new(),
        }
    }
}

impl<M, V> MapEntries<M, V> {
    pub(crate) fn get(&self, address: &[u8]) -> Option<&V> {
        self.entries.get(address)?.value.as_ref()
    }

    /// Lets `change` write, create or remove the value; `key` is called for a new one only.
    pub(crate) fn update<R>(
        &mut self,
        address: &[u8],
        version: Epoch,
        key: impl FnOnce() -> M,
        change: impl FnOnce(&mut Option<V>) -> R,
    ) -> R {
        if let Some(entry) = self.entries.get_mut(address) {
            entry.version = version;
            let answer = change(&mut entry.value);
            if entry.value.is_none() {
                self.entries.remove(address);
            }
            return answer;
        }
        let mut value = None;
        let answer = change(&mut value);
        if value.is_some() {
            let key = key();
            let entry = MapEntry {
                key,
                value,
                version,
            };
            self.entries.insert(KeyBytes::of(address), entry);
        }
        answer
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&M, &V)> {
        let entries = self.entries.values();
        entries.filter_map(|entry| Some((&entry.key, entry.value.as_ref()?)))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}
