//! What a slot says, as the job master is told it.
//!
//! Invariant: every event of a slot has a place here; one about a subtask names it and its attempt.

use sameriver_model::{AttemptNumber, CheckpointId, Failure, ReadCounts, SlotIndex, SubtaskId};
use sameriver_task::{SlotEvent, SubtaskMetrics};

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
            SlotEvent::Running { subtask, attempt } => (
                subtask,
                attempt,
                TaskManagerMessage::Running { subtask, attempt },
            ),
            SlotEvent::SplitRequest { subtask, attempt } => (
                subtask,
                attempt,
                TaskManagerMessage::SplitRequest { subtask, attempt },
            ),
            SlotEvent::SourceRead {
                subtask,
                attempt,
                after,
                counts,
            } => (subtask, attempt, read(subtask, attempt, after, counts)),
            SlotEvent::Ended { subtask, attempt } => (
                subtask,
                attempt,
                TaskManagerMessage::Ended { subtask, attempt },
            ),
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
            } => (subtask, attempt, finished(subtask, attempt, metrics)),
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

fn read(
    subtask: SubtaskId,
    attempt: AttemptNumber,
    after: Option<CheckpointId>,
    counts: ReadCounts,
) -> TaskManagerMessage {
    TaskManagerMessage::SourceRead {
        subtask,
        attempt,
        after,
        counts,
    }
}

fn finished(
    subtask: SubtaskId,
    attempt: AttemptNumber,
    metrics: SubtaskMetrics,
) -> TaskManagerMessage {
    TaskManagerMessage::Finished {
        subtask,
        attempt,
        metrics,
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
