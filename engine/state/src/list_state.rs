//! A list of values per key.

use std::marker::PhantomData;

use sameriver_model::Key;

use crate::at::At;
use crate::error::StateError;
use crate::value::Value;

/// A handle of a state that holds a list per key, in the order of pushes.
///
/// # Examples
/// ```
/// # use sameriver_model::{
/// #     KeyGroupRange, KeyHash, MaxParallelism, Parallelism, ProcessingTime,
/// #     SubtaskIndex, Watermark,
/// # };
/// # use sameriver_state::{Declare, KeyedState};
/// # let max = MaxParallelism::default();
/// # let all = KeyGroupRange::of(SubtaskIndex::new(0), Parallelism::ONE, max);
/// let (mut state, seen) = KeyedState::declare(all, max, |declare: &mut Declare<'_, u64>| {
///     declare.list::<i64>("seen")
/// })?;
/// # let (key, hash) = (7, KeyHash::of(&7_u64, &mut Vec::new())?);
/// # let mut at = state.at(&key, hash, None, Watermark::MIN, ProcessingTime::default());
/// # let at = &mut at;
/// seen.push(at, 3)?;
/// seen.push(at, 4)?;
/// assert_eq!(seen.read(at, |all| all.iter().sum::<i64>())?, 7);
/// seen.replace(at, vec![7])?;
/// assert_eq!(seen.read(at, |all| all.to_vec())?, [7]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct ListState<V> {
    handle: u16,
    value: PhantomData<fn() -> V>,
}

impl<V> Clone for ListState<V> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<V> Copy for ListState<V> {}

impl<V: Value> ListState<V> {
    pub(crate) fn new(handle: u16) -> Self {
        Self {
            handle,
            value: PhantomData,
        }
    }

    /// Appends a value.
    ///
    /// # Errors
    /// [`StateError::ForeignHandle`] when another operator declared the handle.
    #[inline]
    pub fn push<K: Key>(&self, at: &mut At<'_, K>, value: V) -> Result<(), StateError> {
        let access = at.access::<Vec<V>>(self.handle)?;
        access.update(|list| list.get_or_insert_default().push(value));
        Ok(())
    }

    /// Lets `read` look at the list, which is empty if the key has none.
    ///
    /// # Errors
    /// As [`push`](Self::push).
    #[inline]
    pub fn read<K: Key, R>(
        &self,
        at: &mut At<'_, K>,
        read: impl FnOnce(&[V]) -> R,
    ) -> Result<R, StateError> {
        let access = at.access::<Vec<V>>(self.handle)?;
        let list = access.get();
        Ok(read(list.map(Vec::as_slice).unwrap_or_default()))
    }

    /// Replaces the list; an empty one is no list.
    ///
    /// # Errors
    /// As [`push`](Self::push).
    pub fn replace<K: Key>(&self, at: &mut At<'_, K>, values: Vec<V>) -> Result<(), StateError> {
        let access = at.access::<Vec<V>>(self.handle)?;
        access.update(|list| {
            *list = (!values.is_empty()).then_some(values);
        });
        Ok(())
    }

    /// Removes the list.
    ///
    /// # Errors
    /// As [`push`](Self::push).
    pub fn clear<K: Key>(&self, at: &mut At<'_, K>) -> Result<(), StateError> {
        let access = at.access::<Vec<V>>(self.handle)?;
        access.table.remove(access.hash, access.key);
        Ok(())
    }
}
