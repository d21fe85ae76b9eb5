//! Why a file of a checkpoint cannot be used.
//!
//! Invariant: each error names the file, what is in it, what should be, and what to do.

use sameriver_runtime::BlobError;
use thiserror::Error;

/// A file of the checkpoint store that cannot be read as what it should be.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ReadError {
    /// The store did not hand it out.
    #[error(transparent)]
    Store(#[from] BlobError),
    /// It does not begin as our files do.
    #[error(
        "{file} begins with {found:02x?} and is no {expected}: put the right file back, or start \
         from an older checkpoint"
    )]
    Magic {
        /// The file.
        file: String,
        /// What it should be.
        expected: &'static str,
        /// Its first bytes.
        found: Vec<u8>,
    },
    /// Another release wrote it.
    #[error(
        "{file} has format version {found}, this release reads {readable}: use the release that \
         wrote it"
    )]
    Version {
        /// The file.
        file: String,
        /// The version in it.
        found: u32,
        /// The version that can be read.
        readable: u32,
    },
    /// It is shorter or longer than it was written.
    #[error(
        "{file} has {found} bytes instead of {expected}: put a whole copy back, or start from an \
         older checkpoint"
    )]
    Length {
        /// The file.
        file: String,
        /// Its length in bytes.
        found: u64,
        /// The length in bytes that it was written with.
        expected: u64,
    },
    /// It is longer than a file of its name can be: somebody else wrote it.
    #[error(
        "{file} has more than {limit} bytes, and no such file of ours has: put the right file \
         back, or start from an older checkpoint"
    )]
    TooLong {
        /// The file.
        file: String,
        /// The most bytes that it may have.
        limit: u64,
    },
    /// A byte of it has changed since it was written.
    #[error(
        "{file} is damaged: {part} has checksum {found:08x} instead of {expected:08x}: put a whole \
         copy back, or start from an older checkpoint"
    )]
    Checksum {
        /// The file.
        file: String,
        /// The part of it.
        part: String,
        /// CRC32C of what is there.
        found: u32,
        /// CRC32C of what was written.
        expected: u32,
    },
    /// Its checksums hold, but what is in it makes no sense: another build wrote it, or a bug.
    #[error("{file} cannot be understood: {cause}: read it with the build that wrote it")]
    Content {
        /// The file.
        file: String,
        /// What is wrong.
        cause: String,
    },
}

/// A file of the checkpoint store that could not be written.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum WriteError {
    /// The store did not take it, or did not answer.
    #[error(transparent)]
    Store(#[from] BlobError),
    /// Another file has its name, which only its writer may use.
    #[error(
        "{file} exists with other content: two jobs use one folder, or a copy of the store was put \
         back; give each job a folder of its own"
    )]
    Taken {
        /// The file.
        file: String,
    },
}
