//! Which slot of which task manager hosts each subtask of an attempt.
//!
//! Invariant: equal on every node of an attempt except for `here`, so that both ends of a channel
//! agree whether it leaves the process.

use std::collections::BTreeMap;

use sameriver_model::{SlotIndex, SubtaskId, TaskManagerIndex};
use sameriver_runtime::Address;

/// Where the subtasks of an attempt run, as seen from one task manager.
///
/// ```
/// use sameriver_model::{SlotIndex, SubtaskId, SubtaskIndex, TaskManagerIndex, VertexId};
/// use sameriver_task::Placement;
/// let (here, slot) = (TaskManagerIndex::new(0), SlotIndex::new(0));
/// let subtask = SubtaskId::new(VertexId::new(0), SubtaskIndex::new(0));
/// let placement = Placement {
///     here,
///     hosts: [(subtask, (here, slot))].into(),
///     addresses: [].into(),
/// };
/// assert_eq!(placement.host(subtask), Some(here));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placement {
    /// The task manager that this copy was made for.
    pub here: TaskManagerIndex,
    /// The host of every subtask of the job.
    pub hosts: BTreeMap<SubtaskId, (TaskManagerIndex, SlotIndex)>,
    /// Where each task manager's [`Exchange`](crate::Exchange) listens.
    pub addresses: BTreeMap<TaskManagerIndex, Address>,
}

impl Placement {
    /// The task manager that hosts a subtask.
    pub fn host(&self, subtask: SubtaskId) -> Option<TaskManagerIndex> {
        self.hosts.get(&subtask).map(|(host, _)| *host)
    }
}
