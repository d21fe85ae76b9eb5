//! Runs a job with checkpoints on a simulated cluster that goes wrong: job masters and task
//! managers on nodes that crash and start again, through all phases of a run.
//!
//! Invariant: what is run is the production code of every room. A process that ends with an error
//! is started again, as whatever looks after processes does; what is seen is seen from outside.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use sameriver::{JobGraph, Replacements, Settings};
use sameriver_cluster::{
    ClusterSettings, JobControl, JobEnd, JobStatus, job_folder, job_master, task_manager,
};
use sameriver_model::{Failure, TaskManagerIndex};
use sameriver_runtime::{Address, Lane, Monotonic, World};

use super::JobFunction;
use super::phases::Phases;
use super::ran::{Ran, Watching};
use crate::counters::lock;
use crate::fault::{FaultScript, Nemesis};
use crate::finding::Finding;
use crate::judge::LivenessBounds;
use crate::life::Generation;
use crate::sim_world::SimWorld;

const PORT: u16 = 6123;
/// How often the supervisor looks at what is visible.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// What was asked of a store, and not waited for, has come to its end so long after the job.
const AFTERMATH: Duration = Duration::from_secs(1);
/// How long a process that ended with an error stays away.
const PROCESS_PAUSE: Duration = Duration::from_millis(500);
/// How long the supervisor waits for an answer to what it asks.
const ANSWER_WAIT: Duration = Duration::from_millis(200);
/// So many failures after healing say that the job has given up.
const FAILURES_MAX: u32 = 3;

/// A job, its cluster, and what happens to them.
pub struct SimCluster {
    /// The job.
    pub job: JobFunction,
    /// What stands in for its sources and sinks.
    pub replacements: Replacements,
    /// What it runs with; it must take checkpoints.
    pub settings: Settings,
    /// How many job masters there are, at least 1.
    pub masters: u32,
    /// Inputs, present and durable on every node; below `data/` on the disk that all nodes share.
    pub files: Vec<(PathBuf, Vec<u8>)>,
    /// The folder below `data/` in which output becomes visible, if it does.
    pub output: Option<String>,
    /// When the last record of the input arrives.
    pub last_arrival: Duration,
    /// What a record costs on every node, if not what was drawn.
    pub record_cost: Option<Duration>,
    /// What goes wrong.
    pub faults: FaultScript,
    /// When.
    pub phases: Phases,
}

/// What one process left behind.
#[derive(Clone, Debug)]
struct End {
    node: String,
    generation: Generation,
    at: Monotonic,
    how: Result<JobEnd, String>,
}

#[derive(Clone, Default)]
struct Processes {
    ends: Arc<Mutex<Vec<End>>>,
    controls: Arc<Mutex<Vec<(String, Generation, JobControl)>>>,
}

impl SimCluster {
    pub(super) fn nodes(settings: &Settings, masters: u32) -> Vec<String> {
        let masters = (0..masters).map(master_node);
        let task_managers = (0..settings.task_managers).map(super::task_manager_node);
        masters.chain(task_managers).collect()
    }

    /// How long a healed job may take.
    pub fn bounds(settings: &Settings) -> LivenessBounds {
        let round = settings
            .checkpoint_interval
            .saturating_add(settings.checkpoint_timeout);
        let running = Duration::from_mins(1);
        let completes = running.saturating_add(round.saturating_mul(3));
        LivenessBounds {
            running,
            completes,
            drains: completes.saturating_add(Duration::from_mins(2)),
            progress: completes,
            attempts: 6,
        }
    }

