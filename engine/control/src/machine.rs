//! The state machine of one job: facts and `now` in, commands out.
//!
//! Invariants: a terminal state never changes, and a deposed machine asks for nothing any more; an
//! attempt is deployed at most once, and only when every subtask of the one before has answered,
//! its task manager is lost, or it was struck off; a job with a log ends in the log before it ends
//! here. Knows no connection, task or clock.

use std::collections::BTreeMap;

use sameriver_model::{AttemptNumber, Failure, JobPlan, TaskManagerIndex};

use crate::assignment::SlotAssignment;
use crate::attempt::{Attempt, SubtaskPhase};
use crate::command::Command;
use crate::coordinator::CheckpointCoordinator;
use crate::fact::Fact;
use crate::incarnation::Incarnation;
use crate::moment::Moment;
use crate::restart::Restarts;
use crate::roster::{AdmissionError, Roster};
use crate::settings::JobSettings;
use crate::status::{JobEnd, JobStatus};

mod checkpoints;
mod conclusion;
mod deployment;
mod phase;
mod recovery;

use phase::{Awaited, Phase, Stop};

/// Whether a new attempt may get further than the one that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mending {
    Possible,
    Hopeless,
}

/// Decides for one job.
///
/// ```
/// use sameriver_control::{
///     Deadlines, Fact, JobMachine, JobSettings, JobStatus, Moment, RestartStrategy,
/// };
/// use sameriver_model::{JobPlan, MaxParallelism};
/// use std::time::Duration;
/// let plan = JobPlan {
///     name: "empty".to_owned(),
///     max_parallelism: MaxParallelism::default(),
///     vertices: Vec::new(),
///     edges: Vec::new(),
/// };
/// let second = Duration::from_secs(1);
/// let settings = JobSettings {
///     task_managers: 1,
///     fingerprint: 0,
///     deadlines: Deadlines {
///         registration: second,
///         grace: second,
///         deploy: second,
///         cancellation: second,
///         conclusion: second,
///     },
///     restart: RestartStrategy::None,
///     seed: 0,
///     checkpoints: None,
/// };
/// let mut machine = JobMachine::new(plan, settings);
/// let mut commands = Vec::new();
/// machine.on(Fact::Started, Moment::default(), &mut commands);
/// assert_eq!(machine.status(), JobStatus::Waiting);
/// ```
#[derive(Clone, Debug)]
pub struct JobMachine {
    plan: JobPlan,
    settings: JobSettings,
    phase: Phase,
    roster: Roster,
    attempt: Attempt,
    restarts: Restarts,
    /// `None` for a job without checkpoints, which keeps no log.
    coordinator: Option<CheckpointCoordinator>,
    has_started: bool,
    /// Whether a record of the job log is ours; a job without a log needs none.
    leads: bool,
    /// Why task managers were turned away that have not registered since.
    refused: BTreeMap<TaskManagerIndex, String>,
}

impl JobMachine {
    /// A job that nothing was done for yet.
    ///
    /// # Panics
    /// If the settings are not valid: they are checked before.
    pub fn new(plan: JobPlan, settings: JobSettings) -> Self {
        if let Err(error) = settings.validate() {
            panic!("settings of a job were not checked: {error}");
        }
        let coordinator = settings.checkpoints.clone().map(|checkpoints| {
            CheckpointCoordinator::new(checkpoints, settings.fingerprint, plan.max_parallelism)
        });
        Self {
            phase: Phase::Created,
            roster: Roster::new(settings.task_managers),
            attempt: Attempt::new(AttemptNumber::new(1), None),
            restarts: Restarts::new(settings.restart, settings.seed),
            coordinator,
            has_started: false,
            leads: false,
            refused: BTreeMap::new(),
            plan,
            settings,
        }
    }

    /// The state of the job.
    pub const fn status(&self) -> JobStatus {
        if matches!(self.phase, Phase::Waiting { .. }) && self.attempt.number.ordinal() > 1 {
            return JobStatus::Restarting;
        }
        self.phase.status()
    }

