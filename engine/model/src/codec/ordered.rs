//! The `ordered` encoding: canonical bytes whose order is the order of the values.
//!
//! Invariant: one value has one encoding, no encoding is the beginning of another one of the same
//! type, and bytes compare as the values do (derived `Ord`, shape by shape). So encodings may be
//! written one after the other, and a range of bytes is a range of keys. Described in
//! `docs/formats.md`. Knows nothing of groups or tables.

mod decoder;
mod encoder;
mod error;
#[cfg(test)]
mod tests;

use std::any::type_name;

use serde::Serialize;
use serde::de::DeserializeOwned;

use decoder::Decoder;
use encoder::Encoder;
pub use error::OrderedError;

/// Appends the bytes of `value` to `out`.
///
/// Numbers are big-endian with the sign flipped, strings and bytes are escaped and terminated.
/// What is borrowed has the bytes of what is owned (`str` and `String`).
///
/// # Errors
/// [`OrderedError`] when the value holds a float, a skipped field, or a map that does not give its
/// keys in ascending byte order (a hash map), or when its own `Serialize` refuses. `out` then ends
/// with a part of the value.
///
/// # Examples
/// ```
/// use sameriver_model::codec::ordered;
/// let mut bytes = Vec::new();
/// ordered::encode_into(&(7_u16, "ab"), &mut bytes)?;
/// assert_eq!(bytes, [0, 7, b'a', b'b', 0, 0]);
/// # Ok::<(), ordered::OrderedError>(())
/// ```
#[inline]
pub fn encode_into<T: Serialize + ?Sized>(
    value: &T,
    out: &mut Vec<u8>,
) -> Result<(), OrderedError> {
    match value.serialize(Encoder::new(out)) {
        Ok(()) => Ok(()),
        Err(error) => Err(error.of_type(type_name::<T>())),
    }
}

/// The bytes of `value`; see [`encode_into`].
///
/// # Errors
/// As [`encode_into`].
pub fn encode<T: Serialize + ?Sized>(value: &T) -> Result<Vec<u8>, OrderedError> {
    let mut out = Vec::new();
    encode_into(value, &mut out)?;
    Ok(out)
}

/// Reads one value; every byte must be used.
///
/// # Errors
/// [`OrderedError`] when the bytes are cut short, too long, or not of this type.
///
/// # Examples
/// ```
/// use sameriver_model::codec::ordered;
/// let bytes = ordered::encode(&-1_i64)?;
/// assert_eq!(ordered::decode::<i64>(&bytes)?, -1);
/// # Ok::<(), ordered::OrderedError>(())
/// ```
pub fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, OrderedError> {
    let mut rest = bytes;
    let value = decode_front(&mut rest)?;
    if rest.is_empty() {
        return Ok(value);
    }
    Err(OrderedError::too_long(rest.len()).of_type(type_name::<T>()))
}

/// Reads one value from the front of `bytes` and moves `bytes` behind it.
///
/// # Errors
/// [`OrderedError`] when the bytes are cut short or not of this type; `bytes` stays where it was.
pub fn decode_front<T: DeserializeOwned>(bytes: &mut &[u8]) -> Result<T, OrderedError> {
    let mut decoder = Decoder::new(bytes);
    match T::deserialize(&mut decoder) {
        Ok(value) => {
            *bytes = decoder.rest();
            Ok(value)
        }
        Err(error) => Err(error.of_type(type_name::<T>())),
    }
}
