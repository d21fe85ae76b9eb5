//! The one typed value a key that `reduce`, `sum`, `min` and `max` hold.
//!
//! Invariant: a slice's keys are computed and looked up together, then each record does one probe.
//! A snapshot has one section a key group, of the state `value`.

use sameriver_model::codec::ordered::OrderedError;
use sameriver_model::{Element, Key, KeyHash, SectionWriter, Uid};
use sameriver_state::{
    HeapTable, StateAddress, StateDescriptor, StateKind, Value, WalkBudget, refuse_undeclared,
};

use super::keys_ahead::KeysAhead;
use crate::error::OperatorError;
use crate::key_selector::SelectKey;
use crate::open::OpenArgs;
use crate::spent::Spent;

pub(super) struct Slots<S, K, V> {
    operator: Uid,
    descriptor: StateDescriptor,
    selector: S,
    table: HeapTable<K, V>,
    ahead: KeysAhead<K>,
}

/// The keys of a slice, and the table that they belong to.
pub(super) type OfSlice<'a, K, V> = (&'a mut Vec<(KeyHash, K)>, &'a mut HeapTable<K, V>);

impl<S, K: Key, V: Value> Slots<S, K, V> {
    /// What the operator `uid` held in the snapshot, if there is one.
    pub(super) fn open(uid: &str, selector: S, args: &OpenArgs) -> Result<Self, OperatorError> {
        let operator = Uid::new(uid);
        let descriptor = StateDescriptor::new::<V>("value", StateKind::Value);
        let mut table = HeapTable::new(args.key_groups(), args.max_parallelism);
        if let Some(restored) = &args.restored {
            let of = StateAddress {
                operator: &operator,
                descriptor: &descriptor,
            };
            refuse_undeclared(restored, &operator, &[descriptor.name()], false)
                .and_then(|()| table.restore(of, restored))
                .map_err(|cause| OperatorError::restore(uid, cause))?;
        }
        Ok(Self {
            operator,
            descriptor,
            selector,
            table,
            ahead: KeysAhead::new(),
        })
    }

    pub(super) fn begin_snapshot(&mut self) {
        self.table.begin_snapshot();
    }

    /// Says whether all is written.
    pub(super) fn walk(
        &mut self,
        bytes_max: usize,
        sections: &mut SectionWriter,
    ) -> Result<bool, OperatorError> {
        let of = StateAddress {
            operator: &self.operator,
            descriptor: &self.descriptor,
        };
        let mut budget = WalkBudget::of(bytes_max);
        let walked = self.table.walk(of, &mut budget, sections);
        walked.map_err(|cause| OperatorError::snapshot(self.operator.as_str(), cause))
    }

    pub(super) fn drop_snapshot(&mut self) {
        self.table.drop_snapshot();
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
