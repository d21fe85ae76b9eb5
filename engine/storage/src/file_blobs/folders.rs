//! The folders of a store, made durable before anything is put into them.
//!
//! Invariant: a folder that is remembered as durable was synced in the one above it by this
//! process, whoever made it.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use sameriver_runtime::Disk;

pub(super) struct Folders {
    disk: Arc<dyn Disk>,
    root: PathBuf,
    /// Relative to the root, which is the empty path.
    durable: Mutex<BTreeSet<String>>,
}

impl Folders {
    pub(super) fn new(disk: Arc<dyn Disk>, root: &Path) -> Self {
        Self {
            disk,
            root: root.to_owned(),
            durable: Mutex::default(),
        }
    }

    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    /// Where a checked path of the store is on the disk.
    pub(super) fn file(&self, path: &str) -> PathBuf {
        match path {
            "" => self.root.clone(),
            path => self.root.join(path),
        }
    }

    /// What an error means for whoever writes: a folder that was there has gone, so nothing that is
    /// remembered holds.
    pub(super) fn doubt(&self, error: io::Error) -> io::Error {
        if error.kind() != io::ErrorKind::NotFound {
            return error;
        }
        let mut durable = self.durable.lock().unwrap_or_else(PoisonError::into_inner);
        durable.clear();
        io::Error::other("a folder of the store, or an unfinished file, was removed meanwhile")
    }

    /// Makes the names in a folder durable.
    pub(super) async fn sync(&self, folder: &str) -> io::Result<()> {
        self.disk.sync_directory(&self.file(folder)).await
    }

    /// Makes a folder and those above it, and their names durable.
    pub(super) async fn ensure(&self, folder: &str) -> io::Result<()> {
        if self.is_durable(folder) {
            return Ok(());
        }
        self.ensure_root().await?;
        self.disk.create_directories(&self.file(folder)).await?;
        let ends = folder.match_indices('/').map(|(at, _)| at);
        let mut above = "";
        for end in ends.chain([folder.len()]) {
            let part = &folder[..end];
            if !self.is_durable(part) {
                self.sync(above).await?;
                self.remember(part);
            }
            above = part;
        }
        Ok(())
    }

    async fn ensure_root(&self) -> io::Result<()> {
        if self.is_durable("") {
            return Ok(());
        }
        let mut above = self.root.ancestors().filter(|path| *path != Path::new(""));
        let mut missing = Vec::new();
        for path in above.by_ref() {
            match self.disk.entry(path).await {
                Err(error) if error.kind() == io::ErrorKind::NotFound => missing.push(path),
                Err(error) => return Err(error),
                Ok(_) => break,
            }
        }
        self.disk.create_directories(&self.root).await?;
        for made in missing {
            self.disk.sync_directory(&parent(made)).await?;
        }
        self.remember("");
        Ok(())
    }

    fn is_durable(&self, folder: &str) -> bool {
        let durable = self.durable.lock().unwrap_or_else(PoisonError::into_inner);
        durable.contains(folder)
    }

    fn remember(&self, folder: &str) {
        let mut durable = self.durable.lock().unwrap_or_else(PoisonError::into_inner);
        durable.insert(folder.to_owned());
    }
}

/// The folder that holds a name.
fn parent(path: &Path) -> PathBuf {
    match path.parent() {
        Some(parent) if parent != Path::new("") => parent.to_owned(),
        Some(_) | None => PathBuf::from("."),
    }
}
