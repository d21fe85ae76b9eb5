//! What a slot is told, and what it has to say.
//!
//! Invariant: every letter names its attempt; mail of another attempt than the subtask's changes
//! nothing.

use std::sync::Arc;
use std::time::Duration;

use sameriver_graph::JobGraph;
use sameriver_model::{
    AttemptNumber, Barrier, CheckpointId, Failure, JobNonce, ReadCounts, ReadReports,
    RestoredState, SlotIndex, SubtaskId, SubtaskState,
};
use sameriver_runtime::BlobStore;

use crate::metrics::{SnapshotMeasures, SubtaskMetrics};
use crate::placement::Placement;

/// Asks a slot to host a subtask.
#[derive(Clone, Debug)]
pub struct Deployment {
    /// Which job it is.
    pub job: JobNonce,
    /// The attempt that the subtask belongs to.
    pub attempt: AttemptNumber,
    /// Which subtask.
    pub subtask: SubtaskId,
    /// The node's own graph: the factories of the subtask's chain.
    pub graph: Arc<JobGraph>,
    /// Where the other ends of the subtask's channels are.
    pub placement: Arc<Placement>,
    /// The state that it starts from, fetched and verified before; `None` at the beginning of the
    /// job.
    pub restored: Option<Arc<RestoredState>>,
    /// The checkpoint that `restored` belongs to.
    pub restored_from: Option<CheckpointId>,
    /// How it takes part in checkpoints; `None` if the job takes none.
    pub checkpoints: Option<SubtaskCheckpoints>,
}

/// Where and how a subtask keeps its snapshots.
#[derive(Clone, Debug)]
pub struct SubtaskCheckpoints {
    /// The checkpoint store.
    pub store: Arc<dyn BlobStore>,
    /// The job's folder in it, without a `/` at the end.
    pub folder: String,
    /// Whether a channel waits behind its barrier until all have come: exactly once. If not,
    /// records may take effect again after a failure.
    pub aligned: bool,
    /// What a source tells of what it reads; `None`: nothing.
    pub reports: Option<ReadReports>,
    /// How an upload that the store does not answer is tried again.
    pub upload_retry: UploadRetry,
}

/// How long to wait before a failed upload is tried again; it is given up with its checkpoint.
///
/// ```
/// use std::time::Duration;
/// use sameriver_task::UploadRetry;
/// let retry = UploadRetry::default();
/// assert_eq!(retry.pause(0), Duration::from_millis(100));
/// assert_eq!(retry.pause(1), Duration::from_millis(200));
/// assert_eq!(retry.pause(60), Duration::from_secs(10));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UploadRetry {
    /// The pause after the first failure; each further one doubles it. Default 100 ms.
    pub pause_first: Duration,
    /// The longest pause; default 10 s.
    pub pause_max: Duration,
    /// How many times an upload is tried before the snapshot is declined; default 10, at least 1.
    pub attempts_max: u32,
    /// How many bytes of a snapshot are kept to be sent again; one that has grown larger is
    /// declined when its upload fails. Default 32 MiB.
    pub kept_bytes_max: usize,
}

impl UploadRetry {
    /// How long to wait after `failures` earlier failures and this one.
    pub fn pause(&self, failures: u32) -> Duration {
        let factor = 1_u32.checked_shl(failures).unwrap_or(u32::MAX);
        self.pause_first.saturating_mul(factor).min(self.pause_max)
    }
}

impl Default for UploadRetry {
    fn default() -> Self {
        Self {
            pause_first: Duration::from_millis(100),
            pause_max: Duration::from_secs(10),
            attempts_max: 10,
            kept_bytes_max: 32 << 20,
        }
    }
}

