//! The states of a job, and how it can end.
//!
//! Invariant: a job that reached a terminal state never leaves it, whoever leads it.

use std::fmt;

use sameriver_model::Failure;
use sameriver_model::checkpoint::RecordStatus;

/// The state of a job.
///
/// ```text
/// created -> waiting for task managers -> deploying -> running -> finishing -> finished
///    any of these -> restarting -> deploying
///    any of these -> failing -> failed
///    any of these -> cancelling -> cancelled
///    any of these -> deposed
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
    /// Something failed; the attempt is being stopped, or the next one waits to be deployed.
    Restarting,
    /// Something failed that ends the job; subtasks are being stopped.
    Failing,
    /// Something failed, and nothing runs any more (terminal).
    Failed,
    /// The user asked to stop; subtasks are being stopped.
    Cancelling,
    /// The user asked to stop, and nothing runs any more (terminal).
    Cancelled,
    /// Another job master leads the job; this one does nothing any more (terminal here).
    Deposed,
}

impl JobStatus {
    /// Whether the job is over, for this job master at least.
    pub const fn is_terminal(self) -> bool {
        match self {
            Self::Finished | Self::Failed | Self::Cancelled | Self::Deposed => true,
            Self::Created
            | Self::Waiting
            | Self::Deploying
            | Self::Running
            | Self::Finishing
            | Self::Restarting
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
            Self::Restarting => "restarting",
            Self::Failing => "failing",
            Self::Failed => "failed",
            Self::Cancelling => "cancelling",
            Self::Cancelled => "cancelled",
            Self::Deposed => "deposed",
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

    /// What the job log says of a job that ended so.
    pub fn to_record(&self) -> RecordStatus {
        match self {
            Self::Finished => RecordStatus::Finished,
            Self::Failed(failure) => RecordStatus::Failed(failure.clone()),
            Self::Cancelled => RecordStatus::Cancelled,
        }
    }

    /// How a job ended by its log; `None` if it has not.
    pub fn of_record(status: &RecordStatus) -> Option<Self> {
        match status {
            RecordStatus::Running => None,
            RecordStatus::Finished => Some(Self::Finished),
            RecordStatus::Cancelled => Some(Self::Cancelled),
            RecordStatus::Failed(failure) => Some(Self::Failed(failure.clone())),
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

#[cfg(test)]
mod tests {
    use sameriver_model::FailureKind;

    use super::*;

    #[test]
    fn an_end_is_read_back_from_the_record_it_was_written_to() {
        let failure = Failure::new(FailureKind::User, "bad record");
        for end in [JobEnd::Finished, JobEnd::Cancelled, JobEnd::Failed(failure)] {
            let record = end.to_record();
            assert!(record.is_terminal());
            assert_eq!(JobEnd::of_record(&record), Some(end));
        }
        assert_eq!(JobEnd::of_record(&RecordStatus::Running), None);
    }
}
