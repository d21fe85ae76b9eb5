//! A whole cluster in one process: a job master and its task managers, each with its own world and
//! its own graph, who talk as if they were far apart.
//!
//! Invariant: nothing but connections joins the parts, so what works here works on many nodes.

use std::sync::Arc;

use sameriver_graph::JobGraph;
use sameriver_model::{Failure, FailureKind, TaskManagerIndex};
use sameriver_runtime::sync::oneshot;
use sameriver_runtime::{Lane, TaskHandle, World};
use tracing::warn;

use crate::job_control::{JobControl, JobReport, JobRequests};
use crate::job_master::JobMaster;
use crate::outcome::JobOutcome;
use crate::settings::ClusterSettings;
use crate::stoppable::Stoppable;
use crate::task_manager;

/// The worlds of the nodes of one job.
///
/// ```no_run
/// use sameriver_cluster::{ClusterSettings, EmbeddedCluster};
/// # use sameriver_graph::JobGraph;
/// # use sameriver_runtime::World;
/// # async fn run<E>(world: World, graph: fn() -> Result<JobGraph, E>) -> Result<(), E> {
/// let cluster = EmbeddedCluster {
///     master: world.clone(),
///     task_managers: vec![world],
/// };
/// let job = cluster.start(graph, ClusterSettings::default())?;
/// println!("{}", job.wait().await.status);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct EmbeddedCluster {
    /// The job master's world.
    pub master: World,
    /// The world of each task manager, by index.
    pub task_managers: Vec<World>,
}

impl EmbeddedCluster {
    /// Starts a job; `make_graph` runs once for every node. The number of task managers is that of
    /// the worlds, whatever the settings say.
    ///
    /// Needs no async context. The job goes on if the answer is dropped.
    ///
    /// # Errors
    /// Those of `make_graph`; nothing was started then.
    pub fn start<E>(
        self,
        make_graph: impl Fn() -> Result<JobGraph, E>,
        settings: ClusterSettings,
    ) -> Result<EmbeddedJob, E> {
        let nodes = 0..=self.task_managers.len();
        let graphs = nodes.map(|_| make_graph().map(Arc::new));
        let mut graphs = graphs.collect::<Result<Vec<_>, E>>()?;
        let master = graphs.remove(0);
        Ok(self.start_with(master, graphs, settings))
    }

    /// Starts a job whose graphs are made already: the job master's, and one a task manager.
    ///
    /// # Panics
    /// If there is not exactly one graph a task manager.
    pub fn start_with(
        self,
        graph: Arc<JobGraph>,
        graphs: Vec<Arc<JobGraph>>,
        settings: ClusterSettings,
    ) -> EmbeddedJob {
        let worlds = self.task_managers.len();
        assert_eq!(graphs.len(), worlds, "one graph a task manager");
        let task_managers = u32::try_from(worlds).expect("a node fewer than 2^32 task managers");
        let settings = ClusterSettings {
            task_managers,
            ..settings
        };
        let (control, requests) = JobControl::pair();
        let (done, outcome) = oneshot::channel();
        let (world, own) = (self.master.clone(), control.clone());
        let task = world.spawn(Lane::Control, "job master", async move {
            let outcome = self.run(graph, graphs, settings, own, requests).await;
            // Nobody may wait any more.
            let _ = done.send(outcome);
        });
        EmbeddedJob {
            control,
            outcome,
            task,
        }
    }

    async fn run(
        self,
        graph: Arc<JobGraph>,
        graphs: Vec<Arc<JobGraph>>,
        settings: ClusterSettings,
        control: JobControl,
        requests: JobRequests,
    ) -> JobOutcome {
        let Self {
            master: world,
            task_managers,
        } = self;
        let master = match JobMaster::bind(&world, &world.any_port()).await {
            Ok(master) => master,
            Err(error) => {
                requests.end(JobReport::of_others(sameriver_control::JobStatus::Failed));
                let message = format!(
                    "the job master cannot listen on {}: {error}: let this process open ports \
                     there, or raise its limit of open files",
                    world.any_port()
                );
                return JobOutcome::failed(FailureKind::Cluster, message);
            }
        };
        let mut tasks = Vec::new();
        for (position, (world, graph)) in (0_u32..).zip(task_managers.iter().zip(graphs)) {
            let index = TaskManagerIndex::new(position);
            let slots = settings.slots;
            let at = master.address();
            let (running, ended) = oneshot::channel::<()>();
            let over = async { drop(ended.await) };
            let (world, settings) = (world.clone(), settings.clone());
            let node = world.clone();
            let run = task_manager::run_until(node, vec![at], index, slots, graph, settings, over);
            let control = control.clone();
            let task = Stoppable::start(&world, &format!("task manager {index}"), async move {
                if let Err(error) = run.await {
                    let failure = Failure::new(FailureKind::Cluster, error.to_string());
                    control.fail(failure).await;
                }
            });
            tasks.push((world, running, task));
        }
        drop(control);
        let limit = settings.cancellation_timeout;
        let outcome = master.run(graph, settings, requests).await;
        for (world, running, task) in tasks {
            // Whoever has not found the job master needs not look any longer.
            drop(running);
            if let Err(panicked) = task.end_within(&world, limit).await {
                warn!(%panicked, "a task manager panicked");
            }
        }
        outcome
    }
}

/// A running job.
pub struct EmbeddedJob {
    control: JobControl,
    outcome: oneshot::Receiver<JobOutcome>,
    task: TaskHandle,
}

impl EmbeddedJob {
    /// A handle to ask for the status and to cancel.
    pub fn control(&self) -> &JobControl {
        &self.control
    }

    /// Waits until the job is over and everything that it started has ended.
    pub async fn wait(self) -> JobOutcome {
        let outcome = self.outcome.await;
        let ended = self.task.join().await;
        match (outcome, ended) {
            (Ok(outcome), _) => outcome,
            (Err(_), Err(panicked)) => {
                JobOutcome::failed(FailureKind::Internal, panicked.to_string())
            }
            (Err(_), Ok(())) => {
                JobOutcome::failed(FailureKind::Internal, "the job master left no outcome")
            }
        }
    }
}
