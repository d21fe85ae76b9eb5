//! What a slot is told, and what it has to say.
//!
//! Invariant: every letter names its attempt; mail of another attempt than the subtask's changes
//! nothing.

use std::sync::Arc;

use sameriver_graph::JobGraph;
use sameriver_model::{AttemptNumber, Failure, SlotIndex, SubtaskId};

use crate::metrics::SubtaskMetrics;
use crate::placement::Placement;

/// Asks a slot to host a subtask.
#[derive(Clone, Debug)]
pub struct Deployment {
    /// The attempt that the subtask belongs to.
    pub attempt: AttemptNumber,
    /// Which subtask.
    pub subtask: SubtaskId,
    /// The node's own graph: the factories of the subtask's chain.
    pub graph: Arc<JobGraph>,
    /// Where the other ends of the subtask's channels are.
    pub placement: Arc<Placement>,
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
    /// The slot hosts no subtask of the attempt any more.
    Cancelled {
        /// Which slot.
        slot: SlotIndex,
        /// The attempt.
        attempt: AttemptNumber,
    },
}
