//! Small files in one piece: magic, version, length, value in `wire` encoding, checksum.
//!
//! Invariant: what opens is, byte for byte, what was sealed. Knows no kind of value.

use sameriver_model::codec::wire;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::read_error::ReadError;

/// Magic and version: equal in every version.
pub(crate) const PREFIX_BYTES: usize = 12;
/// What stands before the value.
const HEADER_BYTES: usize = PREFIX_BYTES + 8;
/// The checksum behind it.
const CRC_BYTES: usize = 4;

/// A kind of file.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Format {
    /// How errors call it.
    pub(crate) name: &'static str,
    /// Its first bytes.
    pub(crate) magic: [u8; 8],
    /// The version that is written, and read.
    pub(crate) version: u32,
}

impl Format {
    /// The bytes before all others.
    pub(crate) fn prefix(&self) -> [u8; PREFIX_BYTES] {
        let mut prefix = [0; PREFIX_BYTES];
        prefix[..8].copy_from_slice(&self.magic);
        prefix[8..].copy_from_slice(&self.version.to_le_bytes());
        prefix
    }

    /// Refuses a file of another kind or version.
    pub(crate) fn check_prefix(&self, file: &str, bytes: &[u8]) -> Result<(), ReadError> {
        let magic = &bytes[..bytes.len().min(8)];
        if magic != &self.magic[..magic.len()] {
            return Err(ReadError::Magic {
                file: file.to_owned(),
                expected: self.name,
                found: magic.to_vec(),
            });
        }
        let Some(version) = bytes.get(8..PREFIX_BYTES) else {
            return Err(length(file, bytes, PREFIX_BYTES as u64));
        };
        let found = u32_at(version, 0);
        if found != self.version {
            return Err(ReadError::Version {
                file: file.to_owned(),
                found,
                readable: self.version,
            });
        }
        Ok(())
    }

    /// The bytes of a file with this value.
    pub(crate) fn seal(&self, value: &impl Serialize) -> Vec<u8> {
        let mut bytes = self.prefix().to_vec();
        bytes.extend([0; HEADER_BYTES - PREFIX_BYTES]);
        wire::encode_into(value, &mut bytes).expect("our own values have no skipped field");
        let length = (bytes.len() - HEADER_BYTES) as u64;
        bytes[PREFIX_BYTES..HEADER_BYTES].copy_from_slice(&length.to_le_bytes());
        bytes.extend(crc32c::crc32c(&bytes).to_le_bytes());
        bytes
    }

    /// The value of a file.
    pub(crate) fn open<T: DeserializeOwned>(
        &self,
        file: &str,
        bytes: &[u8],
    ) -> Result<T, ReadError> {
        self.check_prefix(file, bytes)?;
        let Some(value) = bytes.get(PREFIX_BYTES..HEADER_BYTES) else {
            return Err(length(file, bytes, (HEADER_BYTES + CRC_BYTES) as u64));
        };
        let around = (HEADER_BYTES + CRC_BYTES) as u64;
        let expected = u64_at(value, 0).saturating_add(around);
        if bytes.len() as u64 != expected {
            return Err(length(file, bytes, expected));
        }
        let (sealed, crc) = bytes.split_at(bytes.len() - CRC_BYTES);
        check_crc(file, "the file", sealed, u32_at(crc, 0))?;
        wire::decode(&sealed[HEADER_BYTES..]).map_err(|error| content(file, error.to_string()))
    }
}

/// Refuses bytes that have changed.
pub(crate) fn check_crc(
    file: &str,
    part: &str,
    bytes: &[u8],
    expected: u32,
) -> Result<(), ReadError> {
    let found = crc32c::crc32c(bytes);
    if found == expected {
        return Ok(());
    }
    Err(ReadError::Checksum {
        file: file.to_owned(),
        part: part.to_owned(),
        found,
        expected,
    })
}

/// The error of a file that has too few or too many bytes.
pub(crate) fn length(file: &str, bytes: &[u8], expected: u64) -> ReadError {
    ReadError::Length {
        file: file.to_owned(),
        found: bytes.len() as u64,
        expected,
    }
}

/// The error of a file that holds what cannot be.
pub(crate) fn content(file: &str, cause: String) -> ReadError {
    let file = file.to_owned();
    ReadError::Content { file, cause }
}

/// The little-endian number at `at`, which is in `bytes`.
pub(crate) fn u32_at(bytes: &[u8], at: usize) -> u32 {
    let field = bytes[at..at + 4].try_into();
    u32::from_le_bytes(field.expect("four bytes are four bytes"))
}

/// The little-endian number at `at`, which is in `bytes`.
pub(crate) fn u64_at(bytes: &[u8], at: usize) -> u64 {
    let field = bytes[at..at + 8].try_into();
    u64::from_le_bytes(field.expect("eight bytes are eight bytes"))
}
