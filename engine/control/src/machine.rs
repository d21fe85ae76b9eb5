//! The state machine of one job: facts and `now` in, commands out.
//!
//! Invariants: a terminal state never changes; an attempt is deployed at most once; after the first
//! failure or cancel request the job ends as soon as every deployed subtask has answered or its
//! task manager is lost, and at the latest at the deadline. Knows no connection, task or clock.

use std::collections::BTreeMap;

use sameriver_model::{AttemptNumber, Failure, FailureKind, JobPlan, SubtaskId, TaskManagerIndex};
use thiserror::Error;

use crate::assignment::{SlotAssignment, SlotOffer};
use crate::command::Command;
use crate::fact::Fact;
use crate::incarnation::Incarnation;
use crate::moment::Moment;
use crate::settings::{Deadlines, JobSettings};
use crate::status::{JobEnd, JobStatus};

/// Why a task manager may not take part in a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum AdmissionError {
    /// Its number is not one of the job's task managers.
    #[error(
        "task manager {task_manager} is unknown: the job has {expected} task managers, numbered \
         from 0: mend its index or raise task_managers"
    )]
    Unknown {
        /// The number it gave.
        task_manager: TaskManagerIndex,
        /// How many the job has.
        expected: u32,
    },
    /// Another one with the same number is already registered.
    #[error("task manager {task_manager} is already registered: give each its own index")]
    Duplicate {
        /// The number it gave.
        task_manager: TaskManagerIndex,
    },
    /// The job does not wait for task managers.
    #[error("task manager {task_manager} comes too late: the job is {status}")]
    NotWaiting {
        /// The number it gave.
        task_manager: TaskManagerIndex,
        /// What the job does instead.
        status: JobStatus,
    },
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
    expected: u32,
    deadlines: Deadlines,
    attempt: AttemptNumber,
    phase: Phase,
    task_managers: BTreeMap<TaskManagerIndex, Registered>,
    assignment: SlotAssignment,
    subtasks: BTreeMap<SubtaskId, SubtaskPhase>,
}

#[derive(Clone, Debug)]
enum Phase {
    Created,
    Waiting { until: Moment },
    Deploying { until: Moment },
    Running,
    Finishing,
    Failing { failure: Failure, until: Moment },
    Cancelling { until: Moment },
    Ended(JobEnd),
}

#[derive(Clone, Debug)]
struct Registered {
    slots: u32,
    data_address: String,
    is_lost: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum SubtaskPhase {
    Deploying,
    Running,
    Finished,
    /// Failed, cancelled, or on a lost task manager: it does not run any more.
    Stopped,
}

impl SubtaskPhase {
    const fn is_live(self) -> bool {
        match self {
            Self::Deploying | Self::Running => true,
            Self::Finished | Self::Stopped => false,
        }
    }
}

impl JobMachine {
    /// A job that waits for `expected` task managers, numbered from 0.
    ///
    /// # Panics
    /// If `expected` is zero: settings are checked before.
    pub fn new(plan: JobPlan, settings: JobSettings) -> Self {
        let (expected, deadlines) = (settings.task_managers, settings.deadlines);
        assert!(expected > 0, "a job needs at least one task manager");
        Self {
            plan,
            expected,
            deadlines,
            attempt: AttemptNumber::new(1),
            phase: Phase::Created,
            task_managers: BTreeMap::new(),
            assignment: SlotAssignment::default(),
            subtasks: BTreeMap::new(),
        }
    }

    /// The state of the job.
    pub const fn status(&self) -> JobStatus {
        match &self.phase {
            Phase::Created => JobStatus::Created,
            Phase::Waiting { .. } => JobStatus::Waiting,
            Phase::Deploying { .. } => JobStatus::Deploying,
            Phase::Running => JobStatus::Running,
            Phase::Finishing => JobStatus::Finishing,
            Phase::Failing { .. } => JobStatus::Failing,
            Phase::Cancelling { .. } => JobStatus::Cancelling,
            Phase::Ended(end) => end.status(),
        }
    }

    /// When the machine wants to be told [`Fact::DeadlinePassed`].
    pub const fn deadline(&self) -> Option<Moment> {
        match &self.phase {
            Phase::Waiting { until }
            | Phase::Deploying { until }
            | Phase::Failing { until, .. }
            | Phase::Cancelling { until } => Some(*until),
            Phase::Created | Phase::Running | Phase::Finishing | Phase::Ended(_) => None,
        }
    }

