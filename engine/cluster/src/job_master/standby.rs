//! Waits until leadership is ours, or the job is over.
//!
//! Invariant: who stands by changes nothing in the store but by taking leadership, and tells every
//! task manager to look elsewhere. When to try is judged by `control`; who leads, by the job log.

use std::io;
use std::sync::Arc;

use sameriver_control::{JobEnd, JobStatus, LeaderBeat, LeaderVerdict, LeaderWatch};
use sameriver_graph::JobGraph;
use sameriver_model::checkpoint::RecordStatus;
use sameriver_model::{Failure, FailureKind};
use sameriver_runtime::sync::{mpsc, oneshot};
use sameriver_runtime::{Address, RandomStream, World};
use sameriver_storage::{JobLog, Lead, Leadership, LogError};
use tracing::{info, warn};

use super::door::Door;
use super::driver::Site;
use super::event::Event;
use super::leader_beats::Newest;
use crate::checkpoints::{CheckpointFolder, may_pass};
use crate::job_control::{CheckpointRequestError, JobReport, JobRequests, Request};
use crate::rpc::Refusal;
use crate::settings::ClusterCheckpoints;
use crate::stoppable::Stoppable;

/// What a job master keeps from one time that it stands by to the next.
#[derive(Default)]
pub(super) struct Memory {
    /// The user asked to stop.
    pub(super) is_cancelled: bool,
    /// Whether it has stood by before. A process that looked for the leader again and again might
    /// depose one that only it cannot reach, and be deposed in the same way.
    has_stood_by: bool,
}

/// How standing by ends.
pub(super) enum Stood {
    /// We lead.
    Leading(JobLog, Box<Lead>),
    /// The log says how the job ended.
    Over(JobEnd),
    /// The log cannot be kept.
    Failed(Failure),
}

/// Watches the log until we lead or the job is over; meanwhile whoever comes is sent away. A cancel
/// request is kept for the time when we lead.
pub(super) async fn stand_by(
    site: &Site,
    folder: &CheckpointFolder,
    door: &mut Door,
    inbox: &mut mpsc::Receiver<Event>,
    requests: &mut JobRequests,
    memory: &mut Memory,
) -> Stood {
    let (tell, mut watched) = oneshot::channel();
    let Some(settings) = site.settings.checkpoints.clone() else {
        let message = "a job without checkpoints keeps no log";
        return Stood::Failed(Failure::new(FailureKind::Internal, message));
    };
    let watcher = Watcher {
        world: site.world.clone(),
        folder: folder.clone(),
        settings,
        graph: Arc::clone(&site.graph),
        nonces: nonces(&site.world, door),
        own: door.address().clone(),
        looks: !std::mem::replace(&mut memory.has_stood_by, true),
        first: None,
        has_announced: false,
    };
    let watching = Stoppable::start(&site.world, "watch leader", async move {
        // A loop that has ended wants to know nothing.
        let _ = tell.send(watcher.watch().await);
    });
    let stood = loop {
        let patience = door.deadline(super::moment(&site.world));
        let now = super::moment(&site.world);
        let silence = patience.map(|until| site.world.sleep(until.since(now)));
        let silence = async move {
            match silence {
                Some(silence) => silence.await,
                None => std::future::pending().await,
            }
        };
        sameriver_runtime::select! {
            stood = &mut watched => break stood,
            request = requests.next() => match request {
                Request::Cancel => {
                    warn!("cancelled while another job master leads: done as soon as we lead");
                    memory.is_cancelled = true;
                }
                Request::Fail(failure) => break Ok(Stood::Failed(failure)),
                // Who asked may have gone away.
                Request::Report(answer) => {
                    let _ = answer.send(JobReport::of_others(JobStatus::Created));
                }
                Request::Checkpoint(answer) => {
                    drop(answer.send(Err(CheckpointRequestError::Gone)));
                }
            },
            Some(event) = inbox.recv() => on_event(event, door),
            () = silence => drop(door.close_silent(super::moment(&site.world))),
        }
        door.join_retired().await;
    };
    super::report_panic(watching.stop().await);
    stood.unwrap_or_else(|_| {
        let message = "watching the job log ended half-way";
        Stood::Failed(Failure::new(FailureKind::Internal, message))
    })
}

/// Numbers that no other process, and no other life of this one, draws: the listening address and
/// the instant are part of the stream's name.
pub(super) fn nonces(world: &World, door: &Door) -> RandomStream {
    let millis = world.wall().as_millis();
    let elapsed = world.now();
    world.random(&format!(
        "job log of {} at {millis} {elapsed}",
        door.address()
    ))
}

fn on_event(event: Event, door: &mut Door) {
    match event {
        Event::Accepted(stream) => door.let_in(stream),
        // A connection that has ended meanwhile needs no answer.
        Event::Knocked { answer, .. } => drop(answer.send(Err(Refusal::StandingBy))),
        Event::Closed { connection, cause } => drop(door.close(connection, cause)),
        Event::Refused { reason, .. } => warn!(reason, "a control connection was refused"),
        // What is left of an earlier leadership of ours.
        Event::Message { .. }
        | Event::Enumerated { .. }
        | Event::MetadataRead { .. }
        | Event::Kept { .. } => {}
    }
}

struct Watcher {
    world: World,
    folder: CheckpointFolder,
    settings: ClusterCheckpoints,
    /// What we would run; the log must be of the same.
    graph: Arc<JobGraph>,
    nonces: RandomStream,
    /// Where we listen.
    own: Address,
    /// Whether the leader is looked for: until it has given a sign of life, or was found gone.
    looks: bool,
    /// The first sign of life in the store, maybe of a leader that has ended since.
    first: Option<LeaderBeat>,
    /// Whether it was told that we stand by.
    has_announced: bool,
}

