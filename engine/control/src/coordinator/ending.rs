//! How checkpoints end that are not published, and what becomes of what they left.
//!
//! Invariant: only what failed counts as failed, and each failure once. What will never be
//! published is discarded when its subtasks have had the time of a later checkpoint to hear of it,
//! or when its attempt is over; a file that comes later still is left to the next leader's sweep.

use sameriver_model::{AttemptNumber, CheckpointId, Failure};

use super::{CheckpointCoordinator, Counted};
use crate::command::{AbortCause, Command};
use crate::moment::Moment;

impl CheckpointCoordinator {
    /// Nothing of an attempt runs any more: what was stored for checkpoints that will never be is
    /// not needed.
    pub fn discard_abandoned(&mut self, out: &mut Vec<Command>) {
        discard(std::mem::take(&mut self.abandoned), out);
    }

    /// Takes the abandoned checkpoints that are older than one that has ended.
    pub(super) fn abandoned_before(
        &mut self,
        id: CheckpointId,
    ) -> Vec<(AttemptNumber, CheckpointId)> {
        let all = std::mem::take(&mut self.abandoned);
        let (older, newer) = all.into_iter().partition(|(_, abandoned)| *abandoned < id);
        self.abandoned = newer;
        older
    }

    /// Ends a pending checkpoint as failed.
    pub(super) fn give_up(
        &mut self,
        id: CheckpointId,
        failure: Failure,
        now: Moment,
        out: &mut Vec<Command>,
    ) {
        if let Some(pending) = self.pending.remove(&id) {
            let older = self.abandoned_before(id);
            self.fail(id, pending.since, &failure, now);
            self.abort(id, AbortCause::Failed(failure), out);
            discard(older, out);
        }
    }

    /// Ends a pending checkpoint that a later one has overtaken: what had made it due is the
    /// later one's to keep.
    pub(super) fn lay_aside(&mut self, id: CheckpointId, out: &mut Vec<Command>) {
        let Some(pending) = self.pending.remove(&id) else {
            return;
        };
        self.abort(id, AbortCause::Overtaken, out);
        match self.pending.range_mut(id..).next() {
            Some((_, later)) => later.since.add(pending.since),
            None => self.since.add(pending.since),
        }
    }

    /// Ends the pending checkpoints before `id`; that is no failure.
    /// Returns what had made them due.
    pub(super) fn abort_before(&mut self, id: CheckpointId, out: &mut Vec<Command>) -> Counted {
        let mut since = Counted::default();
        let newer = self.pending.split_off(&id);
        for (older, pending) in std::mem::replace(&mut self.pending, newer) {
            since.add(pending.since);
            self.abort(older, AbortCause::Overtaken, out);
        }
        since
    }

    /// Tells the subtasks that a checkpoint will not be.
    fn abort(&mut self, id: CheckpointId, cause: AbortCause, out: &mut Vec<Command>) {
        if let Some(plan) = &self.plan {
            self.abandoned.push((plan.attempt, id));
            out.push(Command::AbortCheckpoint {
                checkpoint: id,
                attempt: plan.attempt,
                task_managers: plan.task_managers.clone(),
                cause,
            });
        }
    }

    /// Counts a failure and draws the consequence.
    pub(super) fn fail(
        &mut self,
        id: CheckpointId,
        since: Counted,
        failure: &Failure,
        now: Moment,
    ) {
        let policy = self.settings.failures;
        self.since.add(since);
        self.last_end = Some(now);
        let wait = policy.backoff.wait(self.failures);
        self.failures = self.failures.saturating_add(1);
        self.retry_at = now.saturating_add(wait);
        if self.failures > policy.tolerated && self.exceeded.is_none() {
            let message = format!(
                "checkpoint {id} failed: {}; {} in a row, tolerated {}",
                failure.message, self.failures, policy.tolerated
            );
            self.exceeded = Some(Failure {
                message,
                ..failure.clone()
            });
        }
    }
}

/// Asks for the deletion of checkpoints, if there are any.
pub(super) fn discard(checkpoints: Vec<(AttemptNumber, CheckpointId)>, out: &mut Vec<Command>) {
    if !checkpoints.is_empty() {
        out.push(Command::Discard { checkpoints });
    }
}
