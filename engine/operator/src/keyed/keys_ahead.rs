//! The keys of a slice and their hashes, computed before the first record meets its state.
//!
//! Invariant: key and hash at a position are those of the record at that position. Ahead of their
//! use, because the loads of many keys overlap where those of one key after the other do not.

use sameriver_model::codec::ordered::OrderedError;
use sameriver_model::{Key, KeyHash};

use crate::key_selector::SelectKey;
use crate::spent::Spent;

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

    /// Computes the keys of all records, and reuses those that nobody took since. Drops one of the
    /// `spent` records for each new one.
    pub(super) fn read<T, S: SelectKey<T, Key = K>>(
        &mut self,
        selector: &S,
        records: &[T],
        spent: &mut Spent,
    ) -> Result<&mut Vec<(KeyHash, K)>, OrderedError> {
        let (keys, scratch) = (&mut self.keys, &mut self.scratch);
        keys.truncate(records.len());
        let unhashed = KeyHash::of_bytes(&[]);
        // First all keys, then all hashes: records that another thread made are not in the caches
        // of this one, and short loops wait for more of them at once.
        for ((_, spare), record) in keys.iter_mut().zip(records) {
            selector.own_into(record, spare);
        }
        for record in &records[keys.len()..] {
            keys.push((unhashed, selector.own(record)));
            spent.drop_one_for::<K>();
        }
        for (hash, key) in keys.iter_mut() {
            *hash = KeyHash::of(key, scratch)?;
        }
        Ok(keys)
    }
}
