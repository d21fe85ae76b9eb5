//! From nothing to subtasks that run: beginning an attempt, waiting for slots, deploying.
//!
//! Invariant: an attempt is deployed once, with the checkpoint that was the latest when it began,
//! onto task managers that are there.

use sameriver_model::{AttemptNumber, Failure, FailureKind};

use super::{Awaited, JobMachine, Mending, Phase};
use crate::assignment::SlotAssignment;
use crate::attempt::{Attempt, SubtaskPhase};
use crate::command::Command;
use crate::coordinator::CheckpointCoordinator;
use crate::moment::Moment;
use crate::status::JobEnd;

impl JobMachine {
    /// Moves on as far as what is known allows.
    pub(super) fn advance(&mut self, now: Moment, out: &mut Vec<Command>) {
        if matches!(self.phase, Phase::Created) {
            self.begin_first(now, out);
        }
        self.progress(now, out);
        self.advance_checkpoints(now, out);
        self.settle(now, out);
        self.begin_next(now, out);
        self.deploy_if_ready(now, out);
        self.settle(now, out);
        self.record_end(now, out);
    }

    fn begin_first(&mut self, now: Moment, out: &mut Vec<Command>) {
        if self.has_started && (self.leads || self.coordinator.is_none()) {
            self.begin(self.attempt.number, now, out);
        }
    }

    /// Begins the next attempt once the delay is over and it is clear which checkpoint is the
    /// latest.
    fn begin_next(&mut self, now: Moment, out: &mut Vec<Command>) {
        let Phase::Delayed { at, .. } = &mut self.phase else {
            return;
        };
        if at.is_some_and(|at| now < at) {
            return;
        }
        *at = None;
        if !self.is_publishing() {
            self.begin(self.attempt.number.next(), now, out);
        }
    }

    fn begin(&mut self, attempt: AttemptNumber, now: Moment, out: &mut Vec<Command>) {
        let coordinator = self.coordinator.as_ref();
        let restore = coordinator.and_then(CheckpointCoordinator::latest).cloned();
        self.attempt = Attempt::new(attempt, restore.clone());
        let awaited = match &restore {
            Some(_) => Awaited::Metadata,
            None => Awaited::Splits,
        };
        self.phase = Phase::Waiting {
            until: now.saturating_add(self.settings.deadlines.registration),
            enough_since: None,
            awaited,
        };
        out.push(Command::OpenEnumerators { attempt, restore });
    }

    /// So much is there of what an attempt waits for.
    pub(super) fn prepare(&mut self, attempt: AttemptNumber, left: Awaited) {
        if attempt == self.attempt.number
            && let Phase::Waiting { awaited, .. } = &mut self.phase
        {
            *awaited = left.max(*awaited);
        }
    }

    /// Deploys when all task managers are there, or slots enough for long enough.
    fn deploy_if_ready(&mut self, now: Moment, out: &mut Vec<Command>) {
        let Phase::Waiting {
            enough_since,
            awaited,
            ..
        } = &mut self.phase
        else {
            return;
        };
        let is_complete = self.roster.is_complete();
        let assignment = match SlotAssignment::of(&self.plan, &self.roster.offers()) {
            Ok(assignment) => assignment,
            Err(error) if is_complete => {
                let failure = Failure::new(FailureKind::Limit, error.to_string());
                return self.fail(failure, Mending::Hopeless, now, out);
            }
            Err(_) => {
                *enough_since = None;
                return;
            }
        };
        let since = *enough_since.get_or_insert(now);
        let grace_ends = since.saturating_add(self.settings.deadlines.grace);
        if *awaited == Awaited::Nothing && (is_complete || now >= grace_ends) {
            self.deploy(assignment, now, out);
        }
    }

    fn deploy(&mut self, assignment: SlotAssignment, now: Moment, out: &mut Vec<Command>) {
        let until = now.saturating_add(self.settings.deadlines.deploy);
        self.phase = Phase::Deploying { until };
        self.attempt.deploy(assignment);
        if let Some(coordinator) = &mut self.coordinator {
            coordinator.begin(self.attempt.checkpoint_plan(&self.plan), out);
        }
        let coordinator = self.coordinator.as_ref();
        let reports = coordinator.and_then(CheckpointCoordinator::reports);
        for task_manager in self.attempt.hosts() {
            out.push(Command::Deploy {
                task_manager,
                attempt: self.attempt.number,
                subtasks: self.attempt.assignment().subtasks_on(task_manager),
                reports,
                restore: self.attempt.restore.clone(),
            });
        }
        // A job without vertices has nothing to wait for.
        self.progress(now, out);
    }

    /// Moves on to the next state that the answers of the subtasks allow.
    fn progress(&mut self, now: Moment, out: &mut Vec<Command>) {
        match self.phase {
            Phase::Deploying { .. } | Phase::Running | Phase::Finishing => {}
            Phase::Created
            | Phase::Waiting { .. }
            | Phase::Stopping { .. }
            | Phase::Delayed { .. }
            | Phase::Concluding { .. }
            | Phase::Ended(_)
            | Phase::Deposed => return,
        }
        let attempt = &self.attempt;
        if attempt.all(|phase| phase == SubtaskPhase::Finished) {
            return self.conclude(JobEnd::Finished, now, out);
        }
        if attempt.any(|phase| phase == SubtaskPhase::Deploying) {
            return;
        }
        if matches!(self.phase, Phase::Deploying { .. }) {
            self.restarts.on_running(now);
            if let Some(coordinator) = &mut self.coordinator {
                coordinator.on_running(now);
            }
        }
        self.phase = if attempt.any(SubtaskPhase::has_ended) {
            Phase::Finishing
        } else {
            Phase::Running
        };
        if attempt.all(SubtaskPhase::has_ended) {
            match &mut self.coordinator {
                Some(coordinator) => coordinator.on_ended(),
                None => self.release(out),
            }
        }
    }

    /// Lets the subtasks finish, once.
    pub(super) fn release(&mut self, out: &mut Vec<Command>) {
        if !self.attempt.is_released {
            self.attempt.is_released = true;
            out.push(Command::Release {
                attempt: self.attempt.number,
                task_managers: self.attempt.hosts(),
            });
        }
    }
}
