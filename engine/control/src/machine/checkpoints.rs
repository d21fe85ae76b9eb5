//! Between the job and its checkpoint coordinator.
//!
//! Invariant: the coordinator hears every fact about checkpoints, and the job draws the two
//! consequences: too many failures fail the attempt, and the last checkpoint releases it.

use super::{JobMachine, Mending, Phase};
use crate::command::Command;
use crate::fact::Fact;
use crate::moment::Moment;

impl JobMachine {
    /// Takes what was heard of checkpoints; other facts say nothing about them.
    pub(super) fn on_checkpoint(&mut self, fact: Fact, now: Moment, out: &mut Vec<Command>) {
        let Some(coordinator) = &mut self.coordinator else {
            return;
        };
        match fact {
            Fact::CheckpointTriggered {
                checkpoint,
                enumerators,
                created,
            } => coordinator.triggered(checkpoint, enumerators, created),
            Fact::CheckpointTriggerFailed {
                checkpoint,
                failure,
            } => coordinator.trigger_failed(checkpoint, failure, now, out),
            Fact::SnapshotAcknowledged {
                subtask,
                attempt,
                checkpoint,
                state,
            } => {
                coordinator.acknowledge(subtask, attempt, checkpoint, state);
            }
            Fact::SnapshotDeclined {
                subtask,
                attempt,
                checkpoint,
                failure,
            } => {
                coordinator.decline((subtask, attempt, checkpoint), failure, now, out);
            }
            Fact::CheckpointPublished { checkpoint } => coordinator.published(checkpoint, now, out),
            Fact::PublishFailed {
                checkpoint,
                failure,
            } => coordinator.publish_failed(checkpoint, failure, now, out),
            Fact::CheckpointRequested => coordinator.request(),
            Fact::SourceRead {
                subtask,
                attempt,
                after,
                counts,
            } => coordinator.read((subtask, attempt), after, counts),
            Fact::Started
            | Fact::LeadershipTaken { .. }
            | Fact::Deposed { .. }
            | Fact::TaskManagerRegistered { .. }
            | Fact::TaskManagerRefused { .. }
            | Fact::TaskManagerLost { .. }
            | Fact::MetadataRead { .. }
            | Fact::EnumeratorsRead { .. }
            | Fact::SubtaskRunning { .. }
            | Fact::SubtaskEnded { .. }
            | Fact::SubtaskFinished { .. }
            | Fact::SubtaskFailed { .. }
            | Fact::SubtaskCancelled { .. }
            | Fact::EndPublished
            | Fact::EndPublishFailed { .. }
            | Fact::Failed { .. }
            | Fact::FailedForGood { .. }
            | Fact::CancelRequested
            | Fact::DeadlinePassed => {}
        }
    }

    /// Lets the coordinator do what is due.
    pub(super) fn advance_checkpoints(&mut self, now: Moment, out: &mut Vec<Command>) {
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
        let Some(coordinator) = &mut self.coordinator else {
            return;
        };
        let exceeded = coordinator.advance(now, out);
        let is_done = coordinator.is_done();
        if let Some(failure) = exceeded {
            self.fail(failure, Mending::Possible, now, out);
        } else if is_done {
            self.release(out);
        }
    }
}
