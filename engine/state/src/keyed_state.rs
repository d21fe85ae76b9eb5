//! All states and timers of one keyed operator of one subtask.
//!
//! Invariant: the tables are those that were declared, in that order, and none is added later.

use std::any::{Any, type_name};
use std::sync::Arc;

use sameriver_model::probe::{Probe, TimerDeed, observe};
use sameriver_model::{
    AttemptNumber, EventTime, Key, KeyGroupRange, KeyHash, MaxParallelism, ProcessingTime,
    RestoredState, SectionWriter, SubtaskId, Uid, Watermark,
};

use crate::at::At;
use crate::declare::Declare;
use crate::descriptor::StateDescriptor;
use crate::error::StateError;
use crate::heap_table::HeapTable;
use crate::restore::{RestoreError, refuse_undeclared};
use crate::snapshot::{SnapshotError, StateAddress, WalkBudget};
use crate::timer_store::{DueTimer, TimerStore};
use crate::value::Value;

/// A table whose value type only the handle knows.
pub(crate) trait AnyTable<K>: Any + Send {
    fn len(&self) -> usize;
    fn look_ahead(&mut self, keys: &[(KeyHash, K)]);
    fn begin_snapshot(&mut self);
    fn drop_snapshot(&mut self);
    fn walk(
        &mut self,
        of: StateAddress<'_>,
        budget: &mut WalkBudget,
        sections: &mut SectionWriter,
    ) -> Result<bool, SnapshotError>;
    fn restore(
        &mut self,
        of: StateAddress<'_>,
        restored: &RestoredState,
    ) -> Result<(), RestoreError>;
}

impl<K: Key, T: Value> AnyTable<K> for HeapTable<K, Option<T>> {
    fn len(&self) -> usize {
        Self::len(self)
    }

    fn look_ahead(&mut self, keys: &[(KeyHash, K)]) {
        Self::look_ahead(self, keys);
    }

    fn begin_snapshot(&mut self) {
        Self::begin_snapshot(self);
    }

    fn drop_snapshot(&mut self) {
        Self::drop_snapshot(self);
    }

    fn walk(
        &mut self,
        of: StateAddress<'_>,
        budget: &mut WalkBudget,
        sections: &mut SectionWriter,
    ) -> Result<bool, SnapshotError> {
        Self::walk(self, of, budget, sections)
    }

    fn restore(
        &mut self,
        of: StateAddress<'_>,
        restored: &RestoredState,
    ) -> Result<(), RestoreError> {
        Self::restore(self, of, restored)
    }
}

/// Whose state it is, for the [probes](sameriver_model::probe) of its timers.
///
/// ```
/// use sameriver_model::{AttemptNumber, SubtaskId, SubtaskIndex, VertexId};
/// let owner = sameriver_state::Owner {
///     operator: "totals".into(),
///     subtask: SubtaskId::new(VertexId::new(1), SubtaskIndex::new(0)),
///     attempt: AttemptNumber::new(1),
/// };
/// assert_eq!(&*owner.operator, "totals");
/// ```
#[derive(Clone, Debug)]
pub struct Owner {
    /// The operator's uid.
    pub operator: Arc<str>,
    /// The subtask.
    pub subtask: SubtaskId,
    /// Its attempt.
    pub attempt: AttemptNumber,
}

impl Owner {
    /// Tells the observer of a timer.
    #[inline]
    pub fn timer(&self, what: TimerDeed, key: KeyHash, time: EventTime) {
        observe(&Probe::Timer {
            operator: &self.operator,
            subtask: self.subtask,
            attempt: self.attempt,
            key,
            time,
            what,
        });
    }

    /// Tells the observer that the operator's clock has moved.
    #[inline]
    pub fn watermark(&self, watermark: Watermark) {
        observe(&Probe::Watermark {
            operator: &self.operator,
            subtask: self.subtask,
            attempt: self.attempt,
            watermark,
        });
    }

    /// Tells the observer that a record was judged late.
    #[inline]
    pub fn late(&self, time: EventTime, watermark: Watermark) {
        observe(&Probe::Late {
            operator: &self.operator,
            subtask: self.subtask,
            attempt: self.attempt,
            time,
            watermark,
        });
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
    pub(crate) owner: Option<Owner>,
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
            owner: None,
        };
        let handles = states(&mut Declare::new(&mut state))?;
        Ok((state, handles))
    }

    /// The same state, whose timers the observer hears of.
    #[must_use]
    pub fn owned_by(self, owner: Owner) -> Self {
        let owner = Some(owner);
        Self { owner, ..self }
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
        let due = self.timers.pop_due(up_to)?;
        if let Some(owner) = &self.owner {
            owner.timer(TimerDeed::Fired, due.hash, due.time);
        }
        Some(due)
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

    /// Begins a snapshot of all states and timers as they are now. One under way is dropped.
    pub fn begin_snapshot(&mut self) {
        for table in &mut self.tables {
            table.begin_snapshot();
        }
        self.timers.begin_snapshot(self.max);
    }

    /// Goes on with the snapshot, up to the budget; says whether all of it is written. Without a
    /// snapshot there is nothing to write.
    ///
    /// # Errors
    /// [`SnapshotError`] when a key or a value cannot be turned into bytes.
    pub fn walk(
        &mut self,
        operator: &Uid,
        budget: &mut WalkBudget,
        sections: &mut SectionWriter,
    ) -> Result<bool, SnapshotError> {
        for (table, descriptor) in self.tables.iter_mut().zip(&self.descriptors) {
            let of = StateAddress {
                operator,
                descriptor,
            };
            if !table.walk(of, budget, sections)? {
                return Ok(false);
            }
        }
        Ok(self.timers.walk(operator, budget, sections))
    }

    /// Nobody wants the snapshot any more.
    pub fn drop_snapshot(&mut self) {
        for table in &mut self.tables {
            table.drop_snapshot();
        }
        self.timers.drop_snapshot();
    }

    /// Takes over the states and timers that a snapshot has of this operator.
    ///
    /// # Errors
    /// [`RestoreError`] when something else was declared when it was taken, or when it cannot be
    /// read.
    pub fn restore(
        &mut self,
        operator: &Uid,
        restored: &RestoredState,
    ) -> Result<(), RestoreError> {
        let names = self.descriptors.iter().map(StateDescriptor::name);
        refuse_undeclared(restored, operator, &names.collect::<Vec<_>>(), true)?;
        for (table, descriptor) in self.tables.iter_mut().zip(&self.descriptors) {
            let of = StateAddress {
                operator,
                descriptor,
            };
            table.restore(of, restored)?;
        }
        let (range, max) = (self.range, self.max);
        self.timers.restore(operator, range, max, restored)
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
