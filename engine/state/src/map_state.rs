//! Values by a second key, per key.

use std::marker::PhantomData;

use sameriver_model::codec::ordered;
use sameriver_model::{Key, KeyView};

use crate::at::At;
use crate::error::StateError;
use crate::keyed_state::Access;
use crate::map_entries::MapEntries;
use crate::value::Value;

/// A handle of a state that holds, per key, values by a map key.
///
/// Entries come in the order of their map keys' `ordered` bytes, on every backend.
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
/// let (mut state, pages) = KeyedState::declare(all, max, |declare: &mut Declare<'_, u64>| {
///     declare.map::<String, u64>("pages")
/// })?;
/// # let (key, hash) = (7, KeyHash::of(&7_u64, &mut Vec::new())?);
/// # let mut at = state.at(&key, hash, None, Watermark::MIN, ProcessingTime::default());
/// # let at = &mut at;
/// for page in ["shop", "home", "shop"] {
///     pages.update(at, page, |visits| *visits.get_or_insert(0) += 1)?;
/// }
/// let mut all = Vec::new();
/// pages.for_each(at, |page, visits| all.push((page.clone(), *visits)))?;
/// assert_eq!(all, [("home".to_owned(), 1), ("shop".to_owned(), 2)]);
/// assert_eq!(pages.remove(at, "home")?, Some(1));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct MapState<M, V> {
    handle: u16,
    entry: PhantomData<fn() -> (M, V)>,
}

impl<M, V> Clone for MapState<M, V> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<M, V> Copy for MapState<M, V> {}

impl<M: Key, V: Value> MapState<M, V> {
    pub(crate) fn new(handle: u16) -> Self {
        Self {
            handle,
            entry: PhantomData,
        }
    }

    /// Finds the table, and leaves the bytes of `map_key` in the scratch buffer.
    #[inline]
    fn access<'a, K: Key, Q: KeyView<M> + ?Sized>(
        self,
        at: &'a mut At<'_, K>,
        map_key: &Q,
    ) -> Result<Access<'a, K, MapEntries<M, V>>, StateError> {
        let access = at.access(self.handle)?;
        access.scratch.clear();
        ordered::encode_into(map_key, access.scratch)?;
        Ok(access)
    }

    /// Puts a value under `map_key` and gives back the old one.
    ///
    /// # Errors
    /// [`StateError::ForeignHandle`] when another operator declared the handle,
    /// [`StateError::Key`] when the map key has no canonical bytes.
    pub fn insert<K: Key>(
        &self,
        at: &mut At<'_, K>,
        map_key: M,
        value: V,
    ) -> Result<Option<V>, StateError> {
        let access = self.access(at, &map_key)?;
        Ok(change_entry(access, || map_key, |slot| slot.replace(value)))
    }

    /// A copy of the value under `map_key`.
    ///
    /// # Errors
    /// As [`insert`](Self::insert).
    pub fn get<K: Key, Q: KeyView<M> + ?Sized>(
        &self,
        at: &mut At<'_, K>,
        map_key: &Q,
    ) -> Result<Option<V>, StateError>
    where
        V: Clone,
    {
        self.read(at, map_key, |value| Some(value?.clone()))
    }

    /// Lets `read` look at the value under `map_key`.
    ///
    /// # Errors
    /// As [`insert`](Self::insert).
    #[inline]
    pub fn read<K: Key, Q: KeyView<M> + ?Sized, R>(
        &self,
        at: &mut At<'_, K>,
        map_key: &Q,
        read: impl FnOnce(Option<&V>) -> R,
    ) -> Result<R, StateError> {
        let access = self.access(at, map_key)?;
        let table = &*access.table;
        let map = table.get_ahead(access.ahead, access.hash, access.key);
        let map = map.and_then(Option::as_ref);
        Ok(read(map.and_then(|map| map.get(access.scratch))))
    }

    /// Lets `change` write, create or (by leaving `None`) remove the value under `map_key`.
    ///
    /// # Errors
    /// As [`insert`](Self::insert).
    #[inline]
    pub fn update<K: Key, Q: KeyView<M> + ?Sized, R>(
        &self,
        at: &mut At<'_, K>,
        map_key: &Q,
        change: impl FnOnce(&mut Option<V>) -> R,
    ) -> Result<R, StateError> {
        let access = self.access(at, map_key)?;
        Ok(change_entry(access, || map_key.to_owned(), change))
    }

    /// Takes the value under `map_key` out.
    ///
    /// # Errors
    /// As [`insert`](Self::insert).
    pub fn remove<K: Key, Q: KeyView<M> + ?Sized>(
        &self,
        at: &mut At<'_, K>,
        map_key: &Q,
    ) -> Result<Option<V>, StateError> {
        self.update(at, map_key, Option::take)
    }

    /// Shows every entry of the current key to `visit`, in the order of the map keys' bytes.
    ///
    /// # Errors
    /// [`StateError::ForeignHandle`] when another operator declared the handle.
    pub fn for_each<K: Key>(
        &self,
        at: &mut At<'_, K>,
        mut visit: impl FnMut(&M, &V),
    ) -> Result<(), StateError> {
        let access = at.access::<MapEntries<M, V>>(self.handle)?;
        if let Some(map) = access.get() {
            map.iter()
                .for_each(|(map_key, value)| visit(map_key, value));
        }
        Ok(())
    }

    /// Whether the current key has no entry.
    ///
    /// # Errors
    /// As [`for_each`](Self::for_each).
    pub fn is_empty<K: Key>(&self, at: &mut At<'_, K>) -> Result<bool, StateError> {
        let access = at.access::<MapEntries<M, V>>(self.handle)?;
        Ok(access.get().is_none())
    }

    /// Removes every entry of the current key.
    ///
    /// # Errors
    /// As [`for_each`](Self::for_each).
    pub fn clear<K: Key>(&self, at: &mut At<'_, K>) -> Result<(), StateError> {
        let access = at.access::<MapEntries<M, V>>(self.handle)?;
        access.table.remove(access.hash, access.key);
        Ok(())
    }
}

/// Changes the entry whose bytes are in the scratch buffer; a key without entries has no map.
#[inline]
fn change_entry<K: Key, M, V, R>(
    access: Access<'_, K, MapEntries<M, V>>,
    map_key: impl FnOnce() -> M,
    change: impl FnOnce(&mut Option<V>) -> R,
) -> R {
    let Access {
        table,
        scratch,
        key,
        hash,
        ahead,
    } = access;
    let version = table.epoch();
    table.update_ahead(ahead, hash, key, |slot| {
        let map = slot.get_or_insert_default();
        let answer = map.update(scratch, version, map_key, change);
        if map.is_empty() {
            *slot = None;
        }
        answer
    })
}
