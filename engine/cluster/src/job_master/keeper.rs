//! Keeps the job log on behalf of the leader: publishes checkpoints and the job's end, deletes what
//! no record reaches any more, shows that it leads.
//!
//! Invariant: a checkpoint exists from its record on, never before; what the store leaves open is
//! asked again until it is known, so that nothing counts as failed that may have happened. Files
//! are deleted only after a counted record of ours that does not reach them. Once deposed, nothing
//! is written or deleted.

use std::time::Duration;

use sameriver_control::{Fact, JobEnd};
use sameriver_model::checkpoint::{CheckpointMetadata, CheckpointRef, JobRecord, RecordStatus};
use sameriver_model::probe::crash_point;
use sameriver_model::{AttemptNumber, CheckpointId, Failure, FailureKind};
use sameriver_runtime::sync::mpsc;
use sameriver_runtime::{Address, World};
use sameriver_storage::{
    Appended, JobLog, Lead, LogError, WriteError, discard, sweep, write_metadata,
};
use tracing::{info, warn};

use super::driver::Site;
use super::event::Event;
use super::leader_beats::LeaderBeats;
use crate::checkpoints::{CheckpointFolder, may_pass};
use crate::stoppable::Stoppable;

/// How many orders may wait: each checkpoint under way is two of them. Fixed: `checkpoints_at_once`
/// decides how many there are, and far fewer than this many checkpoints make sense.
const ORDERS_MAX: usize = 256;

/// Something to be written to the log, or deleted because of it.
pub(super) enum Order {
    /// Write the metadata of a checkpoint, then the record that names it behind `retained`.
    Publish {
        metadata: CheckpointMetadata,
        retained: Vec<CheckpointRef>,
    },
    /// Write how the job ended.
    End(JobEnd),
    /// Delete checkpoints that no record reaches any more, or ever will.
    Discard(Vec<(AttemptNumber, CheckpointId)>),
}

impl Order {
    /// The answer to an order that is certainly not carried out, if it has one.
    pub(super) fn undone(&self, cause: &str) -> Option<Fact> {
        let failure = Failure::new(FailureKind::Internal, cause);
        match self {
            Self::Publish { metadata, .. } => Some(Fact::PublishFailed {
                checkpoint: metadata.id,
                failure,
            }),
            Self::End(_) => Some(Fact::EndPublishFailed { failure }),
            Self::Discard(_) => None,
        }
    }
}

/// The handle to the tasks that keep the log of one leadership.
pub(super) struct Keeper {
    epoch: u32,
    orders: mpsc::Sender<Order>,
    writing: Stoppable,
    deleting: Stoppable,
    beating: Stoppable,
}

impl Keeper {
    /// Starts to keep the log of a job that we lead.
    pub(super) fn start(
        site: &Site,
        folder: &CheckpointFolder,
        address: Address,
        log: JobLog,
        lead: Lead,
    ) -> Self {
        let epoch = lead.epoch();
        let world = &site.world;
        let (orders, inbox) = mpsc::channel(ORDERS_MAX);
        let (drops, dropped) = mpsc::channel(ORDERS_MAX);
        let interval = site.settings.checkpoints.as_ref();
        let interval = interval.map_or(Duration::MAX, |settings| settings.leader_interval);
        let beats = Beating {
            world: world.clone(),
            log: log.clone(),
            beats: LeaderBeats::new(folder.clone(), lead.record().nonce, address),
            epoch,
            interval,
            events: site.events.clone(),
        };
        let first = lead.record().clone();
        let writing = Writing {
            world: world.clone(),
            folder: folder.clone(),
            log,
            lead,
            events: site.events.clone(),
            drops,
        };
        Self {
            epoch,
            orders,
            writing: Stoppable::start(world, "job log", writing.run(inbox)),
            deleting: Stoppable::start(world, "sweep", delete(folder.clone(), first, dropped)),
            beating: Stoppable::start(world, "leader beat", beats.run()),
        }
    }

    /// The epoch in which the log is kept.
    pub(super) const fn epoch(&self) -> u32 {
        self.epoch
    }

