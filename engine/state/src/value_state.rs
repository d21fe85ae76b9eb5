//! One value per key.

use std::marker::PhantomData;

use sameriver_model::Key;

use crate::at::At;
use crate::error::StateError;
use crate::value::Value;

/// A handle of a state that holds one value per key.
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
/// let (mut state, last) = KeyedState::declare(all, max, |declare: &mut Declare<'_, u64>| {
///     declare.value::<String>("last")
/// })?;
/// # let (key, hash) = (7, KeyHash::of(&7_u64, &mut Vec::new())?);
/// # let mut at = state.at(&key, hash, None, Watermark::MIN, ProcessingTime::default());
/// # let at = &mut at;
/// last.set(at, "to".to_owned())?;
/// last.update(at, |text| {
///     if let Some(text) = text {
///         text.push_str(" be");
///     }
/// })?;
/// assert_eq!(last.read(at, |text| text.map(String::len))?, Some(5));
/// last.clear(at)?;
/// assert_eq!(last.get(at)?, None);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct ValueState<V> {
    handle: u16,
    value: PhantomData<fn() -> V>,
}

impl<V> Clone for ValueState<V> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<V> Copy for ValueState<V> {}

impl<V: Value> ValueState<V> {
    pub(crate) fn new(handle: u16) -> Self {
        Self {
            handle,
            value: PhantomData,
        }
    }

    /// Lets `read` look at the value, which is `None` if the key has none.
    ///
    /// # Errors
    /// [`StateError::ForeignHandle`] when another operator declared the handle.
    #[inline]
    pub fn read<K: Key, R>(
        &self,
        at: &mut At<'_, K>,
        read: impl FnOnce(Option<&V>) -> R,
    ) -> Result<R, StateError> {
        Ok(read(at.access(self.handle)?.get()))
    }

    /// Lets `change` write, create or (by leaving `None`) remove the value.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    #[inline]
    pub fn update<K: Key, R>(
        &self,
        at: &mut At<'_, K>,
        change: impl FnOnce(&mut Option<V>) -> R,
    ) -> Result<R, StateError> {
        Ok(at.access(self.handle)?.update(change))
    }

    /// A copy of the value.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    #[inline]
    pub fn get<K: Key>(&self, at: &mut At<'_, K>) -> Result<Option<V>, StateError>
    where
        V: Clone,
    {
        self.read(at, |value| Some(value?.clone()))
    }

    /// Replaces the value.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    #[inline]
    pub fn set<K: Key>(&self, at: &mut At<'_, K>, value: V) -> Result<(), StateError> {
        self.update(at, |slot| *slot = Some(value))
    }

    /// Removes the value.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    #[inline]
    pub fn clear<K: Key>(&self, at: &mut At<'_, K>) -> Result<(), StateError> {
        let access = at.access::<V>(self.handle)?;
        access.table.remove(access.hash, access.key);
        Ok(())
    }
}
