//! Carries a job out across processes: the job master, the task managers and the control protocol
//! between them.
//!
//! Reading order: [`settings`] → [`rpc`] → `checkpoints` → [`job_control`] and [`outcome`] →
//! [`job_master`] → [`task_manager`] → [`embedded`].
//!
//! Invariant: no decision is made here that deserves a test of its own: those are in
//! `sameriver-control`. Everything that is spawned has a name and is joined, and no loop waits for
//! a peer that does not read.
#![forbid(unsafe_code)]

mod checkpoints;
pub mod embedded;
pub mod job_control;
pub mod job_master;
pub mod outcome;
pub mod rpc;
pub mod settings;
mod stoppable;
pub mod task_manager;

pub use checkpoints::job_folder;
pub use embedded::{EmbeddedCluster, EmbeddedJob};
pub use job_control::{CheckpointRequestError, JobControl, JobGone, JobReport, JobRequests};
pub use job_master::JobMaster;
pub use outcome::{JobCounts, JobOutcome, VertexMetrics};
pub use sameriver_control::trigger::{
    AnyOf, EveryBytes, EveryInterval, EveryRecords, OnMarker, TriggerPolicy,
};
pub use sameriver_control::{
    Backoff, CheckpointSettings, FailurePolicy, JobEnd, JobStatus, RestartStrategy,
};
pub use settings::{ClusterCheckpoints, ClusterSettings, ClusterSettingsError};
pub use task_manager::TaskManagerError;