    /// Queues an order. The answer comes as an event, or is here at once if the order cannot be
    /// carried out.
    pub(super) fn order(&self, order: Order) -> Option<Fact> {
        let refused = self.orders.try_send(order).err()?;
        let order = refused.into_inner();
        order.undone("too many checkpoints wait for the job log")
    }

    /// Ends everything at once: we do not lead any more.
    pub(super) async fn stop(self) {
        drop(self.orders);
        for task in [self.beating, self.deleting, self.writing] {
            super::report_panic(task.stop().await);
        }
    }

    /// Lets what was ordered come to its end, but not longer than `limit` for each part.
    pub(super) async fn finish(self, world: &World, limit: Duration) {
        drop(self.orders);
        super::report_panic(self.beating.stop().await);
        for task in [self.writing, self.deleting] {
            super::report_panic(task.end_within(world, limit).await);
        }
    }
}

/// Writes to the log, one thing after the other.
struct Writing {
    world: World,
    folder: CheckpointFolder,
    log: JobLog,
    lead: Lead,
    events: mpsc::Sender<Event>,
    drops: mpsc::Sender<Unneeded>,
}

/// What the newest record reaches, and what is to be deleted.
struct Unneeded {
    reached: Vec<CheckpointRef>,
    dropped: Vec<(AttemptNumber, CheckpointId)>,
}

impl Writing {
    async fn run(mut self, mut orders: mpsc::Receiver<Order>) {
        while let Some(order) = orders.recv().await {
            let fact = match order {
                Order::Publish { metadata, retained } => self.publish(metadata, retained).await,
                Order::End(end) => self.end(end).await,
                Order::Discard(dropped) => {
                    let reached = self.lead.record().reached().cloned().collect();
                    // A store that deletes slowly, or not at all, holds up no publish.
                    if let Err(left) = self.drops.try_send(Unneeded { reached, dropped }) {
                        warn!(%left, "checkpoints are left to be deleted by the next leader");
                    }
                    continue;
                }
            };
            let epoch = self.lead.epoch();
            if self.events.send(Event::Kept { epoch, fact }).await.is_err() {
                return;
            }
        }
    }

    async fn publish(
        &mut self,
        metadata: CheckpointMetadata,
        mut retained: Vec<CheckpointRef>,
    ) -> Fact {
        let checkpoint = metadata.id;
        crash_point("checkpoint.publish.metadata");
        let named = match self.write_metadata(&metadata).await {
            Ok(named) => named,
            Err(error) => {
                let message = format!("checkpoint {checkpoint} was not published: {error}");
                let failure = Failure::new(FailureKind::OutputUnwritable, message);
                return Fact::PublishFailed {
                    checkpoint,
                    failure,
                };
            }
        };
        crash_point("checkpoint.publish.record");
        retained.push(named.clone());
        let latest = Some(named.clone());
        match self.append(RecordStatus::Running, latest, retained).await {
            Ok(Appended::Written { .. }) => {
                crash_point("checkpoint.published");
                Fact::CheckpointPublished { checkpoint: named }
            }
            Ok(Appended::Deposed { by_epoch }) => Fact::Deposed { by_epoch },
            Err(error) => {
                let message = format!("checkpoint {checkpoint} was not published: {error}");
                let failure = Failure::new(FailureKind::OutputUnwritable, message);
                Fact::PublishFailed {
                    checkpoint,
                    failure,
                }
            }
        }
    }

    async fn end(&mut self, end: JobEnd) -> Fact {
        let status = match end {
            JobEnd::Finished => RecordStatus::Finished,
            JobEnd::Cancelled => RecordStatus::Cancelled,
            JobEnd::Failed(failure) => RecordStatus::Failed(failure),
        };
        let record = self.lead.record();
        let (latest, retained) = (record.latest.clone(), record.retained.clone());
        match self.append(status, latest, retained).await {
            Ok(Appended::Written { .. }) => Fact::EndPublished,
            Ok(Appended::Deposed { by_epoch }) => Fact::Deposed { by_epoch },
            Err(error) => {
                let message = format!("the job log does not say how the job ended: {error}");
                let failure = Failure::new(FailureKind::OutputUnwritable, message);
                Fact::EndPublishFailed { failure }
            }
        }
    }

