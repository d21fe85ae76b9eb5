//! What the job machine wants done.
//!
//! Invariant: a command is complete: whoever carries it out decides nothing.

use sameriver_model::{AttemptNumber, SlotIndex, SubtaskId, TaskManagerIndex};

use crate::status::JobEnd;

/// A subtask and the slot of its task manager that hosts it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PlacedSubtask {
    /// The subtask.
    pub subtask: SubtaskId,
    /// The slot.
    pub slot: SlotIndex,
}

/// Something to be done for a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Look for the splits of every source.
    OpenEnumerators,
    /// Start subtasks on a task manager.
    Deploy {
        /// Where.
        task_manager: TaskManagerIndex,
        /// In which attempt.
        attempt: AttemptNumber,
        /// Which subtasks, vertex by vertex.
        subtasks: Vec<PlacedSubtask>,
    },
    /// Stop all subtasks of an attempt on a task manager; each of them answers.
    Cancel {
        /// Where.
        task_manager: TaskManagerIndex,
        /// Which attempt.
        attempt: AttemptNumber,
    },
    /// The job is over: release everything.
    JobEnded(JobEnd),
}
