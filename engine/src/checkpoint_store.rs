//! Looks into a checkpoint store from outside of any job: which jobs it has, and whether what it
//! keeps of them is whole.
//!
//! Invariant: nothing in the store is changed. Needs no job function.

use std::fmt;
use std::io;
use std::path::Path;

use sameriver_cluster::job_folder;
use sameriver_runtime::BlobError;
use sameriver_runtime_tokio::TokioWorld;
use sameriver_storage::{Audit, FileBlobs, UrlError};
use thiserror::Error;

/// A folder in which jobs keep their checkpoints, as an operator of those jobs sees it.
///
/// Needs no async context, and blocks the calling thread.
///
/// ```
/// use sameriver::CheckpointStore;
/// let folder = std::env::temp_dir().join("sameriver-no-checkpoints");
/// let store = CheckpointStore::open(&folder.to_string_lossy())?;
/// assert!(store.jobs()?.is_empty());
/// # Ok::<(), sameriver::StoreError>(())
/// ```
pub struct CheckpointStore {
    name: String,
    blobs: FileBlobs,
    tokio: TokioWorld,
}

impl fmt::Debug for CheckpointStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("CheckpointStore");
        shown.field("name", &self.name).finish_non_exhaustive()
    }
}

impl CheckpointStore {
    /// Opens a folder, or a URL `file:<folder>`; nothing is read yet.
    ///
    /// # Errors
    /// [`StoreError`] when it is no folder's name, or the operating system refuses threads.
    pub fn open(folder: &str) -> Result<Self, StoreError> {
        let tokio = TokioWorld::builder().node("operator").build();
        let tokio = tokio.map_err(|cause| StoreError::World { cause })?;
        let world = tokio.world();
        let blobs = if folder.starts_with("file:") {
            FileBlobs::open(&world, folder)?
        } else if folder.is_empty() || folder.contains('\0') {
            return Err(StoreError::Url(UrlError {
                url: folder.to_owned(),
            }));
        } else {
            FileBlobs::at(&world, Path::new(folder))
        };
        let name = folder.to_owned();
        Ok(Self { name, blobs, tokio })
    }

    /// The jobs that have something in the store, in ascending order.
    ///
    /// # Errors
    /// [`StoreError::Unreadable`] when the folder cannot be listed; a missing one has no jobs.
    ///
    /// # Panics
    /// If called from async code.
    pub fn jobs(&self) -> Result<Vec<String>, StoreError> {
        match self.tokio.block_on(sameriver_storage::jobs(&self.blobs)) {
            Ok(jobs) => Ok(jobs),
            Err(BlobError::NotFound { .. }) => Ok(Vec::new()),
            Err(cause) => Err(StoreError::Unreadable(cause)),
        }
    }

    /// Reads and verifies every file that is kept of a job.
    ///
    /// # Errors
    /// [`StoreError::NoJob`] when the store has nothing of that job, and as [`Self::jobs`]. What
    /// is wrong with single files is in the answer.
    ///
    /// # Panics
    /// If called from async code.
    pub fn audit(&self, job: &str) -> Result<Audit, StoreError> {
        let jobs = self.jobs()?;
        let escaped = job_folder(job);
        let Some(folder) = jobs.iter().find(|one| **one == job || **one == escaped) else {
            return Err(StoreError::NoJob {
                store: self.name.clone(),
                job: job.to_owned(),
                jobs: jobs.join(", "),
            });
        };
        let audited = sameriver_storage::audit(&self.blobs, folder);
        Ok(self.tokio.block_on(audited)?)
    }
}

/// Why a checkpoint store tells nothing.
///
/// ```
/// use sameriver::{CheckpointStore, StoreError};
/// let folder = std::env::temp_dir().join("sameriver-no-checkpoints");
/// let store = CheckpointStore::open(&folder.to_string_lossy())?;
/// let error = store.audit("clicks").expect_err("no job was there");
/// assert!(matches!(error, StoreError::NoJob { .. }));
/// # Ok::<(), StoreError>(())
/// ```
#[derive(Debug, Error)]
pub enum StoreError {
    /// The name is not that of a folder.
    #[error(transparent)]
    Url(#[from] UrlError),
    /// The operating system refuses threads or file descriptors.
    #[error("no store can be read: {cause}: close other programs, or raise the limits of this one")]
    World {
        /// What the operating system said.
        cause: io::Error,
    },
    /// The store cannot be listed.
    #[error("the checkpoint store cannot be read: {0}: check the folder and its permissions")]
    Unreadable(#[from] BlobError),
    /// There is nothing of this job.
    #[error("{store} has no checkpoints of job {job}: {}", remedy(jobs))]
    NoJob {
        /// The store, as it was given.
        store: String,
        /// The job that was looked for.
        job: String,
        /// The jobs that are there, joined by commas.
        jobs: String,
    },
}

fn remedy(jobs: &str) -> String {
    if jobs.is_empty() {
        return "name the folder that the job's setting `checkpoints` names".to_owned();
    }
    format!("it has those of {jobs}")
}
