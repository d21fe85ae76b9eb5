//! What is done about failures, losses and cancel requests.
//!
//! Invariant: the first failure of an attempt decides once whether the job restarts; until every
//! live subtask has answered, is lost, or was struck off at the deadline, nothing new begins.

use sameriver_model::{Failure, FailureKind, SubtaskId, TaskManagerIndex};

use super::{Awaited, JobMachine, Mending, Phase, Stop};
use crate::attempt::SubtaskPhase;
use crate::command::Command;
use crate::incarnation::Incarnation;
use crate::moment::Moment;
use crate::restart::RestartDecision;
use crate::status::JobEnd;

impl JobMachine {
    /// A task manager registers anew: what its earlier life did is gone.
    pub(super) fn replace(
        &mut self,
        task_manager: TaskManagerIndex,
        now: Moment,
        out: &mut Vec<Command>,
    ) {
        if let Some(incarnation) = self.roster.present(task_manager) {
            out.push(Command::Disconnect {
                task_manager,
                incarnation,
            });
            self.lose(task_manager, incarnation, "it has started anew", now, out);
        }
    }

    pub(super) fn lose(
        &mut self,
        task_manager: TaskManagerIndex,
        incarnation: Incarnation,
        cause: &str,
        now: Moment,
        out: &mut Vec<Command>,
    ) {
        if self.roster.lose(task_manager, incarnation) && self.attempt.lose(task_manager) {
            let message = format!("task manager {task_manager} was lost: {cause}");
            let failure = Failure::new(FailureKind::Cluster, message);
            self.fail(failure, Mending::Possible, now, out);
        }
    }

    /// A subtask did what none should.
    pub(super) fn fail_in(
        &mut self,
        subtask: SubtaskId,
        what: &str,
        now: Moment,
        out: &mut Vec<Command>,
    ) {
        let failure = Failure::new(FailureKind::Internal, what).in_subtask(subtask);
        self.fail(failure, Mending::Possible, now, out);
    }

    /// Stops the attempt, if there is one, to begin another or to end the job.
    pub(super) fn fail(
        &mut self,
        failure: Failure,
        mending: Mending,
        now: Moment,
        out: &mut Vec<Command>,
    ) {
        let mending = match mending {
            Mending::Possible if failure.kind.may_pass() => Mending::Possible,
            Mending::Possible | Mending::Hopeless => Mending::Hopeless,
        };
        match &mut self.phase {
            Phase::Created => self.conclude(JobEnd::Failed(failure), now, out),
            Phase::Waiting { .. } | Phase::Deploying { .. } | Phase::Running | Phase::Finishing => {
                let stop = self.judge(failure, mending, now);
                self.stop_attempt(stop, now, out);
            }
            Phase::Stopping { stop, .. } => match stop {
                Stop::Restart { failure: first, .. } => match mending {
                    Mending::Possible => replace_consequence(first, failure),
                    Mending::Hopeless => *stop = Stop::Fail(failure),
                },
                Stop::Fail(first) => replace_consequence(first, failure),
                Stop::Cancel => {}
            },
            Phase::Delayed { .. } => match mending {
                // Nothing runs that could fail: it is an echo of the attempt before.
                Mending::Possible => {}
                Mending::Hopeless => self.conclude(JobEnd::Failed(failure), now, out),
            },
            Phase::Concluding { .. } | Phase::Ended(_) | Phase::Deposed => {}
        }
    }

    fn judge(&mut self, failure: Failure, mending: Mending, now: Moment) -> Stop {
        // What does not fit when it is deployed fits no better the next time.
        let is_deploying = matches!(self.phase, Phase::Waiting { .. } | Phase::Deploying { .. });
        if mending == Mending::Hopeless || (is_deploying && failure.kind == FailureKind::Limit) {
            return Stop::Fail(failure);
        }
        match self.restarts.on_failure(now) {
            RestartDecision::Restart { after } => Stop::Restart { failure, after },
            RestartDecision::GiveUp => Stop::Fail(failure),
        }
    }

    pub(super) fn cancel(&mut self, now: Moment, out: &mut Vec<Command>) {
        match &mut self.phase {
            Phase::Created | Phase::Waiting { .. } | Phase::Delayed { .. } => {
                self.conclude(JobEnd::Cancelled, now, out);
            }
            Phase::Deploying { .. } | Phase::Running | Phase::Finishing => {
                self.stop_attempt(Stop::Cancel, now, out);
            }
            Phase::Stopping { stop, .. } => match stop {
                Stop::Restart { .. } => *stop = Stop::Cancel,
                Stop::Fail(_) | Stop::Cancel => {}
            },
            Phase::Concluding { .. } | Phase::Ended(_) | Phase::Deposed => {}
        }
    }

    fn stop_attempt(&mut self, stop: Stop, now: Moment, out: &mut Vec<Command>) {
        let until = now.saturating_add(self.settings.deadlines.cancellation);
        self.phase = Phase::Stopping { stop, until };
        if let Some(coordinator) = &mut self.coordinator {
            coordinator.end_attempt();
        }
        for task_manager in self.attempt.live_hosts() {
            out.push(Command::Cancel {
                task_manager,
                attempt: self.attempt.number,
            });
        }
    }