impl Watcher {
    async fn watch(mut self) -> Stood {
        let (store, path) = (self.folder.store().clone(), self.folder.path());
        let log = match JobLog::open(&self.world, store, path) {
            Ok(log) => log,
            Err(error) => return failed(&error),
        };
        let timeout = self.settings.leader_timeout;
        let mut watch = LeaderWatch::new(timeout, super::moment(&self.world));
        let mut nonce = self.nonces.next_u64();
        loop {
            let mut is_led = false;
            match self.look(&log).await {
                Ok(Looked::Over(end)) => return Stood::Over(end),
                Ok(Looked::Led(beat, newest)) => {
                    is_led = beat.is_some();
                    watch.observe(beat, super::moment(&self.world));
                    if self.has_lost(beat, &newest).await {
                        info!("nobody listens where the leader did");
                        watch.leader_is_gone();
                    }
                }
                Err(error) if is_passing(&error) => {
                    warn!(%error, "the job log is not readable now");
                }
                Err(error) => return failed(&error),
            }
            let now = super::moment(&self.world);
            if watch.judge(now) == LeaderVerdict::TryToLead {
                match log.take_leadership(nonce, self.graph.fingerprint()).await {
                    Ok(Leadership::Leading(lead)) => {
                        info!(epoch = lead.epoch(), "leads the job");
                        return Stood::Leading(log, Box::new(lead));
                    }
                    Ok(Leadership::Ended(record)) => return over(&record.status),
                    Ok(Leadership::Lost { by_epoch }) => {
                        info!(by_epoch, "another job master was faster");
                        self.announce();
                        nonce = self.nonces.next_u64();
                        watch.start_over(super::moment(&self.world));
                    }
                    Err(error) if is_passing(&error) => {
                        warn!(%error, "leadership cannot be taken now");
                    }
                    Err(error) => return failed(&error),
                }
            } else if is_led {
                self.announce();
            }
            self.world.sleep(self.settings.leader_interval).await;
        }
    }

    /// Tells once that we wait, and for whom.
    fn announce(&mut self) {
        if !std::mem::replace(&mut self.has_announced, true) {
            let (job, store) = (&self.graph.plan().name, self.folder.store().describe());
            warn!(
                job,
                store, "another job master leads, or did until now: standing by"
            );
        }
    }

    async fn look(&self, log: &JobLog) -> Result<Looked, LogError> {
        let Some(record) = log.read_of(self.graph.fingerprint()).await? else {
            return Ok(Looked::Led(None, Newest::none()));
        };
        if let Some(end) = end_of(&record.status) {
            return Ok(Looked::Over(end));
        }
        let sequence = record.sequence;
        let newest = Newest::of(&self.folder, &record).await;
        let newest = newest.map_err(LogError::Store)?;
        let beat = newest.beat;
        Ok(Looked::Led(Some(LeaderBeat { sequence, beat }), newest))
    }

    /// Whether the leader that this process has never seen alive is gone, found once.
    async fn has_lost(&mut self, beat: Option<LeaderBeat>, newest: &Newest) -> bool {
        let first = *self.first.get_or_insert(beat.unwrap_or_default());
        if first != beat.unwrap_or_default() {
            self.looks = false;
        }
        let is_lost = self.looks && self.is_gone(newest).await;
        self.looks &= !is_lost;
        is_lost
    }

    /// Whether whoever gave this sign of life has certainly left its address: we have it now, or
    /// nobody has.
    async fn is_gone(&self, newest: &Newest) -> bool {
        let Some(address) = newest.address(&self.folder).await else {
            return false;
        };
        if address == self.own {
            return true;
        }
        let connected = self.world.connect(&address);
        let connected = self.world.timeout(self.settings.leader_interval, connected);
        match connected.await {
            Ok(Err(error)) => error.kind() == io::ErrorKind::ConnectionRefused,
            Ok(Ok(_)) | Err(_) => false,
        }
    }
}

enum Looked {
    Over(JobEnd),
    Led(Option<LeaderBeat>, Newest),
}

/// Whether looking again may help.
fn is_passing(error: &LogError) -> bool {
    match error {
        LogError::Unknown { .. } => true,
        LogError::Store(cause) => may_pass(cause),
        LogError::Unfit { .. }
        | LogError::Unreadable { .. }
        | LogError::OtherGraph { .. }
        | LogError::Ended { .. } => false,
    }
}

fn failed(error: &LogError) -> Stood {
    let kind = match error {
        LogError::OtherGraph { .. } | LogError::Unreadable { .. } => FailureKind::BadData,
        LogError::Unfit { .. }
        | LogError::Unknown { .. }
        | LogError::Store(_)
        | LogError::Ended { .. } => FailureKind::InputUnreadable,
    };
    Stood::Failed(Failure::new(
        kind,
        format!("the job cannot be led: {error}"),
    ))
}

fn over(status: &RecordStatus) -> Stood {
    if let Some(end) = end_of(status) {
        return Stood::Over(end);
    }
    let message = "the job log calls a running job ended";
    Stood::Failed(Failure::new(FailureKind::Internal, message))
}

fn end_of(status: &RecordStatus) -> Option<JobEnd> {
    match status {
        RecordStatus::Running => None,
        RecordStatus::Finished => Some(JobEnd::Finished),
        RecordStatus::Cancelled => Some(JobEnd::Cancelled),
        RecordStatus::Failed(failure) => Some(JobEnd::Failed(failure.clone())),
    }
}
