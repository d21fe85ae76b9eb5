//! Unfinished files of a store, in a folder of their own.
//!
//! Invariant: an unfinished file has a name that nobody else has; it becomes an object in one step
//! or is removed when its owner drops it. What a crash leaves is told from live files by its not
//! growing.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use sameriver_runtime::{BoxFuture, Disk, DiskFile, EntryKind, Published, RandomStream, World};

use super::cause::is_absent;

/// The folder of unfinished files, below that of the store.
pub(super) const PENDING: &str = ".pending";
/// How often a name may be taken before something else must be wrong.
const NAMES_TRIED_MAX: u32 = 1_000;
/// Hexadecimal digits of a nonce.
const NONCE_DIGITS: usize = 16;

pub(super) struct PendingFiles {
    disk: Arc<dyn Disk>,
    folder: PathBuf,
    node: String,
    nonces: Mutex<RandomStream>,
}

impl PendingFiles {
    pub(super) fn new(world: &World, disk: Arc<dyn Disk>, root: &Path) -> Self {
        let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '_' };
        Self {
            disk,
            folder: root.join(PENDING),
            node: world.node().chars().map(plain).take(64).collect(),
            nonces: Mutex::new(world.random("unfinished files")),
        }
    }

    /// Creates an empty file. A name that an earlier life of this node has left is passed over.
    pub(super) async fn begin(&self) -> io::Result<PendingFile> {
        for _ in 0..NAMES_TRIED_MAX {
            let path = self.folder.join(self.name());
            match self.disk.create_new(&path).await {
                Ok(file) => {
                    return Ok(PendingFile {
                        disk: Arc::clone(&self.disk),
                        path,
                        file,
                        expected: 0,
                        is_published: false,
                    });
                }
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        }
        let message = format!("{NAMES_TRIED_MAX} names of unfinished files are taken");
        Err(io::Error::other(message))
    }

    fn name(&self) -> String {
        let mut nonces = self.nonces.lock().unwrap_or_else(PoisonError::into_inner);
        format!("{}-{:016x}", self.node, nonces.next_u64())
    }

    /// Removes the files of this node that do not grow during `grace`.
    pub(super) async fn sweep(&self, world: &World, grace: Duration) -> io::Result<u64> {
        let before = self.lengths().await?;
        if before.is_empty() {
            return Ok(0);
        }
        world.sleep(grace).await;
        let after = self.lengths().await?;
        let mut swept = 0;
        for stale in after.iter().filter(|file| before.contains(file)) {
            match self.disk.remove(&self.folder.join(&stale.0)).await {
                Ok(()) => swept += 1,
                Err(error) if is_absent(&error) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(swept)
    }

    /// This node's files and their lengths.
    async fn lengths(&self) -> io::Result<Vec<(String, u64)>> {
        let names = match self.disk.list(&self.folder).await {
            Err(error) if is_absent(&error) => return Ok(Vec::new()),
            other => other?,
        };
        let mut lengths = Vec::new();
        for name in names.into_iter().filter(|name| self.is_ours(name)) {
            match self.disk.entry(&self.folder.join(&name)).await {
                Ok(EntryKind::File { length }) => lengths.push((name, length)),
                Ok(EntryKind::Directory) => {}
                Err(error) if is_absent(&error) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(lengths)
    }

    fn is_ours(&self, name: &str) -> bool {
        let nonce = name.strip_prefix(&self.node);
        let nonce = nonce.and_then(|rest| rest.strip_prefix('-'));
        nonce.is_some_and(|nonce| {
            nonce.len() == NONCE_DIGITS && nonce.bytes().all(|byte| byte.is_ascii_hexdigit())
        })
    }
}

/// A file that is not an object yet.
pub(super) struct PendingFile {
    disk: Arc<dyn Disk>,
    path: PathBuf,
    file: Box<dyn DiskFile>,
    expected: u64,
    is_published: bool,
}

impl PendingFile {
    /// Appends bytes; they are counted even if nobody awaits the answer.
    pub(super) fn append(&mut self, bytes: Bytes) -> BoxFuture<io::Result<()>> {
        self.expected += bytes.len() as u64;
        self.file.append(bytes)
    }

    /// Makes the bytes durable. After an error the file must not be used: a second sync would find
    /// its pages clean and lie.
    pub(super) async fn sync(&self) -> io::Result<()> {
        self.file.sync().await?;
        let (length, expected) = (self.file.length().await?, self.expected);
        if length == expected {
            return Ok(());
        }
        let message = format!("{length} of {expected} bytes were written");
        Err(io::Error::other(message))
    }

    /// Gives the file its final name, if that is free; if not, removes the file.
    pub(super) async fn publish(mut self, to: &Path) -> io::Result<Published> {
        let published = self.disk.publish(&self.path, to).await?;
        self.is_published = published == Published::Created;
        Ok(published)
    }
}

impl Drop for PendingFile {
    fn drop(&mut self) {
        if !self.is_published {
            // It starts now; if it fails, `sweep` finds the file.
            drop(self.disk.remove(&self.path));
        }
    }
}
