//! A node's files as the scenario puts them in and takes them out.
//!
//! Invariant: it costs no virtual time and leaves nothing in the trace.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use super::model::normalise;
use crate::counters::lock;
use crate::node_site::NodeSite;

/// The files of one node, through all its lives.
///
/// ```
/// # use sameriver_sim::{Limits, run_seed};
/// # let outcome = run_seed(7, &Limits::default(), |sim| async move {
/// sim.files("worker").preload("in/words.txt", "a b a");
/// let read = sim.files("worker").read("in/words.txt");
/// assert_eq!(read.as_deref(), Some(&b"a b a"[..]));
/// # Ok(()) });
/// # assert_eq!(outcome.verdict, Ok(()));
/// ```
pub struct NodeFiles {
    site: Arc<NodeSite>,
}

impl NodeFiles {
    pub(crate) fn new(site: Arc<NodeSite>) -> Self {
        Self { site }
    }

    /// Puts a durable file in, with the folders above it; one that is there is replaced.
    ///
    /// # Panics
    /// If a file has the name of one of the folders.
    pub fn preload(&self, path: impl AsRef<Path>, bytes: impl Into<Vec<u8>>) {
        let path = normalise(path.as_ref());
        let done = lock(&self.site.disk).preload(&path, bytes.into());
        done.expect("the folders of an input are no files");
    }

    /// Puts a durable folder in, with the folders above it.
    ///
    /// # Panics
    /// If a file has its name or that of one of the folders above.
    pub fn preload_directory(&self, path: impl AsRef<Path>) {
        let path = normalise(path.as_ref());
        let done = lock(&self.site.disk).preload_directory(&path);
        done.expect("the folders of an input are no files");
    }

    /// The bytes of a file as they would be read now.
    pub fn read(&self, path: impl AsRef<Path>) -> Option<Vec<u8>> {
        lock(&self.site.disk).file(&normalise(path.as_ref()))
    }

    /// All files as they would be read now, by path.
    pub fn all(&self) -> BTreeMap<String, Vec<u8>> {
        lock(&self.site.disk).files()
    }
}
