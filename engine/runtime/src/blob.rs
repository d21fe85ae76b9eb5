//! The store of checkpoints: whole objects by path, created once and never changed.
//!
//! Invariant: an object is there in full or not at all, also after a crash; what answered
//! [`Created::Created`] is durable. Reached as a service: `World::service::<dyn BlobStore>(url)`.

use std::fmt;

use bytes::Bytes;
use thiserror::Error;

use crate::BoxFuture;

/// What came of creating an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Created {
    /// The path was free; the object is there and durable.
    Created,
    /// The path was taken; nothing changed. What is there is durable.
    Exists,
}

/// What a store can promise; a job log needs both.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlobAbilities {
    /// Of two creates of one path at most one answers [`Created::Created`].
    pub creates_if_absent: bool,
    /// A listing shows every create that was answered before it began.
    pub lists_all: bool,
}

/// An object of a listing.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct BlobEntry {
    /// Its path in the store, `/` between the parts.
    pub path: String,
    /// Its length in bytes.
    pub length: u64,
}

/// Why an operation on the store failed. The variants say what to do.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum BlobError {
    /// There is no such object.
    #[error("{store} has no {path}: look whether it is the right store, or put the file back")]
    NotFound {
        /// The store as the user named it.
        store: String,
        /// The path.
        path: String,
    },
    /// Trying again does not help: full, read-only, not allowed.
    #[error("{store} refuses {path}: {cause}: {remedy}")]
    Refused {
        /// The store as the user named it.
        store: String,
        /// The path.
        path: String,
        /// What the store said.
        cause: String,
        /// What to do.
        remedy: &'static str,
    },
    /// Trying again may help. A create or a removal may or may not have been carried out.
    #[error(
        "{store} does not answer for {path}: {cause}: look whether it can be reached and is not \
         overloaded"
    )]
    Unavailable {
        /// The store as the user named it.
        store: String,
        /// The path.
        path: String,
        /// What was seen.
        cause: String,
    },
}

/// Objects by path. Paths are relative, of parts joined by `/`; no part is empty, `.` or `..`.
///
/// An operation starts when it is called; dropping its future abandons the answer, not the effect.
pub trait BlobStore: Send + Sync {
    /// The store as the user named it, without secrets.
    fn describe(&self) -> String;

    /// What the store promises.
    fn abilities(&self) -> BlobAbilities;

    /// Creates an object from these bytes, in order, if the path is free.
    fn create(&self, path: &str, bytes: Vec<Bytes>) -> BoxFuture<Result<Created, BlobError>>;

    /// Begins an object that is too large for one buffer.
    fn upload(&self, path: &str) -> BoxFuture<Result<Box<dyn BlobUpload>, BlobError>>;

    /// Reads `length` bytes from `offset`; fewer mean the end of the object.
    fn read_range(
        &self,
        path: &str,
        offset: u64,
        length: u64,
    ) -> BoxFuture<Result<Bytes, BlobError>>;

    /// Reads a whole object.
    fn read(&self, path: &str) -> BoxFuture<Result<Bytes, BlobError>>;

    /// The objects whose path begins with `prefix`, by ascending path.
    fn list(&self, prefix: &str) -> BoxFuture<Result<Vec<BlobEntry>, BlobError>>;

    /// Removes an object; one that is not there is removed already.
    fn remove(&self, path: &str) -> BoxFuture<Result<(), BlobError>>;
}

/// An object in the making: nobody sees it before [`finish`](Self::finish). Dropping gives it up.
pub trait BlobUpload: Send {
    /// Appends bytes.
    fn write(&mut self, bytes: Bytes) -> BoxFuture<Result<(), BlobError>>;

    /// Makes the object durable and visible, if its path is free.
    fn finish(self: Box<Self>) -> BoxFuture<Result<Created, BlobError>>;
}

impl fmt::Debug for dyn BlobStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "store {}", self.describe())
    }
}