/// Control mail of a slot; it is read between slices.
#[derive(Clone, Debug)]
pub enum SlotMail {
    /// Host a subtask.
    Deploy(Deployment),
    /// Hand splits to a source that asked for them.
    Assign {
        /// The subtask that asked.
        subtask: SubtaskId,
        /// Its attempt.
        attempt: AttemptNumber,
        /// Splits in `wire` encoding.
        splits: Vec<Vec<u8>>,
        /// Whether the subtask need not ask again.
        no_more: bool,
    },
    /// Begin a checkpoint: put the barrier into a source's stream, behind what it has read.
    Trigger {
        /// The source.
        subtask: SubtaskId,
        /// Its attempt.
        attempt: AttemptNumber,
        /// The barrier.
        barrier: Barrier,
    },
    /// Nobody wants this checkpoint any more: stop waiting for its barriers, drop its snapshots.
    Abort {
        /// The attempt.
        attempt: AttemptNumber,
        /// The checkpoint.
        checkpoint: CheckpointId,
    },
    /// A checkpoint is published: sinks commit what they staged up to it. Repeated and skipped
    /// numbers are harmless.
    Complete {
        /// The attempt.
        attempt: AttemptNumber,
        /// The checkpoint.
        checkpoint: CheckpointId,
    },
    /// Subtasks of an attempt that have ended, or end later, need not stay: each answers
    /// [`SlotEvent::Finished`] once nothing of it is unconfirmed.
    Release {
        /// The attempt.
        attempt: AttemptNumber,
    },
    /// Drop all subtasks of an attempt and answer [`SlotEvent::Cancelled`].
    Cancel {
        /// The attempt.
        attempt: AttemptNumber,
    },
    /// Drop everything and end.
    Stop,
}

/// What a slot reports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SlotEvent {
    /// A subtask was deployed and takes input.
    Running {
        /// Which one.
        subtask: SubtaskId,
        /// Its attempt.
        attempt: AttemptNumber,
    },
    /// A source has nothing left to read: answer with [`SlotMail::Assign`].
    SplitRequest {
        /// Which one.
        subtask: SubtaskId,
        /// Its attempt.
        attempt: AttemptNumber,
    },
    /// What a source has read since its last barrier, if it is told that somebody counts.
    SourceRead {
        /// Which one.
        subtask: SubtaskId,
        /// Its attempt.
        attempt: AttemptNumber,
        /// Its last barrier.
        after: Option<CheckpointId>,
        /// What it has read.
        counts: ReadCounts,
    },
    /// A subtask saw the end of its input and has handed on all its output. It stays and takes
    /// part in checkpoints until [`SlotMail::Release`].
    Ended {
        /// Which one.
        subtask: SubtaskId,
        /// Its attempt.
        attempt: AttemptNumber,
    },
    /// A subtask's snapshot is durable.
    Acknowledged {
        /// Which one.
        subtask: SubtaskId,
        /// Its attempt.
        attempt: AttemptNumber,
        /// The checkpoint.
        checkpoint: CheckpointId,
        /// Where the snapshot is.
        state: SubtaskState,
        /// What it took.
        measured: SnapshotMeasures,
    },
    /// A subtask has no snapshot for a checkpoint, and will have none.
    Declined {
        /// Which one.
        subtask: SubtaskId,
        /// Its attempt.
        attempt: AttemptNumber,
        /// The checkpoint.
        checkpoint: CheckpointId,
        /// Why.
        failure: Failure,
    },
    /// A released subtask is gone: all its output is outside, and all its commits are confirmed.
    Finished {
        /// Which one.
        subtask: SubtaskId,
        /// Its attempt.
        attempt: AttemptNumber,
        /// What it counted.
        metrics: SubtaskMetrics,
    },
    /// A subtask failed and is gone.
    Failed {
        /// Which one.
        subtask: SubtaskId,
        /// Its attempt.
        attempt: AttemptNumber,
        /// Why.
        failure: Failure,
    },
    /// The slot hosts no subtask of the attempt any more.
    Cancelled {
        /// Which slot.
        slot: SlotIndex,
        /// The attempt.
        attempt: AttemptNumber,
    },
}
