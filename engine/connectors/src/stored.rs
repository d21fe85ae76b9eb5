//! The version in front of what a connector leaves in a checkpoint.
//!
//! Invariant: bytes of a version that this program does not know are an error, never another value.
//! Does not know what is stored.

use sameriver_model::codec::wire;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// A value with the version of its layout: the index of the variant, as the `wire` encoding has it.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Versioned<T> {
    /// The first layout.
    V1(T),
}

/// The bytes of a value, version first; the error says what refused.
pub(crate) fn to_bytes<T: Serialize>(value: T) -> Result<Vec<u8>, String> {
    wire::encode(&Versioned::V1(value)).map_err(|error| error.to_string())
}

/// The value of bytes that [`to_bytes`] made; the error names the remedy.
pub(crate) fn from_bytes<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, String> {
    match wire::decode(bytes) {
        Ok(Versioned::V1(value)) => Ok(value),
        Err(error) => Err(format!(
            "{error}: restore with the release that took the checkpoint, or from another checkpoint"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stored_value_comes_back() {
        let bytes = to_bytes((7_u64, "a")).expect("it can be encoded");
        assert_eq!(from_bytes::<(u64, String)>(&bytes), Ok((7, "a".to_owned())));
    }

    #[test]
    fn a_version_that_nobody_knows_is_refused_with_a_remedy() {
        let mut bytes = to_bytes(7_u64).expect("it can be encoded");
        bytes[0] = 1;
        let error = from_bytes::<u64>(&bytes).expect_err("version 2 is unknown");
        assert!(error.contains("restore with the release"), "{error}");
    }
}
