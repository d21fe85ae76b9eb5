//! Runs a job over several processes: one is its job master, the others are task managers.
//!
//! Invariant: every process makes its own graph from the same job function, arguments and settings,
//! and runs the same binary; who differs is refused by name. Nothing is shared but connections and
//! the checkpoint store.

use std::fmt;
use std::io;
use std::path::Path;
use std::sync::Arc;

use sameriver_cluster::{JobControl, JobMaster, TaskManagerError, task_manager};
use sameriver_connectors::{COLLECT_SCHEME, CollectedResults, Collector};
use sameriver_graph::JobGraph;
use sameriver_model::{FailureKind, TaskManagerIndex};
use sameriver_runtime::{Address, World};
use sameriver_runtime_tokio::TokioWorld;
use thiserror::Error;

use crate::build_error::BuildError;
use crate::environment::Environment;
use crate::job::{JobError, JobResult, build_graph, with_services};
use crate::settings::{Restart, Settings};

/// Bytes of the executable that are read at once.
const CHUNK_BYTES: usize = 1 << 20;

/// Leads a job until it is over; blocks the calling thread.
///
/// It waits for `settings.task_managers` task managers at `listen`, a `host:port`; port 0 is one
/// that is free. `listening` hears the address that it has become. Settings beyond those of every
/// node matter here only: when checkpoints are taken, and what follows a failure.
///
/// ```no_run
/// use sameriver::prelude::*;
/// fn squares(env: &mut Environment) -> Result<(), BuildError> {
///     env.elements("numbers", [1_u64, 2, 3]).map(|n| n * n).sink("squares", FileSink::lines("out"))
/// }
/// let settings = Settings { checkpoints: "kept".to_owned(), ..Settings::default() };
/// // On one machine, where `arguments` tell which process this is:
/// let is_master = std::env::args().nth(1).is_some_and(|role| role == "jobmaster");
/// if is_master {
///     sameriver::run_job_master(squares, &settings, "10.0.0.1:6123", |at| eprintln!("{at}"))?;
/// } else {
///     let masters = ["10.0.0.1:6123".to_owned()];
///     sameriver::run_task_manager(squares, &settings, 0, &masters, "10.0.0.2")?;
/// }
/// # Ok::<(), sameriver::NodeError>(())
/// ```
///
/// # Errors
/// [`NodeError`] when the job cannot be built, the address not be listened on, or the job fails.
///
/// # Panics
/// If called from async code.
pub fn run_job_master<J>(
    job: J,
    settings: &Settings,
    listen: &str,
    listening: impl FnOnce(&str),
) -> Result<JobResult, NodeError>
where
    J: Fn(&mut Environment) -> Result<(), BuildError>,
{
    let listen = address(listen)?;
    if settings.restart != Restart::Never && !settings.has_checkpoints() {
        return Err(NodeError::NoCheckpoints);
    }
    let node = Node::start(job, settings, "job master", LOOPBACK)?;
    let (control, requests) = JobControl::pair();
    let outcome = node.tokio.block_on(async {
        let bound = JobMaster::bind(&node.world, &listen).await;
        let master = bound.map_err(|cause| NodeError::Listen {
            address: listen.to_string(),
            cause,
        })?;
        listening(master.address().as_str());
        Ok::<_, NodeError>(master.run(node.graph, node.cluster, requests).await)
    })?;
    drop(control);
    Ok(JobResult::of(outcome, CollectedResults::new())?)
}

