//! What the job machine is told.
//!
//! Invariant: facts are in the past tense and carry all that the decision needs, so that a recorded
//! sequence of them can be judged again.

use sameriver_model::checkpoint::CheckpointRef;
use sameriver_model::{
    AttemptNumber, CheckpointId, Failure, ProcessingTime, ReadCounts, SubtaskId, SubtaskState,
    TaskManagerIndex, VertexId,
};

use crate::incarnation::Incarnation;
use crate::status::JobEnd;

/// Something that happened to a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fact {
    /// The job master listens and may begin.
    Started,
    /// A record of the job log makes this job master the leader. A job with checkpoints begins
    /// with it; one without has no log and no leader.
    LeadershipTaken {
        /// The epoch of our record, above all others.
        epoch: u32,
        /// The checkpoint that the job goes on from.
        latest: Option<CheckpointRef>,
        /// Every checkpoint that the record names, by ascending id.
        retained: Vec<CheckpointRef>,
        /// The first id that no checkpoint of the job has had.
        next_checkpoint: CheckpointId,
        /// How the job ended, if an earlier leader has written that it did.
        over: Option<JobEnd>,
    },
    /// Another job master took leadership, or may have: nothing that we do counts any more.
    Deposed {
        /// The epoch of the other one.
        by_epoch: u32,
    },
    /// A task manager was admitted and offers its slots.
    TaskManagerRegistered {
        /// Which one.
        task_manager: TaskManagerIndex,
        /// Which life of it.
        incarnation: Incarnation,
        /// How many slots it offers.
        slots: u32,
        /// Where its peers reach it with data.
        data_address: String,
    },
    /// One of the job's task managers was turned away (it runs another build).
    TaskManagerRefused {
        /// Which one it says it is.
        task_manager: TaskManagerIndex,
        /// Why, naming the task manager.
        reason: String,
    },
    /// The connection to a task manager ended without being asked to, or its heartbeats stopped.
    TaskManagerLost {
        /// Which one.
        task_manager: TaskManagerIndex,
        /// Which life of it.
        incarnation: Incarnation,
        /// What was seen.
        cause: String,
    },
    /// The metadata that an attempt is restored from is there; an attempt that is not restored has
    /// no such fact.
    MetadataRead {
        /// Of which attempt.
        attempt: AttemptNumber,
    },
    /// The enumerators of an attempt are there, and so is the metadata that it is restored from.
    EnumeratorsRead {
        /// Of which attempt.
        attempt: AttemptNumber,
    },
    /// A subtask was opened and takes input.
    SubtaskRunning {
        /// Which one.
        subtask: SubtaskId,
        /// In which attempt.
        attempt: AttemptNumber,
    },
    /// A subtask reached the end of its input; it still answers barriers.
    SubtaskEnded {
        /// Which one.
        subtask: SubtaskId,
        /// In which attempt.
        attempt: AttemptNumber,
    },
    /// A subtask reached the end of its input, and everything it made is outside.
    SubtaskFinished {
        /// Which one.
        subtask: SubtaskId,
        /// In which attempt.
        attempt: AttemptNumber,
    },
    /// A subtask failed and does not run any more.
    SubtaskFailed {
        /// Which one.
        subtask: SubtaskId,
        /// In which attempt.
        attempt: AttemptNumber,
        /// Why.
        failure: Failure,
    },
    /// A subtask stopped because it was asked to.
    SubtaskCancelled {
        /// Which one.
        subtask: SubtaskId,
        /// In which attempt.
        attempt: AttemptNumber,
    },
    /// The enumerators were snapshot and the triggers are on their way to the sources.
    CheckpointTriggered {
        /// Which checkpoint.
        checkpoint: CheckpointId,
        /// The snapshot of each source's enumerator, by ascending vertex.
        enumerators: Vec<(VertexId, Vec<u8>)>,
        /// The wall clock, for whoever reads the metadata; nothing is decided by it.
        created: ProcessingTime,
    },
    /// The enumerators could not be snapshot; nothing was sent.
    CheckpointTriggerFailed {
        /// Which checkpoint.
        checkpoint: CheckpointId,
        /// Why.
        failure: Failure,
    },
    /// The snapshot of a subtask is stored.
    SnapshotAcknowledged {
        /// Whose.
        subtask: SubtaskId,
        /// In which attempt.
        attempt: AttemptNumber,
        /// For which checkpoint.
        checkpoint: CheckpointId,
        /// Where it is.
        state: SubtaskState,
    },
    /// A subtask cannot take part in a checkpoint.
    SnapshotDeclined {
        /// Which one.
        subtask: SubtaskId,
        /// In which attempt.
        attempt: AttemptNumber,
        /// For which checkpoint.
        checkpoint: CheckpointId,
        /// Why.
        failure: Failure,
    },
    /// The record that names a checkpoint is in the log: from now on the checkpoint exists.
    CheckpointPublished {
        /// The checkpoint, and the file with its metadata.
        checkpoint: CheckpointRef,
    },
    /// A checkpoint is certainly not published and never will be.
    PublishFailed {
        /// Which one.
        checkpoint: CheckpointId,
        /// Why.
        failure: Failure,
    },
    /// The log says how the job ended.
    EndPublished,
    /// The log does not say how the job ended yet.
    EndPublishFailed {
        /// Why.
        failure: Failure,
    },
    /// The user asked for a checkpoint.
    CheckpointRequested,
    /// A source has read so much since its last barrier; repeated and late reports are harmless.
    SourceRead {
        /// Which one.
        subtask: SubtaskId,
        /// In which attempt.
        attempt: AttemptNumber,
        /// Its last barrier; none before the first of the attempt.
        after: Option<CheckpointId>,
        /// What it has read.
        counts: ReadCounts,
    },
    /// Something of the job that is in no subtask failed (finding splits, for example).
    Failed {
        /// Why.
        failure: Failure,
    },
    /// The job failed in a way that no restart can mend: it cannot be built, its settings are
    /// refused, what it should be restored from cannot be read.
    FailedForGood {
        /// Why.
        failure: Failure,
    },
    /// The user asked to stop.
    CancelRequested,
    /// The instant that [`deadline`](crate::JobMachine::deadline) named may have come; too early
    /// is harmless.
    DeadlinePassed,
}