    /// Runs the job through all phases.
    ///
    /// # Errors
    /// [`Finding`] when the job cannot be built or its script means nothing; everything else is for
    /// the judge.
    pub async fn run(self, sim: &SimWorld) -> Result<Ran, Finding> {
        let graph = self.graph()?;
        let folder = format!("{}/", job_folder(&graph.plan().name));
        let settings = self.cluster_settings(&graph);
        self.preload(sim);
        if let Some(cost) = self.record_cost {
            for node in Self::nodes(&self.settings, self.masters) {
                sim.set_record_cost(&node, cost);
            }
        }
        let processes = Processes::default();
        self.boot(sim, &settings, &processes);
        let nemesis = Nemesis::run(sim, &self.faults);
        let nemesis = nemesis.map_err(|error| Finding::harness(error.to_string()))?;
        let mut watching = Watching::new(sim, self.output.clone());
        let nodes = Self::nodes(&self.settings, self.masters);
        let healing = Monotonic::from_origin(self.phases.healing());
        while sim.now() < healing && !processes.all_ended(sim, &nodes) {
            sim.supervisor().sleep(LOOK_EVERY).await;
            watching.look();
        }
        nemesis.heal();
        sim.mark("healed");
        watching.healed(Monotonic::from_origin(self.last_arrival));
        let bounds = Self::bounds(&self.settings);
        let last = watching
            .healed_at()
            .max(Monotonic::from_origin(self.last_arrival));
        let until = last.saturating_add(bounds.drains);
        let mut failed = None;
        while sim.now() < until && !processes.all_ended(sim, &nodes) {
            sim.supervisor().sleep(LOOK_EVERY).await;
            watching.look();
            if !watching.has_run() && processes.runs(sim).await {
                watching.runs();
            }
            failed = processes.has_given_up(watching.healed_at());
            if failed.is_some() {
                break;
            }
        }
        if processes.all_ended(sim, &nodes) {
            sim.supervisor().sleep(AFTERMATH).await;
        }
        let end = processes.end();
        watching.ended(processes.ended_at(sim, &nodes));
        watching.look();
        let store = (self.settings.checkpoints.as_str(), folder.as_str());
        let ran = watching.close(store, &self.faults, end)?;
        Ok(Ran {
            given_up: failed,
            restarts_max: super::settings::restarts_max(&self.settings),
            registration_timeout: self.settings.registration_timeout,
            bounds,
            ..ran
        })
    }

    fn graph(&self) -> Result<Arc<JobGraph>, Finding> {
        let (job, replacements) = (&self.job, &self.replacements);
        let graph = sameriver::build_graph_with(|env| job(env), &self.settings, replacements);
        let graph = graph.map_err(|error| Finding::harness(format!("the job is refused: {error}")));
        graph.map(Arc::new)
    }

    fn cluster_settings(&self, graph: &JobGraph) -> ClusterSettings {
        let mut settings = self.settings.cluster(graph.plan().slots());
        if let Some(checkpoints) = &mut settings.checkpoints {
            checkpoints.leader_timeout = leader_timeout(&self.settings);
            checkpoints.leader_interval = checkpoints.leader_timeout / 4;
        }
        settings
    }

    fn preload(&self, sim: &SimWorld) {
        for (path, bytes) in &self.files {
            for node in Self::nodes(&self.settings, self.masters) {
                sim.files(&node).preload(path, bytes.clone());
            }
        }
    }

    fn boot(&self, sim: &SimWorld, settings: &ClusterSettings, processes: &Processes) {
        let addresses: Vec<Address> = (0..self.masters)
            .map(|master| Address::new(format!("{}:{PORT}", master_node(master))))
            .collect();
        for (master, address) in (0..).zip(&addresses) {
            let program = self.program(sim, settings, processes);
            let address = address.clone();
            sim.boot(&master_node(master), move |world| {
                program.clone().start_master(&world, address.clone());
            });
        }
        for index in 0..self.settings.task_managers {
            let program = self.program(sim, settings, processes);
            let addresses = addresses.clone();
            sim.boot(&super::task_manager_node(index), move |world| {
                let index = TaskManagerIndex::new(index);
                program
                    .clone()
                    .start_task_manager(&world, addresses.clone(), index);
            });
        }
    }

    fn program(
        &self,
        sim: &SimWorld,
        settings: &ClusterSettings,
        processes: &Processes,
    ) -> Program {
        Program {
            sim: sim.clone(),
            job: Arc::clone(&self.job),
            replacements: self.replacements.clone(),
            job_settings: self.settings.clone(),
            settings: settings.clone(),
            processes: processes.clone(),
        }
    }
}

/// What a node runs each time it starts.
#[derive(Clone)]
struct Program {
    sim: SimWorld,
    job: JobFunction,
    replacements: Replacements,
    job_settings: Settings,
    settings: ClusterSettings,
    processes: Processes,
}

impl Program {
    fn graph(&self) -> Arc<JobGraph> {
        let job = &self.job;
        let graph =
            sameriver::build_graph_with(|env| job(env), &self.job_settings, &self.replacements);
        Arc::new(graph.expect("the job was built once before"))
    }

