//! The user's hold on a running job: ask for its status, for a checkpoint, or to stop.
//!
//! Invariant: requests are messages to the loop that owns the job; the handle shares nothing with
//! it but the final status.

use std::sync::{Arc, OnceLock};

use sameriver_control::JobStatus;
use sameriver_model::{AttemptNumber, CheckpointId, Failure};
use sameriver_runtime::sync::{mpsc, oneshot};
use thiserror::Error;

use crate::outcome::JobCounts;

/// How many requests may wait for the job master. Fixed: they come from people and are answered at
/// once, and whoever asks when so many wait is made to wait itself.
const REQUESTS_MAX: usize = 16;

/// The job master ended without an outcome, or never ran.
///
/// ```
/// # use sameriver_cluster::{JobControl, JobGone};
/// # async fn example(control: JobControl) {
/// if let Err(JobGone) = control.status().await {
///     eprintln!("nobody runs this job any more");
/// }
/// # }
/// assert!(JobGone.to_string().contains("look at its log"));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the job master is gone: look at its log")]
pub struct JobGone;

/// What a job master says of its job.
///
/// ```
/// # use sameriver_cluster::JobReport;
/// fn line(report: &JobReport) -> String {
///     let completed = report.counts.checkpoints_completed;
///     format!("{}, {completed} checkpoints", report.status)
/// }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JobReport {
    /// The state of the job.
    pub status: JobStatus,
    /// Whether this job master leads; another one may.
    pub leads: bool,
    /// The current attempt.
    pub attempt: AttemptNumber,
    /// The latest checkpoint that was published, by this job master or an earlier one.
    pub latest: Option<CheckpointId>,
    /// What was counted since this job master leads.
    pub counts: JobCounts,
}

/// Why a checkpoint that was asked for is not there.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum CheckpointRequestError {
    /// The job is over, or this job master does not lead it.
    #[error("the job takes no checkpoint: it is over, or another job master leads it")]
    Gone,
    /// The job has no store.
    #[error("the job takes no checkpoints: give it a checkpoint store")]
    NoStore,
    /// It was tried, and failed.
    #[error("the checkpoint failed: {0}")]
    Failed(Failure),
}

/// A cheap handle to a running job.
///
/// ```
/// use sameriver_cluster::JobControl;
/// let (control, requests) = JobControl::pair();
/// // `requests` goes to the job master, `control` to the user.
/// # drop((control, requests));
/// ```
#[derive(Clone, Debug)]
pub struct JobControl {
    requests: mpsc::Sender<Request>,
    last: Arc<OnceLock<JobReport>>,
}

/// The job master's end of [`JobControl`].
#[derive(Debug)]
pub struct JobRequests {
    requests: mpsc::Receiver<Request>,
    last: Arc<OnceLock<JobReport>>,
}

#[derive(Debug)]
pub(crate) enum Request {
    Cancel,
    Report(oneshot::Sender<JobReport>),
    Checkpoint(oneshot::Sender<Result<CheckpointId, CheckpointRequestError>>),
    Fail(Failure),
}

impl JobControl {
    /// A handle, and what the job master needs to obey it.
    pub fn pair() -> (Self, JobRequests) {
        let (requests, inbox) = mpsc::channel(REQUESTS_MAX);
        let last = Arc::new(OnceLock::new());
        let control = Self {
            requests,
            last: Arc::clone(&last),
        };
        let requests = JobRequests {
            requests: inbox,
            last,
        };
        (control, requests)
    }

    /// Asks the job to stop. Does nothing if it is over; its end tells what became of it.
    pub async fn cancel(&self) {
        self.ask(Request::Cancel).await;
    }

    /// The state of the job.
    ///
    /// # Errors
    /// [`JobGone`] when the job master ended without an outcome.
    pub async fn status(&self) -> Result<JobStatus, JobGone> {
        Ok(self.report().await?.status)
    }

    /// The state of the job with its attempt, its latest checkpoint and its counts.
    ///
    /// # Errors
    /// [`JobGone`] when the job master ended without an outcome.
    pub async fn report(&self) -> Result<JobReport, JobGone> {
        let (tx, rx) = oneshot::channel();
        self.ask(Request::Report(tx)).await;
        match rx.await {
            Ok(report) => Ok(report),
            Err(_) => self.last.get().copied().ok_or(JobGone),
        }
    }

    /// Asks for a checkpoint now and waits until one that was triggered afterwards is published.
    ///
    /// # Errors
    /// [`CheckpointRequestError`] says why there is none.
    pub async fn checkpoint(&self) -> Result<CheckpointId, CheckpointRequestError> {
        let (tx, rx) = oneshot::channel();
        self.ask(Request::Checkpoint(tx)).await;
        rx.await.unwrap_or(Err(CheckpointRequestError::Gone))
    }

    /// Fails the job for a reason that the job master cannot see.
    pub(crate) async fn fail(&self, failure: Failure) {
        self.ask(Request::Fail(failure)).await;
    }

    async fn ask(&self, request: Request) {
        // A job that is over takes no requests.
        let _ = self.requests.send(request).await;
    }
}

impl JobReport {
    /// Of a job that this job master does not lead.
    pub(crate) const fn of_others(status: JobStatus) -> Self {
        Self {
            status,
            leads: false,
            attempt: AttemptNumber::new(0),
            latest: None,
            counts: JobCounts {
                checkpoints_completed: 0,
                checkpoints_failed: 0,
                restarts: 0,
                restored: 0,
            },
        }
    }
}

impl JobRequests {
    /// Waits for the next request; for ever if all handles are dropped. Cancel safe.
    pub(crate) async fn next(&mut self) -> Request {
        match self.requests.recv().await {
            Some(request) => request,
            None => std::future::pending().await,
        }
    }

    /// Writes down the terminal state, and answers what was asked too late.
    pub(crate) fn end(mut self, report: JobReport) {
        // Set once: a pair serves one job.
        let _ = self.last.set(report);
        self.requests.close();
    }
}
