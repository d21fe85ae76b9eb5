//! What an operator is told when its subtask starts.

use sameriver_model::{KeyGroupRange, MaxParallelism, Parallelism, SubtaskId};

use crate::source::Surroundings;

/// The circumstances of one subtask, handed to every factory of its chain.
#[derive(Clone, Debug)]
pub struct OpenArgs {
    /// Which subtask this is.
    pub subtask: SubtaskId,
    /// How many siblings it has, itself included.
    pub parallelism: Parallelism,
    /// The number of key groups of the job.
    pub max_parallelism: MaxParallelism,
    /// How many records a batch may hold before it is sent (at least 1).
    pub batch_records_max: usize,
    /// The world, for sources and sinks only.
    pub surroundings: Surroundings,
}

impl OpenArgs {
    /// The key groups that this subtask owns.
    pub fn key_groups(&self) -> KeyGroupRange {
        KeyGroupRange::of(self.subtask.index, self.parallelism, self.max_parallelism)
    }
}
