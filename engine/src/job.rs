//! Builds the graph of a job function, and runs it on this process's own cluster.
//!
//! Invariant: a job function runs once for the job master and once for each task manager, so that
//! nodes share nothing but connections; a graph that differs between them is refused. The job needs
//! no tokio runtime of the caller: the world brings its threads.

use std::fmt;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use sameriver_cluster::{EmbeddedCluster, EmbeddedJob, JobControl, JobGone, JobOutcome};
use sameriver_connectors::{
    COLLECT_SCHEME, CollectError, CollectedResults, Collector, StandardInput, StandardOutput,
    TextIn, TextOut,
};
use sameriver_graph::JobGraph;
use sameriver_model::{Element, Failure, FailureKind};
use sameriver_runtime::select;
use sameriver_runtime_tokio::{TokioWorld, TokioWorldBuilder};
use thiserror::Error;

use crate::build_error::BuildError;
use crate::environment::Environment;
use crate::settings::Settings;

pub use sameriver_cluster::{JobCounts, JobEnd, JobReport, JobStatus, VertexMetrics};

/// Runs a job function once and chains its operators; every node calls this for itself.
///
/// # Errors
/// [`BuildError`] with everything that is wrong, each with its remedy.
pub fn build_graph<J>(job: J, settings: &Settings) -> Result<JobGraph, BuildError>
where
    J: Fn(&mut Environment) -> Result<(), BuildError>,
{
    let mut env = Environment::of_job::<J>(settings);
    job(&mut env)?;
    env.build()
}

/// The name of a job function, or of the one around a closure; `job` for one without a name.
pub(crate) fn name_of(type_name: &str) -> &str {
    let path = type_name.split('<').next().unwrap_or_default();
    let is_path = |c: char| c.is_alphanumeric() || "_:{}&".contains(c);
    if !path.chars().all(is_path) {
        return "job";
    }
    let mut segments = path.trim_start_matches('&').rsplit("::");
    let name = segments.find(|segment| !segment.starts_with('{'));
    name.unwrap_or("job")
}

/// Runs a job on an embedded cluster until it ends.
///
/// The caller may be on any executor.
///
/// ```
/// use sameriver::prelude::*;
/// # async fn example() -> Result<(), JobError> {
/// let result = sameriver::run(
///     |env: &mut Environment| env.elements("numbers", [1_u64, 2]).map(|n| n * 2).collect("doubled"),
///     &Settings::default(),
/// )
/// .await?;
/// assert_eq!(result.collected::<u64>("doubled").unwrap(), [2, 4]);
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// [`JobError`] when the job cannot be built, or fails.
///
/// # Cancel safety
/// The job goes on when the future is dropped; use [`start`] to cancel it.
pub fn run<J>(
    job: J,
    settings: &Settings,
) -> impl Future<Output = Result<JobResult, JobError>> + Send + use<J>
where
    J: Fn(&mut Environment) -> Result<(), BuildError> + Send + Sync + 'static,
{
    let settings = settings.clone();
    async move { start(job, &settings)?.wait().await }
}

/// Runs a job on an embedded cluster until it ends, in a program without async code.
///
/// # Errors
/// [`JobError`] when the job cannot be built, or fails.
///
/// # Panics
/// If called from async code: use [`run`] there.
pub fn run_blocking<J>(job: J, settings: &Settings) -> Result<JobResult, JobError>
where
    J: Fn(&mut Environment) -> Result<(), BuildError> + Send + Sync + 'static,
{
    let handle = start(job, settings)?;
    let tokio = handle.tokio.clone();
    tokio.block_on(handle.wait())
}

/// Starts a job on an embedded cluster. Needs no async context.
///
/// # Errors
/// [`JobError`] when the job cannot be built; nothing was started then.
pub fn start<J>(job: J, settings: &Settings) -> Result<JobHandle, JobError>
where
    J: Fn(&mut Environment) -> Result<(), BuildError> + Send + Sync + 'static,
{
    let build = || build_graph(&job, settings).map(Arc::new);
    let master = build()?;
    let task_managers = 0..settings.task_managers;
    let graphs = task_managers.map(|_| build()).collect::<Result<_, _>>()?;
    launch(master, graphs, settings)
}

