//! The entries of a map state under one key, in the order of their map keys' bytes.
//!
//! Invariant: state is flat: every (key, map key) is an entry of its own with its own version, and
//! an access to one touches no other. A snapshot takes the entries of one key together.

use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;

use sameriver_model::codec::ordered;
use serde::de::{Error as _, SeqAccess, Visitor};
use serde::ser::SerializeSeq;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

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

impl<M: Serialize, V: Serialize> Serialize for MapEntries<M, V> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut all = serializer.serialize_seq(Some(self.iter().count()))?;
        self.iter()
            .try_for_each(|entry| all.serialize_element(&entry))?;
        all.end()
    }
}

impl<'de, M, V> Deserialize<'de> for MapEntries<M, V>
where
    M: Serialize + Deserialize<'de>,
    V: Deserialize<'de>,
{
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(Entries(PhantomData))
    }
}

/// Reads entries, and computes the address of each anew.
struct Entries<M, V>(PhantomData<fn() -> (M, V)>);

impl<'de, M, V> Visitor<'de> for Entries<M, V>
where
    M: Serialize + Deserialize<'de>,
    V: Deserialize<'de>,
{
    type Value = MapEntries<M, V>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the entries of a map state")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut all: A) -> Result<Self::Value, A::Error> {
        let (mut entries, mut address) = (BTreeMap::new(), Vec::new());
        while let Some((key, value)) = all.next_element::<(M, V)>()? {
            address.clear();
            ordered::encode_into(&key, &mut address).map_err(A::Error::custom)?;
            let entry = MapEntry {
                key,
                value: Some(value),
                version: Epoch::default(),
            };
            entries.insert(KeyBytes::of(&address), entry);
        }
        Ok(MapEntries { entries })
    }
}
