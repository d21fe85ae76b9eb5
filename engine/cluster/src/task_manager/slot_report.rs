//! What a slot says, as the job master is told it.
//!
//! Invariant: every event of a slot has a place here; one about a subtask names it and its attempt.

use sameriver_model::{AttemptNumber, Failure, SlotIndex, SubtaskId};
use sameriver_task::SlotEvent;

use crate::rpc::TaskManagerMessage;

pub(super) enum SlotReport {
    /// About one subtask.
    Of {
        subtask: SubtaskId,
        attempt: AttemptNumber,
        report: TaskManagerMessage,
        /// Whether the subtask is gone.
        is_last: bool,
    },
    /// The slot hosts nothing of an attempt any more.
    Stopped {
        slot: SlotIndex,
        attempt: AttemptNumber,
    },
}

impl SlotReport {
    pub(super) fn of(event: SlotEvent) -> Self {
        let (subtask, attempt, report) = match event {
            SlotEvent::Cancelled { slot, attempt } => return Self::Stopped { slot, attempt },
            SlotEvent::Running { subtask, attempt } => {
                let report = TaskManagerMessage::Running { subtask, attempt };
                (subtask, attempt, report)
            }
            SlotEvent::SplitRequest { subtask, attempt } => {
                let report = TaskManagerMessage::SplitRequest { subtask, attempt };
                (subtask, attempt, report)
            }
            SlotEvent::SourceRead {
                subtask,
                attempt,
                after,
                counts,
            } => {
                let report = TaskManagerMessage::SourceRead {
                    subtask,
                    attempt,
                    after,
                    counts,
                };
                (subtask, attempt, report)
            }
            SlotEvent::Ended { subtask, attempt } => {
                let report = TaskManagerMessage::Ended { subtask, attempt };
                (subtask, attempt, report)
            }
            SlotEvent::Acknowledged {
                subtask,
                attempt,
                checkpoint,
                state,
                measured,
            } => {
                let report = TaskManagerMessage::Acknowledged {
                    subtask,
                    attempt,
                    checkpoint,
                    state,
                    measured,
                };
                (subtask, attempt, report)
            }
            SlotEvent::Declined {
                subtask,
                attempt,
                checkpoint,
                failure,
            } => {
                let report = TaskManagerMessage::Declined {
                    subtask,
                    attempt,
                    checkpoint,
                    failure,
                };
                (subtask, attempt, report)
            }
            SlotEvent::Finished {
                subtask,
                attempt,
                metrics,
            } => {
                let report = TaskManagerMessage::Finished {
                    subtask,
                    attempt,
                    metrics,
                };
                (subtask, attempt, report)
            }
            SlotEvent::Failed {
                subtask,
                attempt,
                failure,
            } => (subtask, attempt, failed(subtask, attempt, failure)),
        };
        Self::of_subtask(subtask, attempt, report)
    }

    fn of_subtask(subtask: SubtaskId, attempt: AttemptNumber, report: TaskManagerMessage) -> Self {
        let (finished, failed) = (
            matches!(report, TaskManagerMessage::Finished { .. }),
            matches!(report, TaskManagerMessage::Failed { .. }),
        );
        Self::Of {
            subtask,
            attempt,
            report,
            is_last: finished || failed,
        }
    }
}

fn failed(subtask: SubtaskId, attempt: AttemptNumber, failure: Failure) -> TaskManagerMessage {
    let failure = failure.in_subtask(subtask);
    TaskManagerMessage::Failed {
        subtask,
        attempt,
        failure,
    }
}
