//! A node's files as the scenario puts them in and takes them out.
//!
//! Invariant: it costs no virtual time and leaves nothing in the trace.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use super::model::{DiskModel, normalise};
use super::{VOLUME, is_shared};
use crate::counters::lock;
use crate::node_site::NodeSite;
use crate::sim_world::SimWorld;

/// The files of one node, through all its lives; below `data/` they are those of all nodes.
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
    world: SimWorld,
    site: Arc<NodeSite>,
}

impl NodeFiles {
    pub(crate) fn new(world: SimWorld, site: Arc<NodeSite>) -> Self {
        Self { world, site }
    }

    fn with_disk<R>(&self, path: &str, work: impl FnOnce(&mut DiskModel) -> R) -> R {
        if is_shared(path) {
            return work(&mut lock(&self.world.site(VOLUME).disk));
        }
        work(&mut lock(&self.site.disk))
    }

    /// Puts a durable file in, with the folders above it; one that is there is replaced.
    ///
    /// # Panics
    /// If a file has the name of one of the folders.
    pub fn preload(&self, path: impl AsRef<Path>, bytes: impl Into<Vec<u8>>) {
        let path = normalise(path.as_ref());
        let done = self.with_disk(&path, |disk| disk.preload(&path, bytes.into()));
        done.expect("the folders of an input are no files");
    }

    /// Puts a durable folder in, with the folders above it.
    ///
    /// # Panics
    /// If a file has its name or that of one of the folders above.
    pub fn preload_directory(&self, path: impl AsRef<Path>) {
        let path = normalise(path.as_ref());
        let done = self.with_disk(&path, |disk| disk.preload_directory(&path));
        done.expect("the folders of an input are no files");
    }

    /// The bytes of a file as they would be read now.
    pub fn read(&self, path: impl AsRef<Path>) -> Option<Vec<u8>> {
        let path = normalise(path.as_ref());
        self.with_disk(&path, |disk| disk.file(&path))
    }

    /// All files of its own disk as they would be read now, by path; the shared ones are those of
    /// [`VOLUME`](crate::VOLUME).
    pub fn all(&self) -> BTreeMap<String, Vec<u8>> {
        lock(&self.site.disk).files()
    }
}