    fn start_master(self, world: &World, address: Address) {
        let (node, generation) = (world.node().to_owned(), self.sim.generation(world.node()));
        let own = world.clone();
        let task = world.spawn(Lane::Control, "job master", async move {
            loop {
                let (control, requests) = JobControl::pair();
                self.processes.controls(&node, generation, control);
                let (graph, settings) = (self.graph(), self.settings.clone());
                let run = job_master::run(own.clone(), address.clone(), graph, settings, requests);
                let outcome = run.await;
                let is_over = !matches!(outcome.status, JobEnd::Failed(_));
                self.ended(&node, generation, Ok(outcome.status));
                if is_over {
                    return;
                }
                own.sleep(PROCESS_PAUSE).await;
            }
        });
        task.detach();
    }

    fn start_task_manager(self, world: &World, masters: Vec<Address>, index: TaskManagerIndex) {
        let (node, generation) = (world.node().to_owned(), self.sim.generation(world.node()));
        let own = world.clone();
        let task = world.spawn(Lane::Control, "task manager", async move {
            loop {
                let (graph, settings) = (self.graph(), self.settings.clone());
                let slots = settings.slots;
                let run =
                    task_manager::run(own.clone(), masters.clone(), index, slots, graph, settings);
                match run.await {
                    Ok(()) => {
                        self.ended(&node, generation, Ok(JobEnd::Finished));
                        return;
                    }
                    Err(error) => self.ended(&node, generation, Err(error.to_string())),
                }
                own.sleep(PROCESS_PAUSE).await;
            }
        });
        task.detach();
    }

    fn ended(&self, node: &str, generation: Generation, how: Result<JobEnd, String>) {
        lock(&self.processes.ends).push(End {
            node: node.to_owned(),
            generation,
            at: self.sim.now(),
            how,
        });
    }
}

impl Processes {
    fn controls(&self, node: &str, generation: Generation, control: JobControl) {
        let mut controls = lock(&self.controls);
        controls.retain(|(other, _, _)| other != node);
        controls.push((node.to_owned(), generation, control));
    }

    /// When the last process of every node has come to its end, if all have.
    fn ended_at(&self, sim: &SimWorld, nodes: &[String]) -> Option<Monotonic> {
        let ends = lock(&self.ends);
        let end_of = |node: &String| {
            let generation = sim.generation(node);
            let ended = ends.iter().filter(|end| {
                let is_over = match &end.how {
                    Ok(JobEnd::Finished | JobEnd::Cancelled) => true,
                    Ok(JobEnd::Failed(_)) | Err(_) => false,
                };
                end.node == *node && end.generation == generation && is_over
            });
            ended.map(|end| end.at).max().filter(|_| sim.is_up(node))
        };
        let all: Option<Vec<Monotonic>> = nodes.iter().map(end_of).collect();
        all.and_then(|all| all.into_iter().max())
    }

    fn all_ended(&self, sim: &SimWorld, nodes: &[String]) -> bool {
        self.ended_at(sim, nodes).is_some()
    }

    /// How the job ended, if a job master has said so.
    fn end(&self) -> Option<JobEnd> {
        let ends = lock(&self.ends);
        let masters = ends.iter().filter(|end| end.node.starts_with(MASTER));
        let mut said = masters.filter_map(|end| end.how.clone().ok());
        said.next_back()
    }

    /// Why the job has failed for good: a job master says so again and again.
    fn has_given_up(&self, since: Monotonic) -> Option<Failure> {
        let ends = lock(&self.ends);
        let mut failures = 0;
        for end in ends.iter().filter(|end| end.at > since) {
            if let Ok(JobEnd::Failed(failure)) = &end.how {
                failures += 1;
                if failures >= FAILURES_MAX {
                    return Some(failure.clone());
                }
            }
        }
        None
    }

    /// Whether a job master leads an attempt of which all subtasks run, or ran.
    async fn runs(&self, sim: &SimWorld) -> bool {
        let controls = lock(&self.controls).clone();
        for (node, generation, control) in controls {
            if sim.generation(&node) != generation {
                continue;
            }
            let status = sim
                .supervisor()
                .timeout(ANSWER_WAIT, control.status())
                .await;
            if let Ok(Ok(JobStatus::Running | JobStatus::Finishing | JobStatus::Finished)) = status
            {
                return true;
            }
        }
        false
    }
}

/// How long the log may show no leader: the settings file does not say.
pub(super) fn leader_timeout(settings: &Settings) -> Duration {
    settings
        .heartbeat_timeout
        .clamp(Duration::from_secs(1), Duration::from_secs(6))
}

const MASTER: &str = "job-master";

fn master_node(index: u32) -> String {
    format!("{MASTER}-{index}")
}
