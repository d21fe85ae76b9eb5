//! Where the checkpoints of a bench are kept: in memory, or in a folder of its own.
//!
//! Invariant: no two runs share a store, and none is left behind.
#![expect(
    clippy::disallowed_methods,
    reason = "what is measured here is the real world"
)]

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// A kind of store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Store {
    /// In the memory of the process.
    Memory,
    /// Files in the folder of temporary files.
    Files,
}

impl Store {
    /// As the tables name it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::Files => "files",
        }
    }
}

/// A new folder, which goes with its owner.
#[derive(Debug)]
pub struct Folder(PathBuf);

impl Folder {
    /// A folder of this name; `name` must be new in this process.
    ///
    /// # Errors
    /// Those of the operating system: the folder of temporary files is full or not writable.
    pub fn new(name: &str) -> io::Result<Self> {
        let own = format!("{name}-{}", std::process::id());
        let path = std::env::temp_dir().join("sameriver-benches").join(own);
        fs::create_dir_all(&path)?;
        Ok(Self(path))
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What cannot be removed now goes with the other temporary files.
        let _ = fs::remove_dir_all(&self.0);
    }
}
