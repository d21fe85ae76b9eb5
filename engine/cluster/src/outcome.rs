//! What became of a job.

use std::collections::BTreeMap;

use sameriver_control::JobEnd;
use sameriver_model::{Failure, FailureKind, JobPlan, SubtaskId, SubtaskIndex, VertexId};
use sameriver_task::SubtaskMetrics;

/// How a job ended, and what it counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobOutcome {
    /// Finished, failed or cancelled.
    pub status: JobEnd,
    /// The counts of every vertex, in the order of the plan.
    pub vertices: Vec<VertexMetrics>,
}

impl JobOutcome {
    /// The outcome of a job that could not even begin.
    pub(crate) fn failed(kind: FailureKind, message: impl Into<String>) -> Self {
        Self {
            status: JobEnd::Failed(Failure::new(kind, message)),
            vertices: Vec::new(),
        }
    }

    pub(crate) fn new(
        status: JobEnd,
        plan: &JobPlan,
        metrics: &BTreeMap<SubtaskId, SubtaskMetrics>,
    ) -> Self {
        let vertices = plan.vertices.iter().map(|vertex| {
            let own = metrics.iter().filter(|(id, _)| id.vertex == vertex.id);
            VertexMetrics {
                vertex: vertex.id,
                name: vertex.name.clone(),
                subtasks: own.map(|(id, metrics)| (id.index, *metrics)).collect(),
            }
        });
        Self {
            status,
            vertices: vertices.collect(),
        }
    }
}

/// What the finished subtasks of one vertex counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VertexMetrics {
    /// Which vertex.
    pub vertex: VertexId,
    /// The names of its operators.
    pub name: String,
    /// The counts of each subtask that has finished, by ascending index.
    pub subtasks: Vec<(SubtaskIndex, SubtaskMetrics)>,
}

impl VertexMetrics {
    /// Records taken from channels, or read by the source, by all subtasks.
    pub fn records_in(&self) -> u64 {
        self.sum(|metrics| metrics.records_in)
    }

    /// Records sent on channels by all subtasks.
    pub fn records_out(&self) -> u64 {
        self.sum(|metrics| metrics.records_out)
    }

    /// One count of all subtasks together.
    ///
    /// ```
    /// # use sameriver_cluster::VertexMetrics;
    /// # use sameriver_model::VertexId;
    /// # let (vertex, name) = (VertexId::new(0), String::new());
    /// # let metrics = VertexMetrics { vertex, name, subtasks: vec![] };
    /// assert_eq!(metrics.sum(|subtask| subtask.slices), 0);
    /// ```
    pub fn sum(&self, count: impl Fn(&SubtaskMetrics) -> u64) -> u64 {
        let counts = self.subtasks.iter().map(|(_, metrics)| count(metrics));
        counts.fold(0, u64::saturating_add)
    }
}
