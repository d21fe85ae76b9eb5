//! What a type must be able to do to be the key of a keyed stream.
//!
//! Invariant: two keys are one key exactly when their `ordered` bytes are equal. Types whose
//! equality is not that of their bytes (floats, hash maps) are refused by the compiler.

use std::borrow::Borrow;
use std::hash::Hash;

use serde::Serialize;
use serde::de::DeserializeOwned;

/// A value by which records belong together: those with equal keys share state.
///
/// Implemented for every type that is `Serialize + DeserializeOwned + Eq + Hash + Clone + Send +
/// Sync + 'static`.
///
/// ```
/// fn is_key<K: sameriver_model::Key>() {}
/// is_key::<(u64, String)>();
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be a key",
    label = "not a `Key`",
    note = "a key needs `Serialize + Deserialize + Eq + Hash + Clone + Send + Sync`; floats and hash maps have no canonical bytes: use an integer (cents, milliseconds), a string or a `BTreeMap`"
)]
pub trait Key: Serialize + DeserializeOwned + Eq + Hash + Clone + Send + Sync + 'static {}

#[diagnostic::do_not_recommend]
impl<T: Serialize + DeserializeOwned + Eq + Hash + Clone + Send + Sync + 'static> Key for T {}

/// A borrowed form of a key, by which tables are searched without a clone: `str` for `String`.
///
/// Implemented for every borrowed form whose `ToOwned` is the key. The `ordered` bytes of both
/// forms are equal, as `Borrow` demands of their `Eq` and `Hash`.
pub trait KeyView<K: Key>: Serialize + Eq + ToOwned<Owned = K> {}

impl<K: Key + Borrow<V>, V: Serialize + Eq + ToOwned<Owned = K> + ?Sized> KeyView<K> for V {}
