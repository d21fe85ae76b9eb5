//! Reads all that a store has of a job, verifies it and explains it; changes nothing.
//!
//! Invariant: every byte that a kept checkpoint consists of was read and compared before the
//! checkpoint is called whole. What is wrong with one file does not hide the others.

mod text;

use sameriver_model::{AttemptNumber, CheckpointId, CheckpointRef, JobRecord, ProcessingTime};
use sameriver_runtime::{BlobEntry, BlobError, BlobStore};

use crate::bounded_read::{check_bound, read_up_to};
use crate::job_log::{self, RECORD_BYTES_MAX};
use crate::layout::{self, Named};
use crate::metadata::{decode, read_metadata};
use crate::read_error::ReadError;
use crate::retention::list;
use crate::snapshot_file::read_snapshot;

/// What a store has of one job.
///
/// ```
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let store = sameriver_storage::MemoryBlobs::new("memory:");
/// let audit = sameriver_storage::audit(&store, "totals").await?;
/// assert!(audit.is_whole());
/// assert_eq!(audit.to_string(), "totals in memory:: no record of a job log, no checkpoint\n");
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Audit {
    /// The store as the user named it.
    pub store: String,
    /// The job's folder.
    pub folder: String,
    /// The job log, by ascending sequence.
    pub records: Vec<RecordRow>,
    /// The checkpoints, by ascending id and attempt.
    pub checkpoints: Vec<CheckpointRow>,
    /// What belongs to no checkpoint that is kept, and what is not ours, by ascending path.
    pub orphans: Vec<Orphan>,
}

/// A record of the job log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordRow {
    /// Its sequence, by its name.
    pub sequence: u64,
    /// What is in it, or why it cannot be read.
    pub record: Result<JobRecord, ReadError>,
}

/// Why a checkpoint is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// The job is restored from it.
    Latest,
    /// The newest record keeps it.
    Retained,
    /// It has metadata, but there is no log that could name it.
    WithoutLog,
}

/// A checkpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckpointRow {
    /// Which one.
    pub id: CheckpointId,
    /// The attempt that took it.
    pub attempt: AttemptNumber,
    /// Why it is there.
    pub standing: Standing,
    /// When it was complete, by the job master's wall clock; none if its metadata is not readable.
    pub created: Option<ProcessingTime>,
    /// How many snapshot files its metadata names.
    pub files: u64,
    /// How many bytes those have.
    pub bytes: u64,
    /// What is wrong with it, each with a remedy; nothing if it is whole.
    pub problems: Vec<ReadError>,
}

/// A file that no kept checkpoint needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Orphan {
    /// Its path, relative to the job's folder.
    pub path: String,
    /// Its length in bytes.
    pub length: u64,
    /// What it is.
    pub kind: OrphanKind,
}

/// What a file is that no kept checkpoint needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OrphanKind {
    /// A file of a checkpoint that is not kept: the next leader sweeps it away.
    Left,
    /// A leader's sign of life: the next leader sweeps it away.
    LeaderBeat,
    /// Not named as our files are: nobody touches it.
    Foreign,
}

impl Audit {
    /// Whether the newest record and every checkpoint that it keeps are readable.
    pub fn is_whole(&self) -> bool {
        let newest = self.records.last();
        let newest = newest.is_none_or(|row| row.record.is_ok());
        newest && self.checkpoints.iter().all(|row| row.problems.is_empty())
    }
}

/// The folders of a store that hold something of a job, ascending; `""` is the store itself.
///
/// # Errors
/// [`BlobError`] when the store cannot be listed.
pub async fn jobs(store: &dyn BlobStore) -> Result<Vec<String>, BlobError> {
    let mut folders: Vec<String> = Vec::new();
    for entry in store.list("").await? {
        let starts = entry.path.match_indices('/').map(|(at, _)| at + 1);
        let is_ours = |start: &usize| layout::named(&entry.path[*start..]) != Named::Foreign;
        if let Some(start) = std::iter::once(0).chain(starts).find(is_ours) {
            folders.push(entry.path[..start].trim_end_matches('/').to_owned());
        }
    }
    folders.sort_unstable();
    folders.dedup();
    Ok(folders)
}

