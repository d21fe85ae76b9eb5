//! What a type must be able to do to be kept in state.

use serde::Serialize;
use serde::de::DeserializeOwned;

/// A value that state can hold: it can move to another thread and be turned into bytes.
///
/// Implemented for every `Serialize + DeserializeOwned + Send + 'static`.
///
/// ```
/// fn is_value<V: sameriver_state::Value>() {}
/// is_value::<Vec<(u64, String)>>();
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be kept in state",
    label = "not a `Value`",
    note = "derive `serde::Serialize` and `serde::Deserialize` for `{Self}`, and let it own its data (no borrowed fields, no `Rc`)"
)]
pub trait Value: Serialize + DeserializeOwned + Send + 'static {}

#[diagnostic::do_not_recommend]
impl<V: Serialize + DeserializeOwned + Send + 'static> Value for V {}
