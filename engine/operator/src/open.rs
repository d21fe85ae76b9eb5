//! What an operator is told when its subtask starts.

use std::sync::Arc;
use std::time::Duration;

use sameriver_model::{
    AttemptNumber, JobNonce, KeyGroupRange, MaxParallelism, Parallelism, RestoredState, SubtaskId,
};

use crate::source::Surroundings;

/// When a two-phase sink makes visible what it has staged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CommitRule {
    /// At the end of the input: the job takes no checkpoints, and begins anew after a failure.
    #[default]
    AtEnd,
    /// When a checkpoint that holds it is complete.
    OnCheckpoint,
}

/// The circumstances of one subtask, handed to every factory of its chain.
#[derive(Clone, Debug)]
pub struct OpenArgs {
    /// Which job it is.
    pub job: JobNonce,
    /// Which subtask this is.
    pub subtask: SubtaskId,
    /// How many siblings it has, itself included.
    pub parallelism: Parallelism,
    /// The number of key groups of the job.
    pub max_parallelism: MaxParallelism,
    /// How many records a batch may hold before it is sent (at least 1).
    pub batch_records_max: usize,
    /// The attempt; no two attempts of a job have the same number.
    pub attempt: AttemptNumber,
    /// What it starts from; `None` at the beginning of the job.
    pub restored: Option<Arc<RestoredState>>,
    /// When two-phase sinks commit.
    pub commits: CommitRule,
    /// How long a commit that fails is tried again before it fails the attempt.
    pub commit_timeout: Duration,
    /// The world, for sources and sinks only.
    pub surroundings: Surroundings,
}

impl OpenArgs {
    /// The key groups that this subtask owns.
    pub fn key_groups(&self) -> KeyGroupRange {
        KeyGroupRange::of(self.subtask.index, self.parallelism, self.max_parallelism)
    }
}
