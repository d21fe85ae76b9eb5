//! Runs a user's job on a simulated cluster: the job master and each task manager have a node of
//! their own, make their own graph and share nothing but connections.
//!
//! Reading order: [`SimJob`] (nothing goes wrong) → [`SimCluster`] (everything does) →
//! [`DiskUse`] (what may) → [`Phases`] → [`Ran`] (what was seen of it) → [`draw_settings`].
//!
//! Invariant: what is run here is the production code of every room; only the world is another one.

mod cluster;
mod menu;
mod phases;
mod ran;
mod settings;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use sameriver::{BuildError, Environment, JobGraph, Settings};
use sameriver_cluster::{ClusterSettings, JobControl, JobOutcome, job_master, task_manager};
use sameriver_model::TaskManagerIndex;
use sameriver_runtime::sync::oneshot;
use sameriver_runtime::{Address, Lane};

use crate::{Finding, SimWorld};

pub use cluster::SimCluster;
pub use menu::{CRASH_POINTS, DiskUse};
pub use phases::Phases;
pub use ran::{Promised, Ran, STORE_FORMAT};
pub use settings::{
    CHECKPOINTS, FILE_CHECKPOINTS, draw_class, draw_lasting_settings, draw_modes, draw_settings,
};

/// A job function that every node runs for itself.
pub type JobFunction = Arc<dyn Fn(&mut Environment) -> Result<(), BuildError> + Send + Sync>;

const MASTER: &str = "job-master";
const PORT: u16 = 6123;

/// A job with its settings and the files that exist before it starts.
///
/// ```
/// use std::sync::Arc;
/// use sameriver::{Environment, Settings};
/// use sameriver_sim::{Limits, SimJob, run_seed};
/// let outcome = run_seed(7, &Limits::default(), |sim| async move {
///     let job = Arc::new(|env: &mut Environment| env.elements("n", [1_u64, 2]).collect("all"));
///     SimJob { job, settings: Settings::default(), files: vec![] }.run(&sim).await?;
///     Ok(sim.ledger().collected().take::<u64>("all").unwrap())
/// });
/// assert_eq!(outcome.verdict, Ok(vec![1, 2]));
/// ```
pub struct SimJob {
    /// The job.
    pub job: JobFunction,
    /// What it runs with; `task_managers` says how many nodes there are.
    pub settings: Settings,
    /// Inputs, present and durable on every node.
    pub files: Vec<(PathBuf, Vec<u8>)>,
}

impl SimJob {
    /// Runs the job to its end.
    ///
    /// # Errors
    /// [`Finding`] when the job cannot be built, when a node falls silent, or when a task manager
    /// ends with an error although the job did not fail. How the job itself ended is in the
    /// outcome.
    pub async fn run(self, sim: &SimWorld) -> Result<JobOutcome, Finding> {
        let graph = self.graph()?;
        let settings = self.settings.cluster(graph.plan().slots());
        let address = Address::new(format!("{MASTER}:{PORT}"));
        let outcome = self.start_master(sim, &address, graph, settings.clone());
        let mut ends = Vec::new();
        for index in 0..self.settings.task_managers {
            ends.push(self.start_task_manager(sim, &address, index, settings.clone())?);
        }
        let outcome = outcome.await;
        let outcome = outcome.map_err(|_| Finding::liveness("the job master gave no outcome"))?;
        let grace = settings.cancellation_timeout.saturating_mul(2);
        for (index, end) in ends.into_iter().enumerate() {
            settle(sim, grace, index, end).await?;
        }
        Ok(outcome)
    }

    /// The files below a folder on all task managers, in the order of nodes and names.
    pub fn written(sim: &SimWorld, task_managers: u32, folder: &str) -> Vec<(String, Vec<u8>)> {
        let prefix = format!("{folder}/");
        let nodes = (0..task_managers).map(task_manager_node);
        let files = nodes.flat_map(|node| sim.files(&node).all());
        files
            .filter(|(path, _)| path.trim_start_matches('/').starts_with(&prefix))
            .collect()
    }

    fn graph(&self) -> Result<Arc<JobGraph>, Finding> {
        let graph = sameriver::build_graph(|env| (self.job)(env), &self.settings);
        let graph = graph.map_err(|error| Finding::harness(format!("the job is refused: {error}")));
        graph.map(Arc::new)
    }

    fn start_master(
        &self,
        sim: &SimWorld,
        address: &Address,
        graph: Arc<JobGraph>,
        settings: ClusterSettings,
    ) -> oneshot::Receiver<JobOutcome> {
        let world = sim.node(MASTER);
        self.preload(sim, MASTER);
        let (done, outcome) = oneshot::channel();
        let (control, requests) = JobControl::pair();
        let run = job_master::run(world.clone(), address.clone(), graph, settings, requests);
        let task = world.spawn(Lane::Control, "job master", async move {
            let outcome = run.await;
            drop(control);
            // The supervisor may have given up.
            let _ = done.send(outcome);
        });
        task.detach();
        outcome
    }

    fn start_task_manager(
        &self,
        sim: &SimWorld,
        master: &Address,
        index: u32,
        settings: ClusterSettings,
    ) -> Result<oneshot::Receiver<Result<(), String>>, Finding> {
        let node = task_manager_node(index);
        let world = sim.node(&node);
        self.preload(sim, &node);
        let (done, end) = oneshot::channel();
        let run = task_manager::run(
            world.clone(),
            vec![master.clone()],
            TaskManagerIndex::new(index),
            settings.slots,
            self.graph()?,
            settings,
        );
        let task = world.spawn(Lane::Control, "task manager", async move {
            let ended = run.await.map_err(|error| error.to_string());
            // The supervisor may have given up.
            let _ = done.send(ended);
        });
        task.detach();
        Ok(end)
    }

    fn preload(&self, sim: &SimWorld, node: &str) {
        for (path, bytes) in &self.files {
            sim.files(node).preload(path, bytes.clone());
        }
    }
}

fn task_manager_node(index: u32) -> String {
    format!("task-manager-{index}")
}

async fn settle(
    sim: &SimWorld,
    grace: Duration,
    index: usize,
    end: oneshot::Receiver<Result<(), String>>,
) -> Result<(), Finding> {
    match sim.supervisor().timeout(grace, end).await {
        Ok(Ok(Ok(()))) => Ok(()),
        Ok(Ok(Err(error))) => Err(Finding::safety(format!("a task manager failed: {error}"))),
        Ok(Err(_)) => Err(Finding::liveness(format!(
            "task manager {index} gave no answer"
        ))),
        Err(late) => Err(Finding::liveness(format!(
            "task manager {index} did not end: {late}"
        ))),
    }
}
