//! Where an operator says which states it has.
//!
//! Invariant: names are unique in an operator and never empty; handles are numbered in the order of
//! declaration.

use sameriver_model::Key;

use crate::descriptor::{StateDescriptor, StateKind};
use crate::error::DeclareError;
use crate::heap_table::HeapTable;
use crate::keyed_state::KeyedState;
use crate::list_state::ListState;
use crate::map_entries::MapEntries;
use crate::map_state::MapState;
use crate::value::Value;
use crate::value_state::ValueState;

/// How many states an operator can have: what a handle can count.
const STATES_MAX: usize = u16::MAX as usize;

/// Takes the declarations of an operator and gives handles for them.
///
/// # Examples
/// ```
/// use sameriver_model::{KeyGroupRange, MaxParallelism, Parallelism, SubtaskIndex};
/// use sameriver_state::{Declare, DeclareError, KeyedState};
///
/// let max = MaxParallelism::default();
/// let all = KeyGroupRange::of(SubtaskIndex::new(0), Parallelism::ONE, max);
/// let twice = KeyedState::declare(all, max, |declare: &mut Declare<'_, u64>| {
///     let count = declare.value::<u64>("count")?;
///     let total = declare.value::<u64>("count")?;
///     Ok((count, total))
/// });
/// let error: DeclareError = twice.map(|_| ()).unwrap_err();
/// assert!(error.to_string().starts_with("state \"count\" is declared twice"));
/// ```
pub struct Declare<'a, K> {
    state: &'a mut KeyedState<K>,
}

impl<'a, K: Key> Declare<'a, K> {
    pub(crate) fn new(state: &'a mut KeyedState<K>) -> Self {
        Self { state }
    }

    /// Declares one value per key.
    ///
    /// # Errors
    /// [`DeclareError`] when the name is empty or taken.
    pub fn value<V: Value>(
        &mut self,
        name: impl Into<String>,
    ) -> Result<ValueState<V>, DeclareError> {
        let descriptor = StateDescriptor::new::<V>(name, StateKind::Value);
        Ok(ValueState::new(self.add::<V>(descriptor)?))
    }

    /// Declares a list of values per key.
    ///
    /// # Errors
    /// As [`value`](Self::value).
    pub fn list<V: Value>(
        &mut self,
        name: impl Into<String>,
    ) -> Result<ListState<V>, DeclareError> {
        let descriptor = StateDescriptor::new::<V>(name, StateKind::List);
        Ok(ListState::new(self.add::<Vec<V>>(descriptor)?))
    }

    /// Declares values by a second key, per key.
    ///
    /// # Errors
    /// As [`value`](Self::value).
    pub fn map<M: Key, V: Value>(
        &mut self,
        name: impl Into<String>,
    ) -> Result<MapState<M, V>, DeclareError> {
        let descriptor = StateDescriptor::new::<(M, V)>(name, StateKind::Map);
        Ok(MapState::new(self.add::<MapEntries<M, V>>(descriptor)?))
    }

    /// Makes the table and gives its number.
    fn add<T: Value>(&mut self, descriptor: StateDescriptor) -> Result<u16, DeclareError> {
        let state = &mut *self.state;
        let name = descriptor.name();
        if name.is_empty() {
            return Err(DeclareError::NameEmpty);
        }
        if state.descriptors.iter().any(|other| other.name() == name) {
            let name = name.to_owned();
            return Err(DeclareError::DeclaredTwice { name });
        }
        let limit = STATES_MAX;
        let handle = match u16::try_from(state.tables.len()) {
            Ok(handle) if usize::from(handle) < limit => handle,
            Ok(_) | Err(_) => {
                let name = name.to_owned();
                return Err(DeclareError::TooMany { name, limit });
            }
        };
        let table = HeapTable::<K, Option<T>>::new(state.range, state.max);
        state.tables.push(Box::new(table));
        state.descriptors.push(descriptor);
        Ok(handle)
    }
}