/// Serves a job as the task manager of this index, counted from 0, until the job is over; blocks
/// the calling thread.
///
/// It looks for the job master at `masters`, and may be started before it. Task managers reach each
/// other at `host`, a name or an address of this machine. One that was killed may be started again
/// under the same index.
///
/// # Errors
/// [`NodeError`] when the job cannot be built, no job master answers in time, or nodes do not fit
/// together.
///
/// # Panics
/// If called from async code.
pub fn run_task_manager<J>(
    job: J,
    settings: &Settings,
    index: u32,
    masters: &[String],
    host: &str,
) -> Result<(), NodeError>
where
    J: Fn(&mut Environment) -> Result<(), BuildError>,
{
    let masters = masters.iter().map(|one| address(one));
    let masters = masters.collect::<Result<Vec<_>, _>>()?;
    if index >= settings.task_managers {
        return Err(NodeError::Index {
            index,
            task_managers: settings.task_managers,
        });
    }
    let node = Node::start(job, settings, &format!("task manager {index}"), host)?;
    let slots = node.cluster.slots;
    let index = TaskManagerIndex::new(index);
    let served = task_manager::run(node.world, masters, index, slots, node.graph, node.cluster);
    Ok(node.tokio.block_on(served)?)
}

/// Where a process is reached that is reached from its own machine only.
const LOOPBACK: &str = "127.0.0.1";

/// What each process of a job begins with.
struct Node {
    graph: Arc<JobGraph>,
    cluster: sameriver_cluster::ClusterSettings,
    world: World,
    tokio: TokioWorld,
}

impl Node {
    fn start<J>(job: J, settings: &Settings, name: &str, host: &str) -> Result<Self, NodeError>
    where
        J: Fn(&mut Environment) -> Result<(), BuildError>,
    {
        if settings.checkpoints.starts_with("memory:") {
            return Err(NodeError::StoreInMemory {
                checkpoints: settings.checkpoints.clone(),
            });
        }
        let graph = Arc::new(build_graph(job, settings)?);
        let builder = TokioWorld::builder().node(name).host(host);
        let builder = with_services(builder).service::<dyn Collector>(COLLECT_SCHEME, |_, _| {
            Err("no process could show what task managers collect: write to a sink".to_owned())
        });
        let tokio = builder
            .build()
            .map_err(|cause| NodeError::World { cause })?;
        let world = tokio.world();
        let mut cluster = settings.cluster(graph.plan().slots());
        let build = tokio.block_on(build_of_this_binary(&world));
        cluster.build = build.map_err(|cause| NodeError::Executable { cause })?;
        Ok(Self {
            graph,
            cluster,
            world,
            tokio,
        })
    }
}

/// A number that no two different binaries are likely to share: checksum and length.
async fn build_of_this_binary(world: &World) -> io::Result<u64> {
    let path = std::env::current_exe()?;
    let file = world.disk().open(Path::new(&path)).await?;
    let (mut checksum, mut length) = (0, 0_u64);
    loop {
        let bytes = file.read_at(length, CHUNK_BYTES).await?;
        if bytes.is_empty() {
            return Ok(u64::from(checksum) << 32 | length & u64::from(u32::MAX));
        }
        checksum = crc32c::crc32c_append(checksum, &bytes);
        length += bytes.len() as u64;
    }
}

fn address(given: &str) -> Result<Address, NodeError> {
    let wrong = || NodeError::Address {
        address: given.to_owned(),
    };
    let (host, port) = given.rsplit_once(':').ok_or_else(wrong)?;
    if host.is_empty() || port.parse::<u16>().is_err() {
        return Err(wrong());
    }
    Ok(Address::new(given))
}

