//! Prepares attempts: reads what they start from, makes the enumerators, says what is deployed.
//!
//! Invariant: an attempt starts from the checkpoint that the machine names and from no other; one
//! that cannot be read, or is not of this job, is an error that says what to do.

use sameriver_control::{Fact, PlacedSubtask};
use sameriver_model::checkpoint::{CheckpointMetadata, CheckpointRef};
use sameriver_model::probe::{Probe, crash_point, observe};
use sameriver_model::{AttemptNumber, Failure, FailureKind, ReadReports};
use tracing::info;

use super::driver::{Driver, Site};
use super::event::Event;
use crate::checkpoints::Unreadable;
use crate::rpc::{Deploy, Restore, TakesCheckpoints};
use crate::stoppable::Stoppable;

impl Driver<'_> {
    /// Prepares an attempt: the metadata that it starts from, then the enumerators.
    pub(super) fn plan(&mut self, attempt: AttemptNumber, restore: Option<CheckpointRef>) {
        self.restored = None;
        self.metrics.clear();
        let (Some(named), Some(folder)) = (restore, self.site.folder.clone()) else {
            return self.open_enumerators(attempt);
        };
        crash_point("restore.plan");
        info!(%attempt, checkpoint = %named, "restore");
        let (world, events) = (self.site.world.clone(), self.site.events.clone());
        let reading = Stoppable::start(&self.site.world, "read checkpoint", async move {
            let result = folder.read_metadata(&world, &named).await;
            let read = Event::MetadataRead {
                attempt,
                named,
                result,
            };
            // A loop that has ended wants to know nothing.
            let _ = events.send(read).await;
        });
        self.retired.extend(self.reading.replace(reading));
    }

    /// The metadata of the attempt is here: it must be that of this job.
    pub(super) fn on_metadata(
        &mut self,
        attempt: AttemptNumber,
        named: CheckpointRef,
        result: Result<CheckpointMetadata, Unreadable>,
    ) {
        if attempt != self.machine.attempt() {
            return;
        }
        let (ours, plan) = (self.site.graph.fingerprint(), self.site.graph.plan());
        let refused = match result {
            Ok(metadata) if metadata.fingerprint != ours => format!(
                "checkpoint {named} was taken by another job graph ({:016x}, this {ours:016x}): \
                 run the job that took it, or use another store",
                metadata.fingerprint
            ),
            Ok(metadata) if metadata.max_parallelism != plan.max_parallelism => format!(
                "checkpoint {named} has {} key groups, the job {}: set max_parallelism back",
                metadata.max_parallelism.get(),
                plan.max_parallelism.get()
            ),
            Ok(metadata) => {
                crash_point("restore.read");
                self.restored = Some((named, metadata));
                self.facts.push_back(Fact::MetadataRead { attempt });
                self.open_enumerators(attempt);
                return self.settle();
            }
            Err(unreadable) => {
                let message = format!("cannot restore {named}: {}", unreadable.message);
                return self.decide(if unreadable.may_pass {
                    let failure = Failure::new(FailureKind::Disconnected, message);
                    Fact::Failed { failure }
                } else {
                    let failure = Failure::new(unreadable.kind, message);
                    Fact::FailedForGood { failure }
                });
            }
        };
        let failure = Failure::new(FailureKind::BadData, refused);
        self.decide(Fact::FailedForGood { failure });
    }

    fn open_enumerators(&mut self, attempt: AttemptNumber) {
        let metadata = self.restored.as_ref().map(|(_, metadata)| metadata);
        let Site {
            world,
            graph,
            events,
            ..
        } = self.site;
        match self
            .enumerators
            .open(world, graph, attempt, metadata, events)
        {
            Ok(()) if self.enumerators.are_ready() => {
                self.facts.push_back(Fact::EnumeratorsRead { attempt });
            }
            Ok(()) => {}
            Err(failure) => self.facts.push_back(Fact::FailedForGood { failure }),
        }
    }

    pub(super) fn deploy(
        &mut self,
        attempt: AttemptNumber,
        subtasks: &[PlacedSubtask],
        reports: Option<ReadReports>,
        restore: Option<&CheckpointRef>,
    ) -> Deploy {
        if self.deployed != Some(attempt) {
            let is_restart = self.deployed.replace(attempt).is_some();
            self.counts.restarts += u64::from(is_restart);
            self.counts.restored += u64::from(restore.is_some());
            if restore.is_some() {
                crash_point("restore.deploy");
            }
            let from = restore.map(|named| named.id);
            observe(&Probe::AttemptStarted { attempt, from });
        }
        let hosts = self.machine.assignment().hosts().iter();
        let addresses = self.machine.data_addresses();
        let checkpoints = self.site.settings.checkpoints.as_ref();
        let restored = restore.and(self.restored.as_ref());
        Deploy {
            attempt,
            job: self.job,
            hosts: hosts.map(|(id, host)| (*id, host.0, host.1)).collect(),
            addresses: addresses
                .map(|(index, at)| (index, at.to_owned()))
                .collect(),
            subtasks: subtasks
                .iter()
                .map(|placed| (placed.subtask, placed.slot))
                .collect(),
            checkpoints: checkpoints.map(|checkpoints| TakesCheckpoints {
                aligned: checkpoints.aligned,
                reports,
            }),
            restore: restored.map(|(named, metadata)| {
                let all = metadata.subtasks.iter();
                let is_here = |subtask| subtasks.iter().any(|placed| placed.subtask == subtask);
                Restore {
                    checkpoint: named.id,
                    states: all.filter(|s| is_here(s.subtask)).cloned().collect(),
                }
            }),
        }
    }
}
