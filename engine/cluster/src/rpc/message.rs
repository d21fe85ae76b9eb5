//! What the job master and the task managers say to each other.
//!
//! Invariant: a change of anything here is a new version of the protocol. No code travels: a task
//! manager deploys (vertex, subtask) from its own graph.

use sameriver_model::{AttemptNumber, Failure, SlotIndex, SubtaskId, TaskManagerIndex};
use sameriver_task::SubtaskMetrics;
use serde::{Deserialize, Serialize};

/// Asks a task manager to start subtasks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deploy {
    /// The attempt.
    pub attempt: AttemptNumber,
    /// The host of every subtask of the job.
    pub hosts: Vec<(SubtaskId, TaskManagerIndex, SlotIndex)>,
    /// Where each task manager is reached with data.
    pub addresses: Vec<(TaskManagerIndex, String)>,
    /// The subtasks to start here, each in its slot.
    pub subtasks: Vec<(SubtaskId, SlotIndex)>,
}

/// From the job master to a task manager.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum MasterMessage {
    /// Start subtasks.
    Deploy(Deploy),
    /// Hand splits to a source that asked.
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
    /// Stop all subtasks of an attempt; each of them answers.
    Cancel {
        /// The attempt.
        attempt: AttemptNumber,
    },
    /// The job is over: release everything and close the connection.
    Shutdown,
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
    /// A subtask saw the end of its input, and all its output is outside.
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
}
