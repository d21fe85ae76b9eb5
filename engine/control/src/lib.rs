//! The control plane: pure decisions about one job.
//!
//! Reading order: [`moment`] → [`status`] → [`fact`] and [`command`] → [`settings`] →
//! [`assignment`] → [`trigger`] → [`coordinator`] → [`restart`] → [`machine`]; beside them
//! [`heartbeat`] and [`leader_watch`], which judge whether a peer is there.
//!
//! Invariant: facts and `now` come in, commands go out. Nothing here awaits, stores, sends or reads
//! a clock; no async crate is in the transitive closure.
#![forbid(unsafe_code)]

pub mod assignment;
mod attempt;
pub mod backoff;
pub mod command;
pub mod coordinator;
pub mod fact;
pub mod heartbeat;
pub mod incarnation;
pub mod leader_watch;
pub mod machine;
pub mod moment;
mod names;
pub mod restart;
mod roster;
pub mod settings;
pub mod status;
pub mod trigger;

pub use assignment::{AssignmentError, SlotAssignment, SlotOffer};
pub use backoff::Backoff;
pub use command::{AbortCause, Command, PlacedSubtask};
pub use coordinator::{AckOutcome, CheckpointCoordinator, CheckpointPlan};
pub use fact::Fact;
pub use heartbeat::{HeartbeatMonitor, Liveness};
pub use incarnation::Incarnation;
pub use leader_watch::{LeaderBeat, LeaderVerdict, LeaderWatch};
pub use machine::JobMachine;
pub use moment::Moment;
pub use restart::{RestartDecision, RestartStrategy, Restarts};
pub use roster::AdmissionError;
pub use settings::{CheckpointSettings, Deadlines, FailurePolicy, JobSettings, JobSettingsError};
pub use status::{JobEnd, JobStatus};
pub use trigger::TriggerPolicy;