    /// Writes the metadata; a store that does not answer is tried again.
    async fn write_metadata(
        &self,
        metadata: &CheckpointMetadata,
    ) -> Result<CheckpointRef, WriteError> {
        let (store, retry) = (self.folder.store(), self.folder.retry());
        let mut failures = 0;
        loop {
            let error = match write_metadata(store.as_ref(), self.folder.path(), metadata).await {
                Ok(named) => return Ok(named),
                Err(error) => error,
            };
            let passes = match &error {
                WriteError::Store(error) => may_pass(error),
                WriteError::Taken { .. } => false,
            };
            if !passes || failures + 1 >= retry.attempts_max {
                return Err(error);
            }
            warn!(%error, "metadata is written again");
            self.world.sleep(retry.pause(failures)).await;
            failures += 1;
        }
    }

    /// Appends a record. An error says that it is certainly not there and never will be: as long as
    /// it may be, it is tried again.
    async fn append(
        &mut self,
        status: RecordStatus,
        latest: Option<CheckpointRef>,
        retained: Vec<CheckpointRef>,
    ) -> Result<Appended, LogError> {
        let retry = self.folder.retry();
        let mut may_be_there = false;
        let mut failures = 0;
        loop {
            let (status, latest, retained) = (status.clone(), latest.clone(), retained.clone());
            let error = match self
                .log
                .append(&mut self.lead, status, latest, retained)
                .await
            {
                Ok(appended) => return Ok(appended),
                Err(error) => error,
            };
            match &error {
                LogError::Unknown { .. } | LogError::Unreadable { .. } => may_be_there = true,
                LogError::Store(cause) if may_pass(cause) => {}
                LogError::Store(_) | LogError::Unfit { .. } | LogError::OtherGraph { .. }
                    if may_be_there => {}
                LogError::Store(_) | LogError::Unfit { .. } | LogError::OtherGraph { .. } => {
                    return Err(error);
                }
                // Nobody but a leader ends a job, and we have not: somebody else leads.
                LogError::Ended { .. } => {
                    let by_epoch = self.lead.epoch().saturating_add(1);
                    return Ok(Appended::Deposed { by_epoch });
                }
            }
            if !may_be_there && failures + 1 >= retry.attempts_max {
                return Err(error);
            }
            warn!(%error, "a record of the job log is written again");
            self.world.sleep(retry.pause(failures)).await;
            failures = failures.saturating_add(1);
        }
    }
}

/// Deletes what earlier leaders left, then what is ordered. What fails is left for the next leader.
async fn delete(folder: CheckpointFolder, first: JobRecord, mut drops: mpsc::Receiver<Unneeded>) {
    let store = folder.store().as_ref();
    match sweep(store, folder.path(), &first).await {
        Ok(swept) if swept.files > 0 => {
            info!(
                files = swept.files,
                bytes = swept.bytes,
                "deleted what earlier leaders left"
            );
        }
        Ok(_) => {}
        Err(error) => warn!(%error, "what earlier leaders left is not all deleted"),
    }
    while let Some(Unneeded { reached, dropped }) = drops.recv().await {
        if let Err(error) = discard(store, folder.path(), &reached, &dropped).await {
            warn!(%error, "a checkpoint that nobody needs is not all deleted");
        }
    }
}

/// Shows that we lead, and looks whether we do.
struct Beating {
    world: World,
    log: JobLog,
    beats: LeaderBeats,
    epoch: u32,
    interval: Duration,
    events: mpsc::Sender<Event>,
}

impl Beating {
    async fn run(mut self) {
        loop {
            match self.log.read().await {
                Ok(Some(newest)) if newest.epoch == self.epoch => {
                    if let Err(error) = self.beats.beat(newest.sequence).await {
                        warn!(%error, "the store takes no sign that we lead");
                    }
                }
                Ok(newest) => {
                    let by_epoch = newest.map_or(self.epoch, |newest| newest.epoch);
                    let (epoch, fact) = (self.epoch, Fact::Deposed { by_epoch });
                    // A loop that has ended wants to know nothing.
                    let _ = self.events.send(Event::Kept { epoch, fact }).await;
                    return;
                }
                Err(error) => warn!(%error, "the job log is not readable now"),
            }
            self.world.sleep(self.interval).await;
        }
    }
}
