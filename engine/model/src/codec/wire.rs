//! The `wire` encoding: bincode 1.3.3, fixed-width little-endian integers, one binary at both ends.
//!
//! Invariant: this is the only file that names bincode. What bincode would write without complaint
//! and read back shifted (skipped fields) is refused when it is written.

mod error;
mod guard;
#[cfg(test)]
mod tests;

use std::any::type_name;
use std::io;

use bincode::config::{FixintEncoding, WithOtherIntEncoding};
use bincode::{DefaultOptions, ErrorKind, Options};
use serde::Serialize;
use serde::de::DeserializeOwned;

use error::Cause;
pub use error::WireError;
use guard::Guard;

type Settings = WithOtherIntEncoding<DefaultOptions, FixintEncoding>;
type Writer<'a> = bincode::Serializer<&'a mut Vec<u8>, Settings>;
type BincodeError = bincode::Error;

fn options() -> Settings {
    DefaultOptions::new().with_fixint_encoding()
}

/// What bincode means.
#[cold]
fn cause(error: &BincodeError) -> Cause {
    match &**error {
        ErrorKind::DeserializeAnyNotSupported => Cause::SelfDescribing,
        ErrorKind::SequenceMustHaveLength => Cause::UnknownLength,
        ErrorKind::SizeLimit => Cause::CutShort,
        ErrorKind::Io(error) if error.kind() == io::ErrorKind::UnexpectedEof => Cause::CutShort,
        ErrorKind::Io(_)
        | ErrorKind::InvalidUtf8Encoding(_)
        | ErrorKind::InvalidBoolEncoding(_)
        | ErrorKind::InvalidCharEncoding
        | ErrorKind::InvalidTagEncoding(_)
        | ErrorKind::Custom(_) => Cause::Other(error.to_string()),
    }
}

#[cold]
fn unreadable<T>(error: &BincodeError) -> WireError {
    WireError::new(cause(error)).of_type(type_name::<T>())
}

/// Appends the bytes of `value` to `out`.
///
/// # Errors
/// [`WireError`] when the value skips a field, holds something of unknown length (`flatten`), or
/// its `Serialize` refuses. `out` then ends with a part of the value.
///
/// # Examples
/// ```
/// use sameriver_model::codec::wire;
/// let mut bytes = Vec::new();
/// wire::encode_into(&(7_u16, Some(true)), &mut bytes)?;
/// assert_eq!(bytes, [7, 0, 1, 1]);
/// # Ok::<(), wire::WireError>(())
/// ```
#[inline]
pub fn encode_into<T: Serialize + ?Sized>(value: &T, out: &mut Vec<u8>) -> Result<(), WireError> {
    let mut writer = Writer::new(out, options());
    match value.serialize(Guard::new(&mut writer)) {
        Ok(()) => Ok(()),
        Err(error) => Err(error.of_type(type_name::<T>())),
    }
}

/// The bytes of `value`; see [`encode_into`].
///
/// # Errors
/// As [`encode_into`].
pub fn encode<T: Serialize + ?Sized>(value: &T) -> Result<Vec<u8>, WireError> {
    let mut out = Vec::new();
    encode_into(value, &mut out)?;
    Ok(out)
}

/// Reads one value; every byte must be used.
///
/// # Errors
/// [`WireError`] when the bytes are cut short, too long, or not of this type, or when the type asks
/// them for their shape (`untagged`, `tag`, `flatten`).
///
/// # Examples
/// ```
/// use sameriver_model::codec::wire;
/// let bytes = wire::encode("be")?;
/// assert_eq!(wire::decode::<String>(&bytes)?, "be");
/// # Ok::<(), wire::WireError>(())
/// ```
pub fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, WireError> {
    let mut rest = bytes;
    let value = decode_front(&mut rest)?;
    if rest.is_empty() {
        return Ok(value);
    }
    Err(WireError::new(Cause::TooLong(rest.len())).of_type(type_name::<T>()))
}

/// Reads one value from the front of `bytes` and moves `bytes` behind it.
///
/// # Errors
/// [`WireError`] when the bytes are cut short or not of this type, or when the type asks them for
/// their shape.
pub fn decode_front<T: DeserializeOwned>(bytes: &mut &[u8]) -> Result<T, WireError> {
    let limit = bytes.len() as u64;
    let options = options().with_limit(limit).allow_trailing_bytes();
    let value = options.deserialize_from(&mut *bytes);
    value.map_err(|error| unreadable::<T>(&error))
}