/// Reads and verifies what the store has of the job in `folder`.
///
/// # Errors
/// [`BlobError`] when the store cannot be listed. What is wrong with single files is in the answer.
pub async fn audit(store: &dyn BlobStore, folder: &str) -> Result<Audit, BlobError> {
    let listed = list(store, folder, "").await?;
    let records = records(store, folder, &listed).await;
    // If the newest is damaged, what the one before it leads to is what can be saved.
    let readable = records
        .iter()
        .rev()
        .find_map(|row| row.record.as_ref().ok());
    let mut checkpoints = Vec::new();
    for (named, standing) in named_by(readable) {
        checkpoints.push(verified(store, folder, &named, standing).await);
    }
    if records.is_empty() {
        checkpoints.extend(without_log(store, folder, &listed).await);
    }
    checkpoints.sort_by_key(|row| (row.id, row.attempt));
    let is_kept = |path: &str| match layout::named(path) {
        Named::LogRecord(_) => true,
        Named::Checkpoint(attempt, id) => {
            let same = |row: &CheckpointRow| (row.attempt, row.id) == (attempt, id);
            checkpoints.iter().any(same)
        }
        Named::LeaderBeat(_) | Named::Foreign => false,
    };
    let orphans = listed.iter().filter(|entry| !is_kept(&entry.path));
    let orphan = |entry: &BlobEntry| Orphan {
        path: entry.path.clone(),
        length: entry.length,
        kind: match layout::named(&entry.path) {
            Named::LogRecord(_) | Named::Checkpoint(..) => OrphanKind::Left,
            Named::LeaderBeat(_) => OrphanKind::LeaderBeat,
            Named::Foreign => OrphanKind::Foreign,
        },
    };
    let orphans = orphans.map(orphan).collect();
    Ok(Audit {
        store: store.describe(),
        folder: folder.to_owned(),
        records,
        checkpoints,
        orphans,
    })
}

async fn records(store: &dyn BlobStore, folder: &str, listed: &[BlobEntry]) -> Vec<RecordRow> {
    let mut rows = Vec::new();
    for entry in listed {
        let Named::LogRecord(sequence) = layout::named(&entry.path) else {
            continue;
        };
        let path = layout::in_folder(folder, &entry.path);
        let bytes = read_up_to(store, &path, RECORD_BYTES_MAX).await;
        let record = bytes.map_err(ReadError::Store);
        let record = record.and_then(|bytes| {
            check_bound(&entry.path, &bytes, RECORD_BYTES_MAX)?;
            job_log::decode(&entry.path, sequence, &bytes)
        });
        rows.push(RecordRow { sequence, record });
    }
    rows.sort_by_key(|row| row.sequence);
    rows
}

/// The checkpoints that a record keeps, and as what.
fn named_by(newest: Option<&JobRecord>) -> Vec<(CheckpointRef, Standing)> {
    let Some(newest) = newest else {
        return Vec::new();
    };
    let standing = |named: &CheckpointRef| match &newest.latest {
        Some(latest) if latest == named => Standing::Latest,
        Some(_) | None => Standing::Retained,
    };
    let reached = newest.reached();
    reached
        .map(|named| (named.clone(), standing(named)))
        .collect()
}

/// Reads every file of a checkpoint.
async fn verified(
    store: &dyn BlobStore,
    folder: &str,
    named: &CheckpointRef,
    standing: Standing,
) -> CheckpointRow {
    let mut row = CheckpointRow {
        id: named.id,
        attempt: named.attempt,
        standing,
        created: None,
        files: 0,
        bytes: 0,
        problems: Vec::new(),
    };
    let metadata = match read_metadata(store, folder, named).await {
        Ok(metadata) => metadata,
        Err(problem) => {
            row.problems.push(problem);
            return row;
        }
    };
    row.created = Some(metadata.created);
    row.files = metadata.files().count() as u64;
    row.bytes = metadata.bytes();
    for file in metadata.files() {
        if let Err(problem) = read_snapshot(store, folder, file).await {
            row.problems.push(problem);
        }
    }
    row
}

/// The checkpoints of a job that keeps no log: whatever has metadata.
async fn without_log(
    store: &dyn BlobStore,
    folder: &str,
    listed: &[BlobEntry],
) -> Vec<CheckpointRow> {
    let mut rows = Vec::new();
    let metadata = listed
        .iter()
        .filter(|entry| entry.path.starts_with(layout::METADATA));
    for entry in metadata {
        let Named::Checkpoint(attempt, id) = layout::named(&entry.path) else {
            continue;
        };
        let mut named = CheckpointRef {
            id,
            attempt,
            metadata: sameriver_model::FileHandle {
                path: entry.path.clone(),
                length: entry.length,
                crc: 0,
            },
        };
        // Nobody has written down which checksum the file should have; it has one of its own.
        if let Ok(bytes) = store.read(&layout::in_folder(folder, &entry.path)).await
            && decode(&entry.path, &bytes).is_ok()
        {
            named.metadata.crc = crc32c::crc32c(&bytes);
        }
        rows.push(verified(store, folder, &named, Standing::WithoutLog).await);
    }
    rows
}

#[cfg(test)]
mod tests;