impl Environment {
    /// Starts the job on an embedded cluster whose nodes share this one graph.
    ///
    /// A job function given to [`start`] is stricter: each node makes its own graph, as on separate
    /// machines.
    ///
    /// # Errors
    /// [`JobError`] when the job cannot be built; nothing was started then.
    pub fn start(self) -> Result<JobHandle, JobError> {
        let settings = self.settings().clone();
        let graph = Arc::new(self.build()?);
        let graphs = (0..settings.task_managers).map(|_| Arc::clone(&graph));
        launch(Arc::clone(&graph), graphs.collect(), &settings)
    }

    /// Runs the job on an embedded cluster until it ends; see [`Environment::start`].
    ///
    /// # Errors
    /// [`JobError`] when the job cannot be built, or fails.
    pub fn run(self) -> impl Future<Output = Result<JobResult, JobError>> + Send {
        let started = self.start();
        async move { started?.wait().await }
    }
}

fn launch(
    master: Arc<JobGraph>,
    graphs: Vec<Arc<JobGraph>>,
    settings: &Settings,
) -> Result<JobHandle, JobError> {
    let collected = CollectedResults::new();
    let tokio = world(&collected).map_err(|cause| JobError::World { cause })?;
    let names = (0..graphs.len()).map(|index| format!("task manager {index}"));
    let cluster = EmbeddedCluster {
        master: tokio.world(),
        task_managers: names.map(|name| tokio.node(&name)).collect(),
    };
    let settings = settings.cluster(master.plan().slots());
    Ok(JobHandle {
        job: cluster.start_with(master, graphs, settings),
        tokio,
        collected,
    })
}

/// The real world, with the services of our connectors.
fn world(collected: &CollectedResults) -> io::Result<TokioWorld> {
    let results = collected.clone();
    with_services(TokioWorld::builder().node("job master"))
        .service::<dyn Collector>(COLLECT_SCHEME, move |url, _| {
            let name = url.split_once(':').map_or(url, |(_, name)| name);
            Ok(results.collector(name))
        })
        .build()
}

/// What every process offers to jobs: checkpoint stores and its standard streams.
pub(crate) fn with_services(builder: TokioWorldBuilder) -> TokioWorldBuilder {
    builder
        .offer(sameriver_storage::offer)
        .service::<dyn TextOut>("stdout", |_, world| {
            Ok(Arc::new(StandardOutput::new(world.clone())))
        })
        .service::<dyn TextIn>("stdin", |_, world| {
            Ok(Arc::new(StandardInput::new(world.clone())))
        })
}

/// Why a job gave no result.
///
/// `Debug` shows what `Display` does, so that a `main` may return it:
///
/// ```no_run
/// use sameriver::prelude::*;
///
/// fn main() -> Result<(), JobError> {
///     let job = |env: &mut Environment| env.source("text", FileSource::lines("poem")).print("out");
///     sameriver::run_blocking(job, &Settings::default())?;
///     Ok(())
/// }
/// ```
#[derive(Error)]
pub enum JobError {
    /// The job cannot run at all.
    #[error(transparent)]
    Build(#[from] BuildError),
    /// The operating system refuses threads or file descriptors.
    #[error("the job cannot start: {cause}: close other programs, or raise the limits of this one")]
    World {
        /// What the operating system said.
        cause: io::Error,
    },
    /// The job ran and failed.
    #[error("the job failed: {0}")]
    Failed(Failure),
}

impl fmt::Debug for JobError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl JobError {
    /// What to do about it.
    pub fn kind(&self) -> FailureKind {
        match self {
            Self::Build(_) => FailureKind::User,
            Self::World { .. } => FailureKind::Limit,
            Self::Failed(failure) => failure.kind,
        }
    }
}

/// A job that runs.
///
/// ```
/// use sameriver::prelude::*;
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let job = |env: &mut Environment| env.elements("numbers", [1_u64]).discard("nowhere");
/// let handle = sameriver::start(job, &Settings::default())?;
/// println!("{}", handle.status().await?);
/// handle.cancel().await;
/// let result = handle.wait().await?;
/// println!("{}", result.end());
/// # Ok(())
/// # }
/// ```
#[must_use = "a job that nobody waits for ends with the process"]
pub struct JobHandle {
    job: EmbeddedJob,
    tokio: TokioWorld,
    collected: CollectedResults,
}

impl JobHandle {
    /// The state of the job.
    ///
    /// # Errors
    /// [`JobGone`] when the job master ended without an outcome.
    pub async fn status(&self) -> Result<JobStatus, JobGone> {
        self.job.control().status().await
    }

    /// Asks the job to stop; [`wait`](Self::wait) tells when it has.
    pub async fn cancel(&self) {
        self.job.control().cancel().await;
    }

