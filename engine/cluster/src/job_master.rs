//! Runs one job as its job master: takes leadership, if the job keeps a log, leads until the job is
//! over or somebody else leads, and stands by then.
//!
//! Reading order: this file → `standby` → `driver`, `reports` and `planning` → `enumerators` →
//! `keeper`; `door` and `connection` are who comes in.
//!
//! Invariant: without leadership nothing is deployed, written or deleted. The loop waits for
//! nothing but its inputs: a task manager that does not read fills its own bounded queue and is
//! then lost. Knows no record type.

use std::io;
use std::sync::Arc;

use sameriver_control::{Fact, JobEnd, JobStatus, Moment};
use sameriver_graph::JobGraph;
use sameriver_model::{CheckpointId, Failure, FailureKind, JobNonce};
use sameriver_runtime::sync::mpsc;
use sameriver_runtime::{Address, Listener, World};
use tracing::{info, warn};

use crate::checkpoints::CheckpointFolder;
use crate::job_control::{JobReport, JobRequests};
use crate::outcome::JobOutcome;
use crate::rpc::{MasterMessage, Refusal};
use crate::settings::ClusterSettings;

mod connection;
mod door;
mod driver;
mod enumerators;
mod event;
mod keeper;
mod leader_beats;
mod planning;
mod reports;
mod standby;

use door::Door;
use driver::{Driver, Ended, Site};
use event::Event;
use keeper::Keeper;
use standby::{Memory, Stood, stand_by};

/// Runs one job to its end; the listening address is given.
///
/// Same as [`JobMaster::bind`] and [`JobMaster::run`]; an address that cannot be listened on is a
/// failed job.
pub async fn run(
    world: World,
    address: Address,
    graph: Arc<JobGraph>,
    settings: ClusterSettings,
    requests: JobRequests,
) -> JobOutcome {
    match JobMaster::bind(&world, &address).await {
        Ok(master) => master.run(graph, settings, requests).await,
        Err(error) => {
            let message = format!(
                "the job master cannot listen on {address}: {error}: end what listens there, or \
                 choose another address"
            );
            refused(requests, Failure::new(FailureKind::Cluster, message))
        }
    }
}

/// A job master that listens and has not begun.
pub struct JobMaster {
    world: World,
    listener: Box<dyn Listener>,
}

impl JobMaster {
    /// Listens for task managers.
    ///
    /// # Errors
    /// Those of the operating system: address in use, not ours.
    pub async fn bind(world: &World, address: &Address) -> io::Result<Self> {
        let listener = world.listen(address).await?;
        let world = world.clone();
        Ok(Self { world, listener })
    }

    /// Where task managers reach it.
    pub fn address(&self) -> Address {
        self.listener.address()
    }

    /// Runs one job to its end and releases everything.
    ///
    /// A job with checkpoints has a log, and is led by one job master at a time: the others stand
    /// by, and one of them takes over when the log shows no sign of the leader for
    /// `leader_timeout`. A job whose log says that it is over is not run again.
    pub async fn run(
        self,
        graph: Arc<JobGraph>,
        settings: ClusterSettings,
        mut requests: JobRequests,
    ) -> JobOutcome {
        if let Err(error) = settings.validate() {
            let failure = Failure::new(FailureKind::Limit, error.to_string());
            return refused(requests, failure);
        }
        let folder = match CheckpointFolder::open(&self.world, graph.plan(), &settings) {
            Ok(folder) => folder,
            Err(error) => {
                let message = format!("the checkpoint store cannot be opened: {error}");
                return refused(requests, Failure::new(FailureKind::Cluster, message));
            }
        };
        let (events, mut inbox) = mpsc::channel(door::events_max(&settings));
        let mut door = Door::open(
            &self.world,
            self.listener,
            &graph,
            &settings,
            events.clone(),
        );
        let site = Site {
            world: self.world,
            graph,
            settings,
            folder,
            events,
        };
        let outcome = lead(&site, &mut door, &mut inbox, &mut requests).await;
        say_goodbye(&site, door, inbox).await;
        requests.end(JobReport {
            status: outcome.status.status(),
            counts: outcome.counts,
            ..JobReport::of_others(JobStatus::Created)
        });
        outcome
    }
}