    /// Why the job is being stopped, or has failed; `None` if it is not.
    pub const fn cause(&self) -> Option<&Failure> {
        match &self.phase {
            Phase::Stopping {
                stop: Stop::Restart { failure, .. } | Stop::Fail(failure),
                ..
            }
            | Phase::Concluding {
                end: JobEnd::Failed(failure),
                ..
            }
            | Phase::Ended(JobEnd::Failed(failure)) => Some(failure),
            Phase::Created
            | Phase::Waiting { .. }
            | Phase::Deploying { .. }
            | Phase::Running
            | Phase::Finishing
            | Phase::Stopping { .. }
            | Phase::Delayed { .. }
            | Phase::Concluding { .. }
            | Phase::Ended(_)
            | Phase::Deposed => None,
        }
    }

    /// When the machine wants to be told [`Fact::DeadlinePassed`].
    pub fn deadline(&self) -> Option<Moment> {
        let own = self.phase.deadline(self.settings.deadlines.grace);
        let coordinator = self.coordinator.as_ref();
        let checkpoints = coordinator.and_then(CheckpointCoordinator::deadline);
        let checkpoints = checkpoints.filter(|_| !self.status().is_terminal());
        own.into_iter().chain(checkpoints).min()
    }

    /// The current attempt.
    pub const fn attempt(&self) -> AttemptNumber {
        self.attempt.number
    }

    /// Where each subtask of the current attempt runs; empty before it is deployed.
    pub const fn assignment(&self) -> &SlotAssignment {
        self.attempt.assignment()
    }

    /// Where the task managers that are there are reached with data, by ascending index.
    pub fn data_addresses(&self) -> impl Iterator<Item = (TaskManagerIndex, &str)> {
        self.roster.data_addresses()
    }

    /// Whether a task manager may register now.
    ///
    /// # Errors
    /// [`AdmissionError`] says why not.
    pub fn admits(
        &self,
        task_manager: TaskManagerIndex,
        incarnation: Incarnation,
    ) -> Result<(), AdmissionError> {
        self.roster.admits(task_manager, incarnation)?;
        if self.phase.takes_task_managers() {
            return Ok(());
        }
        let status = self.status();
        Err(AdmissionError::NotWaiting {
            task_manager,
            status,
        })
    }

    /// Takes a fact and appends what is to be done about it; stale and repeated facts do nothing.
    pub fn on(&mut self, fact: Fact, now: Moment, out: &mut Vec<Command>) {
        if self.status().is_terminal() {
            return;
        }
        self.take(fact, now, out);
        self.advance(now, out);
    }

    fn take(&mut self, fact: Fact, now: Moment, out: &mut Vec<Command>) {
        match fact {
            Fact::Started => self.has_started = true,
            Fact::LeadershipTaken {
                epoch,
                latest,
                retained,
                next_checkpoint,
                over,
            } => {
                self.lead(epoch, over, out, |coordinator| {
                    coordinator.lead(latest, retained, next_checkpoint);
                });
            }
            Fact::TaskManagerRegistered {
                task_manager,
                incarnation,
                slots,
                data_address,
            } => {
                if self.admits(task_manager, incarnation).is_ok() {
                    self.replace(task_manager, now, out);
                    self.refused.remove(&task_manager);
                    let roster = &mut self.roster;
                    roster.register(task_manager, incarnation, slots, data_address);
                }
            }
            Fact::TaskManagerRefused {
                task_manager,
                reason,
            } => {
                self.refused.insert(task_manager, reason);
            }
            Fact::TaskManagerLost {
                task_manager,
                incarnation,
                cause,
            } => self.lose(task_manager, incarnation, &cause, now, out),
            Fact::MetadataRead { attempt } => self.prepare(attempt, Awaited::Splits),
            Fact::EnumeratorsRead { attempt } => self.prepare(attempt, Awaited::Nothing),
            Fact::Failed { failure } => self.fail(failure, Mending::Possible, now, out),
            Fact::FailedForGood { failure } => self.fail(failure, Mending::Hopeless, now, out),
            Fact::CancelRequested => self.cancel(now, out),
            Fact::DeadlinePassed => self.on_deadline(now, out),
            Fact::EndPublished => self.on_end_published(out),
            Fact::EndPublishFailed { failure } => self.on_end_publish_failed(failure, now),
            fact @ (Fact::SubtaskRunning { .. }
            | Fact::SubtaskEnded { .. }
            | Fact::SubtaskFinished { .. }
            | Fact::SubtaskFailed { .. }
            | Fact::SubtaskCancelled { .. }) => self.on_subtask(fact, now, out),
            fact @ (Fact::CheckpointTriggered { .. }
            | Fact::CheckpointTriggerFailed { .. }
            | Fact::SnapshotAcknowledged { .. }
            | Fact::SnapshotDeclined { .. }
            | Fact::CheckpointPublished { .. }
            | Fact::PublishFailed { .. }
            | Fact::CheckpointRequested
            | Fact::SourceRead { .. }) => self.on_checkpoint(fact, now, out),
            Fact::Deposed { by_epoch } => {
                self.stand_down(Some(by_epoch), out);
            }
        }
    }

