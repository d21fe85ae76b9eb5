//! Files of a node.
//!
//! Invariant: what is durable is what was synced: a file's bytes by [`DiskFile::sync`], a name by
//! [`Disk::sync_directory`] of its folder. Everything else may be gone after a crash.

use std::io;
use std::path::Path;

use bytes::Bytes;

use crate::BoxFuture;

/// What a path names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EntryKind {
    /// A file of this many bytes.
    File {
        /// Its length in bytes.
        length: u64,
    },
    /// A folder.
    Directory,
}

/// The outcome of giving a finished file its final name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Published {
    /// The name was free and is now ours.
    Created,
    /// The name was taken; nothing changed.
    Exists,
}

/// The file system of a node. Relative paths start at the node's working directory.
///
/// Errors are those of the operating system, with its [`io::ErrorKind`]; callers add the path.
/// A folder where a file is meant is [`io::ErrorKind::IsADirectory`], a file where a folder is
/// meant [`io::ErrorKind::NotADirectory`].
///
/// An operation starts when it is called; dropping its future abandons the answer, not the effect.
pub trait Disk: Send + Sync {
    /// Opens an existing file for reading and, if it may be written, for writing at offsets.
    fn open(&self, path: &Path) -> BoxFuture<io::Result<Box<dyn DiskFile>>>;

    /// Creates a file, or empties the one that is there.
    fn create(&self, path: &Path) -> BoxFuture<io::Result<Box<dyn DiskFile>>>;

    /// Creates a file and fails with [`io::ErrorKind::AlreadyExists`] if the name is taken.
    fn create_new(&self, path: &Path) -> BoxFuture<io::Result<Box<dyn DiskFile>>>;

    /// Creates a folder and the folders above it.
    fn create_directories(&self, path: &Path) -> BoxFuture<io::Result<()>>;

    /// What the path names; [`io::ErrorKind::NotFound`] if nothing, [`io::ErrorKind::Unsupported`]
    /// if neither a file nor a folder.
    fn entry(&self, path: &Path) -> BoxFuture<io::Result<EntryKind>>;

    /// The names in a folder, in ascending byte order.
    fn list(&self, directory: &Path) -> BoxFuture<io::Result<Vec<String>>>;

    /// Renames a file and replaces what had the new name.
    fn rename(&self, from: &Path, to: &Path) -> BoxFuture<io::Result<()>>;

    /// Gives a finished file its final name, only if that name is free: syncs the file, links it,
    /// unlinks `temporary`, syncs the folder.
    fn publish(&self, temporary: &Path, to: &Path) -> BoxFuture<io::Result<Published>>;

    /// Removes a file.
    fn remove(&self, path: &Path) -> BoxFuture<io::Result<()>>;

    /// Makes the names in a folder durable.
    fn sync_directory(&self, path: &Path) -> BoxFuture<io::Result<()>>;
}

/// An open file. Operations on one handle are carried out in the order of their calls, also when
/// their answers are awaited in another order or not at all.
pub trait DiskFile: Send + Sync {
    /// Reads up to `length` bytes; fewer mean the end of the file (or a short read: ask again).
    fn read_at(&self, offset: u64, length: usize) -> BoxFuture<io::Result<Bytes>>;

    /// Writes all bytes at an offset.
    fn write_at(&self, offset: u64, bytes: Bytes) -> BoxFuture<io::Result<()>>;

    /// Writes all bytes behind the last one, whichever handle wrote that.
    fn append(&self, bytes: Bytes) -> BoxFuture<io::Result<()>>;

    /// Makes the bytes (not the name) durable.
    fn sync(&self) -> BoxFuture<io::Result<()>>;

    /// The length in bytes.
    fn length(&self) -> BoxFuture<io::Result<u64>>;
}
