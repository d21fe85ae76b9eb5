//! The user's hold on a running job: ask for its status, ask it to stop.
//!
//! Invariant: requests are messages to the loop that owns the job; the handle shares nothing with
//! it but the final status.

use std::sync::{Arc, OnceLock};

use sameriver_control::JobStatus;
use sameriver_model::Failure;
use sameriver_runtime::sync::{mpsc, oneshot};
use thiserror::Error;

/// How many requests may wait for the job master.
const REQUESTS_MAX: usize = 16;

/// The job master ended without an outcome, or never ran.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the job master is gone: look at its log")]
pub struct JobGone;

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
    last: Arc<OnceLock<JobStatus>>,
}

/// The job master's end of [`JobControl`].
#[derive(Debug)]
pub struct JobRequests {
    requests: mpsc::Receiver<Request>,
    last: Arc<OnceLock<JobStatus>>,
}

#[derive(Debug)]
pub(crate) enum Request {
    Cancel,
    Status(oneshot::Sender<JobStatus>),
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
        let (tx, rx) = oneshot::channel();
        self.ask(Request::Status(tx)).await;
        match rx.await {
            Ok(status) => Ok(status),
            Err(_) => self.last.get().copied().ok_or(JobGone),
        }
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

impl JobRequests {
    /// Waits for the next request; for ever if all handles are dropped. Cancel safe.
    pub(crate) async fn next(&mut self) -> Request {
        match self.requests.recv().await {
            Some(request) => request,
            None => std::future::pending().await,
        }
    }

    /// Writes down the terminal state, and answers what was asked too late.
    pub(crate) fn end(mut self, status: JobStatus) {
        // Set once: a pair serves one job.
        let _ = self.last.set(status);
        self.requests.close();
    }
}
