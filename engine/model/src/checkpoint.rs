//! What the checkpoint store keeps of a job beside the snapshots: metadata and records of its log.
//!
//! Invariant: these are values that outlive a process; each is self-contained, so that reading one
//! of them never needs an older one. Knows neither where they are kept nor in which bytes.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::element::CheckpointId;
use crate::event_time::ProcessingTime;
use crate::failure::Failure;
use crate::id::{AttemptNumber, JobNonce, VertexId};
use crate::parallelism::MaxParallelism;
use crate::snapshot::{FileHandle, SubtaskState};

/// Everything that is needed to restore a job: written once, when all subtasks have acknowledged.
///
/// ```
/// use sameriver_model::checkpoint::CheckpointMetadata;
/// use sameriver_model::{AttemptNumber, CheckpointId, MaxParallelism, ProcessingTime};
/// let metadata = CheckpointMetadata {
///     id: CheckpointId::new(17),
///     attempt: AttemptNumber::of_epoch(2, 1),
///     fingerprint: 0xf1,
///     max_parallelism: MaxParallelism::default(),
///     subtasks: Vec::new(),
///     enumerators: Vec::new(),
///     ended: false,
///     created: ProcessingTime::from_millis(1_000),
/// };
/// assert_eq!((metadata.files().count(), metadata.bytes()), (0, 0));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckpointMetadata {
    /// Which checkpoint.
    pub id: CheckpointId,
    /// The attempt that took it.
    pub attempt: AttemptNumber,
    /// The fingerprint of the job graph that took it.
    pub fingerprint: u64,
    /// The number of key groups; state can only be restored into as many.
    pub max_parallelism: MaxParallelism,
    /// The snapshot of every subtask, by ascending id.
    pub subtasks: Vec<SubtaskState>,
    /// The snapshot of the enumerator of every source, by ascending vertex.
    pub enumerators: Vec<(VertexId, Vec<u8>)>,
    /// Whether the input of every subtask had ended: nothing is left but to commit.
    pub ended: bool,
    /// When it was complete, by the wall clock of the job master: for people, not for decisions.
    pub created: ProcessingTime,
}

impl CheckpointMetadata {
    /// The snapshot files that it names, in its order.
    pub fn files(&self) -> impl Iterator<Item = &FileHandle> {
        self.subtasks.iter().flat_map(|state| &state.files)
    }

    /// How many bytes the snapshot files have together.
    pub fn bytes(&self) -> u64 {
        self.files()
            .fold(0, |sum, file| sum.saturating_add(file.length))
    }
}

/// Names a published checkpoint and the file that says what is in it.
///
/// ```
/// use sameriver_model::checkpoint::CheckpointRef;
/// use sameriver_model::{AttemptNumber, CheckpointId, FileHandle};
/// let named = CheckpointRef {
///     id: CheckpointId::new(17),
///     attempt: AttemptNumber::of_epoch(2, 1),
///     metadata: FileHandle { path: "meta/2-1-c17".to_owned(), length: 123, crc: 7 },
/// };
/// assert_eq!(named.to_string(), "c17 of a2.1");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct CheckpointRef {
    /// Which checkpoint.
    pub id: CheckpointId,
    /// The attempt that took it.
    pub attempt: AttemptNumber,
    /// The file with its [`CheckpointMetadata`], relative to the job's folder.
    pub metadata: FileHandle,
}

impl fmt::Display for CheckpointRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {}", self.id, self.attempt)
    }
}

/// What a record of the job log says of the job. All but the first are for ever.
///
/// ```
/// use sameriver_model::checkpoint::RecordStatus;
/// assert!(!RecordStatus::Running.is_terminal());
/// assert_eq!(RecordStatus::Cancelled.to_string(), "cancelled");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum RecordStatus {
    /// It has a leader, or waits for one.
    Running,
    /// All input was read and all output is committed.
    Finished,
    /// The user gave it up.
    Cancelled,
    /// It failed and is not restarted.
    Failed(Failure),
}

impl RecordStatus {
    /// Whether the job has ended: no leader may run it again.
    pub const fn is_terminal(&self) -> bool {
        match self {
            Self::Running => false,
            Self::Finished | Self::Cancelled | Self::Failed(_) => true,
        }
    }
}

impl fmt::Display for RecordStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Running => f.write_str("running"),
            Self::Finished => f.write_str("finished"),
            Self::Cancelled => f.write_str("cancelled"),
            Self::Failed(failure) => write!(f, "failed: {failure}"),
        }
    }
}

/// A record of the job log; the one with the highest sequence is the truth about the job.
///
/// ```
/// use sameriver_model::JobNonce;
/// use sameriver_model::checkpoint::{JobRecord, RecordStatus};
/// let record = JobRecord {
///     sequence: 1,
///     epoch: 1,
///     nonce: 0xb1,
///     job: JobNonce::new(0xb1),
///     fingerprint: 0xf1,
///     status: RecordStatus::Running,
///     latest: None,
///     retained: Vec::new(),
/// };
/// assert_eq!(record.reached().count(), 0);
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobRecord {
    /// Its place in the log, counted from 1.
    pub sequence: u64,
    /// The epoch of the leader that wrote it, counted from 1.
    pub epoch: u32,
    /// Tells its writer from any other that wanted the same place.
    pub nonce: u64,
    /// Which job it is: the nonce of the writer of its first record, carried on.
    pub job: JobNonce,
    /// The fingerprint of the job graph that the job runs.
    pub fingerprint: u64,
    /// What became of the job.
    pub status: RecordStatus,
    /// The checkpoint that the job is restored from.
    pub latest: Option<CheckpointRef>,
    /// Every checkpoint that is kept, the latest among them, by ascending id.
    pub retained: Vec<CheckpointRef>,
}

impl JobRecord {
    /// The checkpoints whose files must stay: those retained, and the latest.
    pub fn reached(&self) -> impl Iterator<Item = &CheckpointRef> {
        let latest = self.latest.iter();
        let latest = latest.filter(|latest| !self.retained.contains(latest));
        self.retained.iter().chain(latest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(id: u64) -> CheckpointRef {
        CheckpointRef {
            id: CheckpointId::new(id),
            attempt: AttemptNumber::of_epoch(1, 1),
            metadata: FileHandle {
                path: format!("meta/1-1-c{id}"),
                length: 1,
                crc: 0,
            },
        }
    }

    #[test]
    fn a_record_reaches_the_latest_checkpoint_once_even_if_it_is_not_among_the_retained() {
        let mut record = JobRecord {
            sequence: 3,
            epoch: 1,
            nonce: 7,
            job: JobNonce::new(7),
            fingerprint: 0xf1,
            status: RecordStatus::Running,
            latest: Some(named(2)),
            retained: vec![named(1), named(2)],
        };
        let reached = |record: &JobRecord| -> Vec<u64> {
            record.reached().map(|named| named.id.get()).collect()
        };
        assert_eq!(reached(&record), [1, 2]);
        record.retained.pop();
        assert_eq!(reached(&record), [1, 2]);
    }
}
