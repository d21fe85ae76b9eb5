//! Where a job is in its life, with the instants that each phase waits for.
//!
//! Invariant: every phase that waits for somebody has its deadline.

use std::time::Duration;

use sameriver_model::Failure;

use crate::moment::Moment;
use crate::status::{JobEnd, JobStatus};

/// Why an attempt is being stopped.
#[derive(Clone, Debug)]
pub(super) enum Stop {
    /// A new attempt follows, this long after the old one is gone.
    Restart { failure: Failure, after: Duration },
    /// The job fails.
    Fail(Failure),
    /// The user asked for it.
    Cancel,
}

/// How far the record of the job's end is.
#[derive(Clone, Copy, Debug)]
pub(super) enum Recording {
    /// A checkpoint is being published; records are written one at a time.
    Behind,
    /// It was asked for.
    Asked,
    /// It is asked for again at this instant.
    Again(Moment),
}

/// What an attempt that waits for task managers waits for besides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Awaited {
    /// The metadata of the checkpoint that it starts from, then the enumerators.
    Metadata,
    /// The enumerators, which find the splits.
    Splits,
    Nothing,
}

#[derive(Clone, Debug)]
pub(super) enum Phase {
    Created,
    /// For task managers, and for the enumerators of the attempt.
    Waiting {
        until: Moment,
        /// Since when there are slots enough.
        enough_since: Option<Moment>,
        awaited: Awaited,
    },
    Deploying {
        until: Moment,
    },
    Running,
    Finishing,
    Stopping {
        stop: Stop,
        until: Moment,
    },
    /// Nothing of the old attempt runs; the new one begins after the delay, or when a publish is
    /// answered after that.
    Delayed {
        /// The end of the delay, until it has come.
        at: Option<Moment>,
        /// When the answer must have come.
        until: Moment,
    },
    /// Nothing runs; the log has to say so.
    Concluding {
        end: JobEnd,
        recording: Recording,
        until: Moment,
        tries: u32,
        /// Why it was not written.
        failure: Option<Failure>,
    },
    Ended(JobEnd),
    Deposed,
}

impl Phase {
    pub(super) const fn status(&self) -> JobStatus {
        match self {
            Self::Created => JobStatus::Created,
            Self::Waiting { .. } => JobStatus::Waiting,
            Self::Deploying { .. } => JobStatus::Deploying,
            Self::Running => JobStatus::Running,
            Self::Finishing => JobStatus::Finishing,
            Self::Stopping { stop, .. } => match stop {
                Stop::Restart { .. } => JobStatus::Restarting,
                Stop::Fail(_) => JobStatus::Failing,
                Stop::Cancel => JobStatus::Cancelling,
            },
            Self::Delayed { .. } => JobStatus::Restarting,
            Self::Concluding { end, .. } => match end {
                JobEnd::Finished => JobStatus::Finishing,
                JobEnd::Failed(_) => JobStatus::Failing,
                JobEnd::Cancelled => JobStatus::Cancelling,
            },
            Self::Ended(end) => end.status(),
            Self::Deposed => JobStatus::Deposed,
        }
    }

    /// When something is due that no fact brings about.
    pub(super) fn deadline(&self, grace: Duration) -> Option<Moment> {
        match self {
            Self::Waiting {
                until,
                enough_since: Some(since),
                awaited: Awaited::Nothing,
            } => Some(since.saturating_add(grace).min(*until)),
            Self::Waiting { until, .. }
            | Self::Deploying { until }
            | Self::Stopping { until, .. } => Some(*until),
            Self::Delayed { at, until } => Some(at.unwrap_or(*until)),
            Self::Concluding {
                recording, until, ..
            } => match recording {
                Recording::Again(at) => Some(*at.min(until)),
                Recording::Behind | Recording::Asked => Some(*until),
            },
            Self::Created | Self::Running | Self::Finishing | Self::Ended(_) | Self::Deposed => {
                None
            }
        }
    }

    /// Whether a task manager that registers may be of use.
    pub(super) const fn takes_task_managers(&self) -> bool {
        match self {
            Self::Waiting { .. }
            | Self::Deploying { .. }
            | Self::Running
            | Self::Finishing
            | Self::Delayed { .. } => true,
            Self::Stopping { stop, .. } => matches!(stop, Stop::Restart { .. }),
            Self::Created | Self::Concluding { .. } | Self::Ended(_) | Self::Deposed => false,
        }
    }
}