    /// A handle of its own for status and cancellation, while another task waits.
    pub fn control(&self) -> JobControl {
        self.job.control().clone()
    }

    /// Waits until the job is over and everything that it started has ended.
    ///
    /// # Errors
    /// [`JobError::Failed`]; a cancelled job is a result.
    ///
    /// # Cancel safety
    /// The job goes on when the future is dropped.
    pub async fn wait(self) -> Result<JobResult, JobError> {
        let outcome = self.job.wait().await;
        drop(self.tokio);
        JobResult::of(outcome, self.collected)
    }

    /// Waits as [`wait`](Self::wait) does, in a program without async code; `told` hears how the
    /// job does each time that `every` has passed.
    ///
    /// ```
    /// use sameriver::prelude::*;
    /// let job = |env: &mut Environment| env.elements("numbers", [1_u64]).discard("nowhere");
    /// let handle = sameriver::start(job, &Settings::default())?;
    /// let tell = |report: &sameriver::JobReport| eprintln!("{}", report.status);
    /// let result = handle.wait_watched(secs(1), tell)?;
    /// # drop(result);
    /// # Ok::<(), JobError>(())
    /// ```
    ///
    /// # Errors
    /// [`JobError::Failed`]; a cancelled job is a result.
    ///
    /// # Panics
    /// If called from async code: use [`wait`](Self::wait) and [`control`](Self::control) there.
    pub fn wait_watched(
        self,
        every: Duration,
        mut told: impl FnMut(&JobReport),
    ) -> Result<JobResult, JobError> {
        let (tokio, control) = (self.tokio.clone(), self.control());
        let world = tokio.world();
        tokio.block_on(async {
            let mut ended = pin!(self.wait());
            loop {
                select! {
                    result = &mut ended => return result,
                    () = world.sleep(every) => {}
                }
                select! {
                    result = &mut ended => return result,
                    report = control.report() => report.iter().for_each(&mut told),
                }
            }
        })
    }
}

impl fmt::Debug for JobHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JobHandle").finish_non_exhaustive()
    }
}

/// What a job left behind.
///
/// ```
/// use sameriver::prelude::*;
/// let job = |env: &mut Environment| env.elements("numbers", [1_u64, 2]).collect("all");
/// let result = sameriver::run_blocking(job, &Settings::default())?;
/// assert_eq!(result.collected::<u64>("all")?, [1, 2]);
/// assert_eq!(result.vertices()[0].records_in(), 2);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct JobResult {
    end: JobEnd,
    vertices: Vec<VertexMetrics>,
    counts: JobCounts,
    collected: CollectedResults,
}

impl JobResult {
    pub(crate) fn of(outcome: JobOutcome, collected: CollectedResults) -> Result<Self, JobError> {
        match outcome.status {
            JobEnd::Failed(failure) => Err(JobError::Failed(failure)),
            end @ (JobEnd::Finished | JobEnd::Cancelled) => Ok(Self {
                end,
                vertices: outcome.vertices,
                counts: outcome.counts,
                collected,
            }),
        }
    }

    /// Whether the job finished or was cancelled.
    pub fn end(&self) -> &JobEnd {
        &self.end
    }

    /// What each vertex counted, in the order of the graph.
    pub fn vertices(&self) -> &[VertexMetrics] {
        &self.vertices
    }

    /// How many checkpoints there were, and restarts.
    pub fn counts(&self) -> JobCounts {
        self.counts
    }

    /// Takes what the sink `collect(name)` kept: by subtask, then in order of arrival.
    ///
    /// # Errors
    /// [`CollectError`] when there is no such sink, its records were taken before, or they are of
    /// another type.
    pub fn collected<T: Element>(&self, name: &str) -> Result<Vec<T>, CollectError> {
        self.collected.take(name)
    }

    /// Everything that sinks `collect(name)` kept.
    pub fn collections(&self) -> &CollectedResults {
        &self.collected
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_is_named_after_its_function() {
        assert_eq!(name_of("shop::jobs::clicks_per_user"), "clicks_per_user");
        assert_eq!(name_of("&shop::main::{{closure}}"), "main");
        assert_eq!(name_of("shop::generic<shop::Click>"), "generic");
        assert_eq!(
            name_of("fn(&mut a::Environment) -> b::Result<(), E>"),
            "job"
        );
        assert_eq!(name_of("alloc::boxed::Box<dyn core::ops::Fn()>"), "Box");
    }
}