    /// The current attempt.
    pub const fn attempt(&self) -> AttemptNumber {
        self.attempt
    }

    /// Where each subtask runs; empty before the deployment.
    pub const fn assignment(&self) -> &SlotAssignment {
        &self.assignment
    }

    /// Where the registered task managers are reached with data, by ascending index.
    pub fn data_addresses(&self) -> impl Iterator<Item = (TaskManagerIndex, &str)> {
        let all = self.task_managers.iter();
        all.map(|(index, registered)| (*index, registered.data_address.as_str()))
    }

    /// Whether a task manager may register now.
    ///
    /// # Errors
    /// [`AdmissionError`] says why not.
    pub fn admits(
        &self,
        task_manager: TaskManagerIndex,
        _: Incarnation,
    ) -> Result<(), AdmissionError> {
        if task_manager.get() >= self.expected {
            let expected = self.expected;
            return Err(AdmissionError::Unknown {
                task_manager,
                expected,
            });
        }
        if self.task_managers.contains_key(&task_manager) {
            return Err(AdmissionError::Duplicate { task_manager });
        }
        if matches!(self.phase, Phase::Waiting { .. }) {
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
        match fact {
            Fact::Started => self.start(now, out),
            Fact::TaskManagerRegistered {
                task_manager,
                incarnation: _,
                slots,
                data_address,
            } => self.register(task_manager, slots, data_address, now, out),
            Fact::TaskManagerRefused { reason } => {
                if matches!(self.phase, Phase::Waiting { .. }) {
                    self.fail(Failure::new(FailureKind::Cluster, reason), now, out);
                }
            }
            Fact::TaskManagerLost {
                task_manager,
                incarnation: _,
                cause,
            } => self.lose(task_manager, &cause, now, out),
            Fact::SubtaskRunning { subtask, attempt } => {
                self.move_subtask(subtask, attempt, SubtaskPhase::Running);
                self.progress(out);
            }
            Fact::SubtaskFinished { subtask, attempt } => {
                self.move_subtask(subtask, attempt, SubtaskPhase::Finished);
                self.progress(out);
            }
            Fact::SubtaskFailed {
                subtask,
                attempt,
                failure,
            } => {
                if self.move_subtask(subtask, attempt, SubtaskPhase::Stopped) {
                    let failure = Failure {
                        subtask: failure.subtask.or(Some(subtask)),
                        ..failure
                    };
                    self.fail(failure, now, out);
                }
            }
            Fact::SubtaskCancelled { subtask, attempt } => {
                if self.move_subtask(subtask, attempt, SubtaskPhase::Stopped) {
                    self.on_cancelled(subtask, now, out);
                }
            }
            Fact::Failed { failure } | Fact::FailedForGood { failure } => {
                self.fail(failure, now, out)
            }
            Fact::LeadershipTaken { .. }
            | Fact::Deposed { .. }
            | Fact::EnumeratorsRead { .. }
            | Fact::SubtaskEnded { .. }
            | Fact::CheckpointTriggered { .. }
            | Fact::CheckpointTriggerFailed { .. }
            | Fact::SnapshotAcknowledged { .. }
            | Fact::SnapshotDeclined { .. }
            | Fact::CheckpointPublished { .. }
            | Fact::PublishFailed { .. }
            | Fact::EndPublished
            | Fact::EndPublishFailed { .. }
            | Fact::CheckpointRequested
            | Fact::RecordsCounted { .. }
            | Fact::MarkerSeen => {}
            Fact::CancelRequested => self.cancel(now, out),
            Fact::DeadlinePassed => self.on_deadline(now, out),
        }
    }

    fn start(&mut self, now: Moment, out: &mut Vec<Command>) {
        if matches!(self.phase, Phase::Created) {
            let until = now.saturating_add(self.deadlines.registration);
            self.phase = Phase::Waiting { until };
            out.push(Command::OpenEnumerators {
                attempt: self.attempt,
                restore: None,
            });
        }
    }

    fn register(
        &mut self,
        task_manager: TaskManagerIndex,
        slots: u32,
        data_address: String,
        now: Moment,
        out: &mut Vec<Command>,
    ) {
        if self.admits(task_manager, Incarnation::default()).is_err() {
            return;
        }
        let registered = Registered {
            slots,
            data_address,
            is_lost: false,
        };
        self.task_managers.insert(task_manager, registered);
        if self.task_managers.len() == self.expected as usize {
            self.deploy(now, out);
        }
    }

    fn deploy(&mut self, now: Moment, out: &mut Vec<Command>) {
        let offers = self
            .task_managers
            .iter()
            .map(|(index, registered)| SlotOffer {
                task_manager: *index,
                slots: registered.slots,
            });
        match SlotAssignment::of(&self.plan, &offers.collect::<Vec<_>>()) {
            Ok(assignment) => self.assignment = assignment,
            Err(error) => {
                return self.fail(
                    Failure::new(FailureKind::Limit, error.to_string()),
                    now,
                    out,
                );
            }
        }
        let until = now.saturating_add(self.deadlines.deploy);
        self.phase = Phase::Deploying { until };
        let subtasks = self.plan.subtasks();
        self.subtasks = subtasks.map(|id| (id, SubtaskPhase::Deploying)).collect();
        for task_manager in self.task_managers.keys() {
            let subtasks = self.assignment.subtasks_on(*task_manager);
            if !subtasks.is_empty() {
                out.push(Command::Deploy {
                    task_manager: *task_manager,
                    attempt: self.attempt,
                    subtasks,
                    restore: None,
                });
            }
        }
        // A job without vertices has nothing to wait for.
        self.progress(out);
    }

    /// Records an answer; false if it is stale, repeated, or about nothing that was deployed.
    fn move_subtask(
        &mut self,
        subtask: SubtaskId,
        attempt: AttemptNumber,
        to: SubtaskPhase,
    ) -> bool {
        if attempt != self.attempt {
            return false;
        }
        match self.subtasks.get_mut(&subtask) {
            Some(phase) if phase.is_live() => {
                *phase = to;
                true
            }
            Some(_) | None => false,
        }
    }

    /// Moves on to the next state that the answers of the subtasks allow.
    fn progress(&mut self, out: &mut Vec<Command>) {
        match &self.phase {
            Phase::Deploying { .. } | Phase::Running | Phase::Finishing => {
                let all = |is: fn(SubtaskPhase) -> bool| self.subtasks.values().all(|p| is(*p));
                if all(|phase| phase == SubtaskPhase::Finished) {
                    self.end(JobEnd::Finished, out);
                } else if all(|phase| phase == SubtaskPhase::Running) {
                    self.phase = Phase::Running;
                } else if all(|phase| phase != SubtaskPhase::Deploying) {
                    self.phase = Phase::Finishing;
                }
            }
            Phase::Failing { .. } | Phase::Cancelling { .. } => self.settle(out),
            Phase::Created | Phase::Waiting { .. } | Phase::Ended(_) => {}
        }
    }

    fn on_cancelled(&mut self, subtask: SubtaskId, now: Moment, out: &mut Vec<Command>) {
        if matches!(self.phase, Phase::Failing { .. } | Phase::Cancelling { .. }) {
            return self.settle(out);
        }
        let failure = Failure::new(
            FailureKind::Internal,
            "was cancelled without being asked to",
        );
        self.fail(failure.in_subtask(subtask), now, out);
    }

    fn lose(
        &mut self,
        task_manager: TaskManagerIndex,
        cause: &str,
        now: Moment,
        out: &mut Vec<Command>,
    ) {
        match self.task_managers.get_mut(&task_manager) {
            Some(registered) if !registered.is_lost => registered.is_lost = true,
            Some(_) | None => return,
        }
        for (subtask, phase) in &mut self.subtasks {
            if phase.is_live() && self.assignment.task_manager(*subtask) == Some(task_manager) {
                *phase = SubtaskPhase::Stopped;
            }
        }
        let message = format!("task manager {task_manager} was lost: {cause}");
        self.fail(Failure::new(FailureKind::Cluster, message), now, out);
    }

    /// Turns to failing, and stops what still runs.
    fn fail(&mut self, failure: Failure, now: Moment, out: &mut Vec<Command>) {
        match &mut self.phase {
            Phase::Created
            | Phase::Waiting { .. }
            | Phase::Deploying { .. }
            | Phase::Running
            | Phase::Finishing => {
                let until = now.saturating_add(self.deadlines.cancellation);
                self.phase = Phase::Failing { failure, until };
                self.stop_live_subtasks(out);
            }
            // A broken channel is what the neighbours of a failed subtask see, and their report may
            // overtake the cause on its way here.
            Phase::Failing { failure: first, .. } => {
                if first.kind == FailureKind::Cluster && failure.kind != FailureKind::Cluster {
                    *first = failure;
                }
            }
            Phase::Cancelling { .. } | Phase::Ended(_) => {}
        }
        self.settle(out);
    }

    fn cancel(&mut self, now: Moment, out: &mut Vec<Command>) {
        match self.phase {
            Phase::Created
            | Phase::Waiting { .. }
            | Phase::Deploying { .. }
            | Phase::Running
            | Phase::Finishing => {
                let until = now.saturating_add(self.deadlines.cancellation);
                self.phase = Phase::Cancelling { until };
                self.stop_live_subtasks(out);
                self.settle(out);
            }
            Phase::Failing { .. } | Phase::Cancelling { .. } | Phase::Ended(_) => {}
        }
    }

    fn stop_live_subtasks(&self, out: &mut Vec<Command>) {
        for (task_manager, registered) in &self.task_managers {
            let has_live = self.subtasks.iter().any(|(subtask, phase)| {
                phase.is_live() && self.assignment.task_manager(*subtask) == Some(*task_manager)
            });
            if has_live && !registered.is_lost {
                out.push(Command::Cancel {
                    task_manager: *task_manager,
                    attempt: self.attempt,
                });
            }
        }
    }

    /// Ends a failing or cancelling job once nothing runs any more.
    fn settle(&mut self, out: &mut Vec<Command>) {
        if self.subtasks.values().any(|phase| phase.is_live()) {
            return;
        }
        let end = match &self.phase {
            Phase::Failing { failure, .. } => JobEnd::Failed(failure.clone()),
            Phase::Cancelling { .. } => JobEnd::Cancelled,
            Phase::Created
            | Phase::Waiting { .. }
            | Phase::Deploying { .. }
            | Phase::Running
            | Phase::Finishing
            | Phase::Ended(_) => return,
        };
        self.end(end, out);
    }

    fn end(&mut self, end: JobEnd, out: &mut Vec<Command>) {
        self.phase = Phase::Ended(end.clone());
        out.push(Command::JobEnded(end));
    }

    fn on_deadline(&mut self, now: Moment, out: &mut Vec<Command>) {
        if self.deadline().is_none_or(|until| now < until) {
            return;
        }
        match &self.phase {
            Phase::Waiting { .. } => self.fail(self.missing_task_managers(), now, out),
            Phase::Deploying { .. } => {
                let message = format!(
                    "subtasks {} do not run after {:?}: look at their task managers, or raise \
                     deploy_timeout",
                    self.list(|phase| phase == SubtaskPhase::Deploying),
                    self.deadlines.deploy
                );
                self.fail(Failure::new(FailureKind::Cluster, message), now, out);
            }
            Phase::Failing { failure, .. } => {
                let failure = failure.clone();
                self.end(JobEnd::Failed(failure), out);
            }
            Phase::Cancelling { .. } => {
                let message = format!(
                    "subtasks {} have not stopped {:?} after the cancel request: look for a \
                     function that blocks, or raise cancellation_timeout",
                    self.list(SubtaskPhase::is_live),
                    self.deadlines.cancellation
                );
                let failure = Failure::new(FailureKind::Cluster, message);
                self.end(JobEnd::Failed(failure), out);
            }
            Phase::Created | Phase::Running | Phase::Finishing | Phase::Ended(_) => {}
        }
    }

    fn missing_task_managers(&self) -> Failure {
        let all = (0..self.expected).map(TaskManagerIndex::new);
        let missing = all.filter(|index| !self.task_managers.contains_key(index));
        let missing: Vec<_> = missing.map(|index| index.to_string()).collect();
        let message = format!(
            "task managers {} of {} have not registered within {:?}: start them, or raise \
             registration_timeout",
            shortened(&missing),
            self.expected,
            self.deadlines.registration
        );
        Failure::new(FailureKind::Cluster, message)
    }

    fn list(&self, wanted: fn(SubtaskPhase) -> bool) -> String {
        let wanted = self.subtasks.iter().filter(|(_, phase)| wanted(**phase));
        let names: Vec<_> = wanted.map(|(subtask, _)| subtask.to_string()).collect();
        shortened(&names)
    }
}

/// The first few names, and how many more there are.
fn shortened(names: &[String]) -> String {
    const SHOWN: usize = 8;
    let first = names[..names.len().min(SHOWN)].join(", ");
    match names.len().saturating_sub(SHOWN) {
        0 => first,
        more => format!("{first} and {more} more"),
    }
}

#[cfg(test)]
mod tests;
