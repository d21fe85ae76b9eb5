//! What the job machine is told.
//!
//! Invariant: facts are in the past tense and carry all that the decision needs, so that a recorded
//! sequence of them can be judged again.

use sameriver_model::{AttemptNumber, Failure, SubtaskId, TaskManagerIndex};

/// Something that happened to a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fact {
    /// The job master listens and may begin.
    Started,
    /// A task manager was admitted and offers its slots.
    TaskManagerRegistered {
        /// Which one.
        task_manager: TaskManagerIndex,
        /// How many slots it offers.
        slots: u32,
        /// Where its peers reach it with data.
        data_address: String,
    },
    /// A task manager that the job waits for was turned away (it runs another build).
    TaskManagerRefused {
        /// Why, naming the task manager.
        reason: String,
    },
    /// The connection to a task manager ended without being asked to.
    TaskManagerLost {
        /// Which one.
        task_manager: TaskManagerIndex,
        /// What was seen.
        cause: String,
    },
    /// A subtask was opened and takes input.
    SubtaskRunning {
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
    /// Something of the job that is in no subtask failed (finding splits, for example).
    Failed {
        /// Why.
        failure: Failure,
    },
    /// The user asked to stop.
    CancelRequested,
    /// The instant that [`deadline`](crate::JobMachine::deadline) named may have come; too early
    /// is harmless.
    DeadlinePassed,
}
