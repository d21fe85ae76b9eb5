//! The simulated world: one seed fixes every task switch, timer, packet and disk operation.
//!
//! Reading order: [`supervisor`] (runs a seed) → [`sim_world`] (what a scenario holds) → `kernel` →
//! `node_task` and `life` → `timers` → `net` → `disk` → [`fault`] →
//! `observer` → [`ledger`], [`probe_log`] and `services` → [`trace`] →
//! [`batch`] → [`mod@self_check`].
//!
//! Invariant: a run depends on its seed and on the code alone. All of a world lives on one fresh
//! thread; nodes share nothing but the world; what belongs to a crashed node does nothing more.
#![forbid(unsafe_code)]

#[cfg(not(madsim))]
compile_error!(
    "the simulator needs `--cfg madsim --cfg tokio_unstable`: the workspace sets both in \
     .cargo/config.toml, but RUSTFLAGS in the environment replaces them, so unset RUSTFLAGS or \
     add the two flags to it"
);

pub mod arrivals;
pub mod batch;
pub(crate) mod counters;
pub(crate) mod current;
pub(crate) mod disk;
pub mod fault;
pub mod finding;
pub mod finding_list;
pub mod job;
pub mod judge;
pub(crate) mod kernel;
pub mod ledger;
pub(crate) mod life;
pub(crate) mod models;
pub(crate) mod net;
pub(crate) mod node_site;
pub(crate) mod node_task;
pub(crate) mod node_world;
pub(crate) mod observer;
pub mod plan;
pub mod planted;
pub mod probe_log;
pub mod proof;
pub(crate) mod quiet_panics;
pub mod self_check;
pub(crate) mod services;
pub mod sim_world;
pub mod simulation;
pub mod supervisor;
pub mod tally;
pub(crate) mod timers;
pub mod trace;
pub(crate) mod virtual_clock;
pub mod watchdog;

pub use arrivals::{ArrivalSchedule, Arrivals};
pub use batch::{Batch, BatchSummary, SeedFold};
pub use disk::{NodeFiles, VOLUME};
pub use fault::{
    Class, Effects, Episode, EpisodeError, FaultFamily, FaultScript, Nemesis, Parameters,
    ScriptError, Target, TargetKind, Targets, Trigger, UnknownFamily, Window,
};
pub use finding::{Finding, FindingKind};
pub use finding_list::{FindingList, ListedFinding};
pub use job::{
    CHECKPOINTS, CRASH_POINTS, DiskUse, FILE_CHECKPOINTS, JobFunction, Phases, Promised, Ran,
    STORE_FORMAT, SimCluster, SimJob, draw_class, draw_lasting_settings, draw_modes, draw_settings,
};
pub use judge::{
    Account, AfterHealing, Compared, CutMode, DeclaredOrder, Deed, Fact, FoldStep, History,
    Invariant, Legal, LivenessBounds, Look, Publications, Sighting, StoreEvent, StoreFormat,
    VisibleItem, WentThrough, Windowed,
};
pub use ledger::{Effect, Payload};
pub use life::Generation;
pub use models::{BlobEvent, BlobOutcome, BlobRequest, BlobShelf};
pub use node_site::NodeClock;
pub use plan::{Expectation, Plan, PlanError, PlanFolder, Replay};
pub use probe_log::{ProbeEntry, ProbeLog, Seen};
pub use self_check::{Divergence, self_check};
pub use services::ServiceSite;
pub use sim_world::SimWorld;
pub use simulation::Simulation;
pub use supervisor::{Limits, Outcome, PanicReport, run_seed};
pub use tally::{FamilyTally, Figures, RunMode, StepTally, Tally};
pub use trace::TraceHash;
pub use watchdog::Watchdog;