/// The outcome of a job that cannot even begin.
fn refused(requests: JobRequests, failure: Failure) -> JobOutcome {
    requests.end(JobReport::of_others(JobStatus::Failed));
    JobOutcome::ended(JobEnd::Failed(failure))
}

/// Leads the job, as often as leadership is ours, until the job is over.
async fn lead(
    site: &Site,
    door: &mut Door,
    inbox: &mut mpsc::Receiver<Event>,
    requests: &mut JobRequests,
) -> JobOutcome {
    let mut memory = Memory::default();
    loop {
        let (job, keeper, leadership) = match &site.folder {
            None => {
                let nonce = standby::nonces(&site.world, door).next_u64();
                (JobNonce::new(nonce), None, None)
            }
            Some(folder) => {
                match stand_by(site, folder, door, inbox, requests, &mut memory).await {
                    Stood::Leading(log, lead) => {
                        let record = lead.record();
                        let latest = record.latest.clone();
                        let next = latest.as_ref().map_or(0, |latest| latest.id.get());
                        let first = Fact::LeadershipTaken {
                            epoch: record.epoch,
                            retained: record.reached().cloned().collect(),
                            next_checkpoint: CheckpointId::new(next.saturating_add(1)),
                            latest,
                            over: None,
                        };
                        let address = door.address().clone();
                        let job = record.job;
                        let keeper = Keeper::start(site, folder, address, log, *lead);
                        (job, Some(keeper), Some(first))
                    }
                    Stood::Over(end) => {
                        info!(job = site.graph.plan().name, %end, "the job is over already");
                        return JobOutcome::ended(as_told(end, folder));
                    }
                    Stood::Failed(failure) => return JobOutcome::ended(JobEnd::Failed(failure)),
                }
            }
        };
        let driver = Driver::new(site, job, door, keeper);
        match driver
            .run(leadership, memory.is_cancelled, inbox, requests)
            .await
        {
            Ended::Over(outcome) => return outcome,
            Ended::Deposed => {
                // Task managers look for the leader as soon as we leave them.
                door.close_all();
                door.join_retired().await;
            }
        }
    }
}

/// The end of a job that is over already. A failure is told as one of before: its cause may be gone
/// by now.
fn as_told(end: JobEnd, folder: &CheckpointFolder) -> JobEnd {
    match end {
        JobEnd::Finished | JobEnd::Cancelled => end,
        JobEnd::Failed(failure) => {
            let message = format!(
                "it has failed already, by its job log in {}: {failure}: to run it again, give it \
                 another folder for checkpoints, or remove this one",
                folder.store().describe(),
            );
            JobEnd::Failed(Failure::new(failure.kind, message))
        }
    }
}

/// Tells every task manager that the job is over, waits until they have released everything, and
/// leaves those that do not answer.
async fn say_goodbye(site: &Site, mut door: Door, mut inbox: mpsc::Receiver<Event>) {
    door.say_last(&MasterMessage::Shutdown);
    let mut limit = site.world.sleep(site.settings.cancellation_timeout);
    while door.has_guests() {
        sameriver_runtime::select! {
            Some(event) = inbox.recv() => match event {
                Event::Accepted(stream) => door.let_in(stream),
                // Whoever was lost meanwhile is told as well.
                Event::Knocked { answer, .. } => drop(answer.send(Err(Refusal::Over))),
                Event::Closed { connection, cause } => drop(door.close(connection, cause)),
                Event::Refused { .. }
                | Event::Message { .. }
                | Event::Enumerated { .. }
                | Event::MetadataRead { .. }
                | Event::Kept { .. } => {}
            },
            () = &mut limit => break,
        }
        door.join_retired().await;
    }
    for task_manager in door.registered() {
        warn!(%task_manager, "a task manager does not shut down: its connection is closed");
    }
    // Events that wait to be told hold up nobody any more.
    drop(inbox);
    door.shut().await;
}

/// The job master's clock, as decisions know it.
fn moment(world: &World) -> Moment {
    Moment::from_origin(world.now().elapsed())
}

/// A panic of one of our tasks is a bug of the engine; what it stood for is reported elsewhere.
fn report_panic(ended: Result<(), sameriver_runtime::Panicked>) {
    if let Err(panicked) = ended {
        warn!(%panicked, "a task of the job master panicked");
    }
}
