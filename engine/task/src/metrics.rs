//! What a subtask counted while it ran.
//!
//! Invariant: counting is per slice or per batch, never per record.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The counts of one subtask, reported when it has finished.
///
/// ```
/// assert_eq!(sameriver_task::SubtaskMetrics::default().records_in, 0);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SubtaskMetrics {
    /// Records taken from channels, or read by the source.
    pub records_in: u64,
    /// Records sent on channels.
    pub records_out: u64,
    /// Batches taken from channels.
    pub batches_in: u64,
    /// Batches sent on channels.
    pub batches_out: u64,
    /// Slices run.
    pub slices: u64,
    /// Late records dropped, as far as operators report them.
    pub late_dropped: u64,
    /// The most batches that ever stood in one channel beyond its buffers.
    pub overdraft_max: u64,
    /// The longest that one turn, from taking a slice until the next may begin, kept its thread.
    pub longest_stop: Duration,
}

/// What the snapshot of one subtask took.
///
/// ```
/// assert_eq!(sameriver_task::SnapshotMeasures::default().bytes, 0);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SnapshotMeasures {
    /// From the first barrier of the checkpoint to the last one.
    pub alignment: Duration,
    /// The part in which no record is taken: flush, barrier, beginning of the snapshot.
    pub synchronous: Duration,
    /// Bytes of all sections.
    pub bytes: u64,
    /// The longest step of the walk between two slices.
    pub longest_step: Duration,
}
