//! All states and timers of one keyed operator of one subtask.
//!
//! Invariant: the tables are those that were declared, in that order, and none is added later.

use std::any::{Any, type_name};

use sameriver_model::{
    EventTime, Key, KeyGroupRange, KeyHash, MaxParallelism, ProcessingTime, Watermark,
};

use crate::at::At;
use crate::declare::Declare;
use crate::descriptor::StateDescriptor;
use crate::error::StateError;
use crate::heap_table::HeapTable;
use crate::timer_store::{DueTimer, TimerStore};

/// A table whose value type only the handle knows.
pub(crate) trait AnyTable<K>: Any + Send {
    fn begin_epoch(&mut self);
    fn len(&self) -> usize;
    fn look_ahead(&mut self, keys: &[(KeyHash, K)]);
}

impl<K: Key, T: Send + 'static> AnyTable<K> for HeapTable<K, Option<T>> {
    fn begin_epoch(&mut self) {
        Self::begin_epoch(self);
    }

    fn len(&self) -> usize {
        Self::len(self)
    }

    fn look_ahead(&mut self, keys: &[(KeyHash, K)]) {
        Self::look_ahead(self, keys);
    }
}

/// The states and timers of a keyed operator.
///
/// Handles come from [`declare`](Self::declare) and reach the state of one key through
/// [`at`](Self::at).
///
/// # Examples
/// ```
/// use sameriver_model::{
///     KeyGroupRange, KeyHash, MaxParallelism, Parallelism, ProcessingTime,
///     SubtaskIndex, Watermark,
/// };
/// use sameriver_state::{Declare, KeyedState};
///
/// let max = MaxParallelism::default();
/// let all = KeyGroupRange::of(SubtaskIndex::new(0), Parallelism::ONE, max);
/// let (mut state, count) =
///     KeyedState::declare(all, max, |d: &mut Declare<'_, u64>| d.value::<u64>("count"))?;
/// let (key, hash) = (7, KeyHash::of(&7_u64, &mut Vec::new())?);
/// let mut at = state.at(&key, hash, None, Watermark::MIN, ProcessingTime::default());
/// count.update(&mut at, |n| *n.get_or_insert(0) += 1)?;
/// assert_eq!(count.get(&mut at)?, Some(1));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct KeyedState<K> {
    pub(crate) tables: Vec<Box<dyn AnyTable<K>>>,
    pub(crate) descriptors: Vec<StateDescriptor>,
    pub(crate) timers: TimerStore<K>,
    /// Holds the bytes of a map key during an access.
    pub(crate) scratch: Vec<u8>,
    pub(crate) range: KeyGroupRange,
    pub(crate) max: MaxParallelism,
}

impl<K: Key> KeyedState<K> {
    /// Opens empty state for the keys of `range`, with what `states` declares; also gives back what
    /// `states` returned: the handles.
    ///
    /// # Errors
    /// Whatever `states` returns.
    pub fn declare<S, E>(
        range: KeyGroupRange,
        max: MaxParallelism,
        states: impl FnOnce(&mut Declare<'_, K>) -> Result<S, E>,
    ) -> Result<(Self, S), E> {
        let mut state = Self {
            tables: Vec::new(),
            descriptors: Vec::new(),
            timers: TimerStore::new(),
            scratch: Vec::new(),
            range,
            max,
        };
        let handles = states(&mut Declare::new(&mut state))?;
        Ok((state, handles))
    }

    /// What was declared, in that order.
    pub fn descriptors(&self) -> &[StateDescriptor] {
        &self.descriptors
    }

    /// Enters the state of `key`, whose hash is `hash`, under the circumstances of a record or a
    /// timer: its event time, the operator's event-time clock, and processing time.
    #[inline]
    pub fn at<'a>(
        &'a mut self,
        key: &'a K,
        hash: KeyHash,
        time: Option<EventTime>,
        watermark: Watermark,
        now: ProcessingTime,
    ) -> At<'a, K> {
        At {
            state: self,
            key,
            hash,
            time,
            watermark,
            now,
            ahead: NOT_AHEAD,
        }
    }

    /// Prepares for accesses to the states of these keys, which then say by [`At::ahead`] which of
    /// them they are about; see [`HeapTable::look_ahead`].
    pub fn look_ahead(&mut self, keys: &[(KeyHash, K)]) {
        for table in &mut self.tables {
            table.look_ahead(keys);
        }
    }

    /// Takes out the next timer at or before `up_to`: in the order of (time, key's bytes).
    #[inline]
    pub fn pop_timer(&mut self, up_to: Watermark) -> Option<DueTimer<K>> {
        self.timers.pop_due(up_to)
    }

    /// When the next timer is due.
    #[inline]
    pub fn next_timer(&self) -> Option<EventTime> {
        self.timers.next_time()
    }

    /// How many entries all tables hold: one per state and key.
    pub fn entries(&self) -> usize {
        self.tables.iter().map(|table| table.len()).sum()
    }

    /// Begins the span after a snapshot in every table.
    pub fn begin_epoch(&mut self) {
        for table in &mut self.tables {
            table.begin_epoch();
        }
    }
}

/// The number of a key that nobody looked ahead for.
const NOT_AHEAD: usize = usize::MAX;

/// The one table that an access needs, and a place for the bytes of a map key.
pub(crate) struct Access<'a, K, T> {
    pub(crate) table: &'a mut HeapTable<K, Option<T>>,
    pub(crate) scratch: &'a mut Vec<u8>,
    pub(crate) key: &'a K,
    pub(crate) hash: KeyHash,
    pub(crate) ahead: usize,
}

impl<'a, K: Key, T> Access<'a, K, T> {
    /// The current key's value.
    #[inline]
    pub(crate) fn get(self) -> Option<&'a T> {
        let value = self.table.get_ahead(self.ahead, self.hash, self.key);
        value.and_then(Option::as_ref)
    }

    /// Lets `change` write, create or remove the current key's value.
    #[inline]
    pub(crate) fn update<R>(self, change: impl FnOnce(&mut Option<T>) -> R) -> R {
        self.table
            .update_ahead(self.ahead, self.hash, self.key, change)
    }
}

impl<K: Key> At<'_, K> {
    /// Finds the table of a handle: every access to declared state passes here.
    #[inline]
    pub(crate) fn access<T: 'static>(
        &mut self,
        handle: u16,
    ) -> Result<Access<'_, K, T>, StateError> {
        let KeyedState {
            tables, scratch, ..
        } = &mut *self.state;
        let table = tables.get_mut(usize::from(handle)).and_then(|table| {
            let table: &mut dyn Any = &mut **table;
            table.downcast_mut()
        });
        match table {
            Some(table) => Ok(Access {
                table,
                scratch,
                key: self.key,
                hash: self.hash,
                ahead: self.ahead,
            }),
            None => Err(foreign::<T>(handle)),
        }
    }
}

#[cold]
fn foreign<T>(handle: u16) -> StateError {
    StateError::ForeignHandle {
        handle,
        type_name: type_name::<T>(),
    }
}
