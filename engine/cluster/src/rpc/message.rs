//! What the job master and the task managers say to each other.
//!
//! Invariant: a change of anything here is a new version of the protocol. Every message but
//! heartbeats, registration and shutdown names its attempt: one of another attempt changes nothing.
//! What a reader must get exactly once and in order carries a number of its own. No code travels: a
//! task manager deploys (vertex, subtask) from its own graph.

use sameriver_model::{
    AttemptNumber, CheckpointId, Failure, JobNonce, ReadCounts, ReadReports, SlotIndex, SubtaskId,
    SubtaskState, TaskManagerIndex,
};
use sameriver_task::{SnapshotMeasures, SubtaskMetrics};
use serde::{Deserialize, Serialize};

/// Asks a task manager to start subtasks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deploy {
    /// The attempt.
    pub attempt: AttemptNumber,
    /// Which job it is an attempt of.
    pub job: JobNonce,
    /// The host of every subtask of the job.
    pub hosts: Vec<(SubtaskId, TaskManagerIndex, SlotIndex)>,
    /// Where each task manager is reached with data.
    pub addresses: Vec<(TaskManagerIndex, String)>,
    /// The subtasks to start here, each in its slot.
    pub subtasks: Vec<(SubtaskId, SlotIndex)>,
    /// Whether and how they take part in checkpoints.
    pub checkpoints: Option<TakesCheckpoints>,
    /// What they start from; absent at the beginning of the job.
    pub restore: Option<Restore>,
}

/// How the subtasks of a job take part in checkpoints.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TakesCheckpoints {
    /// Whether a channel waits behind its barrier until all have come.
    pub aligned: bool,
    /// What sources tell of what they read; absent: nothing.
    pub reports: Option<ReadReports>,
}

/// A checkpoint that subtasks start from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Restore {
    /// Which one.
    pub checkpoint: CheckpointId,
    /// Where the snapshots of the subtasks are that start here.
    pub states: Vec<SubtaskState>,
}

/// The place of a message among those that one task manager gets for one attempt and that a reader
/// must see once and in this order: assignments and triggers share the count, which starts with 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct InOrder(pub u64);

/// From the job master to a task manager.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum MasterMessage {
    /// Start subtasks.
    Deploy(Deploy),
    /// Hand splits to a source that asked.
    Assign {
        /// The place in the order of the attempt.
        order: InOrder,
        /// The subtask that asked.
        subtask: SubtaskId,
        /// Its attempt.
        attempt: AttemptNumber,
        /// Splits in `wire` encoding.
        splits: Vec<Vec<u8>>,
        /// Whether the subtask need not ask again.
        no_more: bool,
    },
    /// Stop all subtasks of an attempt; each of them answers.
    Cancel {
        /// The attempt.
        attempt: AttemptNumber,
    },
    /// The job is over: release everything and close the connection.
    Shutdown,
    /// Put the barrier of a checkpoint into the streams of sources.
    Trigger {
        /// The place in the order of the attempt.
        order: InOrder,
        /// The attempt.
        attempt: AttemptNumber,
        /// The checkpoint.
        checkpoint: CheckpointId,
        /// The sources' subtasks.
        sources: Vec<SubtaskId>,
    },
    /// Nobody wants a checkpoint any more.
    Abort {
        /// The attempt.
        attempt: AttemptNumber,
        /// The checkpoint.
        checkpoint: CheckpointId,
    },
    /// A checkpoint is published.
    Complete {
        /// The attempt.
        attempt: AttemptNumber,
        /// The checkpoint.
        checkpoint: CheckpointId,
    },
    /// Subtasks that have ended need not stay.
    Release {
        /// The attempt.
        attempt: AttemptNumber,
    },
    /// The job master lives; the notices that matter are repeated as state, so that a lost one
    /// costs time only.
    Heartbeat {
        /// Counted from 0 on each connection.
        beat: u64,
        /// The current attempt.
        attempt: AttemptNumber,
        /// The latest checkpoint that is published in it.
        completed: Option<CheckpointId>,
    },
}

/// From a task manager to the job master.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum TaskManagerMessage {
    /// The first message: what the task manager offers.
    Register {
        /// How many slots it has.
        slots: u32,
        /// Where its peers reach it with data.
        data_address: String,
    },
    /// A subtask takes input.
    Running {
        /// Which one.
        subtask: SubtaskId,
        /// Its attempt.
        attempt: AttemptNumber,
    },
    /// A source has nothing left to read.
    SplitRequest {
        /// Which one.
        subtask: SubtaskId,
        /// Its attempt.
        attempt: AttemptNumber,
    },
    /// What a source has read since its last barrier.
    SourceRead {
        /// Which one.
        subtask: SubtaskId,
        /// Its attempt.
        attempt: AttemptNumber,
        /// Its last barrier; absent before the first of the attempt.
        after: Option<CheckpointId>,
        /// What it has read.
        counts: ReadCounts,
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
    /// A subtask stopped because it was asked to.
    Cancelled {
        /// Which one.
        subtask: SubtaskId,
        /// Its attempt.
        attempt: AttemptNumber,
    },
    /// A subtask saw the end of its input and stays for the checkpoints to come.
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
    /// The task manager lives.
    Heartbeat {
        /// Counted from 0 on each connection.
        beat: u64,
    },
}

impl TaskManagerMessage {
    /// The subtask that it is about, if it is about one.
    pub fn subtask(&self) -> Option<SubtaskId> {
        match self {
            Self::Register { .. } | Self::Heartbeat { .. } => None,
            Self::Running { subtask, .. }
            | Self::SplitRequest { subtask, .. }
            | Self::SourceRead { subtask, .. }
            | Self::Ended { subtask, .. }
            | Self::Acknowledged { subtask, .. }
            | Self::Declined { subtask, .. }
            | Self::Finished { subtask, .. }
            | Self::Failed { subtask, .. }
            | Self::Cancelled { subtask, .. } => Some(*subtask),
        }
    }
}