/// Why a process of a job ended without its part done.
///
/// `Debug` shows what `Display` does, so that a `main` may return it.
///
/// ```
/// use sameriver::NodeFault;
/// use sameriver::prelude::*;
/// let job = |env: &mut Environment| env.elements("numbers", [1_u64]).discard("nowhere");
/// let refused = sameriver::run_job_master(job, &Settings::default(), "no port", |_| {});
/// let error = refused.expect_err("an address has a port");
/// assert_eq!(error.fault(), NodeFault::Misfit);
/// ```
#[derive(Error)]
pub enum NodeError {
    /// The job cannot be built.
    #[error(transparent)]
    Build(#[from] BuildError),
    /// An address is not one.
    #[error("address {address} cannot be used: write HOST:PORT, such as 127.0.0.1:6123")]
    Address {
        /// What was given.
        address: String,
    },
    /// There is no such task manager.
    #[error(
        "task manager {index} is one too many: the setting task_managers = {task_managers} numbers \
         them from 0: lower the index, or raise the setting on every node"
    )]
    Index {
        /// What was given.
        index: u32,
        /// How many the job waits for.
        task_managers: u32,
    },
    /// Failures are to be mended by reading everything again.
    #[error(
        "setting restart needs checkpoints here: set checkpoints to a folder that every node \
         reaches, or restart = \"never\""
    )]
    NoCheckpoints,
    /// Each process has a memory of its own.
    #[error(
        "setting checkpoints = {checkpoints} is refused: processes share no memory: name a folder \
         that every node reaches"
    )]
    StoreInMemory {
        /// The setting.
        checkpoints: String,
    },
    /// The operating system refuses threads or file descriptors.
    #[error(
        "the node cannot start: {cause}: close other programs, or raise the limits of this one"
    )]
    World {
        /// What the operating system said.
        cause: io::Error,
    },
    /// The binary cannot be compared with that of the other nodes.
    #[error("the node's own binary cannot be read: {cause}: leave the file where it was started")]
    Executable {
        /// What the operating system said.
        cause: io::Error,
    },
    /// The address cannot be listened on.
    #[error(
        "the job master cannot listen on {address}: {cause}: end what listens there, or choose \
         another address"
    )]
    Listen {
        /// The address.
        address: String,
        /// What the operating system said.
        cause: io::Error,
    },
    /// The job ran and failed.
    #[error(transparent)]
    Job(#[from] JobError),
    /// The task manager could not go on.
    #[error(transparent)]
    TaskManager(#[from] TaskManagerError),
}

impl fmt::Debug for NodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl NodeError {
    /// What to do about it, roughly.
    pub fn fault(&self) -> NodeFault {
        match self {
            Self::Build(_)
            | Self::Address { .. }
            | Self::Index { .. }
            | Self::NoCheckpoints
            | Self::StoreInMemory { .. } => NodeFault::Misfit,
            Self::Listen { .. } => NodeFault::Unavailable,
            Self::World { .. } | Self::Executable { .. } => NodeFault::Job(FailureKind::Limit),
            Self::Job(error) => NodeFault::Job(error.kind()),
            Self::TaskManager(error) => match error {
                TaskManagerError::Settings(_) | TaskManagerError::Hello { .. } => NodeFault::Misfit,
                TaskManagerError::Listen { .. } | TaskManagerError::Unreachable { .. } => {
                    NodeFault::Unavailable
                }
                TaskManagerError::Store { .. }
                | TaskManagerError::Stuck { .. }
                | TaskManagerError::Unclosed { .. }
                | TaskManagerError::Panicked { .. } => NodeFault::Job(FailureKind::Cluster),
            },
        }
    }
}

/// Who has to do something about a [`NodeError`].
///
/// ```
/// use sameriver::{FailureKind, NodeFault};
/// /// Whether a supervisor should start the node again as it was.
/// fn starts_again(fault: NodeFault) -> bool {
///     match fault {
///         NodeFault::Misfit => false,
///         NodeFault::Unavailable => true,
///         NodeFault::Job(kind) => kind == FailureKind::Cluster,
///     }
/// }
/// # assert!(!starts_again(NodeFault::Misfit));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NodeFault {
    /// Whoever started this node: it has another binary, another job, other settings than the
    /// others, or an index or address that is none.
    Misfit,
    /// Whoever runs the machines: nobody answers at an address, or it cannot be listened on.
    Unavailable,
    /// The failure of a job, or one of the same kind.
    Job(FailureKind),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_without_host_or_port_is_refused_with_what_to_write() {
        for given in ["", "6123", ":6123", "host:", "host:port", "host:70000"] {
            let error = address(given).unwrap_err().to_string();
            assert!(
                error.ends_with("write HOST:PORT, such as 127.0.0.1:6123"),
                "{error}"
            );
        }
        for given in ["127.0.0.1:0", "localhost:6123", "[::1]:6123"] {
            assert_eq!(address(given).unwrap().as_str(), given);
        }
    }
}
