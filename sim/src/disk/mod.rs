//! A node's disk: what is durable, what is not yet, and what a power cut makes of it.
//!
//! Reading order: [`file_body`] (bytes) → [`directory`] (names) → [`model`] (both) →
//! [`node_disk`] (the engine's view) and [`node_files`] (the scenario's view).
//!
//! Invariant: bytes are durable by a sync of the file, names by a sync of their folder; everything
//! else may be kept, dropped or torn. Paths below `data/` lie on one disk that all nodes share: the
//! crash of a node hurts there only what that node wrote and nobody synced.

mod directory;
mod file_body;
mod model;
mod node_disk;
mod node_files;

pub(crate) use model::{DiskModel, normalise};
pub(crate) use node_disk::NodeDisk;
pub use node_files::NodeFiles;

/// The node whose disk holds the paths below `data/` of all nodes.
pub const VOLUME: &str = "volume";

/// The folder that all nodes share.
pub(crate) const SHARED_FOLDER: &str = "data";

/// Whether a path lies on the shared disk.
pub(crate) fn is_shared(path: &str) -> bool {
    let rest = path.strip_prefix(SHARED_FOLDER);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}
