//! The `ordered` encoding: canonical bytes whose order is the order of the values.

use serde::Serialize;
use thiserror::Error;

/// A key that has no canonical bytes.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{0}")]
pub struct OrderedError(String);

/// Appends the bytes of `value` to `out`.
pub fn encode_into<T: Serialize + ?Sized>(
    _value: &T,
    _out: &mut Vec<u8>,
) -> Result<(), OrderedError> {
    Err(OrderedError("being written".into()))
}