    /// Leaves an attempt that is being stopped once nothing of it runs any more.
    pub(super) fn settle(&mut self, now: Moment, out: &mut Vec<Command>) {
        let Phase::Stopping { stop, .. } = &self.phase else {
            return;
        };
        if self.attempt.any(SubtaskPhase::is_live) {
            return;
        }
        match stop.clone() {
            Stop::Restart { after, .. } => {
                let at = now.saturating_add(after);
                let until = at.saturating_add(self.settings.deadlines.conclusion);
                self.phase = Phase::Delayed {
                    at: Some(at),
                    until,
                };
            }
            Stop::Fail(failure) => self.conclude(JobEnd::Failed(failure), now, out),
            Stop::Cancel => self.conclude(JobEnd::Cancelled, now, out),
        }
    }

    pub(super) fn on_deadline(&mut self, now: Moment, out: &mut Vec<Command>) {
        match &self.phase {
            Phase::Waiting { until, .. } if now >= *until => {
                let failure = self.not_ready();
                self.fail(failure, Mending::Possible, now, out);
            }
            Phase::Deploying { until } if now >= *until => {
                let message = format!(
                    "subtasks {} do not run after {:?}: look at their task managers, or raise \
                     deploy_timeout",
                    self.attempt.list(|phase| phase == SubtaskPhase::Deploying),
                    self.settings.deadlines.deploy
                );
                let failure = Failure::new(FailureKind::Cluster, message);
                self.fail(failure, Mending::Possible, now, out);
            }
            Phase::Stopping { stop, until } if now >= *until => {
                let stop = stop.clone();
                self.on_not_stopped(stop, now, out);
            }
            // Only whoever reads the log anew finds out what the latest checkpoint is.
            Phase::Delayed { at: None, until } if now >= *until => self.stand_down(None, out),
            Phase::Concluding { until, .. } if now >= *until => self.give_up_recording(out),
            Phase::Created
            | Phase::Waiting { .. }
            | Phase::Deploying { .. }
            | Phase::Running
            | Phase::Finishing
            | Phase::Stopping { .. }
            | Phase::Delayed { .. }
            | Phase::Concluding { .. }
            | Phase::Ended(_)
            | Phase::Deposed => {}
        }
    }

    /// Goes on without the task managers that do not answer.
    fn on_not_stopped(&mut self, stop: Stop, now: Moment, out: &mut Vec<Command>) {
        match stop {
            Stop::Restart { .. } => {
                for task_manager in self.attempt.live_hosts() {
                    self.attempt.lose(task_manager);
                    if let Some(incarnation) = self.roster.present(task_manager) {
                        self.roster.lose(task_manager, incarnation);
                        out.push(Command::Disconnect {
                            task_manager,
                            incarnation,
                        });
                    }
                }
            }
            Stop::Fail(failure) => self.conclude(JobEnd::Failed(failure), now, out),
            Stop::Cancel => {
                let message = format!(
                    "subtasks {} have not stopped {:?} after the cancel request: look for a \
                     function that blocks, or raise cancellation_timeout",
                    self.attempt.list(SubtaskPhase::is_live),
                    self.settings.deadlines.cancellation
                );
                let failure = Failure::new(FailureKind::Cluster, message);
                self.conclude(JobEnd::Failed(failure), now, out);
            }
        }
    }

    fn not_ready(&self) -> Failure {
        let within = self.settings.deadlines.registration;
        let missing = self.roster.missing();
        let awaited = match &self.phase {
            Phase::Waiting { awaited, .. } => *awaited,
            Phase::Created
            | Phase::Deploying { .. }
            | Phase::Running
            | Phase::Finishing
            | Phase::Stopping { .. }
            | Phase::Delayed { .. }
            | Phase::Concluding { .. }
            | Phase::Ended(_)
            | Phase::Deposed => Awaited::Nothing,
        };
        let restore = self.attempt.restore.as_ref();
        let unread = restore.filter(|_| awaited == Awaited::Metadata);
        let mut message = if let Some(unread) = unread {
            format!(
                "the metadata of checkpoint {unread} has not come within {within:?}: look whether \
                 the checkpoint store answers, or raise registration_timeout"
            )
        } else if missing.is_empty() {
            format!(
                "the sources have not found their splits within {within:?}: look at what they \
                 read, or raise registration_timeout"
            )
        } else {
            format!(
                "task managers {missing} of {} have not registered within {within:?}: start them, \
                 or raise registration_timeout",
                self.settings.task_managers
            )
        };
        for (task_manager, reason) in &self.refused {
            message = format!("{message}; {task_manager} was refused: {reason}");
        }
        Failure::new(FailureKind::Cluster, message)
    }
}

/// A broken channel is what the neighbours of a failed subtask see, and their report may overtake
/// the cause on its way here.
fn replace_consequence(first: &mut Failure, failure: Failure) {
    if first.kind == FailureKind::Cluster && failure.kind != FailureKind::Cluster {
        *first = failure;
    }
}
