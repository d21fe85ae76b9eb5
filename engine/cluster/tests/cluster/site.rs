//! Job masters and task managers as the separate processes that they are: each has a world of its
//! own, and may be killed.

use std::sync::Arc;
use std::time::Duration;

use sameriver_cluster::{
    CheckpointSettings, ClusterCheckpoints, ClusterSettings, JobControl, JobMaster, JobOutcome,
    JobStatus, RestartStrategy, TaskManagerError, task_manager,
};
use sameriver_model::TaskManagerIndex;
use sameriver_runtime::sync::oneshot;
use sameriver_runtime::{Address, BlobStore, Lane, World};
use sameriver_runtime_tokio::TokioWorld;
use sameriver_storage::MemoryBlobs;

use crate::job::{Job, slots};

/// A world whose nodes share one store of checkpoints.
pub(crate) fn world_with(store: &MemoryBlobs) -> TokioWorld {
    let store = store.clone();
    let tokio = TokioWorld::builder().node("test");
    let tokio = tokio.service::<dyn BlobStore>("blob", move |_, _| Ok(Arc::new(store.clone())));
    tokio.build().unwrap()
}

pub(crate) fn store() -> MemoryBlobs {
    MemoryBlobs::new("blob:checkpoints")
}

/// Settings whose waits are short, with checkpoints on request only and restarts without delay.
pub(crate) fn hasty() -> ClusterSettings {
    let mut checkpoints = ClusterCheckpoints::new(
        "blob:checkpoints",
        CheckpointSettings::every(Duration::from_hours(1)),
    );
    checkpoints.leader_interval = Duration::from_millis(50);
    checkpoints.leader_timeout = Duration::from_millis(400);
    ClusterSettings {
        heartbeat_interval: Duration::from_millis(50),
        heartbeat_timeout: Duration::from_secs(2),
        hello_timeout: Duration::from_millis(300),
        registration_grace: Duration::from_millis(200),
        restart: RestartStrategy::FixedDelay {
            attempts: 20,
            delay: Duration::ZERO,
        },
        checkpoints: Some(checkpoints),
        ..slots(1)
    }
}

/// A process that can be killed.
pub(crate) struct Process<R> {
    kill: oneshot::Sender<()>,
    ended: oneshot::Receiver<R>,
}

impl<R: Send + 'static> Process<R> {
    pub(crate) fn start(world: &World, work: impl Future<Output = R> + Send + 'static) -> Self {
        let (kill, killed) = oneshot::channel::<()>();
        let (done, ended) = oneshot::channel();
        let process = async move {
            sameriver_runtime::select! {
                _ = killed => {}
                result = work => drop(done.send(result)),
            }
        };
        world.spawn(Lane::Control, "process", process).detach();
        Self { kill, ended }
    }

    /// Drops everything that it was doing.
    pub(crate) async fn kill(self) {
        drop(self.kill);
        let _ = self.ended.await;
    }

    pub(crate) async fn wait(self) -> R {
        let ended = self.ended.await.unwrap();
        drop(self.kill);
        ended
    }
}

/// A job master that listens.
pub(crate) struct Master {
    master: JobMaster,
    world: World,
}

impl Master {
    pub(crate) async fn bind(tokio: &TokioWorld, node: &str) -> Self {
        let world = tokio.node(node);
        let master = JobMaster::bind(&world, &world.any_port()).await.unwrap();
        Self { master, world }
    }

    pub(crate) fn address(&self) -> Address {
        self.master.address()
    }

    pub(crate) fn run(
        self,
        job: &Job,
        settings: &ClusterSettings,
    ) -> (JobControl, Process<JobOutcome>) {
        let (control, requests) = JobControl::pair();
        let run = self
            .master
            .run(Arc::new(job.graph()), settings.clone(), requests);
        (control, Process::start(&self.world, run))
    }
}

pub(crate) fn start_task_manager(
    tokio: &TokioWorld,
    masters: &[Address],
    index: u32,
    job: &Job,
    settings: &ClusterSettings,
) -> Process<Result<(), TaskManagerError>> {
    let world = tokio.node(&format!("tm{index}"));
    let (masters, graph) = (masters.to_vec(), Arc::new(job.graph()));
    let (index, settings) = (TaskManagerIndex::new(index), settings.clone());
    let slots = settings.slots;
    let run = task_manager::run(world.clone(), masters, index, slots, graph, settings);
    Process::start(&world, run)
}

/// Waits until the job is in a state, by asking.
pub(crate) async fn until(control: &JobControl, status: JobStatus) {
    while control.status().await != Ok(status) {}
}