    /// Asks for nothing any more: another one leads, or may.
    fn stand_down(&mut self, by_epoch: Option<u32>, out: &mut Vec<Command>) {
        self.phase = Phase::Deposed;
        out.push(Command::StandDown { by_epoch });
    }

    /// Becomes the leader, once.
    fn lead(
        &mut self,
        epoch: u32,
        over: Option<JobEnd>,
        out: &mut Vec<Command>,
        go_on: impl FnOnce(&mut CheckpointCoordinator),
    ) {
        let Some(coordinator) = self.coordinator.as_mut().filter(|_| !self.leads) else {
            return;
        };
        self.leads = true;
        go_on(coordinator);
        self.attempt = Attempt::new(AttemptNumber::of_epoch(epoch, 1), None);
        if let Some(end) = over {
            self.end(end, out);
        }
    }

    /// Takes what a subtask said; other facts say nothing about subtasks.
    fn on_subtask(&mut self, fact: Fact, now: Moment, out: &mut Vec<Command>) {
        match fact {
            Fact::SubtaskRunning { subtask, attempt } => {
                self.attempt
                    .move_to(subtask, attempt, SubtaskPhase::Running);
            }
            Fact::SubtaskEnded { subtask, attempt } => {
                self.attempt.move_to(subtask, attempt, SubtaskPhase::Ended);
            }
            Fact::SubtaskFinished { subtask, attempt } => {
                let moved = self
                    .attempt
                    .move_to(subtask, attempt, SubtaskPhase::Finished);
                if moved && self.coordinator.is_some() && !self.attempt.is_released {
                    self.fail_in(subtask, "finished without being released", now, out);
                }
            }
            Fact::SubtaskFailed {
                subtask,
                attempt,
                failure,
            } => {
                if self
                    .attempt
                    .move_to(subtask, attempt, SubtaskPhase::Stopped)
                {
                    let failure = Failure {
                        subtask: failure.subtask.or(Some(subtask)),
                        ..failure
                    };
                    self.fail(failure, Mending::Possible, now, out);
                }
            }
            Fact::SubtaskCancelled { subtask, attempt } => {
                let moved = self
                    .attempt
                    .move_to(subtask, attempt, SubtaskPhase::Stopped);
                if moved && !matches!(self.phase, Phase::Stopping { .. }) {
                    self.fail_in(subtask, "was cancelled without being asked to", now, out);
                }
            }
            Fact::Started
            | Fact::LeadershipTaken { .. }
            | Fact::Deposed { .. }
            | Fact::TaskManagerRegistered { .. }
            | Fact::TaskManagerRefused { .. }
            | Fact::TaskManagerLost { .. }
            | Fact::MetadataRead { .. }
            | Fact::EnumeratorsRead { .. }
            | Fact::CheckpointTriggered { .. }
            | Fact::CheckpointTriggerFailed { .. }
            | Fact::SnapshotAcknowledged { .. }
            | Fact::SnapshotDeclined { .. }
            | Fact::CheckpointPublished { .. }
            | Fact::PublishFailed { .. }
            | Fact::EndPublished
            | Fact::EndPublishFailed { .. }
            | Fact::CheckpointRequested
            | Fact::SourceRead { .. }
            | Fact::Failed { .. }
            | Fact::FailedForGood { .. }
            | Fact::CancelRequested
            | Fact::DeadlinePassed => {}
        }
    }
}

#[cfg(test)]
mod tests;
