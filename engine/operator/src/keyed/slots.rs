//! The one typed value a key that `reduce`, `sum`, `min` and `max` hold.
//!
//! Invariant: a slice's keys are computed and looked up together, then each record does one probe.

use sameriver_model::codec::ordered::OrderedError;
use sameriver_model::{Element, KeyHash};
use sameriver_state::HeapTable;

use super::keys_ahead::KeysAhead;
use crate::key_selector::SelectKey;
use crate::open::OpenArgs;
use crate::spent::Spent;

pub(super) struct Slots<S, K, V> {
    selector: S,
    table: HeapTable<K, V>,
    ahead: KeysAhead<K>,
}

/// The keys of a slice, and the table that they belong to.
pub(super) type OfSlice<'a, K, V> = (&'a mut Vec<(KeyHash, K)>, &'a mut HeapTable<K, V>);

impl<S, K: sameriver_model::Key, V> Slots<S, K, V> {
    pub(super) fn new(selector: S, args: &OpenArgs) -> Self {
        Self {
            selector,
            table: HeapTable::new(args.key_groups(), args.max_parallelism),
            ahead: KeysAhead::new(),
        }
    }

    /// The keys of all records, which the caller may take, and the table.
    pub(super) fn of_slice<T: Element>(
        &mut self,
        records: &[T],
        spent: &mut Spent,
    ) -> Result<OfSlice<'_, K, V>, OrderedError>
    where
        S: SelectKey<T, Key = K>,
    {
        let keys = self.ahead.read(&self.selector, records, spent)?;
        self.table.look_ahead(keys);
        Ok((keys, &mut self.table))
    }
}
