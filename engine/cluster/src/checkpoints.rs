//! A job's folder in the checkpoint store, as the nodes of the job see it.
//!
//! Invariant: what is read here was verified against its handle; whether trying again may help is
//! part of every error; a store that does not answer is an error in time. Decides nothing: what may
//! be written when is the keeper's business.

use std::fmt::Write as _;
use std::sync::Arc;

use sameriver_model::checkpoint::{CheckpointMetadata, CheckpointRef};
use sameriver_model::{FailureKind, JobPlan, RestoredState, SubtaskState};
use sameriver_runtime::{BlobError, BlobStore, ServiceError, World};
use sameriver_storage::{JobLog, Patience, PatientBlobs, ReadError, read_metadata, read_snapshot};
use sameriver_task::{SubtaskCheckpoints, UploadRetry};

use crate::rpc::TakesCheckpoints;
use crate::settings::ClusterSettings;

/// The folder of a job in the checkpoint store: its name, with what no path may hold escaped.
///
/// ```
/// assert_eq!(sameriver_cluster::job_folder("clicks_per_user"), "clicks_per_user");
/// assert_eq!(sameriver_cluster::job_folder("a/b"), "a%2fb");
/// assert_eq!(sameriver_cluster::job_folder(".."), "%2e%2e");
/// ```
pub fn job_folder(name: &str) -> String {
    /// What is left of a name that is too long for a file system; a checksum of all of it follows.
    const BYTES_MAX: usize = 200;
    let is_dots = name.chars().all(|c| c == '.');
    let mut folder = String::new();
    for c in name.chars() {
        let is_kept = c.is_alphanumeric() || "_- ".contains(c) || (c == '.' && !is_dots);
        if is_kept {
            folder.push(c);
            continue;
        }
        for byte in c.encode_utf8(&mut [0; 4]).bytes() {
            write!(folder, "%{byte:02x}").expect("a string takes everything");
        }
    }
    if folder.is_empty() {
        return "%".to_owned();
    }
    if folder.len() > BYTES_MAX {
        let end = (0..=BYTES_MAX)
            .rev()
            .find(|end| folder.is_char_boundary(*end));
        folder.truncate(end.expect("the beginning is a boundary"));
        write!(folder, "%{:08x}", crc32c::crc32c(name.as_bytes()))
            .expect("a string takes everything");
    }
    folder
}

/// Something in the store that could not be read.
#[derive(Clone, Debug)]
pub(crate) struct Unreadable {
    /// Whether the store may hand it out later.
    pub(crate) may_pass: bool,
    /// Whether it is not there, or is not what it should be.
    pub(crate) kind: FailureKind,
    /// Thing, value and remedy.
    pub(crate) message: String,
}

impl From<ReadError> for Unreadable {
    fn from(error: ReadError) -> Self {
        let (may_pass, kind) = match &error {
            ReadError::Store(error) => (may_pass(error), FailureKind::InputUnreadable),
            ReadError::Magic { .. }
            | ReadError::Version { .. }
            | ReadError::Length { .. }
            | ReadError::TooLong { .. }
            | ReadError::Checksum { .. }
            | ReadError::Content { .. } => (false, FailureKind::BadData),
        };
        Self {
            may_pass,
            kind,
            message: error.to_string(),
        }
    }
}

/// Whether trying again may help.
pub(crate) fn may_pass(error: &BlobError) -> bool {
    match error {
        BlobError::Unavailable { .. } => true,
        BlobError::NotFound { .. } | BlobError::Refused { .. } => false,
    }
}

/// A cheap handle to the folder of one job.
#[derive(Clone)]
pub(crate) struct CheckpointFolder {
    store: Arc<dyn BlobStore>,
    path: String,
    retry: UploadRetry,
}

impl CheckpointFolder {
    /// Opens the store that the settings name, as this world sees it; `None` without checkpoints.
    pub(crate) fn open(
        world: &World,
        plan: &JobPlan,
        settings: &ClusterSettings,
    ) -> Result<Option<Self>, ServiceError> {
        let Some(checkpoints) = &settings.checkpoints else {
            return Ok(None);
        };
        let store = world.service::<dyn BlobStore>(&checkpoints.store)?;
        Ok(Some(Self {
            store: Arc::new(PatientBlobs::new(world, store, Patience::default())),
            path: job_folder(&plan.name),
            retry: checkpoints.retry,
        }))
    }

    pub(crate) fn store(&self) -> &Arc<dyn BlobStore> {
        &self.store
    }

    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    pub(crate) const fn retry(&self) -> UploadRetry {
        self.retry
    }

    /// Whether the job log says that the job has ended; what cannot be read says nothing.
    pub(crate) async fn is_over(&self, world: &World) -> bool {
        let Ok(log) = JobLog::open(world, Arc::clone(&self.store), &self.path) else {
            return false;
        };
        let newest = log.read().await.ok().flatten();
        newest.is_some_and(|newest| newest.status.is_terminal())
    }

    /// What subtasks are told.
    pub(crate) fn of_subtasks(&self, taken: TakesCheckpoints) -> SubtaskCheckpoints {
        SubtaskCheckpoints {
            store: Arc::clone(&self.store),
            folder: self.path.clone(),
            aligned: taken.aligned,
            reports: taken.reports,
            upload_retry: self.retry,
        }
    }

    /// The verified snapshot of one subtask.
    pub(crate) async fn read_snapshot(
        &self,
        state: &SubtaskState,
    ) -> Result<RestoredState, Unreadable> {
        let mut restored = RestoredState::default();
        for file in &state.files {
            let sections = read_snapshot(self.store.as_ref(), &self.path, file).await?;
            for (id, bytes) in sections {
                restored.add(id, bytes);
            }
        }
        Ok(restored)
    }

    /// The verified metadata of a checkpoint; a store that does not answer is tried again.
    pub(crate) async fn read_metadata(
        &self,
        world: &World,
        named: &CheckpointRef,
    ) -> Result<CheckpointMetadata, Unreadable> {
        let mut failures = 0;
        loop {
            let error = match read_metadata(self.store.as_ref(), &self.path, named).await {
                Ok(metadata) => return Ok(metadata),
                Err(error) => Unreadable::from(error),
            };
            if !error.may_pass || failures + 1 >= self.retry.attempts_max {
                return Err(error);
            }
            world.sleep(self.retry.pause(failures)).await;
            failures += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::job_folder;

    #[test]
    fn no_two_jobs_share_a_folder_and_none_leaves_the_store() {
        let long = "x".repeat(300);
        let longer = "x".repeat(301);
        let names = [
            "a", "a/b", "a%2fb", ".", "..", "...", "", "%", "größe", &long, &longer,
        ];
        let folders: std::collections::BTreeSet<_> = names.map(job_folder).into_iter().collect();
        assert_eq!(folders.len(), names.len());
        for folder in folders {
            assert!(folder.len() <= 255 && !folder.contains('/') && !folder.is_empty());
            assert!(folder != "." && folder != "..", "{folder}");
        }
    }
}
