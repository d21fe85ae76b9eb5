//! Picks the key out of a record, by value or by reference.
//!
//! Invariant: the selector of the hash tail and that of the keyed operator behind it are clones of
//! one another, so both see the same key. Knows nothing of hashes, groups or channels.

use std::borrow::Borrow;
use std::marker::PhantomData;

use sameriver_model::Key;
use serde::Serialize;

/// Picks the key out of a record.
///
/// `View` is the form in which the key is looked at without a clone: the key itself for
/// [`ByValue`], a borrowed form such as `str` for [`ByRef`].
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not pick a key out of `{T}`",
    label = "not a key selector for `{T}`",
    note = "use `key_by(|record| ...)` with a closure that returns the key, or `key_by_ref(|record| ...)` with one that returns a reference into the record"
)]
pub trait SelectKey<T>: Clone + Send + Sync + 'static {
    /// The owned key.
    type Key: Key + Borrow<Self::View>;
    /// The form in which tables are searched.
    type View: Serialize + Eq + ToOwned<Owned = Self::Key> + ?Sized;

    /// Shows the key of `record` to `f`.
    fn select<R>(&self, record: &T, f: impl FnOnce(&Self::View) -> R) -> R;

    /// Gives the key of `record`.
    fn own(&self, record: &T) -> Self::Key;

    /// As [`own`](Self::own), into a key that is no longer needed: its allocation is reused.
    fn own_into(&self, record: &T, spare: &mut Self::Key);
}

/// A selector whose closure makes the key.
///
/// ```
/// use sameriver_operator::key_selector::{ByValue, SelectKey};
/// let by_length = ByValue::new(|word: &String| word.len());
/// assert_eq!(by_length.select(&"river".to_owned(), |key| *key), 5);
/// ```
#[derive(Debug)]
pub struct ByValue<F, K> {
    select: F,
    key: PhantomData<fn() -> K>,
}

impl<F, K> ByValue<F, K> {
    /// Uses the closure's result as key.
    pub fn new<T>(select: F) -> Self
    where
        F: Fn(&T) -> K,
    {
        Self {
            select,
            key: PhantomData,
        }
    }
}

impl<F: Clone, K> Clone for ByValue<F, K> {
    fn clone(&self) -> Self {
        Self {
            select: self.select.clone(),
            key: PhantomData,
        }
    }
}

impl<T, F, K> SelectKey<T> for ByValue<F, K>
where
    K: Key,
    F: Fn(&T) -> K + Clone + Send + Sync + 'static,
{
    type Key = K;
    type View = K;

    #[inline]
    fn select<R>(&self, record: &T, f: impl FnOnce(&K) -> R) -> R {
        f(&(self.select)(record))
    }

    #[inline]
    fn own(&self, record: &T) -> K {
        (self.select)(record)
    }

    #[inline]
    fn own_into(&self, record: &T, spare: &mut K) {
        *spare = (self.select)(record);
    }
}

/// A selector whose closure points at the key inside the record: no clone a record.
///
/// ```
/// use sameriver_operator::key_selector::{ByRef, SelectKey};
/// let by_name = ByRef::new(|pair: &(String, u64)| pair.0.as_str());
/// assert_eq!(by_name.select(&("river".to_owned(), 1), str::len), 5);
/// ```
#[derive(Debug)]
pub struct ByRef<F, V: ?Sized> {
    select: F,
    view: PhantomData<fn(&V)>,
}

impl<F, V: ?Sized> ByRef<F, V> {
    /// Uses what the closure points at as key.
    pub fn new<T>(select: F) -> Self
    where
        F: Fn(&T) -> &V,
    {
        Self {
            select,
            view: PhantomData,
        }
    }
}

impl<F: Clone, V: ?Sized> Clone for ByRef<F, V> {
    fn clone(&self) -> Self {
        Self {
            select: self.select.clone(),
            view: PhantomData,
        }
    }
}

impl<T, F, V> SelectKey<T> for ByRef<F, V>
where
    V: Serialize + Eq + ToOwned + ?Sized + 'static,
    V::Owned: Key,
    F: Fn(&T) -> &V + Clone + Send + Sync + 'static,
{
    type Key = V::Owned;
    type View = V;

    #[inline]
    fn select<R>(&self, record: &T, f: impl FnOnce(&V) -> R) -> R {
        f((self.select)(record))
    }

    #[inline]
    fn own(&self, record: &T) -> V::Owned {
        (self.select)(record).to_owned()
    }

    #[inline]
    fn own_into(&self, record: &T, spare: &mut V::Owned) {
        (self.select)(record).clone_into(spare);
    }
}
