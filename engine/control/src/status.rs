//! The states of a job, and how it can end.
//!
//! Invariant: a job that reached a terminal state never leaves it.

use std::fmt;

use sameriver_model::Failure;

/// The state of a job.
///
/// ```text
/// created -> waiting for task managers -> deploying -> running -> finishing -> finished
///    any of these -> failing -> failed
///    any of these -> cancelling -> cancelled
/// ```
///
/// ```
/// use sameriver_control::JobStatus;
/// assert!(JobStatus::Finished.is_terminal());
/// assert_eq!(JobStatus::Waiting.to_string(), "waiting for task managers");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JobStatus {
    /// Nothing was done yet.
    Created,
    /// Not all task managers are registered.
    Waiting,
    /// Subtasks were sent out, and not all of them run.
    Deploying,
    /// All subtasks run.
    Running,
    /// Some subtasks have reached the end of their input, others go on.
    Finishing,
    /// All subtasks have reached the end of their input (terminal).
    Finished,
    /// Something failed; the other subtasks are being stopped.
    Failing,
    /// Something failed, and nothing runs any more (terminal).
    Failed,
    /// The user asked to stop; subtasks are being stopped.
    Cancelling,
    /// The user asked to stop, and nothing runs any more (terminal).
    Cancelled,
}

impl JobStatus {
    /// Whether the job is over.
    pub const fn is_terminal(self) -> bool {
        match self {
            Self::Finished | Self::Failed | Self::Cancelled => true,
            Self::Created
            | Self::Waiting
            | Self::Deploying
            | Self::Running
            | Self::Finishing
            | Self::Failing
            | Self::Cancelling => false,
        }
    }
}

impl fmt::Display for JobStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Created => "created",
            Self::Waiting => "waiting for task managers",
            Self::Deploying => "deploying",
            Self::Running => "running",
            Self::Finishing => "finishing",
            Self::Finished => "finished",
            Self::Failing => "failing",
            Self::Failed => "failed",
            Self::Cancelling => "cancelling",
            Self::Cancelled => "cancelled",
        })
    }
}

/// How a job ended.
///
/// ```
/// use sameriver_control::{JobEnd, JobStatus};
/// assert_eq!(JobEnd::Cancelled.status(), JobStatus::Cancelled);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum JobEnd {
    /// All input was processed.
    Finished,
    /// Something failed.
    Failed(Failure),
    /// The user asked to stop.
    Cancelled,
}

impl JobEnd {
    /// The terminal state that belongs to this end.
    pub const fn status(&self) -> JobStatus {
        match self {
            Self::Finished => JobStatus::Finished,
            Self::Failed(_) => JobStatus::Failed,
            Self::Cancelled => JobStatus::Cancelled,
        }
    }
}

impl fmt::Display for JobEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Finished => f.write_str("finished"),
            Self::Failed(failure) => write!(f, "failed: {failure}"),
            Self::Cancelled => f.write_str("cancelled"),
        }
    }
}
