//! The keys of a slice and their hashes, computed before the first record meets its state.
//!
//! Invariant: key and hash at a position are those of the record at that position. Ahead of their
//! use, because the loads of many keys overlap where those of one key after the other do not.

use sameriver_model::codec::ordered::OrderedError;
use sameriver_model::{Key, KeyHash};

use crate::key_selector::SelectKey;

pub(super) struct KeysAhead<K> {
    keys: Vec<(KeyHash, K)>,
    /// Holds the `ordered` bytes of one key.
    scratch: Vec<u8>,
}

impl<K: Key> KeysAhead<K> {
    pub(super) fn new() -> Self {
        Self {
            keys: Vec::new(),
            scratch: Vec::new(),
        }
    }

    /// Computes the keys of all records, and reuses those that nobody took since.
    pub(super) fn read<T, S: SelectKey<T, Key = K>>(
        &mut self,
        selector: &S,
        records: &[T],
    ) -> Result<&mut Vec<(KeyHash, K)>, OrderedError> {
        let (keys, scratch) = (&mut self.keys, &mut self.scratch);
        keys.truncate(records.len());
        for ((hash, spare), record) in keys.iter_mut().zip(records) {
            selector.own_into(record, spare);
            *hash = KeyHash::of(spare, scratch)?;
        }
        for record in &records[keys.len()..] {
            let key = selector.own(record);
            keys.push((KeyHash::of(&key, scratch)?, key));
        }
        Ok(keys)
    }
}
