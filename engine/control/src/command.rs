//! What the job machine wants done.
//!
//! Invariant: a command is complete: whoever carries it out decides nothing. Commands are carried
//! out in their order.

use sameriver_model::checkpoint::{CheckpointMetadata, CheckpointRef};
use sameriver_model::{
    AttemptNumber, CheckpointId, Failure, ReadReports, SlotIndex, SubtaskId, TaskManagerIndex,
};

use crate::incarnation::Incarnation;
use crate::status::JobEnd;

/// A subtask and the slot of its task manager that hosts it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PlacedSubtask {
    /// The subtask.
    pub subtask: SubtaskId,
    /// The slot.
    pub slot: SlotIndex,
}

/// Why a checkpoint will not be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AbortCause {
    /// It failed: it counts as such, and whoever asked for it is told.
    Failed(Failure),
    /// A later one stands in for it, and answers whoever asked.
    Overtaken,
}

/// Something to be done for a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Make the enumerators of an attempt, new or from a checkpoint's metadata, and read the
    /// metadata itself; answered by [`Fact::EnumeratorsRead`](crate::Fact::EnumeratorsRead),
    /// [`Fact::Failed`](crate::Fact::Failed) or
    /// [`Fact::FailedForGood`](crate::Fact::FailedForGood). Those of an earlier attempt are gone.
    OpenEnumerators {
        /// For which attempt.
        attempt: AttemptNumber,
        /// The checkpoint that the attempt starts from.
        restore: Option<CheckpointRef>,
    },
    /// Start subtasks on a task manager.
    Deploy {
        /// Where.
        task_manager: TaskManagerIndex,
        /// In which attempt.
        attempt: AttemptNumber,
        /// Which subtasks, vertex by vertex.
        subtasks: Vec<PlacedSubtask>,
        /// What sources among them tell of what they read; `None` if nothing.
        reports: Option<ReadReports>,
        /// The checkpoint that they start from; its metadata was read before.
        restore: Option<CheckpointRef>,
    },
    /// Stop all subtasks of an attempt on a task manager; each of them answers.
    Cancel {
        /// Where.
        task_manager: TaskManagerIndex,
        /// Which attempt.
        attempt: AttemptNumber,
    },
    /// Close the connection to a task manager that counts as lost: nothing that it still says under
    /// this incarnation matters, and it has to register again.
    Disconnect {
        /// Which one.
        task_manager: TaskManagerIndex,
        /// Which life of it.
        incarnation: Incarnation,
    },
    /// Take the snapshots of the enumerators and send the triggers to the sources, in one step;
    /// answered by [`Fact::CheckpointTriggered`](crate::Fact::CheckpointTriggered) or
    /// [`Fact::CheckpointTriggerFailed`](crate::Fact::CheckpointTriggerFailed).
    TriggerCheckpoint {
        /// The checkpoint.
        checkpoint: CheckpointId,
        /// Of which attempt.
        attempt: AttemptNumber,
        /// Every subtask of a source, with its host.
        sources: Vec<(TaskManagerIndex, SubtaskId)>,
    },
    /// Tell the subtasks that a checkpoint will not be, and report why. Each checkpoint that fails
    /// is aborted once, also one that no subtask has to hear of.
    AbortCheckpoint {
        /// The checkpoint.
        checkpoint: CheckpointId,
        /// Of which attempt.
        attempt: AttemptNumber,
        /// Every host of the attempt that may have heard of it.
        task_managers: Vec<TaskManagerIndex>,
        /// Why.
        cause: AbortCause,
    },
    /// Write the metadata, then append the record that names it; always answered by
    /// [`Fact::CheckpointPublished`](crate::Fact::CheckpointPublished), by
    /// [`Fact::PublishFailed`](crate::Fact::PublishFailed) only when it certainly was not and will
    /// not be, or by [`Fact::Deposed`](crate::Fact::Deposed).
    PublishCheckpoint {
        /// Everything needed to restore.
        metadata: CheckpointMetadata,
        /// The older checkpoints that the record still names, by ascending id; it names the new one
        /// behind them.
        retained: Vec<CheckpointRef>,
    },
    /// Tell the subtasks that a checkpoint is published: what is staged may be committed.
    NotifyComplete {
        /// The checkpoint.
        checkpoint: CheckpointId,
        /// Of which attempt.
        attempt: AttemptNumber,
        /// Every host of the attempt.
        task_managers: Vec<TaskManagerIndex>,
    },
    /// Delete the files of checkpoints that no record of the log reaches any more, or ever will.
    Discard {
        /// Which ones, each with the attempt that took it.
        checkpoints: Vec<(AttemptNumber, CheckpointId)>,
    },
    /// Tell the subtasks that they may finish once their commits are confirmed.
    Release {
        /// Of which attempt.
        attempt: AttemptNumber,
        /// Every host of the attempt.
        task_managers: Vec<TaskManagerIndex>,
    },
    /// Append the record that says how the job ended; answered by
    /// [`Fact::EndPublished`](crate::Fact::EndPublished),
    /// [`Fact::EndPublishFailed`](crate::Fact::EndPublishFailed) or
    /// [`Fact::Deposed`](crate::Fact::Deposed).
    PublishEnd(JobEnd),
    /// The job is over: release everything.
    JobEnded(JobEnd),
    /// Another job master leads, or only a new leader can find out what the log says: release
    /// everything, write nothing, delete nothing.
    StandDown {
        /// The epoch of the other one; none if the store does not say what our last record came to.
        by_epoch: Option<u32>,
    },
}
