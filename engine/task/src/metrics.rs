//! What a subtask counted while it ran.
//!
//! Invariant: counting is per slice or per batch, never per record.

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
}
