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
    /// What this job master counted of checkpoints and restarts while it led.
    pub counts: JobCounts,
}

/// What a job master counted of one job while it led.
///
/// ```
/// assert_eq!(sameriver_cluster::JobCounts::default().restarts, 0);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct JobCounts {
    /// Checkpoints that were published.
    pub checkpoints_completed: u64,
    /// Checkpoints that were triggered, or should have been, and came to nothing.
    pub checkpoints_failed: u64,
    /// Attempts after the first one.
    pub restarts: u64,
    /// Attempts that started from a checkpoint.
    pub restored: u64,
}

impl JobOutcome {
    /// The outcome of a job that could not even begin.
    pub(crate) fn failed(kind: FailureKind, message: impl Into<String>) -> Self {
        Self {
            status: JobEnd::Failed(Failure::new(kind, message)),
            ..Self::ended(JobEnd::Finished)
        }
    }

    /// The outcome of a job that another job master has brought to its end.
    pub(crate) fn ended(status: JobEnd) -> Self {
        Self {
            status,
            vertices: Vec::new(),
            counts: JobCounts::default(),
        }
    }

    pub(crate) fn new(
        status: JobEnd,
        plan: &JobPlan,
        metrics: &BTreeMap<SubtaskId, SubtaskMetrics>,
        counts: JobCounts,
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
            counts,
        }
    }
}

/// What the finished subtasks of one vertex counted.
///
/// ```
/// # use sameriver_cluster::VertexMetrics;
/// fn line(vertex: &VertexMetrics) -> String {
///     let (records, subtasks) = (vertex.records_in(), vertex.subtasks.len());
///     format!("{}: {records} records in {subtasks} subtasks", vertex.name)
/// }
/// ```
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
