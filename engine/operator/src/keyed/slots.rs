//! The one typed value a key that `reduce`, `sum`, `min` and `max` hold.
//!
//! Invariant: one probe of the table a record, by the borrowed form of the key.

use sameriver_model::codec::ordered::OrderedError;
use sameriver_model::{Element, KeyHash};
use sameriver_state::HeapTable;

use crate::key_selector::SelectKey;
use crate::open::OpenArgs;

pub(super) struct Slots<T, S: SelectKey<T>, V> {
    selector: S,
    table: HeapTable<S::Key, Option<V>>,
    /// Holds the `ordered` bytes of one key.
    scratch: Vec<u8>,
}

impl<T: Element, S: SelectKey<T>, V> Slots<T, S, V> {
    pub(super) fn new(selector: S, args: &OpenArgs) -> Self {
        Self {
            selector,
            table: HeapTable::new(args.key_groups(), args.max_parallelism),
            scratch: Vec::new(),
        }
    }

    /// What is held for the key of `record`, and what `with_key` makes of the key.
    #[inline]
    pub(super) fn of<R>(
        &mut self,
        record: &T,
        with_key: impl FnOnce(&S::View) -> R,
    ) -> Result<(&mut Option<V>, R), OrderedError> {
        let (table, scratch) = (&mut self.table, &mut self.scratch);
        self.selector.select(record, |key| {
            let hash = KeyHash::of(key, scratch)?;
            Ok((table.entry(hash, key, || None), with_key(key)))
        })
    }
}
