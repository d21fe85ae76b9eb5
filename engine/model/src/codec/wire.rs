//! The `wire` encoding: bincode 1.3.3, fixed-width little-endian integers. Both ends are one binary.
//!
//! Invariant: this is the only file that names bincode.

use bincode::Options;
use serde::Serialize;
use serde::de::DeserializeOwned;
use thiserror::Error;

/// A value that `wire` cannot write, or bytes that are not one of the expected type.
#[derive(Debug, Error)]
#[error("wire encoding of {type_name}: {cause}")]
pub struct WireError {
    type_name: &'static str,
    cause: String,
}

fn error<T: ?Sized>(cause: impl ToString) -> WireError {
    WireError {
        type_name: std::any::type_name::<T>(),
        cause: cause.to_string(),
    }
}

fn options() -> impl Options {
    bincode::DefaultOptions::new().with_fixint_encoding()
}

/// Appends the bytes of `value` to `out`.
///
/// # Errors
/// [`WireError`] when the value's `Serialize` refuses.
pub fn encode_into<T: Serialize + ?Sized>(value: &T, out: &mut Vec<u8>) -> Result<(), WireError> {
    options().serialize_into(out, value).map_err(error::<T>)
}

/// The bytes of `value`.
///
/// # Errors
/// [`WireError`] when the value's `Serialize` refuses.
pub fn encode<T: Serialize + ?Sized>(value: &T) -> Result<Vec<u8>, WireError> {
    let mut out = Vec::new();
    encode_into(value, &mut out)?;
    Ok(out)
}

/// Reads one value; every byte must be used.
///
/// # Errors
/// [`WireError`] when the bytes are cut short, too long, or not of this type.
pub fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, WireError> {
    options()
        .with_limit(bytes.len() as u64)
        .deserialize(bytes)
        .map_err(error::<T>)
}

/// Reads one value from the front of `bytes` and moves `bytes` behind it.
///
/// # Errors
/// [`WireError`] when the bytes are cut short or not of this type.
pub fn decode_front<T: DeserializeOwned>(bytes: &mut &[u8]) -> Result<T, WireError> {
    let limit = bytes.len() as u64;
    let options = options().with_limit(limit).allow_trailing_bytes();
    options.deserialize_from(&mut *bytes).map_err(error::<T>)
}
