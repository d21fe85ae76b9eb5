//! The end of a job: first in the log, then here.
//!
//! Invariant: a job with a log is over for its user only when the log says how it ended, so that no
//! later leader runs it again; a log that cannot be written makes the end a failure that says so.

use std::time::Duration;

use sameriver_model::{Failure, FailureKind};

use super::phase::Recording;
use super::{JobMachine, Phase};
use crate::backoff::Backoff;
use crate::command::Command;
use crate::coordinator::CheckpointCoordinator;
use crate::moment::Moment;
use crate::status::JobEnd;

/// The waits between tries to write how the job ended.
const AGAIN: Backoff = Backoff {
    initial: Duration::from_millis(100),
    max: Duration::from_secs(10),
    multiplier_percent: 200,
};

impl JobMachine {
    /// Nothing runs any more, or nothing that we would wait for.
    pub(super) fn conclude(&mut self, end: JobEnd, now: Moment, out: &mut Vec<Command>) {
        if !self.leads {
            return self.end(end, out);
        }
        if let Some(coordinator) = &mut self.coordinator {
            coordinator.end_attempt();
            coordinator.discard_abandoned(out);
        }
        self.phase = Phase::Concluding {
            end,
            recording: Recording::Behind,
            until: now.saturating_add(self.settings.deadlines.conclusion),
            tries: 0,
            failure: None,
        };
    }

    /// Asks for the record of the end when nothing else is being written.
    pub(super) fn record_end(&mut self, now: Moment, out: &mut Vec<Command>) {
        if self.is_publishing() {
            return;
        }
        if let Phase::Concluding { end, recording, .. } = &mut self.phase {
            let is_due = match recording {
                Recording::Behind => true,
                Recording::Asked => false,
                Recording::Again(at) => now >= *at,
            };
            if is_due {
                *recording = Recording::Asked;
                out.push(Command::PublishEnd(end.clone()));
            }
        }
    }

    pub(super) fn on_end_published(&mut self, out: &mut Vec<Command>) {
        if let Phase::Concluding { end, recording, .. } = &self.phase
            && matches!(recording, Recording::Asked)
        {
            let end = end.clone();
            self.end(end, out);
        }
    }

    pub(super) fn on_end_publish_failed(&mut self, cause: Failure, now: Moment) {
        if let Phase::Concluding {
            recording,
            tries,
            failure,
            ..
        } = &mut self.phase
            && matches!(recording, Recording::Asked)
        {
            *recording = Recording::Again(now.saturating_add(AGAIN.wait(*tries)));
            *tries = tries.saturating_add(1);
            *failure = Some(cause);
        }
    }

    /// Ends a job although its log does not say so.
    pub(super) fn give_up_recording(&mut self, out: &mut Vec<Command>) {
        let Phase::Concluding { end, failure, .. } = &self.phase else {
            return;
        };
        let end = match end {
            JobEnd::Failed(failure) => JobEnd::Failed(failure.clone()),
            end @ (JobEnd::Finished | JobEnd::Cancelled) => {
                let cause = failure.as_ref();
                let cause = cause.map_or("the store does not answer", |cause| &cause.message);
                let message = format!(
                    "the job is {end}, but its log does not say so after {:?} ({cause}): mend the \
                     checkpoint store and start the job again",
                    self.settings.deadlines.conclusion
                );
                JobEnd::Failed(Failure::new(FailureKind::Cluster, message))
            }
        };
        self.end(end, out);
    }

    pub(super) fn is_publishing(&self) -> bool {
        let coordinator = self.coordinator.as_ref();
        coordinator.is_some_and(CheckpointCoordinator::is_publishing)
    }

    pub(super) fn end(&mut self, end: JobEnd, out: &mut Vec<Command>) {
        self.phase = Phase::Ended(end.clone());
        out.push(Command::JobEnded(end));
    }
}
