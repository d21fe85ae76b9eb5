//! What reaches the job master while it leads, turned into facts.
//!
//! Invariant: only the registered connection of a task manager is heard, and only about subtasks
//! that it hosts.

use sameriver_control::{Fact, Incarnation};
use sameriver_model::{
    AttemptNumber, CheckpointId, Failure, SubtaskId, SubtaskState, TaskManagerIndex,
};
use sameriver_task::SubtaskMetrics;
use tracing::{debug, info, warn};

use super::driver::Driver;
use super::event::{ConnectionId, Event};
use crate::rpc::{Hello, Refusal, TaskManagerMessage};

impl Driver<'_> {
    pub(super) fn on_event(&mut self, event: Event) {
        match event {
            Event::Accepted(stream) => self.door.let_in(stream),
            Event::Knocked {
                connection,
                hello,
                answer,
            } => {
                // A connection that has ended meanwhile needs no answer.
                let _ = answer.send(self.greet(connection, hello));
            }
            Event::Refused {
                task_manager,
                reason,
            } => {
                warn!(reason, "a control connection was refused");
                let expected = self.site.settings.task_managers;
                if let Some(task_manager) = task_manager.filter(|index| index.get() < expected) {
                    self.decide(Fact::TaskManagerRefused {
                        task_manager,
                        reason,
                    });
                }
            }
            Event::Message {
                connection,
                task_manager,
                incarnation,
                message,
            } => {
                if self.door.hear(connection) {
                    self.on_message(connection, task_manager, incarnation, message);
                }
            }
            Event::Closed { connection, cause } => {
                if let Some(gone) = self.door.close(connection, cause) {
                    self.lose(gone);
                }
            }
            Event::Enumerated {
                attempt,
                vertex,
                result,
            } => match self.enumerators.ready(attempt, vertex, result) {
                None => {}
                Some(Err(failure)) => self.decide(Fact::Failed { failure }),
                Some(Ok(assigned)) => {
                    self.assign(assigned);
                    if self.enumerators.are_ready() {
                        self.decide(Fact::EnumeratorsRead { attempt });
                    }
                }
            },
            Event::MetadataRead {
                attempt,
                named,
                result,
            } => self.on_metadata(attempt, named, result),
            Event::Kept { epoch, fact } => {
                // An earlier leadership of ours has nothing to say any more.
                if self
                    .keeper
                    .as_ref()
                    .is_some_and(|keeper| keeper.epoch() == epoch)
                {
                    self.decide(fact);
                }
            }
        }
    }

    fn greet(&mut self, connection: ConnectionId, hello: Hello) -> Result<(), Refusal> {
        let admitted = self.machine.admits(hello.task_manager, hello.incarnation);
        if let Err(error) = admitted {
            warn!(%error, "a task manager was refused");
            return Err(Refusal::from(error));
        }
        self.door.admit(connection);
        Ok(())
    }

    fn on_message(
        &mut self,
        connection: ConnectionId,
        task_manager: TaskManagerIndex,
        incarnation: Incarnation,
        message: TaskManagerMessage,
    ) {
        if let TaskManagerMessage::Register {
            slots,
            data_address,
        } = message
        {
            if let Err(error) = self.machine.admits(task_manager, incarnation) {
                warn!(%error, "a registration was refused");
                self.door.close(connection, error.to_string());
                return;
            }
            self.door.register(connection, task_manager, incarnation);
            info!(%task_manager, %incarnation, slots, data_address, "task manager registered");
            return self.decide(Fact::TaskManagerRegistered {
                task_manager,
                incarnation,
                slots,
                data_address,
            });
        }
        if self.door.speaks_for(connection, task_manager) {
            self.on_report(task_manager, message);
        }
    }

    /// A registered task manager reports on a subtask that it hosts.
    fn on_report(&mut self, task_manager: TaskManagerIndex, message: TaskManagerMessage) {
        let Some(subtask) = message.subtask() else {
            return;
        };
        if self.machine.assignment().task_manager(subtask) != Some(task_manager) {
            warn!(%task_manager, %subtask, "a report on a subtask of another task manager");
            return;
        }
        let Some(fact) = self.fact_of(task_manager, message) else {
            return;
        };
        self.decide(fact);
    }

    /// What a report means for the job; `None` if there is nothing to decide.
    fn fact_of(
        &mut self,
        task_manager: TaskManagerIndex,
        message: TaskManagerMessage,
    ) -> Option<Fact> {
        Some(match message {
            TaskManagerMessage::Register { .. } | TaskManagerMessage::Heartbeat { .. } => {
                return None;
            }
            TaskManagerMessage::Running { subtask, attempt } => {
                Fact::SubtaskRunning { subtask, attempt }
            }
            TaskManagerMessage::SplitRequest { subtask, attempt } => {
                self.on_split_request(task_manager, subtask, attempt);
                return None;
            }
            TaskManagerMessage::SourceRead {
                subtask,
                attempt,
                after,
                counts,
            } => Fact::SourceRead {
                subtask,
                attempt,
                after,
                counts,
            },
            TaskManagerMessage::Ended { subtask, attempt } => {
                Fact::SubtaskEnded { subtask, attempt }
            }
            TaskManagerMessage::Acknowledged {
                subtask,
                attempt,
                checkpoint,
                state,
                measured,
            } => {
                debug!(%subtask, %checkpoint, ?measured, "snapshot acknowledged");
                acknowledged(subtask, attempt, checkpoint, state)
            }
            TaskManagerMessage::Declined {
                subtask,
                attempt,
                checkpoint,
                failure,
            } => {
                warn!(%subtask, %checkpoint, %failure, "snapshot declined");
                declined(subtask, attempt, checkpoint, failure)
            }
            TaskManagerMessage::Finished {
                subtask,
                attempt,
                metrics,
            } => self.finished(task_manager, subtask, attempt, metrics),
            TaskManagerMessage::Failed {
                subtask,
                attempt,
                failure,
            } => Fact::SubtaskFailed {
                subtask,
                attempt,
                failure,
            },
            TaskManagerMessage::Cancelled { subtask, attempt } => {
                Fact::SubtaskCancelled { subtask, attempt }
            }
        })
    }

    fn finished(
        &mut self,
        task_manager: TaskManagerIndex,
        subtask: SubtaskId,
        attempt: AttemptNumber,
        metrics: SubtaskMetrics,
    ) -> Fact {
        if self.is_current(task_manager, subtask, attempt) {
            self.metrics.insert(subtask, metrics);
        }
        Fact::SubtaskFinished { subtask, attempt }
    }

    fn on_split_request(
        &mut self,
        task_manager: TaskManagerIndex,
        subtask: SubtaskId,
        attempt: AttemptNumber,
    ) {
        if !self.is_current(task_manager, subtask, attempt) {
            return;
        }
        match self.enumerators.request(subtask, attempt) {
            Ok(assigned) => self.assign(assigned),
            Err(failure) => self.decide(Fact::Failed { failure }),
        }
    }

    fn is_current(
        &self,
        task_manager: TaskManagerIndex,
        subtask: SubtaskId,
        attempt: AttemptNumber,
    ) -> bool {
        attempt == self.machine.attempt()
            && self.machine.assignment().task_manager(subtask) == Some(task_manager)
    }
}

fn acknowledged(
    subtask: SubtaskId,
    attempt: AttemptNumber,
    checkpoint: CheckpointId,
    state: SubtaskState,
) -> Fact {
    Fact::SnapshotAcknowledged {
        subtask,
        attempt,
        checkpoint,
        state,
    }
}

fn declined(
    subtask: SubtaskId,
    attempt: AttemptNumber,
    checkpoint: CheckpointId,
    failure: Failure,
) -> Fact {
    Fact::SnapshotDeclined {
        subtask,
        attempt,
        checkpoint,
        failure,
    }
}
